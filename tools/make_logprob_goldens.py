#!/usr/bin/env python3
"""Writes tests/golden/models/<model>/logprobs.json: how likely prompt and generated tokens are, with alternatives.

transformers and PEFT compute one forward pass in float32 over a prompt of golden.json and its answer, with unmerged adapters; log_softmax
runs over the full vocabulary, alternatives are ids of the tokenizer only. A rank is given as the lowest and highest place that logits
within 0.001 of the token's allow. Reads what tools/make_goldens.py wrote; a second run writes the same bytes. Needs
tools/requirements-train.txt; run it from the root of the repository.
"""

import json
import warnings
from pathlib import Path

import golden_models
import peft
import torch
from transformers import AutoModelForCausalLM

ROOT = Path("tests/golden")
MODELS = ["llama-tied-gqa", "llama-linear-wide-vocabulary", "mistral-window", "qwen3", "phi3", "gemma2"]
ADAPTERS = ["r8-q-v", "r8-qkv", "patterns", "dora-head", "saved-head", "embedding-and-head"]
ALTERNATIVES = 5
NEAR = 1e-3


def told(logprobs, token):
    """One token under the distribution before it."""
    known = logprobs[: golden_models.VOCAB]
    own = logprobs[token]
    best = known.topk(ALTERNATIVES)
    return {
        "logprob": round(own.item(), 6),
        "rank": [1 + (known > own + NEAR).sum().item(), (known >= own - NEAR).sum().item()],
        "top": [[i, round(v, 6)] for i, v in zip(best.indices.tolist(), best.values.tolist())],
    }


@torch.inference_mode()
def case_of(model, case):
    prompt, answer = case["prompt_ids"], case["token_ids"]
    ids = prompt + answer
    logprobs = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0].float(), dim=-1)
    rows = [told(logprobs[i - 1], ids[i]) for i in range(1, len(ids))]
    kept = {key: case[key] for key in ("adapter", "prompt_ids", "token_ids", "logprobs")}
    return kept | {"prompt_told": rows[: len(prompt) - 1], "answer_told": rows[len(prompt) - 1 :]}


def load(name, adapter):
    folder = ROOT / "models" / name
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    return peft.PeftModel.from_pretrained(base, ROOT / "adapters" / name / adapter).eval() if adapter else base


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in MODELS:
        golden = json.loads((ROOT / "models" / name / "golden.json").read_text(encoding="utf-8"))
        cases = []
        for adapter in [None, *(a for a in ADAPTERS if (ROOT / "adapters" / name / a).is_dir())]:
            model = load(name, adapter)
            cases += [case_of(model, c) for c in golden if c["adapter"] == adapter and len(c["prompt_ids"]) > 1]
        lines = ",\n".join(json.dumps(case) for case in cases)
        (ROOT / "models" / name / "logprobs.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(cases)} cases, {sum(len(c['prompt_told']) for c in cases)} prompt tokens")


main()
