#!/usr/bin/env python3
"""Writes tests/golden/default_chats.json: what the default model, alone and with each example adapter, must answer to conversations.

The prompt is what transformers renders from the template in the model's file, encoded without further tokens; the rest is as in
make_default_goldens.py, whose requirements it shares but for the folders in data/.
"""

import json
from pathlib import Path

import gguf_reference
import make_default_goldens as default
import peft
import torch
from gguf import GGUFReader
from transformers.utils import chat_template_utils

CONVERSATIONS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [{"role": "system", "content": "You answer in one word."}, {"role": "user", "content": "Is water wet?"}],
    [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Nice to meet you, Ada!"},
        {"role": "user", "content": "What is my name?"},
    ],
    [{"role": "user", "content": "Schreibe das Wort „Grüße“ zweimal. 你好 🙂"}],
    [{"role": "user", "content": "List three colours.\n\n- red\n-"}],
    [{"role": "user", "content": "How many orders did we ship in March?"}],
    [{"role": "user", "content": "My screen stays black since the update, please help."}],
    [{"role": "user", "content": "Tell me a story about the sea."}],
]
CHATS_EACH = 3


def render(template, messages):
    """Returns the text of a conversation as transformers renders it, with a generation prompt."""
    rendered, _ = chat_template_utils.render_jinja_template(
        conversations=[messages], chat_template=template, add_generation_prompt=True, bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    return rendered[0]


class PlainEncoding:
    """The tokenizer as `default.generate` wants it, adding nothing to the text."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def decode(self, ids, **options):
        return self.tokenizer.decode(ids, **options)


def clear_chats(name, model, tokenizer, eos, template):
    """Returns the first conversations without a close call."""
    cases = []
    for messages in CONVERSATIONS:
        case = default.generate(model, tokenizer, eos, render(template, messages))
        if min(case["top2_gap"]) > default.SMALLEST_GAP:
            cases.append({"adapter": name, "messages": messages, **case})
        if len(cases) == CHATS_EACH + (2 if name is None else 0):
            break
    return cases


def main():
    torch.set_num_threads(2)
    model, tokenizer = gguf_reference.load(default.MODEL)
    template = GGUFReader(default.MODEL).fields["tokenizer.chat_template"].contents()
    eos, plain = model.config.eos_token_id, PlainEncoding(tokenizer)
    cases = clear_chats(None, model, plain, eos, template)
    for adapter in default.ADAPTERS:
        adapted = peft.PeftModel.from_pretrained(
            model, f"examples/adapters/{adapter}", adapter_name=adapter, autocast_adapter_dtype=True
        )
        cases += clear_chats(adapter, adapted.eval(), plain, eos, template)
        model = adapted.unload()
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path = Path("tests/golden/default_chats.json")
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{path}: {len(cases)} cases")


if __name__ == "__main__":
    main()
