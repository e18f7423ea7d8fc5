#!/usr/bin/env python3
"""Writes tests/golden/sampling/typical.json: what transformers' logits warpers leave of a distribution.

    python tools/make_sampling_goldens.py        (torch and transformers, as in tools/requirements-train.txt)

Each case goes through temperature, top_k, top_p and typical_p in TGI's order. Logits are multiples of 1/64, so they are the same in
text, float and double. A case is taken only when float32, float64 and a mass that differs by a millionth leave the same tokens: then
every right implementation must agree.
"""
import json
import pathlib
import random

import torch
from transformers.generation.logits_process import (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "sampling" / "typical.json"
SHAPES = ["narrow", "wide", "flat", "peaked", "plateaus", "two"]
MASSES = [0.05, 0.2, 0.5, 0.9, 0.95, 0.99]
OTHERS = [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.5, 0, 1.0), (1.0, 12, 1.0), (1.0, 0, 0.8), (0.8, 20, 0.9)]


def logits_of(shape: str, size: int, rng: random.Random) -> list[float]:
    spread = {"narrow": 1.0, "wide": 4.0, "flat": 0.25, "peaked": 1.0, "plateaus": 1.0, "two": 2.0}[shape]
    values = [rng.gauss(0, spread) for _ in range(size)]
    if shape == "peaked":
        values[rng.randrange(size)] = 9.0
    if shape == "two":
        values[0], values[1] = 6.0, 5.0
    if shape == "plateaus":
        values = [float(rng.randrange(-2, 3)) for _ in range(size)]
    return [round(v * 64) / 64 for v in values]


def warp(logits: list[float], dtype: torch.dtype, temperature: float, top_k: int, top_p: float, mass: float) -> torch.Tensor:
    scores = torch.tensor([logits], dtype=dtype)
    steps = [TemperatureLogitsWarper(temperature)] if temperature != 1.0 else []
    steps += [TopKLogitsWarper(top_k)] if top_k else []
    steps += [TopPLogitsWarper(top_p)] if top_p < 1.0 else []
    for step in [*steps, TypicalLogitsWarper(mass)]:
        scores = step(None, scores)
    return scores[0]


def kept(scores: torch.Tensor) -> list[int]:
    return [i for i, s in enumerate(scores.tolist()) if s != float("-inf")]


def make_case(shape: str, size: int, other: tuple[float, int, float], mass: float, rng: random.Random) -> dict | None:
    temperature, top_k, top_p = other
    logits = logits_of(shape, size, rng)
    # transformers keeps every token that equals the k-th; exactly k are kept here, so such rows are left out.
    if (top_k or top_p < 1.0) and len(set(logits)) < len(logits):
        return None
    ids = kept(warp(logits, torch.float32, *other, mass))
    for dtype, m in [(torch.float64, mass), (torch.float64, mass * (1 - 1e-6)), (torch.float64, mass * (1 + 1e-6))]:
        if kept(warp(logits, dtype, *other, m)) != ids:
            return None
    probabilities = warp(logits, torch.float64, *other, mass).softmax(0)
    return {
        "shape": shape,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "typical_p": mass,
        "logits": logits,
        "kept": ids,
        "probabilities": [round(probabilities[i].item(), 7) for i in ids],
    }


def main() -> None:
    rng = random.Random(20)
    cases = []
    for shape in SHAPES:
        for other in OTHERS:
            for mass in MASSES:
                size = rng.choice([8, 33, 60])
                for _ in range(100):
                    case = make_case(shape, size, other, mass, rng)
                    if case:
                        cases.append(case)
                        break
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(f"{len(cases)} cases, {sum(len(c['kept']) < len(c['logits']) for c in cases)} of them leave tokens out")


main()
