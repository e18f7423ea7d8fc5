#!/usr/bin/env python3
"""C-10: adapters that are not in memory: 1000 on the disk, memory for 32, asked for by Zipf's law with exponent 1.

Measured are the first token cold and warm, how often requests find their adapter with either way to choose who leaves, and what streams of
the base notice: alone, beside requests for adapters that are all in memory, and beside the same requests for adapters that are not. The
files lie in the page cache. `lorica-bench-residency` adds what LRU, LFU and GDSF make of the same order of requests without a model.
"""

import itertools
import json
import subprocess
import sys

import adapter_files
import session
from findings import finding, noise_of, quantile
from lorica_server import LoricaServer

SETTLED = 16  # tokens of a stream after which no prompt of its neighbours is computed
SHORT = ("--random-input-len", 16, "--random-output-len", 4)


def bytes_in_memory(options, place):
    """Of one adapter as the server keeps it."""
    with LoricaServer(options, "cold-size", "--adapter-root", place) as server:
        server.load("--num-prompts", 1, *SHORT, "--lora-modules", 0)
        return int(server.metrics()["lorica_adapter_bytes"])


def start(options, name, eviction="gdsf"):
    budget = options.each * options.room + options.each // 2
    return LoricaServer(options, f"cold-{name}", "--adapter-root", options.place, "--adapter-host-memory", budget, "--adapter-eviction", eviction)


def cold_and_warm(options, server, seed):
    """Each adapter twice in a row, one request at a time, more of them than memory holds: the first is cold, the second warm."""
    names = [i for i in range(options.pairs) for _ in range(2)]
    before = server.adapter_loads()
    told = server.load("--num-prompts", len(names), "--max-concurrency", 1, *SHORT, "--lora-assignment", "round-robin", "--lora-modules",
                       *names, seed=seed)
    cold, warm = told["ttfts"][0::2], told["ttfts"][1::2]
    return {"cold p50 ms": 1e3 * quantile(cold, 0.5), "warm p50 ms": 1e3 * quantile(warm, 0.5), "cold p99 ms": 1e3 * quantile(cold, 0.99),
            "warm p99 ms": 1e3 * quantile(warm, 0.99), "share that was cold": min(1.0, (server.adapter_loads() - before) / options.pairs)}


def zipf(options, count):
    return ["--lora-assignment", "zipf", "--lora-zipf-exponent", 1, "--lora-modules", *range(count)]


def hit_rate(options, eviction):
    """From an empty memory, with the same order of requests in every run, so that a replay has it too."""
    with start(options, eviction, eviction) as server:
        before = server.adapter_loads()
        told = server.load("--num-prompts", options.requests, "--max-concurrency", 4, *SHORT, *zipf(options, options.adapters),
                           seed=options.seed)
        return {"hit rate": 1 - (server.adapter_loads() - before) / (options.requests + 1), "first token p50 ms": 1e3 * quantile(told["ttfts"], 0.5),
                "first token p99 ms": 1e3 * quantile(told["ttfts"], 0.99)}


def streams(options, server, seed):
    """Gaps between tokens of four streams of the base."""
    told = server.load("--num-prompts", 4, "--max-concurrency", 4, "--random-input-len", 64, "--random-output-len", options.tokens, seed=seed)
    gaps = [gap for stream in told["itls"] for gap in stream[SETTLED:]]
    return {"between tokens p50 ms": 1e3 * quantile(gaps, 0.5), "between tokens p99 ms": 1e3 * quantile(gaps, 0.99),
            "between tokens largest ms": 1e3 * max(gaps, default=0.0)}


def streams_beside(options, server, count, seed):
    before = server.adapter_loads()
    with server.endless("--num-prompts", 100_000, "--request-rate", options.rate, *SHORT, *zipf(options, count), seed=seed) as others:
        server.wait_for(lambda m: sum(v for k, v in m.items() if k.startswith("lorica_requests_total")) > 0, "the first request")
        out = streams(options, server, seed + 1)
        if not others.running():
            raise RuntimeError("the requests beside the streams ended before them")
    server.wait_idle()
    return out | {"loads beside": server.adapter_loads() - before}


def replayed(options):
    command = [str(options.bin / "lorica-bench-residency"), "--adapters", options.adapters, "--room", options.room, "--requests",
               options.requests, "--seed", options.seed, "--bytes", options.each]
    return json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)


def derive(arms, replay, **_):
    out, figures = [], {name: arm["figures"] for name, arm in arms.items()}
    if "cold and warm" in arms:
        one, noise = figures["cold and warm"], noise_of(arms["cold and warm"])
        out.append(finding("C-10", "first token of an adapter in memory, median", one["warm p50 ms"], "ms", None, noise))
        out.append(finding("C-10", "what it takes longer from the disk's cache, median", one["cold p50 ms"] - one["warm p50 ms"], "ms",
                           ("<=", 15), noise))
        out.append(finding("C-10", "requests among those that did load", one["share that was cold"], "share"))
    for policy in ("gdsf", "lru"):
        if f"hits {policy}" in arms:
            lru = figures.get("hits lru", {}).get("hit rate")
            bound = (">=", lru) if policy == "gdsf" and lru is not None else None
            out.append(finding("C-10", f"requests that find their adapter, {policy.upper()}", figures[f"hits {policy}"]["hit rate"], "share",
                               bound, noise_of(arms[f"hits {policy}"])))
    for one in replay["results"]:
        out.append(finding("C-10", f"replayed, {one['trace']}, {one['policy'].upper()}", one["hit_rate"], "share"))
    if {"streams beside resident", "streams beside cold"} <= arms.keys():
        resident, cold = figures["streams beside resident"], figures["streams beside cold"]
        noise = noise_of(arms["streams beside resident"], arms["streams beside cold"])
        if "streams alone" in arms:
            out.append(finding("C-10", "between tokens of four streams alone, p99", figures["streams alone"]["between tokens p99 ms"], "ms",
                               None, noise_of(arms["streams alone"])))
        out.append(finding("C-10", "beside requests for adapters in memory, p99", resident["between tokens p99 ms"], "ms", None, noise))
        out.append(finding("C-10", "beside requests for adapters that are loaded: p99 over that",
                           cold["between tokens p99 ms"] / resident["between tokens p99 ms"], "times", ("<=", 1.05), noise))
    return out


def read_options():
    parser = session.parser(__doc__, "cold", rounds=3)
    parser.add_argument("--adapters", type=int, default=1000, help="on the disk")
    parser.add_argument("--room", type=int, default=32, help="adapters that memory holds")
    parser.add_argument("--requests", type=int, default=1000, help="for the hit rate")
    parser.add_argument("--pairs", type=int, default=200, help="adapters whose first token is measured cold and warm")
    parser.add_argument("--tokens", type=int, default=1200, help="of each of four streams")
    parser.add_argument("--rate", type=float, default=4.0, help="requests per second beside the streams")
    parser.add_argument("--seed", type=int, default=7, help="of the order of requests")
    options = session.read(parser, ["lorica", "lorica-bench", "lorica-bench-residency"])
    if not 0 < options.room < min(options.pairs, options.adapters) or options.pairs > options.adapters:
        parser.error("--room is below --pairs, which is at most --adapters")
    options.place = adapter_files.wanted(parser, options.model, options.adapters)
    return options


def main():
    options = read_options()
    options.each = bytes_in_memory(options, options.place)
    seeds = itertools.count(100, 10)
    beside_resident, beside_cold = (itertools.count(1_000_000, 10) for _ in range(2))  # arrivals of a turn are the same in both
    with start(options, "pairs") as pairs, start(options, "resident") as resident, start(options, "loading") as loading:
        cold_and_warm(options, pairs, next(seeds))  # all have a name now; which ones are in memory is as in every later run
        resident.ask_for_each(options.room, "--max-concurrency", 1, *SHORT)
        arms = {"cold and warm": lambda: cold_and_warm(options, pairs, next(seeds)),
                "streams alone": lambda: streams(options, resident, next(seeds)),
                "streams beside resident": lambda: streams_beside(options, resident, options.room, next(beside_resident)),
                "streams beside cold": lambda: streams_beside(options, loading, options.adapters, next(beside_cold)),
                "hits gdsf": lambda: hit_rate(options, "gdsf"), "hits lru": lambda: hit_rate(options, "lru")}
        return session.measure_and_write(options, "cold", arms, derive,
                                         more=lambda: {"replay": replayed(options), "adapter_bytes": options.each})


if __name__ == "__main__":
    sys.exit(main())
