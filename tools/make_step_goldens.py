#!/usr/bin/env python3
"""Writes tests/golden/sampling/steps.json: what transformers' logits processors and warpers leave of a distribution.

    python tools/make_step_goldens.py        (torch and transformers, as in tools/requirements-train.txt)

Each case goes through the steps in vLLM's order: allowed ids, bad words, min_tokens, biases, repetition penalty, frequency and presence
penalty, temperature, min_p, top_k, top_p. The processors are those of transformers; frequency and presence penalty, which it lacks, are
vLLM's formula in torch. Logits are multiples of 1/64, so they are the same in text, float and double. A case is taken only when float32
and float64, and a min_p and top_p that differ by a millionth, leave the same tokens: then every right implementation must agree. The
alternatives are those of log_softmax over the raw logits.
"""
import json
import pathlib
import random

import torch
from transformers.generation.logits_process import (
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    PrefixConstrainedLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "sampling" / "steps.json"
CASES = 220
MOST_TOP = 20
FIELDS = ["allowed", "bad_words", "min_tokens", "biases", "repetition", "frequency", "presence", "temperature", "min_p", "top_k", "top_p"]


def processors(c: dict, change: float) -> list:
    """The steps before the penalties of counts, and those behind them; `change` moves the masses a little."""
    prompt, generated = c["prompt"], c["generated"]
    before = []
    if "allowed" in c:
        before.append(PrefixConstrainedLogitsProcessor(lambda batch, ids: c["allowed"], 1))
    if "bad_words" in c:
        # vLLM looks at what was generated only, so the processor gets no more, but for an id in front that is in no word: it
        # passes over words as long as the text and one more, which vLLM does not.
        bad = NoBadWordsLogitsProcessor(c["bad_words"], eos_token_id=None)
        before.append(lambda ids, scores: bad(torch.tensor([[-1, *generated]], dtype=torch.long), scores))
    if "min_tokens" in c:
        before.append(MinNewTokensLengthLogitsProcessor(len(prompt), c["min_tokens"], c["late"], device="cpu"))
    if "biases" in c:
        before.append(SequenceBiasLogitsProcessor([[[token], bias] for token, bias in c["biases"]]))
    if "repetition" in c:
        before.append(RepetitionPenaltyLogitsProcessor(c["repetition"]))
    before.append(lambda ids, scores: counted(scores, generated, c.get("frequency", 0.0), c.get("presence", 0.0)))
    behind = [TemperatureLogitsWarper(c["temperature"])] if "temperature" in c else []
    behind += [MinPLogitsWarper(c["min_p"] * change)] if "min_p" in c else []
    behind += [TopKLogitsWarper(c["top_k"])] if "top_k" in c else []
    behind += [TopPLogitsWarper(c["top_p"] * change)] if "top_p" in c else []
    return [before, behind]


def counted(scores: torch.Tensor, generated: list[int], frequency: float, presence: float) -> torch.Tensor:
    """vLLM: logits -= frequency * counts; logits -= presence * (counts > 0)."""
    counts = torch.bincount(torch.tensor(generated, dtype=torch.long), minlength=scores.shape[-1]).to(scores.dtype)
    scores = scores - frequency * counts
    return scores - presence * (counts > 0)


def run(c: dict, dtype: torch.dtype, change: float = 1.0) -> list[torch.Tensor]:
    scores = torch.tensor([c["logits"]], dtype=dtype)
    ids = torch.tensor([c["prompt"] + c["generated"]], dtype=torch.long)
    out = []
    for steps in processors(c, change):
        for step in steps:
            scores = step(ids, scores)
        out.append(scores[0])
    return out


def kept(scores: torch.Tensor) -> list[int]:
    return [i for i, s in enumerate(scores.tolist()) if s != float("-inf")]


def make_case(rng: random.Random) -> dict | None:
    size = rng.choice([8, 33, 64])
    distinct = rng.sample(range(-6 * 64, 6 * 64), size)
    c = {"logits": [v / 64 for v in distinct]}
    c["prompt"] = [rng.randrange(size) for _ in range(rng.randrange(1, 6))]
    c["generated"] = [rng.randrange(size) for _ in range(rng.randrange(0, 7))]
    likely = sorted(range(size), key=lambda i: -distinct[i])
    used = set(rng.sample(FIELDS, rng.choice([1, 1, 2, 3, 5, 8, 11])))
    if "allowed" in used:
        c["allowed"] = sorted(rng.sample(range(size), rng.randrange(3, size)))
    if "bad_words" in used:
        words = [[likely[0]], [rng.randrange(size), rng.randrange(size)]]
        if c["generated"]:
            words.append([c["generated"][-1], likely[1]])
            words.append([(c["generated"][-1] + 1) % size, likely[2]])
        if len(c["generated"]) > 1:
            words.append([*c["generated"][-2:], likely[3]])
        words.append([c["prompt"][-1], *c["generated"], likely[4]])  # begins in the prompt: not generated
        c["bad_words"] = [list(w) for w in {tuple(w) for w in words}]
    if "min_tokens" in used:
        c["min_tokens"] = rng.randrange(1, 9)
        c["late"] = sorted({likely[0], likely[1], rng.randrange(size)})
    if "biases" in used:
        c["biases"] = [[token, rng.choice([-100.0, -2.5, 0.5, 3.25, 100.0])] for token in rng.sample(range(size), 4)]
    simple = {"repetition": [0.5, 1.25, 2.0], "frequency": [-1.0, 0.5, 1.75], "presence": [-1.5, 0.25, 2.0],
              "temperature": [0.5, 0.75, 1.5], "min_p": [0.05, 0.3, 0.9, 1.0], "top_k": [1, 3, 7], "top_p": [0.3, 0.8, 0.95]}
    for name, values in simple.items():
        if name in used:
            c[name] = rng.choice(values)
    return checked(c)


def checked(c: dict) -> dict | None:
    """The case with its answers, or none where it hangs on rounding or on ties."""
    before, left = run(c, torch.float32)
    ids = kept(left)
    finite = [before[i].item() for i in kept(before)]
    if not ids or len(set(finite)) < len(finite):
        return None
    ordered = sorted(finite)
    if any(b - a < 1e-4 for a, b in zip(ordered, ordered[1:])):
        return None
    edge = 1e-6 if c.get("min_p", 0) < 1 else 0.0
    for change in (1.0, 1 - 1e-6, 1 + edge):
        if kept(run(c, torch.float64, change)[1]) != ids:
            return None
    exact_before, exact = run(c, torch.float64)
    probabilities = exact.softmax(0)
    raw = torch.tensor(c["logits"], dtype=torch.float64).log_softmax(0).topk(min(MOST_TOP, len(c["logits"])))
    return c | {
        "greedy": exact_before.argmax().item(),
        "kept": ids,
        "probabilities": [round(probabilities[i].item(), 7) for i in ids],
        "top": [[i, round(v, 6)] for i, v in zip(raw.indices.tolist(), raw.values.tolist())],
    }


def main() -> None:
    rng = random.Random(31)
    cases = []
    while len(cases) < CASES:
        case = make_case(rng)
        if case:
            cases.append(case)
    OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    used = {name: sum(name in c for c in cases) for name in FIELDS}
    changed = sum(c["greedy"] != max(range(len(c["logits"])), key=c["logits"].__getitem__) for c in cases)
    print(f"{len(cases)} cases, {changed} change the greedy token, {used}")


main()
