#!/usr/bin/env python3
"""Writes tests/golden/adapter_modules.json: what PEFT makes of the adapters in tests/golden/adapters, module by module.

Per adapter `<model>/<variant>` and module path: rank and scaling as PEFT's layers hold them, and the Frobenius norms of A, B and scaling * B A,
and of what else a module has, as they are stored. A second run writes the same bytes. Needs tools/requirements-train.txt; run it from the root of the repository.
"""

import json
import re
from pathlib import Path

import golden_models
import peft
import torch
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path("tests/golden")


def norms(folder):
    """Frobenius norms by module path: {path: {"a": norm, "b": norm, "product": norm of B A, ...}}, `bias` and `magnitude` where there are
    such."""
    out = {}
    factors = {}
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        for name in file.keys():
            if re.search(r"(embed_tokens|lm_head)\.(base_layer\.)?weight$", name):
                continue  # a full copy
            plain = name.replace("lora_embedding_A", "lora_A.weight").replace("lora_embedding_B", "lora_B.weight")
            pattern = r"(?:base_model\.model\.)?(.*)\.lora_(A|B|magnitude)(?:_vector|\.(?:default\.)?(weight|bias))"
            path, factor, kind = re.fullmatch(pattern, plain).groups()
            path = path.replace("_orig_mod.", "").replace("language_model.", "")
            part = "bias" if kind == "bias" else factor.lower()
            tensor = file.get_tensor(name).double()
            out.setdefault(path, {})[part] = torch.linalg.norm(tensor).item()
            factors[path, part] = tensor
    for path, of in out.items():
        of["product"] = torch.linalg.norm(factors[path, "b"] @ factors[path, "a"]).item()
    return out


def modules(folder):
    source = ROOT / "models" / folder.parent.name
    if not (source / "config.json").exists():
        source = ROOT / "models" / golden_models.QUANTISED[folder.parent.name][0]
    base = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source))
    adapted = peft.get_peft_model(base, peft.PeftConfig.from_pretrained(folder))
    stored = norms(folder)
    out = {}
    for name, module in adapted.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        path = name.removeprefix("base_model.model.")
        norm = stored.pop(path)
        scaling = module.scaling["default"]
        out[path] = {
            "rank": module.r["default"],
            "scaling": scaling,
            "norm_update": round(abs(scaling) * norm.pop("product"), 9),
        } | {f"norm_{part}": round(value, 9) for part, value in norm.items()}
    assert not stored, f"{folder}: PEFT has no module for {sorted(stored)}"
    return out


def main():
    folders = sorted(path.parent for path in (ROOT / "adapters").glob("*/*/adapter_config.json"))
    found = {f"{folder.parent.name}/{folder.name}": modules(folder) for folder in folders}
    lines = [f"{json.dumps(name)}: {json.dumps(of, sort_keys=True)}" for name, of in found.items()]
    (ROOT / "adapter_modules.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


main()
