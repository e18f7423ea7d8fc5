#!/usr/bin/env python3
"""Writes tests/golden/models and tests/golden/adapters: tiny models and adapters with what they must answer.

transformers and PEFT compute in float32 with unmerged adapters, greedily, 24 tokens at most; prompts are random ids, and texts that the
tokenizers library encodes. A prompt is taken only if at every step the best two tokens are more than 0.001 apart in log-probability, so
that another order of summation cannot change the tokens. The layout is described in tests/golden/README.md. Everything is seeded; a
second run writes the same bytes. Needs tools/requirements-train.txt.
"""

import itertools
import json
import shutil
import sys
import warnings
import zlib
from pathlib import Path

import golden_adapters
import golden_models
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path("tests/golden")
NEW_TOKENS = 24
SMALLEST_GAP = 1e-3
# Merged pairs and lone bytes, several bytes to a character, digits, runs of spaces and lines.
WORDS = "the and of in to while water stone seven answers I'll 1984 3.14 Ünïté naïve 東京 🙂 λ → __init__ (x) \n \n\n  x".split(" ")
TRIES = 50


@torch.inference_mode()
def generate(model, eos, prompt_ids):
    """Returns the golden fields of one greedy generation; log-probabilities are natural and over the whole vocabulary."""
    tokens, logprobs, gaps, cache = [], [], [], None
    fed = prompt_ids
    while len(tokens) < NEW_TOKENS and (not tokens or tokens[-1] not in eos):
        output = model(input_ids=torch.tensor([fed]), past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        # Log-probabilities run over all rows of the head; ids above the tokenizer's are never chosen.
        best = torch.log_softmax(output.logits[0, -1].float(), dim=-1)[: golden_models.VOCAB].topk(2)
        tokens.append(best.indices[0].item())
        logprobs.append(round(best.values[0].item(), 6))
        gaps.append(round((best.values[0] - best.values[1]).item(), 6))
        fed = tokens[-1:]
    return {
        "prompt_ids": prompt_ids,
        "max_new_tokens": NEW_TOKENS,
        "token_ids": tokens,
        "logprobs": logprobs,
        "top2_gap": gaps,
        "finish": "eos_token" if tokens[-1] in eos else "length",
    }


def id_prompts(rng, length):
    """An endless row of prompts of `length` random ids."""
    while True:
        yield {"prompt_ids": rng.integers(len(golden_models.SPECIALS), golden_models.VOCAB, length).tolist()}


def text_prompts(rng, words, tokenizer):
    """An endless row of texts of random words with the ids that the tokenizers library gives them."""
    while True:
        text = " ".join(WORDS[index] for index in rng.integers(len(WORDS), size=words))
        yield {"prompt": text, "prompt_ids": tokenizer.encode(text).ids}


def clear_cases(adapter, model, eos, tokenizer, seed, prompts):
    """One case per length, first prompts of ids, then texts: the first of a seeded row that has no close call."""
    ids, texts = (np.random.default_rng(zlib.crc32(text.encode())) for text in (seed, f"{seed}/text"))
    lengths, words = prompts
    rows = [id_prompts(ids, length) for length in lengths]
    rows += [text_prompts(texts, count, tokenizer) for count in words]
    cases = []
    for row in rows:
        for prompt in itertools.islice(row, TRIES):
            case = {"adapter": adapter, **prompt, **generate(model, eos, prompt["prompt_ids"])}
            if min(case["top2_gap"]) > SMALLEST_GAP:
                break
        else:
            sys.exit(f"{seed}: no prompt without a close call among the last {TRIES}")
        cases.append(case | {"text": tokenizer.decode(case["token_ids"])})
    return cases


def base_answers(model, eos, cases):
    return [generate(model, eos, case["prompt_ids"])["token_ids"] for case in cases]


def cases_of(name, base, eos, tokenizer, variants, prompts, adapter_source=None):
    """All cases of a model: the base, then each variant, which is written or copied on the way."""
    cases = clear_cases(None, base, eos, tokenizer, f"{name}/base", prompts)
    for variant in variants:
        folder = ROOT / "adapters" / name / variant.name
        # The same name gives the same values, so a model of equal shape gets an equal adapter.
        adapted, untouched = golden_adapters.write(variant, base, adapter_source or name, folder)
        found = clear_cases(variant.name, adapted, eos, tokenizer, f"{name}/{variant.name}", prompts)
        base = untouched or adapted.unload()
        plain = base_answers(base, eos, found)
        differ = [case["token_ids"] != answer for case, answer in zip(found, plain, strict=True)]
        # A single token may leave nothing to choose differently.
        assert sum(differ) == 0 if variant.zero_b else sum(differ) >= len(differ) - 1, f"{name}/{variant.name}: {differ}"
        cases += found
    distinct = {token for case in cases for token in case["token_ids"]}
    gap = min(min(case["top2_gap"]) for case in cases)
    print(f"{name}: {len(cases)} cases, {len(distinct)} distinct tokens, smallest gap {gap:.4f}")
    return cases


def write_cases(name, cases):
    lines = ",\n".join(json.dumps(case) for case in cases)
    (ROOT / "models" / name / "golden.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def hugging_face(model, variants):
    folder = ROOT / "models" / model.name
    model.write(folder)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = model.generation["eos_token_id"]
    eos = set(ids if isinstance(ids, list) else [ids])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    write_cases(model.name, cases_of(model.name, base, eos, tokenizer, variants, model.prompts, model.seed_name))


def quantised(name):
    model, stored = golden_models.write_gguf(ROOT / "models" / name / "model.gguf", name)
    if model.tied:
        stored["lm_head.weight"] = stored["model.embed_tokens.weight"]
    config = AutoConfig.for_model(**golden_models.gguf_config(model))
    base = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float()
    base.load_state_dict(stored, strict=True)
    variants = golden_adapters.variants_for(model, thorough=False, few=golden_adapters.FEW_QUANTISED)
    eos, tokenizer = {golden_models.EOS}, golden_models.tokenizer()
    write_cases(name, cases_of(name, base.eval(), eos, tokenizer, variants, model.prompts, model.name))


def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for part in ("models", "adapters"):
        shutil.rmtree(ROOT / part, ignore_errors=True)
    for model in golden_models.MODELS:
        hugging_face(model, golden_adapters.variants_for(model, model.name in golden_models.THOROUGH))
    for name in golden_models.QUANTISED:
        quantised(name)
    size = sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file())
    print(f"{ROOT}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
