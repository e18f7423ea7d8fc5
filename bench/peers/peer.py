"""The small interface behind which every peer runs: a program that says what it is, then measures what it is asked for.

A peer's program defines a class with `name` (engine, version, format), `__init__(options)` and `measure(work) -> seconds or None`
and calls `run`. It reads one JSON object a line, a `Work`, and writes one: `{"seconds": …, "tokens": …}`, or `{"cannot": why}`.
Everything else that its libraries print goes to standard error.
"""

import argparse
import dataclasses
import json
import os
import random
import sys
import traceback


@dataclasses.dataclass
class Work:
    """`streams` sequences; stream i uses adapter i % `adapters` (0: base). Measured are the new tokens, or without any the prompt."""

    name: str
    streams: int = 1
    adapters: int = 0
    prompt: int = 64
    decode: int = 128

    @property
    def tokens(self):
        return self.streams * (self.decode or self.prompt)


class Cannot(Exception):
    """The peer has no way to do this work; the text says why."""


def prompts(work, vocab, seed=0):
    """Distinct random token ids for every stream; another seed, others."""
    return [[random.Random(seed * 1000 + i).randrange(100, min(vocab, 20000)) for _ in range(work.prompt)] for i in range(work.streams)]


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True, help="the folder that model_files.py fills")
    parser.add_argument("--format", required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--adapters", type=int, default=8)
    return parser.parse_args()


def run(make):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**what):
        print(json.dumps(what), file=out, flush=True)

    try:
        peer = make(options())
    except Exception as why:  # whatever a library raises: the driver tells it and goes on without this peer
        traceback.print_exc()
        return say(cannot=f"{type(why).__name__}: {why}")
    say(name=peer.name)
    for line in sys.stdin:
        work = Work(**json.loads(line))
        try:
            say(seconds=peer.measure(work), tokens=work.tokens)
        except Cannot as why:
            say(cannot=str(why))
        except Exception as why:
            traceback.print_exc()
            say(cannot=f"{type(why).__name__}: {why}")
