#!/usr/bin/env python3
"""Writes tests/golden/models/<model>/fp8.json: how likely prompt tokens are where linear maps multiply codes of 8 bits.

transformers and PEFT compute as for logprobs.json, but the linear maps of the layers multiply torch's float8_e4m3fn: weights with a scale
for every output, inputs, rounded to bfloat16, with a scale for every row, each scale the largest size / 448. Adapters see the inputs
themselves. Maps whose inputs or outputs, q k v and gate up taken together, are no multiple of 16 stay as they are. A second run writes the
same bytes. Needs tools/requirements-train.txt; run it from the root of the repository.
"""

import json
import warnings
from pathlib import Path

import golden_models
import peft
import torch
from transformers import AutoModelForCausalLM

ROOT = Path("tests/golden")
MODELS = ["llama-tied-gqa", "llama-untied-bias-f16", "mistral-head-dim", "qwen2-window-yarn", "qwen3", "phi3"]
ADAPTERS = ["r8-q-v", "r8-qkv", "dora"]
PROMPTS = 2
SHORTEST = 8
ALTERNATIVES = 10
TOGETHER = [["q_proj", "k_proj", "v_proj"], ["gate_proj", "up_proj"], ["qkv_proj"], ["gate_up_proj"], ["o_proj"], ["down_proj"]]


def codes_of(rows):
    largest = rows.abs().amax(dim=-1, keepdim=True)
    scale = torch.where(largest > 2**-100, largest / 448, torch.ones(()))
    return (rows * (1 / scale)).to(torch.float8_e4m3fn).float(), scale


class CodeLinear(torch.nn.Linear):
    """A linear map that multiplies codes; its weights stay what they were for those who read them."""

    def forward(self, x):
        weights, of_outputs = codes_of(self.weight)
        inputs, of_rows = codes_of(x.to(torch.bfloat16).float())
        out = (inputs @ weights.T) * of_rows * of_outputs[:, 0]
        return out if self.bias is None else out + self.bias


def code_layers(model):
    for layer in model.model.layers:
        for block in (layer.self_attn, layer.mlp):
            for names in TOGETHER:
                maps = [getattr(block, n) for n in names if hasattr(block, n)]
                if maps and maps[0].in_features % 16 == 0 and sum(m.out_features for m in maps) % 16 == 0:
                    for m in maps:
                        m.__class__ = CodeLinear


def told(logprobs, token):
    best = logprobs[: golden_models.VOCAB].topk(ALTERNATIVES)
    top = [[i, round(v, 4)] for i, v in zip(best.indices.tolist(), best.values.tolist())]
    return {"logprob": round(logprobs[token].item(), 6), "rank": [0, 0], "top": top}


@torch.inference_mode()
def case_of(model, adapter, prompt):
    logprobs = torch.log_softmax(model(input_ids=torch.tensor([prompt])).logits[0].float(), dim=-1)
    rows = [told(logprobs[i - 1], prompt[i]) for i in range(1, len(prompt))]
    best = logprobs[-1, : golden_models.VOCAB].argmax().item()
    return {
        "adapter": adapter,
        "prompt_ids": prompt,
        "token_ids": [best],
        "logprobs": [round(logprobs[-1, best].item(), 6)],
        "prompt_told": rows,
    }


def load(name, adapter):
    folder = ROOT / "models" / name
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    code_layers(base)
    return peft.PeftModel.from_pretrained(base, ROOT / "adapters" / name / adapter).eval() if adapter else base


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in MODELS:
        golden = json.loads((ROOT / "models" / name / "golden.json").read_text(encoding="utf-8"))
        prompts = [c["prompt_ids"] for c in golden if c["adapter"] is None and len(c["prompt_ids"]) >= SHORTEST][:PROMPTS]
        cases = []
        for adapter in [None, *(a for a in ADAPTERS if (ROOT / "adapters" / name / a).is_dir())]:
            model = load(name, adapter)
            cases += [case_of(model, adapter, p) for p in prompts]
        lines = ",\n".join(json.dumps(case) for case in cases)
        (ROOT / "models" / name / "fp8.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        print(f"{name}: {len(cases)} cases, {sum(len(c['prompt_told']) for c in cases)} prompt tokens")


if __name__ == "__main__":
    main()
