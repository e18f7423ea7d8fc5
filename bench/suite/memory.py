#!/usr/bin/env python3
"""C-11: what the server takes: resident memory with 0, 100 and 1000 adapters of rank 16 in memory, kept as codes of 8 bits and as bfloat16.

Each arm is a server of its own that has answered the same requests of the base; then each adapter is asked for once. Memory is read
at once, and again when the server rests, for it keeps what the next request would take until then. Memory does not depend on what others
do, so no run is rejected.
"""

import sys

import adapter_files
import session
from findings import finding
from lorica_server import LoricaServer

MOST_OF_FILE = {"int8": 0.55, "bfloat16": 1.05}


def measure(options, place, count, dtype):
    budget = count * adapter_files.file_bytes(place) * 3 // 2 + (64 << 20)
    with LoricaServer(options, f"memory-{count}-{dtype}", "--adapter-root", place, "--adapter-host-memory", budget, "--adapter-dtype", dtype,
                      "--kv-memory", "256M", "--prefix-caching", "false") as server:
        server.load("--num-prompts", 64, "--max-concurrency", 8, "--random-input-len", 64, "--random-output-len", 32)
        if count:
            server.load("--num-prompts", count, "--max-concurrency", 4, "--random-input-len", 8, "--random-output-len", 1,
                        "--lora-assignment", "round-robin", "--lora-modules", *range(count))
        told = server.metrics()
        if told["lorica_adapters_resident"] != count:
            raise RuntimeError(f"{told['lorica_adapters_resident']:.0f} of {count} adapters are in memory")
        at_once = server.memory()["resident"]
        server.wait_for(lambda m: m["lorica_rests_total"] > told["lorica_rests_total"], "a rest")
        return server.memory() | {"resident at once": at_once,
                                  "adapter bytes told": told["lorica_adapter_bytes"],
                                  "weight bytes": told['lorica_memory_bytes{part="weights"}'],
                                  "workspace bytes": told['lorica_memory_bytes{part="workspace"}']}


def derive(arms, counts, dtypes, file_bytes):
    out, mib = [], 1 << 20
    for dtype in dtypes:
        empty = arms.get(f"0 {dtype}", {}).get("figures")
        if not empty:
            continue
        if dtype == dtypes[0]:
            out.append(finding("C-11", "resident after the last request, without adapters", empty["resident at once"] / mib, "MiB"))
            out.append(finding("C-11", "then over the packed weights", empty["resident at once"] / empty["weight bytes"], "times"))
            out.append(finding("C-11", "resident at rest, without adapters", empty["resident"] / mib, "MiB"))
            out.append(finding("C-11", "of it packed weights", empty["weight bytes"] / mib, "MiB"))
            out.append(finding("C-11", "at rest over the packed weights", empty["resident"] / empty["weight bytes"], "times", ("<=", 1.15)))
        for count in counts:
            full = arms.get(f"{count} {dtype}", {}).get("figures")
            if not count or not full:
                continue
            each = (full["resident"] - empty["resident"]) / count
            out.append(finding("C-11", f"resident at rest with {count} adapters in {dtype}", full["resident"] / mib, "MiB"))
            out.append(finding("C-11", f"an adapter in {dtype} ({count} of them)", each / mib, "MiB"))
            out.append(finding("C-11", f"an adapter in {dtype} over its file ({count} of them)", each / file_bytes, "times",
                               ("<=", MOST_OF_FILE[dtype])))
    return out


def main():
    parser = session.parser(__doc__, "memory", rounds=1)
    parser.add_argument("--counts", default="0,100,1000", help="of adapters; 0 is always measured")
    parser.add_argument("--dtypes", default="int8,bfloat16", help="how adapters are kept")
    options = session.read(parser, ["lorica", "lorica-bench"])
    options.foreign = options.steal = 1.0
    dtypes = options.dtypes.split(",")
    if unknown := set(dtypes) - MOST_OF_FILE.keys():
        parser.error(f"--dtypes: {', '.join(unknown)} is not of int8, bfloat16")
    if not all(word.isdigit() for word in options.counts.split(",")):
        parser.error(f"--counts: {options.counts} is not whole numbers with commas between, as 0,100")
    counts = sorted({0, *map(int, options.counts.split(","))})
    place = adapter_files.wanted(parser, options.model, max(counts[-1], 1))
    arms = {f"{count} {dtype}": lambda count=count, dtype=dtype: measure(options, place, count, dtype)
            for dtype in dtypes for count in counts}
    runs, missing = session.in_turns(options, arms)
    summaries = {name: session.summary(some) for name, some in runs.items()}
    file_bytes = adapter_files.file_bytes(place)
    session.write(options, "memory", runs, missing, derive(summaries, counts, dtypes, file_bytes), adapter_file_bytes=file_bytes)
    return not runs


if __name__ == "__main__":
    sys.exit(main())
