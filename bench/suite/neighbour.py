#!/usr/bin/env python3
"""C-13: a noisy neighbour: one stream and eight alone and beside one process that is busy on one core, in turns.

llama.cpp does the same where `bench/peers/setup llama.cpp` and `bench/peers/model_files.py` were run. The busy process is part of the
measurement; what others use is still the noise.
"""

import os
import pathlib
import subprocess
import sys
import types

import decode_bench
import session
import peer_process
from findings import finding, noise_of
from peer import Work

WORKS = [Work("decode 1"), Work("decode 8", 8)]
OURS = "lorica"
BUSY = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"


class Neighbour:
    """One process that never rests on one core; busy after construction."""

    def __init__(self, core):
        self.process = subprocess.Popen([sys.executable, "-c", BUSY, str(core)], stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            self.__exit__()
            raise session.Missing(f"no process can be busy on core {core}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def ours(options):
    only = [word for work in WORKS for word in ("--only", work.name)]
    return decode_bench.figures(decode_bench.run(options, *only))


def theirs(peer):
    out = {}
    for work in WORKS:
        said = peer.measure(work)
        if "cannot" in said:
            raise session.Missing(said["cannot"])
        out[f"{work.name} tok/s"] = said["tokens"] / said["seconds"]
    return out


def beside(core, run):
    with Neighbour(core):
        return run()


def derive(arms, runs):
    out = []
    for engine in dict.fromkeys(name.rpartition(" ")[0] for name in arms):
        if not {f"{engine} alone", f"{engine} beside"} <= arms.keys():
            continue
        alone, noisy = arms[f"{engine} alone"], arms[f"{engine} beside"]
        noise = noise_of(alone, noisy)
        for work in WORKS:
            where = f"{engine}, {work.name} beside a busy process on one core"
            rate = noisy["figures"][f"{work.name} tok/s"]
            out.append(finding("C-13", where, rate, "tok/s", None, noise))
            out.append(finding("C-13", f"{where}: kept", rate / alone["figures"][f"{work.name} tok/s"], "share",
                               (">=", 0.6) if engine == OURS else None, noise))
            steps = [r["figures"].get(f"{work.name} longest over median") for r in session.counted(runs[f"{engine} beside"])]
            if None not in steps:
                out.append(finding("C-13", f"{where}: longest step over the median", max(steps), "times", ("<=", 10), noise))
    return out


def start(options):
    """({arm: function}, the peers that run, {peer: why it does not})"""
    arms = {f"{OURS} alone": lambda: ours(options), f"{OURS} beside": lambda: beside(options.core, lambda: ours(options))}
    peers, missing = [], {}
    how = types.SimpleNamespace(models=options.models, threads=options.threads, adapters=0, peer_seconds=options.peer_seconds)
    for wanted in filter(None, options.peers.split(",")):
        kind, _, form = wanted.partition(":")
        try:
            peer = peer_process.PeerProcess(kind, form, how)
        except (peer_process.Lost, OSError) as why:
            missing[wanted] = str(why)
            print(f"{wanted}: {why}", file=sys.stderr)
            continue
        peers.append(peer)
        arms |= {f"{peer.name} alone": lambda peer=peer: theirs(peer),
                 f"{peer.name} beside": lambda peer=peer: beside(options.core, lambda: theirs(peer))}
    return arms, peers, missing


def main():
    parser = session.parser(__doc__, "neighbour")
    parser.add_argument("--core", type=int, default=1, help="of the busy process")
    parser.add_argument("--peers", default="llama.cpp:Q4_0,llama.cpp:Q4_0@1", help="KIND:FORMAT[@THREADS], separated by commas; empty: none")
    parser.add_argument("--peer-seconds", type=float, default=300, help="the longest wait for a peer's answer")
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path("build/peers/models"), help="of bench/peers/model_files.py")
    options = session.read(parser, ["lorica-bench-decode"])
    if options.core not in os.sched_getaffinity(0):
        parser.error(f"--core: {options.core} is not one of {sorted(os.sched_getaffinity(0))}")
    for wanted in filter(None, options.peers.split(",")):
        if wanted.partition(":")[0] not in peer_process.MODULES:
            parser.error(f"--peers: {wanted} is not KIND:FORMAT[@THREADS] with a kind of {', '.join(peer_process.MODULES)}")
    arms, peers, lost = start(options)
    try:
        runs, missing = session.in_turns(options, arms)
    finally:
        for peer in peers:
            peer.end()
    summaries = {name: session.summary(some) for name, some in runs.items()}
    session.write(options, "neighbour", runs, missing | lost, derive(summaries, runs), core=options.core)
    return not runs


if __name__ == "__main__":
    sys.exit(main())
