#!/usr/bin/env python3
"""Writes tests/golden/sampling/bad_words.json: the token sequences that vLLM's bad_words come to, encoded by the tokenizers library.

    python tools/make_bad_word_goldens.py        (from the root of the repository)

vLLM (SamplingParams.update_from_tokenizer) strips a word's leading white space, encodes it as it is and with one space in front, without
special tokens, and takes the second encoding too when its first token differs and it has as many tokens.
"""
import json
from pathlib import Path

from tokenizers import Tokenizer

FOLDER = Path("tests/golden/tokenizers")
FAMILIES = ["gemma", "gpt2", "llama2", "llama3", "mistral", "phi3", "prefix_space", "qwen2", "smollm2"]
WORDS = ["the", " the", "\n\tand", "hello", "of the", "x", "東京", "1984", "naïve", "I'll", "  stone", ".", "__init__", "🙂", "</s>", "a b c"]


def sequences(tokenizer: Tokenizer, word: str) -> list[list[int]]:
    plain, spaced = (tokenizer.encode(prefix + word.lstrip(), add_special_tokens=False).ids for prefix in ("", " "))
    other = spaced[0] != plain[0] and len(spaced) == len(plain)
    return [plain, spaced] if other else [plain]


def main() -> None:
    out = []
    for family in FAMILIES:
        tokenizer = Tokenizer.from_file(str(FOLDER / f"{family}.tokenizer.json"))
        for word in WORDS:
            out.append({"tokenizer": family, "word": word, "sequences": sequences(tokenizer, word)})
    path = Path("tests/golden/sampling/bad_words.json")
    path.write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in out) + "\n]\n", encoding="utf-8")
    print(f"{len(out)} words, {sum(len(c['sequences']) > 1 for c in out)} in two ways, {sum(len(c['sequences'][0]) > 1 for c in out)} of several tokens")


main()
