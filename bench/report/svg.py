"""Bars as SVG, readable on light and on dark pages: text and lines take the page's own colour, the page's wish for dark is asked for."""

from html import escape

ROW, GAP, WIDTH, RIGHT = 18, 10, 420, 130
LETTER = 6.2  # mean width in the plot's type
STYLE = """<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}.dim{fill:#59636e}.ours{fill:#1f6feb}.peer{fill:#8b949e}.axis{stroke:#59636e;stroke-width:1}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9198a1}.ours{fill:#58a6ff}.peer{fill:#6e7681}.axis{stroke:#9198a1}}
</style>"""


def bars(title, groups, unit):
    """`groups`: [(name, [(label, value, ours?)])]; values at least 0. The bars of all groups share one scale."""
    most = max((value for _, rows in groups for _, value, _ in rows), default=0) or 1
    height = 34 + sum(22 + ROW * len(rows) + GAP for _, rows in groups)
    left = round(LETTER * max((len(label) for _, rows in groups for label, _, _ in rows), default=0)) + 20
    total = left + WIDTH + RIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" width="{total}" height="{height}" role="img" '
           f'aria-label="{escape(title, quote=True)}">', STYLE, f'<text x="0" y="16" font-weight="600">{escape(title)}</text>']
    y = 34
    for name, rows in groups:
        out.append(f'<text x="0" y="{y + 13}" font-weight="600">{escape(name)}</text>')
        y += 22
        top = y
        for label, value, ours in rows:
            width = round(WIDTH * value / most, 1)
            out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end" class="dim">{escape(label)}</text>')
            out.append(f'<rect x="{left}" y="{y + 3}" width="{width}" height="{ROW - 5}" rx="2" class="{"ours" if ours else "peer"}"/>')
            out.append(f'<text x="{left + width + 6}" y="{y + 13}">{shown(value)} {escape(unit)}</text>')
            y += ROW
        out.append(f'<line x1="{left}" x2="{left}" y1="{top}" y2="{y}" class="axis"/>')
        y += GAP
    return "\n".join(out + ["</svg>"]) + "\n"


def shown(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
