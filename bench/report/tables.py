"""Results as Markdown tables, each with the command that made it."""

import results


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def source(name, content):
    return f"`{content.get('command', '?')}`, {content.get('date', '?')}, {results.machine_text(content)} ([result](../bench/results/{name}))"


def rate(one):
    """Median and best of the quiet runs; a figure of a noisy one says so."""
    if one is None:
        return ""
    if "median" not in one:
        return f"({one['noisy']:,.0f}, others {100 * one['foreign']:.0f} %)"
    return f"{one['median']:,.1f} (best {one['best']:,.1f})"


def peers(name, content):
    engines = content["tokens_per_second"]
    rows = [[work] + [rate(rates.get(work)) for rates in engines.values()] for work in results.works(content)]
    out = [table(["tok/s"] + list(engines), rows), "", source(name, content)]
    missing = content.get("missing") or {}
    lost = [f"{k}: {v}" for k, v in missing.items()] if isinstance(missing, dict) else list(missing)
    for refusal in content.get("cannot", []):
        lost.append(f"{refusal['engine']}, {refusal['work']}: {refusal['why']}")
    return "\n".join(out + (["", "Not measured: " + "; ".join(lost) + "."] if lost else []))


def decode(name, content):
    rows = []
    for r in content["results"]:
        floor = r.get("memory_floor_ms")
        rows.append([r["name"], f"{r['tokens_per_second_median']:,.1f}", f"{r['tokens_per_second_best']:,.1f}", f"{r['best_step_ms']:.2f}",
                     f"{floor:.2f}" if floor else "", f"{100 * floor / r['best_step_ms']:.0f} %" if floor else "",
                     f"{100 * r['foreign_load']:.1f} %"])
    head = ["work", "median tok/s", "best tok/s", "shortest step, ms", "memory floor, ms", "of the floor", "others"]
    return table(head, rows) + f"\n\n{content.get('executor', '')}: " + source(name, content)


def served(name, content):
    rows = []
    for case, what in content["cases"].items():
        for server, figures in content["served"].items():
            one = figures.get(case)
            if not one:
                continue
            quiet = "" if one["accepted"] else f" (others {100 * (one['foreign_load'] or 0):.0f} %)"
            memory = one.get("server_resident_bytes")
            rows.append([f"{what['adapters'] or 'no'} adapters, {what['at_once']} at once", server + quiet, f"{one['request_throughput']:.2f}",
                         f"{one['output_throughput']:.0f}", f"{one['p50_ttft_ms']:,.0f} / {one['p99_ttft_ms']:,.0f}",
                         f"{one['p50_itl_ms']:.0f} / {one['p99_itl_ms']:.0f}", f"{memory / 2**20:,.0f}" if memory else ""])
    head = ["load", "server", "requests/s", "tok/s", "first token, ms (p50 / p99)", "between tokens, ms (p50 / p99)", "memory, MiB"]
    missing = [f"{m['server']}, {m['case']}: {m['why']}" for m in content.get("missing", [])]
    return table(head, rows) + "\n\n" + source(name, content) + ("\n\nNot measured: " + "; ".join(missing) + "." if missing else "")


FORMS = {"share": lambda v: f"{100 * v:.1f} %", "times": lambda v: f"{v:.2f}x", "tok/s": lambda v: f"{v:,.1f} tok/s",
         "ms": lambda v: f"{v:,.1f} ms", "MiB": lambda v: f"{v:,.1f} MiB", "of 1": lambda v: f"{v:.3f}"}
BOUNDS = {">=": "at least", "<=": "at most"}


def shown(value, unit):
    return FORMS.get(unit, lambda v: f"{v:,.0f} {unit}")(value)


def suite(found):
    """One line for every figure of the suite's programs, in order of their cases; then where they come from and what is missing."""
    rows = []
    for _, content in found:
        for one in content["findings"]:
            noise = f" (others {100 * one['noise']:.0f} %)" if one["noise"] else ""
            asked = f"{BOUNDS[one['wanted'][0]]} {shown(one['wanted'][1], one['unit'])}" if one["wanted"] else ""
            met = "" if one["met"] is None else "yes" if one["met"] else "no"
            rows.append([one["case"], one["what"], shown(one["value"], one["unit"]) + noise, asked, met])
    rows.sort(key=lambda row: int(row[0].partition("-")[2]))
    out = [table(["case", "what", "measured", "asked", "met"], rows), ""]
    for name, content in found:
        missing = "; ".join(f"{arm}: {why}" for arm, why in content.get("missing", {}).items())
        out.append(f"- {content['kind']}: {source(name, content)}" + (f" Not measured: {missing}." if missing else ""))
    return "\n".join(out)
