#!/usr/bin/env python3
"""Writes the generated parts of docs/performance.md and the plots in docs/performance/ from bench/results.

`report.py` writes them, `report.py --check` only says whether they are what it would write. A part stands between
`<!-- generated: NAME -->` and `<!-- end -->`; what stands around is written by hand and stays.
"""

import argparse
import pathlib
import re
import sys

import results
import svg
import tables

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/performance.md"
PLOTS = ROOT / "docs/performance"
PART = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.S)
NONE = "No result of this kind lies in [bench/results](../bench/results) yet."


def median(one):
    return one.get("median", one.get("noisy", 0.0))


def peers_plot(content):
    groups = []
    for work in results.works(content):
        rows = [(engine, median(rates[work]), results.is_ours(engine)) for engine, rates in content["tokens_per_second"].items()
                if work in rates]
        groups.append((work, sorted(rows, key=lambda r: -r[1])))
    return svg.bars("Tokens per second, median", groups, "tok/s")


def served_plot(content, key, title, unit):
    groups = []
    for case, what in content["cases"].items():
        rows = [(server, figures[case][key], results.is_ours(server)) for server, figures in content["served"].items() if case in figures]
        groups.append((f"{what['adapters'] or 'no'} adapters, {what['at_once']} at once", rows))
    return svg.bars(title, groups, unit)


def build(all_results):
    """({part: text}, {plot file: text})"""
    parts, plots = dict.fromkeys(("peers", "served", "decode", "suite"), NONE), {}
    if found := results.latest(all_results, "peers"):
        plots["peers.svg"] = peers_plot(found[1])
        parts["peers"] = "![Lorica and its peers](performance/peers.svg)\n\n" + tables.peers(*found)
    if found := results.latest(all_results, "served"):
        plots["served.svg"] = served_plot(found[1], "output_throughput", "Tokens per second over HTTP", "tok/s")
        plots["first-token.svg"] = served_plot(found[1], "p99_ttft_ms", "First token, 99th percentile; less is better", "ms")
        parts["served"] = "\n\n".join(["![Tokens per second over HTTP](performance/served.svg)",
                                       "![First token](performance/first-token.svg)", tables.served(*found)])
    if found := results.latest(all_results, "decode"):
        parts["decode"] = tables.decode(*found)
    if found := results.latest_of_each(all_results):
        parts["suite"] = tables.suite(found)
    return parts, plots


def filled(page, parts):
    """The page with its generated parts; every part has its place once."""
    places = [m.group(2) for m in PART.finditer(page)]
    if sorted(places) != sorted(parts):
        sys.exit(f"report: {PAGE.name} has places for {places}, and there are the parts {sorted(parts)}")
    return PART.sub(lambda m: f"{m.group(1)}{parts[m.group(2)]}\n{m.group(3)}", page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something would change")
    options = parser.parse_args()
    parts, plots = build(results.load())
    wanted = {PAGE: filled(PAGE.read_text(), parts)} | {PLOTS / name: text for name, text in plots.items()}
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text() != text]
    stale += [p for p in PLOTS.glob("*.svg") if p not in wanted]
    if options.check:
        if stale:
            sys.exit("report: run bench/report/report.py; it would change " + ", ".join(p.name for p in stale))
        return
    PLOTS.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path]) if path in wanted else path.unlink()
        print(f"wrote {path.relative_to(ROOT)}" if path in wanted else f"removed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
