#!/usr/bin/env python3
"""Writes tests/golden/dequantise: blocks of every stored type and what the gguf package makes of them.

Blocks are random but for their scales; types with five bits and K types end with one block of all ones and one of all zeros.
`<type>.blocks` holds stored bytes, `<type>.f32` the same elements as little-endian float32. `f16.sha256` is the digest of all 63488
finite halves, in the order of their bits, as float32. Needs tools/requirements-train.txt.
"""

import hashlib
from pathlib import Path

import gguf
import numpy as np

FOLDER = Path("tests/golden/dequantise")
BLOCKS = 64
WIDE_BLOCKS = 24
# Scales that break careless code: zeros, denormals, the largest and the smallest normal half, both signs.
SCALES = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3800, 0xBC01], dtype="<u2")


def halves(rng, count):
    """Finite halves: the scales above first, then random ones of moderate size."""
    out = rng.standard_normal(count).astype("<f2").view("<u2")
    out[: len(SCALES)] = SCALES
    return out


def blocks(rng, kind):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    if elements == 1:
        values = rng.standard_normal(BLOCKS * 32)
        if kind == gguf.GGMLQuantizationType.F32:
            return values.astype("<f4").view(np.uint8)
        if kind == gguf.GGMLQuantizationType.F16:
            return halves(rng, BLOCKS * 32).view(np.uint8)
        return (values.astype("<f4").view("<u4") >> 16).astype("<u2").view(np.uint8)
    out = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    out[:, 0:2] = halves(rng, BLOCKS).view(np.uint8).reshape(BLOCKS, 2)
    if kind == gguf.GGMLQuantizationType.Q4_1:
        out[:, 2:4] = rng.permutation(halves(rng, BLOCKS)).view(np.uint8).reshape(BLOCKS, 2)
    return out.reshape(-1)


# Where the halves of a block lie, in bytes.
HALVES = {"Q5_0": [0], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def later_blocks(rng, name):
    """Blocks of the types that joined later, so that the earlier ones keep their bytes."""
    elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    count = BLOCKS if elements == 32 else WIDE_BLOCKS
    out = rng.integers(0, 256, (count, size), dtype=np.uint8)
    out[-2, :] = 0xFF
    out[-1, :] = 0
    for at in HALVES[name]:
        scales = halves(rng, count)
        out[:, at : at + 2] = (scales if at in (0, 208) else rng.permutation(scales)).view(np.uint8).reshape(count, 2)
    return out.reshape(-1)


def write(name, stored):
    kind = gguf.GGMLQuantizationType[name]
    plain = stored.view("<f4") if name == "F32" else stored.view("<f2") if name == "F16" else stored
    values = gguf.dequantize(plain, kind).astype("<f4").reshape(-1)
    assert np.isfinite(values).all()
    (FOLDER / f"{name}.blocks").write_bytes(stored.tobytes())
    (FOLDER / f"{name}.f32").write_bytes(values.tobytes())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    for name in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"):
        write(name, blocks(rng, gguf.GGMLQuantizationType[name]))
    for name in HALVES:
        write(name, later_blocks(rng, name))
    every = np.arange(65536, dtype="<u2").view("<f2")
    finite = every[np.isfinite(every)].astype("<f4")
    (FOLDER / "f16.sha256").write_text(hashlib.sha256(finite.tobytes()).hexdigest() + "\n")


if __name__ == "__main__":
    main()
