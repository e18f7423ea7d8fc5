#!/usr/bin/env python3
"""How far a model whose linear maps multiply codes of 8 bits is from itself, on a text: what `--dtype fp8` costs in quality, without a GPU.

    python tools/fp8_distance.py MODEL [TOKENS]      (torch and transformers, as in tools/requirements-train.txt)

MODEL is a Hugging Face directory; the text is bench/data/text.txt, its first TOKENS or all of it. torch computes both in float32, the one as tools/make_fp8_goldens.py does; gpu/ is held against that in
tests/twins/fp8_test.cpp. Pieces of 512 tokens, as lorica-bench-distance takes them. Prints perplexities, the mean and the largest
divergence of the distributions in nats, and how often the likeliest token is the same.
"""

import sys
import warnings
from pathlib import Path

import torch
from make_fp8_goldens import code_layers
from transformers import AutoModelForCausalLM, AutoTokenizer

PIECE = 512


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.inference_mode()
def main():
    warnings.filterwarnings("ignore")
    folder = sys.argv[1]
    text = Path("bench/data/text.txt").read_text(encoding="utf-8")
    ids = AutoTokenizer.from_pretrained(folder)(text, add_special_tokens=False).input_ids
    ids = ids[: int(sys.argv[2]) if len(sys.argv) > 2 else len(ids)]
    whole, codes = load(folder), load(folder)
    code_layers(codes)
    losses, divergences, same = [0.0, 0.0], [], 0
    for at in range(0, len(ids) - 1, PIECE):
        piece = torch.tensor([ids[at : at + PIECE]])
        p, q = (torch.log_softmax(m(input_ids=piece).logits[0, :-1].double(), dim=-1) for m in (whole, codes))
        for i, logprobs in enumerate((p, q)):
            losses[i] -= logprobs.gather(1, piece[0, 1:, None]).sum().item()
        divergences.append((p.exp() * (p - q)).sum(dim=-1))
        same += (p.argmax(dim=-1) == q.argmax(dim=-1)).sum().item()
    apart = torch.cat(divergences)
    exact, fast = (torch.tensor(x / len(apart)).exp().item() for x in losses)
    print(f"{len(apart)} tokens: perplexity {exact:.3f}, in fp8 {fast:.3f} ({100 * (fast / exact - 1):+.2f} %)")
    print(f"divergence {apart.mean().item():.4f} on average, at most {apart.max().item():.3f}; same choice {100 * same / len(apart):.1f} %")


main()
