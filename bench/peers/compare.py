#!/usr/bin/env python3
"""Runs Lorica and its peers on the same work, in turns, and writes one JSON file.

Work: the default model, greedy, prompts of distinct random tokens, adapters of rank 16 on all seven projections with non-zero A and B.
A run during which others used more than --foreign of the machine (or the host took more than --steal) is rejected and repeated, at
most --tries times. Peers that cannot be used are named in the file with the reason. See bench/README.md.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys
import time

import machine
import peer_process
from peer import Work

WORKS = [Work("decode 1"), Work("decode 1, 1 adapter", 1, 1), Work("decode 8", 8), Work("decode 8, 1 adapter", 8, 1),
         Work("decode 8, 8 adapters", 8, 8), Work("decode 16", 16), Work("decode 32", 32), Work("prefill 512", 1, 0, 512, 0),
         Work("prefill 512, 1 adapter", 1, 1, 512, 0)]
PEERS = ["llama.cpp:Q4_0", "llama.cpp:Q4_0+contexts", "llama.cpp:Q8_0", "llama.cpp:BF16", "openvino:Q4_0", "openvino:int4", "vllm:bfloat16",
         "transformers:float32", "mistral.rs:Q4_0"]


class Ours:
    """lorica-bench-decode, one run of everything that it knows."""

    def __init__(self, options, arguments):
        model = [] if "--model" in arguments else ["--model", options.model]
        self.command = [options.binary, *model, "--threads", str(options.threads), "--runs", "1", *arguments]
        self.file = self.command[self.command.index("--model") + 1].split(".")[-2]
        self.name = "lorica"

    def rates(self):
        out = json.loads(subprocess.run(self.command, check=True, capture_output=True, text=True).stdout)
        self.name = f"lorica, {self.file}, {out['executor']}"
        return {r["name"]: r["tokens_per_second_best"] for r in out["results"]}


class Figures:
    """Rates by engine and work: those of quiet runs, and beside them the noisy ones."""

    def __init__(self, options):
        self.options, self.runs = options, {}

    def quiet(self, told):
        return told[0] <= self.options.foreign and told[1] <= self.options.steal

    def note(self, engine, work, rate, told):
        self.runs.setdefault(engine, {}).setdefault(work, []).append((rate, *told))

    def report(self):
        return {engine: {work: self.one(runs) for work, runs in works.items()} for engine, works in self.runs.items()}

    def one(self, runs):
        good = [r[0] for r in runs if self.quiet(r[1:])]
        out = {"accepted": len(good), "rejected": len(runs) - len(good)}
        if not good:  # told as what it is, never among the accepted
            least = min(runs, key=lambda r: r[1])
            return out | {"noisy": round(least[0], 1), "foreign": round(least[1], 3), "steal": round(least[2], 3)}
        return out | {"best": round(max(good), 1), "median": round(statistics.median(good), 1)}


def repeated(options, figures, engine, run):
    """Runs until a quiet one or --tries; `run` gives rates by work or None when there are none."""
    for _ in range(options.tries):
        watch = machine.Watch()
        rates = run()
        told = watch.told()
        for work, rate in (rates or {}).items():
            figures.note(engine(), work, rate, told)
        if rates is None or figures.quiet(told) or time.monotonic() > options.deadline:
            return


def peer_round(options, figures, peer, peers, refusals):
    for other in peers:
        other.stop()  # once more: something else may have let it go on
    for work in options.works:
        if (peer.name, work.name) in refusals or time.monotonic() > options.deadline:
            continue

        def run():
            said = peer.measure(work)
            if "cannot" in said:
                refusals[peer.name, work.name] = said["cannot"]
                return None
            return {work.name: said["tokens"] / said["seconds"]}

        repeated(options, figures, lambda: peer.name, run)


def start(options, missing):
    out = []
    for name in options.peers.split(",") if options.peers else []:
        kind, _, format_name = name.partition(":")
        try:
            out.append(peer_process.PeerProcess(kind, format_name, options))
        except peer_process.Lost as why:
            missing[name] = str(why)
            print(f"{name}: {why}", file=sys.stderr)
    return out


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path("build/peers/models"), help="of model_files.py")
    parser.add_argument("--binary", default="build/release/bin/lorica-bench-decode")
    parser.add_argument("--ours", action="append", help="further arguments of one of our rows, as '--dtype bfloat16'; repeatable")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--foreign", type=float, default=0.02)
    parser.add_argument("--steal", type=float, default=0.01)
    parser.add_argument("--limit-minutes", type=float, default=60)
    parser.add_argument("--peer-seconds", type=float, default=300, help="the longest wait for a peer's answer")
    parser.add_argument("--peers", default=",".join(PEERS), help="KIND:FORMAT[@THREADS], separated by commas")
    parser.add_argument("--works", default=",".join(w.name.replace(", ", "+") for w in WORKS), help="names, with + for ', '")
    parser.add_argument("--output", default="bench/results/peers.json")
    options = parser.parse_args()
    known = {w.name: w for w in WORKS}
    names = [n.replace("+", ", ") for n in options.works.split(",")]
    if unknown := [n for n in names if n not in known]:
        parser.error(f"--works: {unknown[0]} is not known; there are {'; '.join(known)}")
    for name in filter(None, options.peers.split(",")):
        if name.partition(":")[0] not in peer_process.MODULES:
            parser.error(f"--peers: {name} is not KIND:FORMAT[@THREADS] with a kind of {', '.join(peer_process.MODULES)}")
    if min(options.rounds, options.tries, options.threads) < 1:
        parser.error("--rounds, --tries and --threads are at least 1")
    options.works = [known[n] for n in names]
    options.deadline = time.monotonic() + 60 * options.limit_minutes
    return options


def main():
    options = read_options()
    missing, refusals = {}, {}
    figures = Figures(options)
    ours = [Ours(options, arguments.split()) for arguments in options.ours or [""]]
    peers = start(options, missing)
    rounds = 0
    try:
        while rounds < options.rounds and time.monotonic() < options.deadline:
            for one in ours:
                repeated(options, figures, lambda: one.name, one.rates)
            for peer in list(peers):
                try:
                    peer_round(options, figures, peer, peers, refusals)
                except peer_process.Lost as why:
                    missing[peer.name] = str(why)
                    peers.remove(peer)
            rounds += 1
            print(f"round {rounds} of {options.rounds}", file=sys.stderr)
    finally:
        for peer in peers:
            peer.end()
    report = {
        "kind": "peers" if len(options.works) == len(WORKS) else "part of peers",  # the page shows whole rounds
        "date": datetime.date.today().isoformat(),
        "machine": machine.about(),
        "command": "python bench/peers/compare.py " + " ".join(sys.argv[1:]),
        "threads": options.threads,
        "rounds": rounds,
        "noise_rule": {"foreign": options.foreign, "steal": options.steal, "tries": options.tries},
        "commands": {p.name: " ".join(p.command) for p in peers} | {o.name: " ".join(o.command) for o in ours},
        "missing": missing,
        "cannot": [{"engine": e, "work": w, "why": why} for (e, w), why in refusals.items()],
        "tokens_per_second": figures.report(),
    }
    pathlib.Path(options.output).write_text(json.dumps(report, indent=1) + "\n")
    for name, works in report["tokens_per_second"].items():
        print(name)
        for work, r in works.items():
            print(f"  {work:24} " + (f"best {r['best']:8.1f}  median {r['median']:8.1f} tok/s" if "best" in r else
                                     f"noisy {r['noisy']:8.1f} tok/s, others {100 * r['foreign']:.0f} %"))


if __name__ == "__main__":
    main()
