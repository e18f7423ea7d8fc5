#!/usr/bin/env python3
"""Writes tests/golden/models/<model>/merges.json: adapters merged matrix by matrix, as LoRAX's `linear` merges them.

In each module the adapters that have it are merged, A and B alike, each tensor times its adapter's weight: A = sum of w_i A_i and
B = sum of w_i B_i. The scaling is that of the first adapter, in all modules. The sums are made here with torch and put into a new PEFT
adapter, which transformers and peft then run. Cases are chosen and written as by tools/make_goldens.py, whose files this script reads.
A second run writes the same bytes. Needs tools/requirements-train.txt; run it from the root of the repository.
"""

import json
import re
import warnings
from pathlib import Path

import golden_models
import peft
import torch
from make_goldens import clear_cases
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

ROOT = Path("tests/golden")
# Names and weights: modules that all, some and single adapters have, a first one with rsLoRA, ranks that differ only between modules,
# embedding and head, weights of any sign.
PLAIN = [
    [("r8-q-v", 0.7), ("stored-bf16", -0.5)],
    [("float-alpha", 1.25), ("r8-q-v", 0.6), ("one-layer", -0.9)],
    [("bare-keys", 0.8), ("embedding-and-head", 1.1)],
    [("embedding-rslora", 1.2), ("excluded", 0.75)],
    [("compiled-keys", 0.5), ("default-in-keys", 1.0), ("language-model-keys", -1.5), ("bare-keys", 0.9)],
]
FUSED = [
    [("r8-qkv", 0.7), ("stored-bf16", -0.5)],
    [("stored-bf16", 1.25), ("one-layer", 0.8), ("r8-qkv", -0.75)],
]
MODELS = {"llama-tied-gqa": PLAIN, "llama-untied-bias-f16": PLAIN, "qwen2-bf16": PLAIN, "gemma": PLAIN, "phi3": FUSED}


def open_base(model_name):
    folder = ROOT / "models" / model_name
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def matrices(model_name, adapter):
    """A and B by the end of their module's path, however the file spells it, and the scaling that its config gives."""
    folder = ROOT / "adapters" / model_name / adapter
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    found = {}
    for key, tensor in load_file(folder / "adapter_model.safetensors").items():
        if key.endswith(".base_layer.weight"):  # PEFT's copy of the base
            continue
        path, part = re.search(r"(layers\.\d+\.\w+\.\w+_proj|embed_tokens|lm_head)\.lora_(?:embedding_)?([AB])\b", key).groups()
        found.setdefault(path, {})[part] = tensor.float()
    rank = config["r"]
    return found, config["lora_alpha"] / (rank**0.5 if config["use_rslora"] else rank)


def parameters(layer):
    """Those of the one adapter of a PEFT layer."""
    if "sum" in layer.lora_A:
        return {"A": layer.lora_A["sum"].weight, "B": layer.lora_B["sum"].weight}
    return {"A": layer.lora_embedding_A["sum"], "B": layer.lora_embedding_B["sum"]}


@torch.inference_mode()
def merged(model_name, shares):
    parts = [(*matrices(model_name, name), weight) for name, weight in shares]
    scaling = parts[0][1]
    base = open_base(model_name)
    paths = [path for path, _ in base.named_modules()]
    sums = {}
    for end in sorted({end for found, _, _ in parts for end in found}):
        (path,) = (path for path in paths if path == end or path.endswith("." + end))
        having = [(found[end], weight) for found, _, weight in parts if end in found]
        sums[path] = {part: sum(weight * pair[part] for pair, weight in having) for part in "AB"}
    patterns = {f"^{path}$".replace(".", r"\."): pair["A"].shape[0] for path, pair in sums.items()}
    config = peft.LoraConfig(
        r=1,
        lora_alpha=scaling,
        target_modules=list(sums),
        rank_pattern=patterns,
        alpha_pattern={pattern: scaling * rank for pattern, rank in patterns.items()},
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(base, config, adapter_name="sum").eval()
    layers = {path: layer for path, layer in model.base_model.model.named_modules() if isinstance(layer, LoraLayer)}
    assert layers.keys() == sums.keys()
    for path, layer in layers.items():
        assert abs(layer.scaling["sum"] - scaling) < 1e-6, (path, layer.scaling)
        for part, target in parameters(layer).items():
            assert target.shape == sums[path][part].shape, path
            target.copy_(sums[path][part])
    return model


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, merges in MODELS.items():
        model = next(model for model in golden_models.MODELS if model.name == name)
        ids = model.generation["eos_token_id"]
        eos = set(ids if isinstance(ids, list) else [ids])
        cases = []
        for shares in merges:
            seed = f"{name}/merge/" + "+".join(f"{weight}*{adapter}" for adapter, weight in shares)
            found = clear_cases(None, merged(name, shares), eos, golden_models.tokenizer(), seed, ([2, 23], [9]))
            cases += [{"merged": shares} | {key: value for key, value in case.items() if key != "adapter"} for case in found]
        lines = ",\n".join(json.dumps(case) for case in cases)
        (ROOT / "models" / name / "merges.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(cases)} cases")


main()
