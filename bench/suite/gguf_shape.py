"""The sizes of a llama-like model that an adapter needs, from the head of its GGUF file."""

import struct

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9


class NotGguf(RuntimeError):
    """The file is none, or lacks what an adapter needs."""


def shape(path):
    """{"layers", "hidden", "q", "kv", "ffn"}"""
    values = metadata(path)
    name = values.get("general.architecture")

    def of(key, default=None):
        found = values.get(f"{name}.{key}", default)
        if not isinstance(found, int):
            raise NotGguf(f"{path}: there is no whole number {name}.{key}")
        return found

    hidden, heads = of("embedding_length"), of("attention.head_count")
    head = of("attention.key_length", hidden // heads)
    return {"layers": of("block_count"), "hidden": hidden, "q": heads * head, "kv": of("attention.head_count_kv", heads) * head,
            "ffn": of("feed_forward_length")}


def metadata(path):
    """Keys and values; arrays are passed over."""
    with open(path, "rb") as file:
        magic, version, _, count = struct.unpack("<4sIQQ", file.read(24).ljust(24, b"\0"))
        if magic != b"GGUF" or version not in (2, 3):
            raise NotGguf(f"{path} is no GGUF file of version 2 or 3")
        out = {}
        for _ in range(count):
            key = text(file)
            out[key] = value(file, number(file, "I"))
        return out


def number(file, form):
    size = struct.calcsize("<" + form)
    return struct.unpack("<" + form, file.read(size))[0]


def text(file):
    return file.read(number(file, "Q")).decode()


def value(file, kind):
    if kind == TEXT:
        return text(file)
    if kind != ARRAY:
        return number(file, SCALARS[kind])
    inner, count = number(file, "I"), number(file, "Q")
    if inner == TEXT:
        for _ in range(count):
            file.seek(number(file, "Q"), 1)
    else:
        file.seek(count * struct.calcsize("<" + SCALARS[inner]), 1)
    return None
