#!/usr/bin/env python3
"""Writes tests/golden/default_model.json: what the default model, alone and with each example adapter, must answer.

transformers and PEFT compute in float32 on the dequantised GGUF, adapters unmerged, greedily, 24 tokens at most. A prompt is taken only
if at every step the best two tokens are more than 0.001 apart in log-probability, so that another order of summation cannot change
the tokens. Needs tools/requirements-train.txt, the model (tools/fetch_model) and the folders in data/ (examples/data/README.md).
"""

import json
import sys
from pathlib import Path

import gguf_reference
import peft
import torch

MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
ADAPTERS = ["text-to-sql", "ticket-triage", "entity-extraction", "pirate-style"]
BASE_PROMPTS = [
    "The capital of France is",
    "Once upon a time, in the year 1984, there was",
    'def fibonacci(n):\n    """Return the n-th Fibonacci number."""\n',
    "Water boils at 100 °C, and ice melts at",
    "The three primary colours are",
    "My favourite season of the year is",
]
PROMPTS_EACH = 4
NEW_TOKENS = 24
SMALLEST_GAP = 1e-3


@torch.inference_mode()
def generate(model, tokenizer, eos, prompt):
    """Returns the golden fields of one greedy generation, log-probabilities being natural and over the whole vocabulary."""
    prompt_ids = tokenizer.encode(prompt).ids
    tokens, logprobs, gaps, cache = [], [], [], None
    fed = prompt_ids
    while len(tokens) < NEW_TOKENS and (not tokens or tokens[-1] != eos):
        output = model(input_ids=torch.tensor([fed]), past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        best = torch.log_softmax(output.logits[0, -1].float(), dim=-1).topk(2)
        tokens.append(best.indices[0].item())
        logprobs.append(round(best.values[0].item(), 6))
        gaps.append(round((best.values[0] - best.values[1]).item(), 6))
        fed = tokens[-1:]
    ended = tokens[-1] == eos
    return {
        "prompt": prompt,
        "prompt_ids": prompt_ids,
        "token_ids": tokens,
        "logprobs": logprobs,
        "top2_gap": gaps,
        "text": tokenizer.decode(tokens[:-1] if ended else tokens, skip_special_tokens=False),
        "finish": "eos_token" if ended else "length",
    }


def held_out_prompts(adapter):
    """Held-out prompts of the adapter's task, spread over the file."""
    path = Path("data") / adapter / "held_out.jsonl"
    if not path.is_file():
        sys.exit(f"there is no {path}; write it with: python3 examples/data/{adapter.replace('-', '_')}.py data/{adapter}")
    prompts = [json.loads(line)["prompt"] for line in path.read_text(encoding="utf-8").splitlines()]
    return prompts[::7]


def clear_cases(name, model, tokenizer, eos, prompts):
    """Returns the first cases without a close call."""
    cases = []
    for prompt in prompts:
        case = {"adapter": name, **generate(model, tokenizer, eos, prompt)}
        if min(case["top2_gap"]) > SMALLEST_GAP:
            cases.append(case)
        if len(cases) == PROMPTS_EACH:
            return cases
    sys.exit(f"{name or 'base'}: only {len(cases)} prompts without a close call")


def main():
    torch.set_num_threads(2)
    model, tokenizer = gguf_reference.load(MODEL)
    eos = model.config.eos_token_id
    cases = clear_cases(None, model, tokenizer, eos, BASE_PROMPTS)
    for adapter in ADAPTERS:
        adapted = peft.PeftModel.from_pretrained(
            model, f"examples/adapters/{adapter}", adapter_name=adapter, autocast_adapter_dtype=True
        )
        assert all(weight.dtype == torch.float32 for weight in adapted.parameters())
        cases += clear_cases(adapter, adapted.eval(), tokenizer, eos, held_out_prompts(adapter))
        model = adapted.unload()
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path = Path("tests/golden/default_model.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{path}: {len(cases)} cases")


if __name__ == "__main__":
    main()
