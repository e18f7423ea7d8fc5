"""Adapters on the disk for the suite: PEFT's layout, bfloat16, all seven projections, random and seeded, A and B non-zero.

`python3 bench/suite/adapter_files.py --count 1000` makes those that are not there yet; the programs of the suite do it themselves.
"""

import argparse
import json
import pathlib
import random
import shutil
import struct

import gguf_shape

SITES = (("self_attn.q_proj", "hidden", "q"), ("self_attn.k_proj", "hidden", "kv"), ("self_attn.v_proj", "hidden", "kv"),
         ("self_attn.o_proj", "q", "hidden"), ("mlp.gate_proj", "hidden", "ffn"), ("mlp.up_proj", "hidden", "ffn"),
         ("mlp.down_proj", "ffn", "hidden"))
FOLDER = pathlib.Path("build/suite/adapters")
SPARE = 2 << 30  # bytes that stay free on the disk
A_EXPONENT, B_EXPONENT = 0x3C, 0x3B  # upper halves of bfloat16 between 2^-7 and 2^-5, 2^-9 and 2^-7


class NoRoom(RuntimeError):
    """The disk does not hold what is asked for."""


def signed(exponent):
    """A table that keeps the sign of a random byte and sets the rest."""
    return bytes(exponent | (b & 0x80) for b in range(256))


def numbers(drawn, count, exponent):
    """`count` random bfloat16 numbers of one order of magnitude, as bytes."""
    out = bytearray(drawn.randbytes(2 * count))
    out[1::2] = bytes(out[1::2]).translate(signed(exponent))
    return out


def tensors(shape, rank):
    """[(name, rows, columns, exponent)]"""
    out = []
    for layer in range(shape["layers"]):
        for site, inward, outward in SITES:
            path = f"base_model.model.model.layers.{layer}.{site}"
            out.append((f"{path}.lora_A.weight", rank, shape[inward], A_EXPONENT))
            out.append((f"{path}.lora_B.weight", shape[outward], rank, B_EXPONENT))
    return out


def make(folder, shape, rank, seed):
    folder.mkdir(parents=True, exist_ok=True)
    drawn, at, head = random.Random(seed), 0, {}
    parts = tensors(shape, rank)
    for name, rows, columns, _ in parts:
        head[name] = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [at, at + 2 * rows * columns]}
        at += 2 * rows * columns
    words = json.dumps(head).encode()
    words += b" " * (-len(words) % 8)
    with open(folder / "adapter_model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(words)) + words)
        for _, rows, columns, exponent in parts:
            file.write(numbers(drawn, rows * columns, exponent))
    # Last: its being there says that the adapter is whole.
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0, "bias": "none",
        "inference_mode": True, "target_modules": sorted(site.split(".")[1] for site, _, _ in SITES)}))


def ensure(model, count, rank=16, folder=FOLDER):
    """The folder, whose 0, 1, … are at least `count` adapters of this model and rank; makes what is missing."""
    shape = gguf_shape.shape(model)
    place = pathlib.Path(folder) / ("r{}-{}".format(rank, "-".join(str(shape[k]) for k in sorted(shape))))
    place.mkdir(parents=True, exist_ok=True)
    lacking = [i for i in range(count) if not (place / str(i) / "adapter_config.json").exists()]
    bytes_each = sum(2 * rows * columns for _, rows, columns, _ in tensors(shape, rank))
    if shutil.disk_usage(place).free < len(lacking) * bytes_each + SPARE:
        raise NoRoom(f"{len(lacking)} adapters of {bytes_each >> 20} MiB do not fit on the disk beside {SPARE >> 30} GiB of spare room")
    for i in lacking:
        make(place / str(i), shape, rank, i)
    return place


def wanted(parser, model, count):
    """As `ensure`; a reason against it ends the program as a bad flag does."""
    try:
        return ensure(model, count)
    except (OSError, gguf_shape.NotGguf, NoRoom) as why:
        parser.error(f"the adapters for it cannot be made: {why}")


def file_bytes(place):
    return (pathlib.Path(place) / "0/adapter_model.safetensors").stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rank", type=int, default=16)
    options = parser.parse_args()
    try:
        print(ensure(options.model, options.count, options.rank))
    except (OSError, gguf_shape.NotGguf, NoRoom) as why:
        parser.error(str(why))


if __name__ == "__main__":
    main()
