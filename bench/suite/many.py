#!/usr/bin/env python3
"""C-8, many adapters: what the server does with S-LoRA's traffic over 32 and over 1,000 adapters, more of it than it can answer.

Prompts of 8 to 255 distinct random tokens, 8 to 127 new ones, adapters drawn by a power law (1: uniformly). In two arms all adapters are in
memory, as S-LoRA has them in its host's; in the third nothing is, and a request loads what it names. All arms get the same requests but
for the names, new ones in every round, so that no prefix is shared.
"""

import functools
import itertools
import sys

import adapter_files
import session
from findings import finding, noise_of
from lorica_server import LoricaServer


def start(options, name, count):
    budget = count * adapter_files.file_bytes(options.place) * 3 // 2 + (64 << 20)
    return LoricaServer(options, f"many-{name}", "--adapter-root", options.place, "--adapter-host-memory", budget)


def ask_for_all(server, count):
    server.ask_for_each(count, "--max-concurrency", 4, "--random-input-len", 8, "--random-output-len", 1)
    told = server.metrics()["lorica_adapters_resident"]
    if told != count:
        raise RuntimeError(f"{told:.0f} of {count} adapters are in memory")


def traffic(options, server, count, seed):
    before = server.adapter_loads()
    told = server.load("--dataset-name", "s-lora", "--s-lora-alpha", options.alpha, "--s-lora-cv", options.cv, "--s-lora-duration",
                       options.seconds, "--request-rate", options.rate, "--max-concurrency", options.at_once, "--s-lora-input-range", 8, 256,
                       "--s-lora-output-range", 8, 128, "--lora-modules", *range(count), seed=seed)
    return {"tokens per second": told["output_throughput"], "requests per second": told["request_throughput"],
            "first token p99 ms": told["p99_ttft_ms"], "loads": server.adapter_loads() - before}


def cold(options, count, seed):
    with start(options, "cold", count) as server:
        return traffic(options, server, count, seed)


def derive(options, arms):
    out, few, many = [], f"{options.few} in memory", f"{options.many} in memory"
    if few not in arms:
        return out
    base = arms[few]["figures"]["tokens per second"]
    out.append(finding("C-8", f"S-LoRA's traffic over {options.few} adapters in memory", base, "tok/s", None, noise_of(arms[few])))
    for name, what in ((many, "in memory"), (f"{options.many} on the disk", "that a request loads")):
        if name in arms:
            rate, noise = arms[name]["figures"]["tokens per second"], noise_of(arms[few], arms[name])
            out.append(finding("C-8", f"over {options.many} adapters {what}", rate, "tok/s", None, noise))
            out.append(finding("C-8", f"over {options.many} adapters {what}, over {options.few} of them", rate / base, "times", (">=", 0.9),
                               noise))
    return out


def read_options():
    parser = session.parser(__doc__, "many", rounds=3)
    parser.add_argument("--few", type=int, default=32, help="adapters")
    parser.add_argument("--many", type=int, default=1000, help="adapters")
    parser.add_argument("--alpha", type=float, default=1.0, help="of the power law; 1: uniform, smaller: more skewed")
    parser.add_argument("--cv", type=float, default=1.0, help="of the gaps between requests; 1: Poisson")
    parser.add_argument("--rate", type=float, default=16.0, help="requests per second, more than the server can answer")
    parser.add_argument("--at-once", type=int, default=64, help="requests that wait for the server rather than being refused")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long requests come")
    parser.add_argument("--seed", type=int, default=42, help="of the first round's requests")
    options = session.read(parser, ["lorica", "lorica-bench"])
    if not 0 < options.few < options.many:
        parser.error("--few is above 0 and below --many")
    options.place = adapter_files.wanted(parser, options.model, options.many)
    return options


def main():
    options = read_options()
    with start(options, "few", options.few) as few, start(options, "many", options.many) as many:
        ask_for_all(few, options.few)
        ask_for_all(many, options.many)
        seeds = {arm: itertools.count(options.seed) for arm in ("few", "many", "cold")}  # new prompts for every run, the same for all arms
        arms = {f"{options.few} in memory": lambda: traffic(options, few, options.few, next(seeds["few"])),
                f"{options.many} in memory": lambda: traffic(options, many, options.many, next(seeds["many"])),
                f"{options.many} on the disk": lambda: cold(options, options.many, next(seeds["cold"]))}
        return session.measure_and_write(options, "many", arms, functools.partial(derive, options))


if __name__ == "__main__":
    sys.exit(main())
