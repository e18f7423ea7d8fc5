#!/usr/bin/env python3
"""C-12: a system prompt of 512 tokens that four adapters share: the first token of a request that finds it computed and of one that does not.

In each round the prompt is new. Four requests, one of each adapter, must find nothing, whoever came before; then 25 of each adapter must
find all of it. One request runs at a time.
"""

import sys

import adapter_files
import session
from findings import finding, noise_of, quantile
from lorica_server import LoricaServer

ADAPTERS, SHARED, OWN = 4, 512, 16


def hits(server):
    return server.metrics()["lorica_prefix_cache_hits_total"]


def measure(options, server, seed):
    def load(count):
        before = hits(server)
        told = server.load("--num-prompts", count, "--max-concurrency", 1, "--random-prefix-len", SHARED, "--random-input-len", OWN,
                           "--random-output-len", 4, "--lora-assignment", "round-robin", "--lora-modules", *range(ADAPTERS), seed=seed)
        return told["ttfts"], hits(server) - before

    missed, across = load(ADAPTERS)
    found, known = load(ADAPTERS * options.requests)
    count = len(found) + 1  # each load begins with one more, with a prompt of its own: the second load's has been seen too
    return {"first token without ms": 1e3 * quantile(missed, 0.5), "first token with ms": 1e3 * quantile(found, 0.5),
            "tokens found across adapters": across, "prefill skipped": known / (count * (SHARED + OWN)),
            "share of hits": known / (count * SHARED)}


def derive(arms, runs):
    if "prefix" not in arms:
        return []
    figures, noise = arms["prefix"]["figures"], noise_of(arms["prefix"])
    across = max(r["figures"]["tokens found across adapters"] for r in runs["prefix"])  # of all runs: noise excuses none
    without, found = figures["first token without ms"], figures["first token with ms"]
    return [finding("C-12", f"first token behind a new system prompt of {SHARED} tokens", without, "ms", None, noise),
            finding("C-12", "behind one that its adapter has seen", found, "ms", None, noise),
            finding("C-12", "the first over the second", without / found, "times", None, noise),
            finding("C-12", "prefill that is skipped", figures["prefill skipped"], "share", (">=", 0.9 * 0.95)),
            finding("C-12", "requests that find all of it", figures["share of hits"], "share", (">=", 0.9)),
            finding("C-12", "tokens found that another adapter computed", across, "tokens", ("<=", 0))]


def main():
    parser = session.parser(__doc__, "prefix")
    parser.add_argument("--requests", type=int, default=25, help="of each adapter")
    options = session.read(parser, ["lorica", "lorica-bench"])
    place = adapter_files.wanted(parser, options.model, ADAPTERS)
    seeds = iter(range(10, 1_000_000, 10))  # apart: the first request of a load, which is not counted, has the next seed's prompt
    with LoricaServer(options, "prefix", "--adapter-root", place) as server:
        server.load("--num-prompts", ADAPTERS, "--max-concurrency", 1, "--random-input-len", 64, "--random-output-len", 4,
                    "--lora-assignment", "round-robin", "--lora-modules", *range(ADAPTERS))  # all in memory
        runs, missing = session.in_turns(options, {"prefix": lambda: measure(options, server, next(seeds))})
    session.write(options, "prefix", runs, missing, derive({name: session.summary(some) for name, some in runs.items()}, runs))
    return not runs


if __name__ == "__main__":
    sys.exit(main())
