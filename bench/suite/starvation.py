#!/usr/bin/env python3
"""C-9: starvation: one adapter's client keeps 200 long requests inside the server, another's sends one of 16 tokens per second.

Measured are the other's first tokens, alone and beside; and how evenly two clients are served that both have more waiting than runs: Jain's
index over prompt tokens and twice the generated ones, and the widest gap between their counters (VTC's, in seconds of the machine) beside its
bound, both as the server tells them ten times a second.
"""

import sys

import adapter_files
import session
from findings import finding, jain, noise_of, quantile
from lorica_server import LoricaServer

GREEDY, PROBE = "0", "1"
SETTLED = 16  # ended requests of the second client before shares are compared


def flags(adapter, prompts, at_once, prompt, output):
    return ["--num-prompts", prompts, "--max-concurrency", at_once, "--random-input-len", prompt, "--random-output-len", output,
            "--lora-assignment", "round-robin", "--lora-modules", adapter]


def greedy(options, server):
    """The client that saturates; inside the server and waiting when this returns."""
    load = server.endless(*flags(GREEDY, 100_000, options.greedy, 64, options.long), seed=1)
    try:
        server.wait_for(lambda m: m["lorica_sessions"] >= options.greedy, f"{options.greedy} requests inside")
    except RuntimeError:
        load.__exit__()
        raise
    return load


def probe(options, server, seed):
    """First tokens of the small requests, ms, and the mean step meanwhile."""
    before = server.metrics()
    told = server.load(*flags(PROBE, options.seconds, 0, 16, 16), "--request-rate", 1, "--burstiness", "inf", seed=seed)
    after = server.metrics()
    steps = after["lorica_step_seconds_count"] - before["lorica_step_seconds_count"]
    step = (after["lorica_step_seconds_sum"] - before["lorica_step_seconds_sum"]) / max(1, steps)
    return {"first token p50 ms": 1e3 * quantile(told["ttfts"], 0.5), "first token p99 ms": 1e3 * quantile(told["ttfts"], 0.99),
            "mean step ms": 1e3 * step}


def served(metrics, adapter):
    """Tokens of ended requests, as VTC counts them."""
    def of(what):
        return metrics.get(f'lorica_{what}_tokens_total{{adapter="{adapter}"}}', 0.0)

    return of("prompt") + 2 * of("generated")


def requests(metrics, adapter):
    return metrics.get(f'lorica_requests_total{{adapter="{adapter}"}}', 0.0)


def shares(options, server):
    """Jain's index while both keep more inside than runs at once, over so many ended requests of the second."""
    start = requests(server.metrics(), PROBE)
    marks, gaps = [], []

    def ended(m, count):
        gaps.append((m["lorica_schedule_gap_seconds"], m["lorica_schedule_gap_bound_seconds"]))
        return requests(m, PROBE) - start >= count

    with greedy(options, server), server.endless(*flags(PROBE, 100_000, options.greedy, 64, options.long), seed=2):
        for count in (SETTLED, SETTLED + options.window):
            server.wait_for(lambda m: ended(m, count), f"{count} requests of the second client", 600)
            marks.append(server.metrics())
    server.wait_idle()
    given = [served(marks[1], a) - served(marks[0], a) for a in (GREEDY, PROBE)]
    gap, bound = max(gaps)
    return {"jain": jain(given), "widest gap s": gap, "gap bound s": bound, "first client tokens": given[0], "second client tokens": given[1]}


def saturated(options, server, seed):
    with greedy(options, server):
        out = probe(options, server, seed)
    server.wait_idle()
    return out


def derive(arms):
    out = []
    if {"idle", "saturated"} <= arms.keys():
        idle, busy = arms["idle"]["figures"], arms["saturated"]["figures"]
        noise = noise_of(arms["idle"], arms["saturated"])
        out.append(finding("C-9", "first token of the small client alone, p99", idle["first token p99 ms"], "ms", None, noise))
        bound = 2 * idle["first token p99 ms"] + busy["mean step ms"]
        out.append(finding("C-9", "beside a client that saturates, p99", busy["first token p99 ms"], "ms", ("<=", bound), noise))
    if "two clients" in arms:
        out.append(finding("C-9", "Jain's index of two clients that both wait", arms["two clients"]["figures"]["jain"], "of 1", None,
                           noise_of(arms["two clients"])))
        both = arms["two clients"]["figures"]
        out.append(finding("C-9", "widest gap of two clients that both wait", both["widest gap s"], "s", ("<=", both["gap bound s"]),
                           noise_of(arms["two clients"])))
    return out


def main():
    parser = session.parser(__doc__, "starvation", rounds=3)
    parser.add_argument("--greedy", type=int, default=200, help="requests that the first client keeps inside")
    parser.add_argument("--long", type=int, default=256, help="new tokens of each of them")
    parser.add_argument("--seconds", type=int, default=120, help="of the probe: one request each")
    parser.add_argument("--window", type=int, default=150, help="ended requests of the second client over which shares are compared")
    options = session.read(parser, ["lorica", "lorica-bench"])
    place = adapter_files.wanted(parser, options.model, 2)
    seeds = iter(range(100, 10_000))
    with LoricaServer(options, "starvation", "--adapter-root", place, "--max-concurrent-requests", 4 * options.greedy + 16) as server:
        for adapter in (GREEDY, PROBE):  # both in memory, prices learnt
            server.load(*flags(adapter, 16, 8, 64, 16))
        runs, missing = session.in_turns(options, {"idle": lambda: probe(options, server, next(seeds)),
                                                   "saturated": lambda: saturated(options, server, next(seeds)),
                                                   "two clients": lambda: shares(options, server)})
    session.write(options, "starvation", runs, missing, derive({name: session.summary(some) for name, some in runs.items()}))
    return not runs


if __name__ == "__main__":
    sys.exit(main())
