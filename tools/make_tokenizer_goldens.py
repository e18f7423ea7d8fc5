#!/usr/bin/env python3
"""Writes tests/golden/tokenizers/: small tokenizers in the configurations of real families, and what the
`tokenizers` library makes of nasty strings with them. Also the same strings with the default model's vocabulary.

    pip install tokenizers==0.23.3 gguf==0.19.0
    tools/make_tokenizer_goldens.py [--model models/SmolLM2-135M-Instruct.Q4_1.gguf]

FAMILY.tokenizer.json   the tokenizer as the library saves it
FAMILY.golden.json      {encodings: [ids, offsets, ids with specials, offsets with specials], decodings: [ids, text,
                        text without specials]}; encodings follow texts.json, then the family's own `texts`. `broken`,
                        where byte tokens exist: [ids, text] with runs of byte tokens that are no UTF-8; of those the
                        text is Python's own, which puts U+FFFD for maximal subparts as Unicode advises
pre_names.golden.json   ids of the vocabulary in uncut.tokenizer.json with the steps that names in GGUF files stand for
tiny.tokenizer.json     for tests of the whole program
texts.json              the strings; splits.json: pre-tokenizers alone, [config, text, offsets of pieces]
"""
import argparse
import collections
import json
import pathlib
import random
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "tokenizers"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

WORDS = """the of and to in a is that for it as was with be by on not he I this are or his from at which but have an
had they you were their one all we can her has there been if more when will would who so no don't it's we'll they're
DON'T I'm you've he'd token tokens adapter model weights rank hello world def return int for while print import
Straße café naïve Ünïcödé Привет мир Ελλάδα שלום עולם مرحبا العالم हिन्दी ภาษาไทย 日本語 テキスト 中文 文本 한국어 단어
1234567 2024 3.14 42 ０１２ ½ Ⅷ a_b foo(bar) {} [] => != -- ... " ' ` ~ @ # $ % ^ & * 👩‍🚀 😀 🇩🇪 ❤️ \t \n""".split()


def corpus(rng):
    gaps = [" "] * 12 + ["  ", "\n", "\n\n", "\t", "    ", "\r\n"]
    return ["".join(w + rng.choice(gaps) for w in rng.choices(WORDS, k=60)) for _ in range(300)]


FIXED = ["", " ", "  ", "   ", "\n", "\r\n", "\r", "\t", "\0", "a", "é", "e\u0301", "\u0301", "\u0301a", "a\u0301\u0323b",
         "a\u0323\u0301b", "\u212b", "\u1100\u1161\u11a8", "\u0344", "q\u0307\u0323", "\ufb01", "ｶﾞ", "Hello world",
         "  leading two", "trailing  ", "don't DON'T Don'T", "'s 'S 's'S 'ſ 'LL 'lL 'RE 'vE", "I'M O'CLOCK'D",
         "1234567", "1 22 333 4444", "１２３", "١٢٣", "½⅓Ⅷ㊿", "3.14159e-10", "0x1F600", "a1b2c3", "日本語", "中文文本。テスト",
         "한국어 단어", "👩‍🚀", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "❤️ ❤", "👍🏽", "foo\n \nbar", "   \n  x", "a\u0085b",
         "a\u2028b\u2029c", "a\u180eb", " \u180e ", "\u180e\u180e", "a\u00a0b", "\u3000\u3000x", "\u200b\u200d\ufeff",
         "\ufeffBOM", "שלום עולם", "مرحبا بالعالم ١٢٣", "abc \u202eright\u202c", "हिन्दी में", "ภาษาไทย", " " * 50,
         "x" + " " * 33 + "y", "\n" * 20, "\t\t\tif x:\n\t\t\t\treturn", "line\r\nline\r\n\r\nend", " \r\n \r\n",
         "def f(a, b):\n    return a+b  # sum\n", "{\"k\": [1, 2.5, null]}", "<|endoftext|>", "<|endoftext|>hi",
         "hi<|endoftext|>", "a <|endoftext|> b", "<|endoftext|><|endoftext|>", "<|endoftext", "<|endoftext|",
         "<<|endoftext|>>", "<|im_start|>user\nhi<|im_end|>\n", "<|begin_of_text|>x", "<s>x</s>", "[INST] x", "a\0b",
         "!!!???...", "---===+++", "((((()))))", "«quoted»", "“curly” ‘single’", "http://example.org/a?b=c&d=%20",
         "user@example.org", "C:\\dir\\file", "ALLCAPS lowercase MiXeD", "ǅ ǆ ß ẞ İ ı", "ａｂｃＡＢＣ", "\U0001d400\U0001d7d8",
         "\ue000\U000f0000", "\uffff\U0010ffff", "\ufffd", "a\ufffdb", "\u0600\u0601", "𒀀𒁀", "🏴\U000e0067\U000e0062\U000e007f",
         "a" * 200, "ab" * 100, "\u0301" * 30, "😀" * 20, "の" * 40, "1" * 50, "'" * 10, "-" * 64, "=" * 65, " a" * 40,
         "word\u2019s", "l\u2019été", "x²+y²", "5€ £3 ¥", "№ ™ ©", "\x01\x02\x7f", "\u0e33\u0eb3", "\u0f77", "\u1e9b\u0323",
         "\uac00\u11a8", "\u0958", "\u2126 \u212a", "\u1fef", "  \n\n  \n", "\u2003em\u2002en\u2009thin", "tab\tsep\tvalues"]


def texts(rng, specials):
    """Fixed strings, then random ones: code points by block, mixes of words, spaces and special tokens."""
    out = list(dict.fromkeys(FIXED))
    blocks = [(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x5ff), (0x600, 0x6ff), (0x900, 0xdff), (0x1100, 0x11ff),
              (0x1e00, 0x1fff), (0x2000, 0x206f), (0x2100, 0x23ff), (0x3000, 0x30ff), (0x4e00, 0x4fff), (0xac00, 0xacff),
              (0xfb00, 0xffee), (0x10000, 0x100ff), (0x1f300, 0x1f6ff), (0x1d400, 0x1d7ff)]

    def character():
        while True:
            low, high = rng.choice(blocks) if rng.random() < 0.9 else (1, 0x10ffff)
            c = chr(rng.randint(low, high))
            # Unassigned ones may be letters in a younger Unicode than another library has.
            if unicodedata.category(c) not in ("Cn", "Cs"):
                return c

    spaces = [" ", " ", " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2028", "\u0085", "\u3000", "\u180e", "   "]
    while len(out) < 240:
        out.append("".join(character() for _ in range(rng.randint(1, 14))))
    while len(out) < 330:
        out.append("".join(rng.choice([character, lambda: rng.choice(spaces), lambda: rng.choice(WORDS)])()
                           for _ in range(rng.randint(2, 12))))
    while len(out) < 420:
        out.append("".join(rng.choice([lambda: rng.choice(specials), lambda: rng.choice(spaces), lambda: rng.choice(WORDS),
                                       character, lambda: str(rng.randint(0, 99999))])() for _ in range(rng.randint(2, 9))))
    return out


def trained(rng, size, specials, pre, normalizer=None, left_out=(), more=()):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre
    if normalizer:
        t.normalizer = normalizer
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(left_out))
    lines = corpus(rng) + list(more)
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=specials,
                                                            initial_alphabet=alphabet))
    t.decoder = decoders.ByteLevel()
    return t


def edited(tokenizer, edit):
    """The tokenizer after `edit` changed its JSON, as text and reloaded."""
    tree = json.loads(tokenizer.to_str())
    edit(tree)
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    return text, Tokenizer.from_str(text)


def merges_as_lines(tree):
    tree["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in tree["model"]["merges"]]


def byte_level(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, **options)


def gpt2():
    t = trained(random.Random(1), 900, ["<|endoftext|>"], byte_level())
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return edited(t, merges_as_lines)


def prefix_space():
    t = trained(random.Random(2), 700, ["<s>", "</s>"], pre_tokenizers.ByteLevel(add_prefix_space=True))
    t.post_processor = processors.Sequence([
        processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]),
        processors.ByteLevel(trim_offsets=True, add_prefix_space=True)])
    return edited(t, lambda tree: None)


def llama3():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                   byte_level(use_regex=False)])
    t = trained(random.Random(3), 900, [], pre)
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    specials = ["<|begin_of_text|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]

    def edit(tree):
        vocab = tree["model"]["vocab"]
        # Entries that no merge builds: only ignore_merges finds them.
        for word in ["Ġadapters", "unmergeable", "日本語", "ĊĊĊĊ", "ĠÐ¼ÐÎ"]:
            vocab.setdefault(word, len(vocab))
        tree["model"]["ignore_merges"] = True
        merges_as_lines(tree)
        base = len(vocab)
        tree["added_tokens"] = [dict(id=base + i, content=s, single_word=False, lstrip=False, rstrip=False,
                                     normalized=False, special=True) for i, s in enumerate(specials)]
        tree["post_processor"] = {"type": "Sequence", "processors": [
            tree["post_processor"],
            {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": specials[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
             "special_tokens": {specials[0]: {"id": specials[0], "ids": [base], "tokens": [specials[0]]}}}]}

    return edited(t, edit)


def qwen2():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                   byte_level(use_regex=False)])
    t = trained(random.Random(4), 900, [], pre, normalizers.NFC())
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    t.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])

    def edit(tree):
        tree["model"].update(continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False)

    return edited(t, edit)


def smollm2():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
    # Like the real vocabulary, without symbols for some bytes: they vanish.
    t = trained(random.Random(5), 900, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"], pre,
                left_out=("\u00c0", "\u00c1", "\u00f5", "\u0104", "\u0113"))
    return edited(t, merges_as_lines)


def no_name():
    """What llama.cpp does when a file names no pre-tokenizer."""
    t = trained(random.Random(7), 700, ["<|endoftext|>"], pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[\p{P}\$\+<=>\^~\|]+"), "isolated"),
        pre_tokenizers.Split(Regex(GPT2), "isolated"), pre_tokenizers.Split(Regex(r"\p{N}+"), "isolated"),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"), byte_level(use_regex=False)]))
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    return edited(t, merges_as_lines)


SPACE = "▁"
BYTES = [f"<0x{b:02X}>" for b in range(256)]


def characters(rng, size, specials, alphabet=130, with_bytes=True):
    """A vocabulary of characters as SentencePiece makes them: specials, bytes, characters, merges with a space in
    front."""
    pieces = specials + (BYTES if with_bytes else [])
    lines = corpus(rng)
    counts = collections.Counter("".join(lines).replace(" ", SPACE))
    # Chosen here, because the trainer breaks ties anew each time.
    kept = sorted(counts, key=lambda c: (-counts[c], c))[:alphabet]
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=pieces,
                                                     limit_alphabet=len(kept), initial_alphabet=kept))
    return json.loads(t.to_str())


def described(tree, specials, **parts):
    """`tree` with other parts and no added tokens but `specials`."""
    keep = [dict(id=tree["model"]["vocab"][s], content=s, single_word=False, lstrip=False, rstrip=False, normalized=False,
                 special=True) for s in specials]
    vocab = tree["model"]["vocab"]
    runs = [SPACE * n for n in (2, 3, 4, 8)]
    for left, right in zip([SPACE, SPACE, SPACE * 2, SPACE * 4], [SPACE, SPACE * 2, SPACE * 2, SPACE * 4]):
        vocab.setdefault(left + right, len(vocab))
        tree["model"]["merges"].append([left, right])
    assert all(r in vocab for r in runs)
    tree["model"].update(unk_token="<unk>", fuse_unk=True, byte_fallback="<0x00>" in vocab)
    tree.update(added_tokens=keep, pre_tokenizer=None, **parts)
    return tree


def add(tree, content, **flags):
    vocab = tree["model"]["vocab"]
    top = max(max(vocab.values()), max(t["id"] for t in tree["added_tokens"]))
    tree["added_tokens"].append(dict(id=vocab.get(content, top + 1), content=content, single_word=False, lstrip=False,
                                     rstrip=False, normalized=False, special=False) | flags)
    tree["added_tokens"].sort(key=lambda t: t["id"])


def loaded(tree):
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    return text, Tokenizer.from_str(text)


def before(tree, token):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [tree["model"]["vocab"][token]], "tokens": [token]}}}


SPACES_TO_SYMBOLS = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
PREPEND_AND_REPLACE = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, SPACES_TO_SYMBOLS]}
TO_TEXT = [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
TO_TEXT_STRIPPED = {"type": "Sequence", "decoders": TO_TEXT + [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]}


def llama2():
    specials = ["<unk>", "<s>", "</s>"]
    tree = characters(random.Random(8), 700, specials)
    described(tree, specials, normalizer=PREPEND_AND_REPLACE, post_processor=before(tree, "<s>"),
              decoder=TO_TEXT_STRIPPED)
    merges_as_lines(tree)
    return loaded(tree)


def tiny():
    """As llama2, for the tiny models, which have 320 rows."""
    specials = ["<unk>", "<s>", "</s>"]
    tree = characters(random.Random(15), 316, specials, alphabet=36)
    described(tree, specials, normalizer=PREPEND_AND_REPLACE, post_processor=before(tree, "<s>"),
              decoder=TO_TEXT_STRIPPED)
    assert len(tree["model"]["vocab"]) <= 320
    return loaded(tree)


def mistral():
    specials = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    tree = characters(random.Random(9), 700, specials)
    described(tree, specials, post_processor=before(tree, "<s>"), decoder=TO_TEXT_STRIPPED)
    tree["pre_tokenizer"] = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": False}
    return loaded(tree)


def gemma():
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    tree = characters(random.Random(10), 700, specials)
    described(tree, specials, normalizer=SPACES_TO_SYMBOLS, post_processor=before(tree, "<bos>"),
              decoder={"type": "Sequence", "decoders": TO_TEXT})
    tree["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    add(tree, "<start_of_turn>", special=True)
    add(tree, "<end_of_turn>", special=True)
    for run in ["\n\n", "\n\n\n", "\t\t", SPACE * 2, SPACE * 3, "<table>"]:
        add(tree, run)
    return loaded(tree)


def phi3():
    specials = ["<unk>", "<s>", "</s>"]
    tree = characters(random.Random(11), 700, specials)
    described(tree, specials, normalizer=PREPEND_AND_REPLACE, post_processor=before(tree, "<s>"),
              decoder=TO_TEXT_STRIPPED)
    tree["added_tokens"][2].update(rstrip=True, special=False)
    add(tree, "<|endoftext|>", special=True)
    for role in ["<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]:
        add(tree, role, special=True, rstrip=True)
    merges_as_lines(tree)
    return loaded(tree)


def nfkc():
    """Composed and compatible forms, pieces by words, no bytes: unknown characters are one token per run."""
    tree = characters(random.Random(12), 600, ["<unk>", "<s>"], alphabet=90, with_bytes=False)
    described(tree, ["<unk>", "<s>"], normalizer={"type": "NFKC"}, post_processor=None,
              decoder={"type": "Metaspace", "replacement": SPACE, "add_prefix_space": True})
    tree["pre_tokenizer"] = {"type": "Metaspace", "replacement": SPACE, "add_prefix_space": True, "str_rep": SPACE}
    add(tree, f"x{SPACE}y")  # in the first token no symbol becomes a space, wherever it stands
    return loaded(tree)


def odd_characters():
    specials = ["<unk>"]
    tree = characters(random.Random(13), 500, specials, alphabet=100)
    described(tree, specials, post_processor=None, normalizer={"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "NFD"}, {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"Regex": "[‘’]|''"}, "content": "'"}, {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"Regex": "\\s"}, "content": SPACE}]},
              decoder={"type": "Sequence", "decoders": [
                  {"type": "Replace", "pattern": {"Regex": SPACE + "+"}, "content": " "},
                  {"type": "Strip", "content": "-", "start": 2, "stop": 0}, {"type": "ByteFallback"}]})
    tree["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "Split", "pattern": {"String": SPACE}, "behavior": "MergedWithNext", "invert": False},
        {"type": "Metaspace", "replacement": "_", "prepend_scheme": "never", "split": True}]}
    tree["model"].update(fuse_unk=False, ignore_merges=True)
    add(tree, "<mask>", lstrip=True, special=True)
    add(tree, "<right>", rstrip=True)
    add(tree, "<both>", lstrip=True, rstrip=True, normalized=True)
    add(tree, "word", single_word=True, normalized=True)
    add(tree, "Café", normalized=True)
    add(tree, "aa")
    add(tree, "aaa", normalized=True)
    add(tree, "two words", normalized=True)
    add(tree, "\n\n", lstrip=True)
    return loaded(tree)


def uncut():
    """Merges across every boundary, so that each way to cut a text shows in its ids."""
    t = trained(random.Random(14), 1100, ["<|endoftext|>"], byte_level(use_regex=False), more=PRE_TEXTS * 300)
    return edited(t, merges_as_lines)


TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = TEKKEN.replace(r"\p{M}]+|", r"\p{M}]+" + ENDINGS + "|").replace(r"\p{M}]*|\p{N}", r"\p{M}]*" + ENDINGS + r"|\p{N}{1,3}")
# The steps of the tokenizer.json of models whose GGUF files bear these names, and whether merges are ignored.
PRE_NAMES = {"starcoder": ([pre_tokenizers.Digits(individual_digits=True), byte_level()], False),
             "dbrx": ([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte_level(use_regex=False)], False),
             "llama-v3": ([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte_level(use_regex=False)], True),
             "gpt-4o": ([pre_tokenizers.Split(Regex(GPT4O), "isolated"), byte_level(use_regex=False)], False),
             "tekken": ([pre_tokenizers.Split(Regex(TEKKEN), "isolated"), byte_level(use_regex=False)], True),
             "deepseek-coder": ([pre_tokenizers.Split(Regex(p), "isolated") for p in
                                 ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+"]]
                                + [pre_tokenizers.Digits(individual_digits=True), byte_level(use_regex=False)], False),
             "phi-2": ([byte_level()], False)}
PRE_TEXTS = ["CamelCase HTTPServer iPhone ABCdefGHI", "it's IT'S We'LL don't'", "a/\n/b", "d /// \r\n/e", "x\t!\t?y", "we'Ll", "IT'S", "x=1234567;y=12.5e3",
             "中文abc가나다ひらがな漢字カナ", "ࠀ一中龥龥龦龦中\ud7a3ꀀ가", " «q» —x… \t!\n", "ǅungla ʰx ªb ºc", "foo(bar)[baz]{qux}", "e\u0301É\u0301s"]


def pre_names(strings):
    """Ids of one vocabulary with each way to cut."""
    out = {}
    for name, (steps, ignore) in PRE_NAMES.items():
        tree = json.loads(uncut()[1].to_str())
        tree["model"]["ignore_merges"] = ignore
        t = Tokenizer.from_str(json.dumps(tree))
        t.pre_tokenizer = pre_tokenizers.Sequence(steps)
        out[name] = [t.encode(s, add_special_tokens=False).ids for s in strings]
    return out


def odd():
    t = trained(random.Random(6), 600, ["<unk>"], byte_level(), normalizers.Sequence([normalizers.NFC()]))
    t.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    for token in [AddedToken("<mask>", lstrip=True, normalized=False, special=True),
                  AddedToken("<right>", rstrip=True, normalized=False, special=True),
                  AddedToken("<both>", lstrip=True, rstrip=True, normalized=True),
                  AddedToken("word", single_word=True, normalized=False), AddedToken("wordy", normalized=False),
                  AddedToken("CaféToken", normalized=True), AddedToken("Cafe\u0301Two", normalized=True),
                  AddedToken("aa", normalized=False), AddedToken("aaa", normalized=False),
                  AddedToken("日本", single_word=True, normalized=True), AddedToken("two words", normalized=False),
                  AddedToken(" spaced ", normalized=False), AddedToken("\n\n", normalized=False)]:
        t.add_tokens([token]) if not token.special else t.add_special_tokens([token])
    return edited(t, lambda tree: None)


ODD_TEXTS = ["a <mask> b", "a   <mask>", "<mask><mask>", "x<right>   y", "x <right> <mask> y", "p \n<both>\t q", "word",
             "a word b", "aword", "word1", "word_", "word.", "éword", "word\u0301", "wordy", "wordword", "CaféToken",
             "Cafe\u0301Token", "CaféTwo", "Cafe\u0301Two", "xCafe\u0301TokenY", "aaaa", "aaaaa", "baaab", "日本語", "日本 語",
             "日本", "two words", "two  words", "x spaced y", "x spaced  spaced y", "\n\n\n\n\n", "a\n\n\nb", "<unk>x",
             "\u2028<mask>\u3000", "<right>\u0085\u00a0z", "<right>\u180ez", "word\u200d", "\u2160word", "word\u24d0"]


# Marks younger than the Unicode version the library normalises with: it does not reorder them.
YOUNG_MARKS = ["a\u0364\u0d3c", "\u3099\U0001d540\u0364\u0d3cE", "e\u07fd\u0301", "e\u0301\u1ac5\u0323", "o\u1dfa\u0302\u0323"]


CHARACTER_TEXTS = ["▁", "▁▁a", "a▁b", " ▁ ", "_ _", "<0x41>", "<0x0A>x", "<|user|>\nhi<|end|>\n<|assistant|>\n", "</s>  x", "<|end|> \u3000",
                   "[INST] x [/INST] y</s>", "<start_of_turn>user\nhi<end_of_turn>\n", "\n\n\n\n\n", "a\n\n \n\nb", "\t\t\tx", "<table>",
                   "x <unk> y", "\u2581\u2581\u2581\u2581\u2581", "     x", "a          b", " \n ", "ｆｕｌｌ ｗｉｄｔｈ", "①②③", "ﬃ ǆ"]


def default_model(path):
    """The tokenizer that the keys of the default model's file describe."""
    import gguf
    fields = gguf.GGUFReader(str(path)).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ", 1)) for m in fields["tokenizer.ggml.merges"].contents()]
    t = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(tokens)}, merges=merges))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
    t.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s, k in zip(tokens, types) if k == 3])
    return t


def encodings(t, strings):
    out = []
    for s in strings:
        row = []
        for special in (False, True):
            e = t.encode(s, add_special_tokens=special)
            row += [e.ids, [n for pair in e.offsets for n in pair]]
        out.append(row if row[:2] != row[2:] else row[:2])
    return out


def decodings(t, rng):
    out = []
    single_bytes = bytes_of(t)
    ids = sorted(i for i in t.get_vocab(with_added_tokens=True).values() if i not in single_bytes)
    top = sorted(t.get_added_tokens_decoder())
    single = [i for i in ids if len(t.id_to_token(i)) == 1]
    ids_of = {b: i for i, b in single_bytes.items()}

    def unit():
        if ids_of and rng.random() < 0.3:
            return [ids_of[b] for b in rng.choice(["\n", " ", "é", "日", "😀", "\u0301", SPACE]).encode()]
        return [rng.choice(rng.choice([ids, single, single, top]))]

    for _ in range(200):
        row = [i for _ in range(rng.randint(0, 24)) for i in unit()]
        out.append([row, t.decode(row, skip_special_tokens=False), t.decode(row, skip_special_tokens=True)])
    return out


def bytes_of(t):
    """Byte of each byte token."""
    if "ByteFallback" not in t.decoder.__getstate__().decode():
        return {}
    return {t.token_to_id(token): b for b, token in enumerate(BYTES)}


def broken(t, rng):
    """Runs of byte tokens that are no UTF-8. The library gives up the whole run then, so the text is Python's."""
    single_bytes = bytes_of(t)
    if not single_bytes:
        return []
    ids_of = {b: i for i, b in single_bytes.items()}
    first = t.token_to_id("a")
    others = sorted(i for i in t.get_vocab().values() if i not in single_bytes)
    leads = [0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xff, 0x90, 0xa0, 0x9f]
    out = []
    for _ in range(100):
        row = [first] + [ids_of[rng.choice(leads)] if rng.random() < 0.8 else rng.choice(others)
                         for _ in range(rng.randint(1, 16))]
        parts = [bytes([single_bytes[i]]) if i in single_bytes
                 else t.decode([first, i], skip_special_tokens=False)[1:].encode() for i in row[1:]]
        out.append([row, "a" + b"".join(parts).decode(errors="replace")])
    return out


def splits():
    rows = []
    samples = ["", "a", "a-b--c-", "-a--", "--", "one two  three", "x1y22z333", "a\nb\r\n", "αβγ-δ", "e\u0301-e", "²½-٣",
               " ", "   a  b ", "_ a_b", SPACE + "a" + SPACE * 2, "a\u00a0b\u3000 c", "\u0085\u2028x"]
    for behaviour in ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]:
        for pattern in ["-", Regex(r"\d+"), Regex(r"\s"), Regex(r"(?=[a-z])"), Regex(r"\w+|$"), Regex(r"^.|[^\w\s]++")]:
            for invert in (False, True):
                if isinstance(pattern, str) and invert:
                    continue
                rows.append(pre_tokenizers.Split(pattern, behaviour, invert=invert))
    rows += [pre_tokenizers.Digits(individual_digits=b) for b in (False, True)]
    rows += [pre_tokenizers.Metaspace(replacement=r, prepend_scheme=scheme, split=split)
             for r in (SPACE, "_") for scheme in ("always", "first", "never") for split in (False, True)]
    rows += [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Sequence([
        pre_tokenizers.Split("-", "isolated"), pre_tokenizers.Metaspace(prepend_scheme="first")])]
    out = []
    for pre in rows:
        config = json.loads(pre.__getstate__())
        out.append([config, [[s, [n for _, o in pre.pre_tokenize_str(s) for n in o]] for s in samples]])
    return out


def write(name, tree):
    text = tree if isinstance(tree, str) else json.dumps(tree, ensure_ascii=True, separators=(",", ":"))
    (OUT / name).write_text(text + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, help="the default model's GGUF file")
    model = parser.parse_args().model
    OUT.mkdir(parents=True, exist_ok=True)
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<think>", "</think>", "<mask>", "<right>",
                "<both>", "word", "<|begin_of_text|>"]
    shared = texts(random.Random(20), specials)
    write("texts.json", shared)
    families = {"gpt2": gpt2, "prefix_space": prefix_space, "llama3": llama3, "qwen2": qwen2, "smollm2": smollm2,
                "odd": odd, "no_name": no_name, "llama2": llama2, "mistral": mistral, "gemma": gemma, "phi3": phi3,
                "nfkc": nfkc, "odd_characters": odd_characters}
    for seed, (name, make) in enumerate(families.items()):
        own = {"odd": ODD_TEXTS, "qwen2": YOUNG_MARKS, "odd_characters": ODD_TEXTS, "nfkc": YOUNG_MARKS + CHARACTER_TEXTS}
        own |= dict.fromkeys(["llama2", "mistral", "gemma", "phi3"], CHARACTER_TEXTS)
        own = own.get(name, [])
        text, t = make()
        write(f"{name}.tokenizer.json", text)
        golden = {"texts": own, "encodings": encodings(t, shared + own), "decodings": decodings(t, random.Random(100 + seed))}
        if runs := broken(t, random.Random(300 + seed)):
            golden["broken"] = runs
        write(f"{name}.golden.json", golden)
    write("splits.json", splits())
    write("uncut.tokenizer.json", uncut()[0])
    write("tiny.tokenizer.json", tiny()[0])
    write("pre_names.golden.json", {"texts": PRE_TEXTS, "names": pre_names(shared + PRE_TEXTS)})
    if model:
        t = default_model(model)
        write("default_model.golden.json", {"texts": [], "encodings": encodings(t, shared),
                                            "decodings": decodings(t, random.Random(200))})


if __name__ == "__main__":
    main()
