"""Writes the examples of one task as a data folder for tools/train_adapter.py: train.jsonl, held_out.jsonl and task.md."""

import argparse
import json
import random
from pathlib import Path


def write(make, train_words, held_out_words, task):
    """Asks `make(random, words)` for (prompt, completion) pairs until both files are full. No prompt occurs twice.

    The two sets of words (lists, tuples and dicts of texts, the keys of an outermost dict being their kinds) may share no text, so
    a held-out example cannot be answered by heart.
    """
    parser = argparse.ArgumentParser(description=task.strip().splitlines()[0].lstrip("# "))
    parser.add_argument("out", type=Path, help="folder to write, for example data/my-task")
    parser.add_argument("--train", type=int, default=2400, help="examples to train on (default: %(default)s)")
    parser.add_argument("--held-out", type=int, default=100, help="examples to test on (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    args = parser.parse_args()

    shared = set(_texts(_values(train_words))) & set(_texts(_values(held_out_words)))
    if shared:
        raise SystemExit(f"both to train on and held out: {', '.join(sorted(shared))}")
    args.out.mkdir(parents=True, exist_ok=True)
    disjoint = "The held-out examples are about names, values and subjects that do not occur in the training data."
    (args.out / "task.md").write_text(f"{task.strip()}\n\n{disjoint}\n", encoding="utf-8")
    seen = set()
    for name, words, count in (("train", train_words, args.train), ("held_out", held_out_words, args.held_out)):
        numbers = random.Random(f"{name} {args.seed}")
        with open(args.out / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for prompt, completion in _distinct(make, numbers, words, count, seen):
                file.write(json.dumps({"prompt": prompt, "completion": completion}, ensure_ascii=False) + "\n")
    print(f"{args.out}: {args.train} to train on, {args.held_out} held out")


def _values(words):
    return list(words.values()) if isinstance(words, dict) else words


def _texts(words):
    if isinstance(words, str):
        yield words
    elif isinstance(words, dict):
        for key, value in words.items():
            yield from _texts([key, value])
    elif isinstance(words, (list, tuple)):
        for word in words:
            yield from _texts(word)


def _distinct(make, numbers, words, count, seen):
    for _ in range(count):
        for _ in range(1000):
            prompt, completion = make(numbers, words)
            if prompt not in seen:
                break
        else:
            raise SystemExit(f"{count} different examples cannot be made of these words")
        seen.add(prompt)
        yield prompt, completion
