#!/usr/bin/env python3
"""Writes tests/golden/sampling/watermarks.json: which tokens a watermark raises, drawn by torch as TGI's processor draws them.

TGI seeds a generator with 15485863 times the token before and takes the first gamma * vocab entries of `torch.randperm`. Each case has the
first ids in their order, and the sum and the sum of squares of all. Needs torch.
"""

import json
from pathlib import Path

import torch

HASH_KEY = 15485863
PATH = Path("tests/golden/sampling/watermarks.json")


def marked(vocab, gamma, before):
    generator = torch.Generator(device="cpu")
    generator.manual_seed(HASH_KEY * before)
    return torch.randperm(vocab, generator=generator)[: int(vocab * gamma)].tolist()


def main():
    cases = []
    for vocab, gamma in ((1, 0.5), (7, 0.5), (320, 0.5), (320, 0.25), (320, 0.9), (49152, 0.5)):
        for before in (0, 1, 5, 277, 319, 49151):
            ids = marked(vocab, gamma, before)
            cases.append({"vocab": vocab, "gamma": gamma, "before": before, "count": len(ids), "first": ids[:12], "sum": sum(ids),
                          "squares": sum(i * i for i in ids)})
    lines = ",\n".join(json.dumps(case) for case in cases)
    PATH.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{PATH}: {len(cases)} cases")


if __name__ == "__main__":
    main()
