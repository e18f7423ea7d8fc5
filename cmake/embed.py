#!/usr/bin/env python3
"""Writes a C++ source that holds files of the repository: embed.py OUTPUT FILE …

A `.yaml` file becomes JSON under the same stem; all others are taken byte for byte. The names are those without
folders. The source defines `embedded_files` of net/embedded_files.hpp.
"""
import json
import pathlib
import sys

import yaml


def check_keys(node: yaml.Node, seen: set[int]) -> None:
    """Ends the program where YAML says what JSON cannot: a key twice in a mapping, or one that is no string."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            check_keys(item, seen)
    if not isinstance(node, yaml.MappingNode):
        return
    names = set()
    for key, value in node.value:
        if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge") or key.value in names:
            sys.exit(f"embed:{key.start_mark}: the key {key.value!r} is no string, or stands twice")
        names.add(key.value)
        check_keys(value, seen)


def content_of(path: pathlib.Path) -> tuple[str, bytes]:
    """Name and bytes under which a file is embedded."""
    raw = path.read_bytes()
    if path.suffix != ".yaml":
        return path.name, raw
    loader = yaml.SafeLoader(raw.decode("utf-8"))
    root = loader.get_single_node()
    check_keys(root, set())
    text = json.dumps(loader.construct_document(root), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return path.with_suffix(".json").name, text.encode("utf-8")


def literal(raw: bytes) -> str:
    """A C++ string literal in pieces; octal escapes always have three digits, so none runs into what follows."""
    pieces = []
    for start in range(0, len(raw), 90):
        pieces.append("".join(
            chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in raw[start:start + 90]))
    return "\n     ".join(f'"{piece}"' for piece in pieces) or '""'


def main() -> None:
    output = pathlib.Path(sys.argv[1])
    rows = []
    for path in sys.argv[2:]:
        name, raw = content_of(pathlib.Path(path))
        rows.append(f'    {{"{name}",\n     {{{literal(raw)}, {len(raw)}}}}},\n')
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text('// Written by cmake/embed.py.\n#include "net/embedded_files.hpp"\n\nnamespace lorica {\n'
                      "namespace {\n\nconstexpr embedded_file all[] = {\n" + "".join(rows) + "};\n\n}  // namespace\n\n"
                      "std::span<const embedded_file> embedded_files() noexcept {\n  return all;\n}\n\n"
                      "}  // namespace lorica\n", encoding="utf-8")


main()
