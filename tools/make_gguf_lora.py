#!/usr/bin/env python3
"""Writes tests/golden/gguf_lora: golden adapters as LoRA files in GGUF, as llama.cpp's converter lays them out.

`<model>/<variant>.<type>.gguf` holds the numbers of tests/golden/adapters/<model>/<variant>: names of the base's GGUF tensors with
`.lora_a` and `.lora_b`, rows of B in the file's order of q and k, A of the embedding transposed, the alpha of adapter_config.json. Where
a row does not fit the blocks of a type the tensor is F32. A second run writes the same bytes. Needs tools/requirements-train.txt; run it
from the root of the repository.
"""

import json
import re
from pathlib import Path

import gguf
import golden_models
import numpy as np
from safetensors import safe_open

ROOT = Path("tests/golden")
FILES = [
    ("llama-tied-gqa", "r8-q-v", "F32"),
    ("llama-tied-gqa", "all-linear", "F32"),
    ("llama-tied-gqa", "r256", "Q8_0"),
    ("mistral-window", "all-linear", "F32"),
    ("mistral-window", "r8-q-v", "F16"),
    ("qwen2-bf16", "all-linear", "F32"),
    ("qwen2-bf16", "r8-q-v", "BF16"),
    ("gemma", "all-linear", "F32"),
    ("phi3", "embedding-and-head", "F32"),
]


def tensors(folder):
    """The pairs of an adapter by module path: {path: {"a": A, "b": B}}."""
    out = {}
    with safe_open(folder / "adapter_model.safetensors", "np") as file:
        for name in file.keys():
            found = re.fullmatch(r"base_model\.model\.(.*)\.lora_(?:embedding_)?([AB])(?:\.weight)?", name)
            if found:
                out.setdefault(found[1], {})[found[2].lower()] = file.get_tensor(name).astype(np.float32)
    return out


def write(model_name, variant, kind):
    model = next(model for model in golden_models.MODELS if model.name == model_name)
    folder = ROOT / "adapters" / model_name / variant
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    path = ROOT / "gguf_lora" / model_name / f"{variant}.{kind}.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, {"mistral": "llama"}.get(model.family, model.family))
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))
    for module, pair in sorted(tensors(folder).items()):
        name = golden_models.gguf_name(f"{module}.weight", model)
        heads = {"q_proj": model.heads, "k_proj": model.kv_heads}.get(module.rsplit(".", 1)[-1], 0)
        if heads and model.family in ("llama", "mistral"):
            pair["b"] = golden_models.permuted(pair["b"], heads)
        if module.endswith("embed_tokens"):
            pair["a"] = np.ascontiguousarray(pair["a"].T)
        for part in ("a", "b"):
            wanted = gguf.GGMLQuantizationType[kind]
            fits = pair[part].shape[1] % gguf.GGML_QUANT_SIZES[wanted][0] == 0
            stored = wanted if fits else gguf.GGMLQuantizationType.F32
            writer.add_tensor(f"{name}.lora_{part}", gguf.quantize(pair[part], stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


for names in FILES:
    write(*names)
