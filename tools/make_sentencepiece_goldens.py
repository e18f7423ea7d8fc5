#!/usr/bin/env python3
"""Writes the SentencePiece vocabularies of tests/golden/tokenizers/ as GGUF files, and what `sentencepiece` makes of the
strings in texts.json with them.

    pip install sentencepiece==0.2.3 protobuf tokenizers==0.23.3 gguf==0.19.0
    tools/make_tokenizer_goldens.py && tools/make_sentencepiece_goldens.py

NAME.gguf               nothing but the keys a converter writes for a tokenizer
NAME.golden.json        {encodings: ids per text, decodings: [ids, text]}. Texts that hold control tokens are encoded by
                        `tokenizers` with the merges and added tokens that follow from the vocabulary, because
                        `sentencepiece` does not look for them (null where it cannot either); on all other texts the
                        two must agree
"""
import io
import json
import pathlib
import random

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

from make_tokenizer_goldens import CHARACTER_TEXTS, OUT, PREPEND_AND_REPLACE, SPACE, SPACES_TO_SYMBOLS, corpus, write

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def trained(seed, size, **options):
    model = io.BytesIO()
    settings = dict(model_type="bpe", vocab_size=size, normalization_rule_name="identity", remove_extra_whitespaces=False,
                    byte_fallback=True, character_coverage=0.985, allow_whitespace_only_pieces=True, num_threads=1,
                    minloglevel=2, unk_id=0, bos_id=1, eos_id=2) | options
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus(random.Random(seed))), model_writer=model, **settings)
    out = proto.ModelProto()
    out.ParseFromString(model.getvalue())
    return out


def sp_llama():
    return trained(31, 620)


def sp_gemma():
    """No space in front; user-defined runs, which the trainer takes out of the text before all else."""
    return trained(32, 640, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
                   user_defined_symbols=["<start_of_turn>", "\n\n", "\n\n\n", SPACE * 2, SPACE * 3, "<table>"])


def sp_ties():
    """Equal scores, pieces that are only gone through, characters without a piece of their own, no bytes."""
    model = trained(33, 420, byte_fallback=False)
    pieces = [p for p in model.pieces if p.type == NORMAL]
    for p in pieces:
        p.score = p.score // 16
    longer = [p for p in pieces if len(p.piece) > 1]
    for p in random.Random(34).sample(longer, 60):
        p.type = UNUSED
    single = [p for p in pieces if len(p.piece) == 1 and any(p.piece in q.piece for q in longer)]
    for n, p in enumerate(random.Random(35).sample(single, 8)):
        p.piece, p.type = f"<gone{n}>", CONTROL
    return model


def spaced(piece):
    """Converters write the spaces of user-defined tokens as they are."""
    return piece.piece.replace(SPACE, " ") if piece.type == USER_DEFINED else piece.piece


def write_gguf(name, model):
    writer = gguf.GGUFWriter(str(OUT / f"{name}.gguf"), "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([spaced(p).encode() for p in model.pieces])
    writer.add_token_scores([p.score for p in model.pieces])
    writer.add_token_types([p.type for p in model.pieces])
    trainer = model.trainer_spec
    writer.add_bos_token_id(trainer.bos_id)
    writer.add_eos_token_id(trainer.eos_id)
    writer.add_unk_token_id(trainer.unk_id)
    if not model.normalizer_spec.add_dummy_prefix:
        writer.add_add_space_prefix(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def converted(model):
    """The vocabulary as `tokenizers` takes it: each way to cut a piece into two is a merge, the best score first."""
    vocab = {p.piece: i for i, p in enumerate(model.pieces)}
    usable = {p.piece: p.score for p in model.pieces if p.type in (NORMAL, USER_DEFINED)}
    merges = [(score, piece[:i], piece[i:]) for piece, score in usable.items() for i in range(1, len(piece))
              if piece[:i] in usable and piece[i:] in usable]
    merges.sort(key=lambda m: -m[0])
    added = [dict(id=i, content=spaced(p), single_word=False, lstrip=False, rstrip=False, normalized=False,
                  special=p.type != USER_DEFINED)
             for i, p in enumerate(model.pieces) if p.type in (CONTROL, UNKNOWN, USER_DEFINED)]
    for t in added:
        vocab.pop(t["content"].replace(" ", SPACE))
        vocab[t["content"]] = t["id"]
    merges = [m for m in merges if all(x in vocab for x in (m[1], m[2], m[1] + m[2]))]
    prefix = model.normalizer_spec.add_dummy_prefix
    return Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "pre_tokenizer": None,
        "post_processor": None, "decoder": None, "normalizer": PREPEND_AND_REPLACE if prefix else SPACES_TO_SYMBOLS,
        "model": {"type": "BPE", "dropout": None, "unk_token": model.pieces[model.trainer_spec.unk_id].piece,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
                  "ignore_merges": False, "vocab": vocab, "merges": [m[1:] for m in merges]}}))


def encodings(name, model, processor, strings):
    other = converted(model)
    hidden = [p.piece for p in model.pieces if p.type in (CONTROL, UNKNOWN)]
    if any(spaced(p) != p.piece for p in model.pieces):
        hidden.append(SPACE)  # in a text it is no part of a user-defined run of spaces
    exact = not any(p.type == UNUSED for p in model.pieces)
    out, compared = [], 0
    for s in strings:
        ids = processor.encode(s)
        if any(h in s for h in hidden):
            out.append(other.encode(s, add_special_tokens=False).ids if exact else None)
            continue
        if exact:
            compared += 1
            assert ids == other.encode(s, add_special_tokens=False).ids, (name, s)
        out.append(ids)
    assert compared > 300 or not exact
    return out


def decodings(model, processor, rng):
    kinds = {k: [i for i, p in enumerate(model.pieces) if p.type == k] for k in (NORMAL, CONTROL, USER_DEFINED, BYTE)}
    spaces = [i for i, p in enumerate(model.pieces) if p.piece.startswith(SPACE) and p.type == NORMAL]

    def unit():
        kind = rng.random()
        if kind < 0.2 and kinds[BYTE]:
            return [kinds[BYTE][b] for b in rng.choice(["\n", " ", "é", "日", "😀", SPACE + "a"]).encode()]
        return [rng.choice(kinds[CONTROL] if kind > 0.9 else spaces if kind > 0.7 else kinds[NORMAL] + kinds[USER_DEFINED])]

    rows = [[i for _ in range(rng.randint(0, 12)) for i in unit()] for _ in range(200)]
    return [[row, processor.decode(row)] for row in rows]


def main():
    strings = json.loads((OUT / "texts.json").read_text()) + CHARACTER_TEXTS
    for seed, make in enumerate([sp_llama, sp_gemma, sp_ties]):
        name, model = make.__name__, make()
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
        write_gguf(name, model)
        write(f"{name}.golden.json", {"texts": CHARACTER_TEXTS, "encodings": encodings(name, model, processor, strings),
                                      "decodings": decodings(model, processor, random.Random(400 + seed))})


if __name__ == "__main__":
    main()
