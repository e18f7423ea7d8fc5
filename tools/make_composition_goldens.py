#!/usr/bin/env python3
"""Writes tests/golden/models/<model>/compositions.json: several weighted adapters on one sequence, as PEFT sums them.

The reference is `add_weighted_adapter(combination_type="cat")`. Where PEFT's new adapter would lose something (it takes over neither
biases of lora_B nor the scaling of rsLoRA) all adapters are active at once, each with its scaling times its weight; where both ways are
open they are compared. Cases are chosen and written as by tools/make_goldens.py, whose files this script reads. A second run writes the
same bytes. Needs tools/requirements-train.txt; run it from the root of the repository.
"""

import json
import warnings
from pathlib import Path

import golden_models
import peft
import torch
from make_goldens import clear_cases
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

ROOT = Path("tests/golden")
# Names and weights; the second member says whether PEFT's "cat" holds all of them.
PLAIN = [
    ([("r8-q-v", 0.7), ("stored-f16", -0.5)], True),
    ([("patterns", 1.25), ("r8-q-v", -0.75), ("float-alpha", 0.3)], True),
    ([("embedding-and-head", 0.5), ("negative-alpha", -1.5)], True),
    ([("embedding-and-head", -0.6), ("patterns", 0.5), ("float-alpha", 0.875)], True),
    ([("rslora", 0.4), ("lora-bias", -0.8), ("embedding-rslora", 1.1)], False),
    ([("head-bias", 0.9), ("embedding-and-head", 0.45)], False),
]
FUSED = [
    ([("r8-qkv", 0.7), ("stored-bf16", -0.5)], True),
    ([("patterns", 1.25), ("r8-qkv", -0.75), ("embedding-and-head", 0.3)], True),
    ([("rslora", 0.4), ("lora-bias", -0.8)], False),
]
MODELS = {
    "llama-tied-gqa": PLAIN,
    "llama-untied-bias-f16": PLAIN,
    "qwen2-bf16": PLAIN,
    "gemma": PLAIN,
    "phi3": FUSED,
}


def activate(model, shares):
    """All adapters at once, each weighted."""
    for module in model.modules():
        if isinstance(module, LoraLayer):
            for name, weight in shares:
                if name in module.scaling:
                    module.scaling[name] *= weight
    model.base_model.set_adapter([name for name, _ in shares])


def load(model_name, shares):
    folder = ROOT / "models" / model_name
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    adapters = ROOT / "adapters" / model_name
    first, *others = (name for name, _ in shares)
    model = peft.PeftModel.from_pretrained(base, adapters / first, adapter_name=first)
    for name in others:
        model.load_adapter(adapters / name, adapter_name=name)
    return model.eval()


@torch.inference_mode()
def check_equal(one, other):
    ids = torch.arange(3, 60)[None]
    difference = (one(input_ids=ids).logits - other(input_ids=ids).logits).abs().max().item()
    assert difference < 1e-3, difference


def composed(model_name, shares, cat):
    model = load(model_name, shares)
    activate(model, shares)
    if cat:
        summed = load(model_name, shares)
        names, weights = zip(*shares, strict=True)
        summed.add_weighted_adapter(list(names), list(weights), "sum", combination_type="cat")
        summed.set_adapter("sum")
        check_equal(model, summed.eval())
        model = summed
    return model.eval()


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, compositions in MODELS.items():
        model = next(model for model in golden_models.MODELS if model.name == name)
        ids = model.generation["eos_token_id"]
        eos = set(ids if isinstance(ids, list) else [ids])
        cases = []
        for shares, cat in compositions:
            seed = f"{name}/" + "+".join(f"{weight}*{adapter}" for adapter, weight in shares)
            found = clear_cases(None, composed(name, shares, cat), eos, golden_models.tokenizer(), seed, ([2, 23], [9]))
            cases += [{"composition": shares} | {key: value for key, value in case.items() if key != "adapter"} for case in found]
        lines = ",\n".join(json.dumps(case) for case in cases)
        (ROOT / "models" / name / "compositions.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(cases)} cases")


main()
