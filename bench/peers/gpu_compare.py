#!/usr/bin/env python3
"""Puts what gpu_bench and gpu_peers.py measured on the same card side by side, as Markdown: gpu_compare.py OURS.json PEERS.json

PEERS.json may be another result of gpu_bench, as of --dtype fp8: then its times stand over the first's. The peers' weights are bfloat16:
beside ours of fp8 nothing is judged.

Wanted: G-3 at rank 16, at most half of what adapters add with Triton, and a tenth of what they add with PEFT's loop; G-6 at no point more than 5 %
slower than the fastest peer, cuBLASLt among them. Exit codes: 0 told, 2 a file is not what it should be.
"""

import json
import sys


class Unfit(Exception):
    """A file that cannot be compared."""


def read(path, *programs):
    try:
        with open(path) as file:
            content = json.load(file)
    except (OSError, ValueError) as problem:
        raise Unfit(f"{path}: {problem}") from problem
    if not isinstance(content, dict) or content.get("program") not in programs:
        raise Unfit(f"{path}: not a result of {' or '.join(programs)}")
    return content


def added(row):
    """Milliseconds that adapters add to a step."""
    return row["median_ms"] - row["base_ms"]


def adapters_verdict(ours, peers):
    """What ours adds, in parts of what each peer's adapters add to its own base."""
    told, met = [], []
    for peer, share in (("triton", 1 / 2), ("loop", 1 / 10)):
        if peer not in peers:
            continue
        ok = added(ours) <= share * added(peers[peer])
        told.append(f"{added(ours):.3f} ms added, {peer} {added(peers[peer]):.3f}, wanted <= {share:.1f}x: {'met' if ok else 'NOT MET'}")
        met.append(ok)
    return "; ".join(told), met


def kernels_verdict(ours, peers):
    times = {"cublaslt": ours["cublaslt_us"]} | {peer: row["pair_us"] for peer, row in peers.items()}
    best = min(times, key=times.get)
    over = 100 * (ours["pair_us"] / times[best] - 1)
    return f"{over:+.1f} % over {best}, wanted <= 5 %: {'met' if over <= 5 else 'NOT MET'}", [over <= 5]


def verdict(ours, peers):
    if ours["case"] == "G-3" and ours.get("rank") == 16 and peers:
        return adapters_verdict(ours, peers)
    if ours["case"] == "G-6":
        return kernels_verdict(ours, peers)
    return "", []


def figure(row):
    if "missing" in row:
        return "not measured"
    if "pair_us" in row:
        return f"{row['pair_us']:.1f} us"
    over = f" ({row['over_base_percent']:+.1f} %)" if "over_base_percent" in row else ""
    return f"{row['median_ms']:.3f} ms{over}"


def dtype_of(content):
    return content.get("dtype", "bfloat16")


def own_lines(first, second):
    """Two results of gpu_bench: times of the same rows, and how much of the first's time the second takes."""
    there = {(row["case"], row["name"]): row for row in second["rows"]}
    lines = [f"| | {dtype_of(first)} | {dtype_of(second)} | of the time |", "|---|---|---|---|"]
    for row in first["rows"]:
        other = there.get((row["case"], row["name"]))
        if other is None or ("median_ms" not in row and "missing" not in row):
            continue
        both = "median_ms" in row and "median_ms" in other
        share = f"{other['median_ms'] / row['median_ms']:.2f}" if both else ""
        lines.append(f"| {row['case']} {row['name']} | {figure(row)} | {figure(other)} | {share} |")
    return lines


def not_whole(*results):
    """What a result says of cases that it does not have whole."""
    return [f"{c['case']} {c['state']}: {c['why']}" for r in results for c in r.get("cases", []) if c["state"] in ("cut off", "running") and c.get("why")]


def compared(ours, peers):
    """Lines of the table, and the verdicts as booleans."""
    by_name = {}
    for row in peers["rows"]:
        by_name.setdefault((row["case"], row["name"]), {})[row["peer"]] = row
    names = list(dict.fromkeys(row["peer"] for row in peers["rows"]))
    name = "lorica" if dtype_of(ours) == "bfloat16" else f"lorica, {dtype_of(ours)}"
    lines = [f"| | {name} | " + " | ".join(names) + " | |", "|---" * (len(names) + 3) + "|"]
    met = []
    for row in ours["rows"]:
        beside = by_name.get((row["case"], row["name"]))
        if not beside:
            continue
        there = {peer: r for peer, r in beside.items() if "missing" not in r}
        judged = "missing" not in row and dtype_of(ours) == dtype_of(peers)
        said, results = verdict(row, there) if judged else ("", [])
        met += results
        cells = [figure(beside[peer]) if peer in beside else "" for peer in names]
        lines.append(f"| {row['case']} {row['name']} | {figure(row)} | " + " | ".join(cells) + f" | {said} |")
    return lines, met


def main(words):
    if len(words) != 2:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    try:
        ours, peers = read(words[0], "gpu_bench"), read(words[1], "gpu_peers", "gpu_bench")
        own = peers["program"] == "gpu_bench"
        shape = peers["shape"]["name"] if own else peers["shape"]
        if ours["shape"]["name"] != shape:
            raise Unfit(f"the shapes differ: {ours['shape']['name']} and {shape}")
    except Unfit as problem:
        print(f"gpu_compare: {problem}", file=sys.stderr)
        return 2
    card = ours["card"]["name"]
    for line in not_whole(ours, peers):
        print(f"{line}\n")
    if own:
        other = peers["card"]["name"]
        print(f"{card}, {dtype_of(ours)}; {other}, {dtype_of(peers)}\n")
        print("\n".join(own_lines(ours, peers)) if card == other else "**The cards differ: nothing follows from a table.**")
        return 0
    lines, met = compared(ours, peers)
    print(f"{card}; peers on {peers['card']}, torch {peers['torch']}, Triton {peers['triton']}\n")
    if card != peers["card"]:
        print("**The cards differ: nothing follows from this table.**\n")
    print("\n".join(lines))
    print(f"\n{sum(met)} of {len(met)} comparisons are met.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
