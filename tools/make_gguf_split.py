#!/usr/bin/env python3
"""Writes tests/golden/gguf_split: the model llama-gguf-q4_0 in parts, as the gguf package splits it.

The first part has no tensors. Reads tests/golden/models, so run tools/make_goldens.py first. Needs tools/requirements-train.txt.
"""

import shutil
from pathlib import Path

import gguf

SOURCE = Path("tests/golden/models/llama-gguf-q4_0/model.gguf")
FOLDER = Path("tests/golden/gguf_split")
TENSORS_PER_PART = 11


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    reader = gguf.GGUFReader(SOURCE)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(
        FOLDER / "model.gguf", architecture, split_max_tensors=TENSORS_PER_PART, small_first_shard=True
    )
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        items = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=items)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
