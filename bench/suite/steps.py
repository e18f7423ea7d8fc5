#!/usr/bin/env python3
"""C-4, C-6, C-7: what adapters cost the engine: other ranks, 1 to 32 adapters of mixed ranks in 32 streams, 8 prompts in one step.

All are workloads of `lorica-bench-decode`; here they run in turns under the rule about noise. What an adapter of a rank costs is the median
quotient of steps with it and steps of the base that are taken in turns, one by one: the machine changes by more than that between two runs.
"""

import sys

import decode_bench
import session
from findings import finding, noise_of

COUNTS = (1, 2, 4, 8, 16, 32)
RANKS = {1: {8: None, 16: 0.15, 64: 0.4}, 8: {8: None, 16: 0.1, 64: 0.4}}  # by streams: what an adapter of that rank may cost


def sweep_name(count):
    return f"decode 32, {count} adapter{'' if count == 1 else 's'} of mixed ranks"


def derive(arms):
    out = []
    if "ranks" in arms:
        figures, noise = arms["ranks"]["figures"], noise_of(arms["ranks"])
        for streams, ranks in RANKS.items():
            for rank, most in ranks.items():
                over = figures[f"decode {streams}, 1 adapter of rank {rank} over base"]
                bound = None if most is None else ("<=", most)
                out.append(finding("C-4", f"an adapter of rank {rank}, {streams} at once: overhead", over - 1, "share", bound, noise))
    if "adapters" in arms:
        figures, noise = arms["adapters"]["figures"], noise_of(arms["adapters"])
        rates = [figures[f"{sweep_name(n)} tok/s"] for n in COUNTS]
        out.append(finding("C-6", "32 at once, base", figures["decode 32 tok/s"], "tok/s", None, noise))
        out += [finding("C-6", f"32 at once, adapters of ranks 8 to 64: {n}", rate, "tok/s", None, noise) for n, rate in zip(COUNTS, rates)]
        out.append(finding("C-6", "a byte of adapters beside reading it", figures["slope ratio"], "times", ("<=", 1.5), noise))
        worst = max(1 - after / before for before, after in zip(rates, rates[1:]))
        out.append(finding("C-6", "largest loss from one number of adapters to its double", worst, "share", None, noise))
    if "mixed-prefill" in arms:
        figures, noise = arms["mixed-prefill"]["figures"], noise_of(arms["mixed-prefill"])
        out.append(finding("C-7", "8 prompts of 64 tokens in one step", figures["prefill 8 x 64 tok/s"], "tok/s", None, noise))
        out.append(finding("C-7", "kept of it with 8 adapters", figures["prefill 8 x 64, 8 adapters kept"], "share", (">=", 0.8), noise))
    return out


def main():
    parser = session.parser(__doc__, "steps")
    parser.add_argument("--suites", default="ranks,adapters,mixed-prefill")
    options = session.read(parser, ["lorica-bench-decode"])
    arms = {}
    for suite in options.suites.split(","):
        if suite not in ("ranks", "adapters", "mixed-prefill"):
            parser.error(f"--suites: {suite} is not one of ranks, adapters, mixed-prefill")
        arms[suite] = lambda suite=suite: decode_bench.figures(decode_bench.run(options, "--suite", suite, *(["--turns"] if suite == "ranks" else [])))
    return session.measure_and_write(options, "steps", arms, derive)


if __name__ == "__main__":
    sys.exit(main())
