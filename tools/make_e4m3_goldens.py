#!/usr/bin/env python3
"""Writes tests/golden/e4m3: torch's float8_e4m3fn, code by code and for numbers where rounding is decided.

    python tools/make_e4m3_goldens.py        (torch, as in tools/requirements-train.txt)

`codes.f32` holds what the 256 codes stand for, little-endian float32. `numbers.f32` holds float32 numbers of both signs: all codes' own,
the middle between every two neighbours, the next float32 on both sides of each, sizes far outside, and what is no number; `numbers.codes`
is what torch rounds them to, with torch saturating. Torch keeps the sign of what is no number; only the positive one is here.
"""

from pathlib import Path

import numpy as np
import torch

FOLDER = Path("tests/golden/e4m3")
FAR = [449.0, 463.9, 464.0, 465.0, 480.0, 512.0, 1e9, 3.4e38, float("inf"), 1e-3, 1e-4, 1e-10, 1e-38, 1e-45]


def main():
    codes = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).to(torch.float32).numpy()
    sizes = codes[:127]
    exact = np.concatenate([sizes, (sizes[1:] + sizes[:-1]) / 2]).astype("<f4")
    above = np.nextafter(exact, np.float32(np.inf))
    below = np.nextafter(exact, np.float32(0))
    numbers = np.concatenate([exact, above, below, np.array(FAR, dtype="<f4")])
    numbers = np.concatenate([numbers, -numbers, np.array([np.nan], dtype="<f4")]).astype("<f4")
    rounded = torch.from_numpy(numbers).to(torch.float8_e4m3fn).view(torch.uint8).numpy()
    assert rounded[np.isposinf(numbers)] == 0x7E, "this torch does not saturate"
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "codes.f32").write_bytes(codes.astype("<f4").tobytes())
    (FOLDER / "numbers.f32").write_bytes(numbers.tobytes())
    (FOLDER / "numbers.codes").write_bytes(rounded.tobytes())


if __name__ == "__main__":
    main()
