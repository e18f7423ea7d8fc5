#!/usr/bin/env python3
"""Writes tests/golden/traffic/slora.json: traces by the draws of S-LoRA's generator, made with numpy's legacy
generator in the order of its code (adapters by a power law, input lengths, output lengths, gaps)."""
import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).parent.parent / "tests/golden/traffic/slora.json"
CASES = [
    {"adapters": 200, "alpha": 1.0, "rate": 2.0, "cv": 1.0, "seconds": 40.0, "seed": 42},
    {"adapters": 200, "alpha": 0.1, "rate": 10.0, "cv": 4.0, "seconds": 12.0, "seed": 42},
    {"adapters": 32, "alpha": 0.3, "rate": 6.5, "cv": 0.5, "seconds": 15.0, "seed": 7},
    {"adapters": 1000, "alpha": 0.6, "rate": 8.0, "cv": 8.0, "seconds": 12.0, "seed": 123456789},
]
LENGTHS = {"input_low": 8, "input_high": 256, "output_low": 8, "output_high": 128}


def trace(case: dict) -> list:
    np.random.seed(case["seed"])
    count = int(case["rate"] * case["seconds"])
    adapters = (np.random.power(case["alpha"], count) * case["adapters"]).astype(int)
    inputs = np.random.randint(case["input_low"], case["input_high"], count)
    outputs = np.random.randint(case["output_low"], case["output_high"], count)
    shape = 1 / (case["cv"] * case["cv"])
    gaps = np.random.gamma(shape, case["cv"] * case["cv"] / case["rate"], count)
    at = 0.0
    out = []
    for i in range(count):
        at += float(gaps[i])
        out.append([at, int(adapters[i]), int(inputs[i]), int(outputs[i])])
    return out


def main() -> None:
    cases = []
    for case in CASES:
        options = {**case, **LENGTHS}
        cases.append({"options": options, "requests": trace(options)})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"numpy": np.__version__, "cases": cases}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
