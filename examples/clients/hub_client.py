#!/usr/bin/env python3
"""Two adapters of one server through huggingface_hub, as with TGI: `adapter_id` says which one answers.

Needs: pip install huggingface-hub. URL and, where the server wants a key, API_KEY come from the environment.
"""
import os

# Without this the client sends the Hub token of this machine to any server. It is read when the package is imported.
os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
from huggingface_hub import InferenceClient

URL = os.environ.get("URL", "http://127.0.0.1:3000")
SQL = "Table: bridges(id, material, build_year, river, height)\nQuestion: How many bridges are there per river?\nSQL:"
TICKET = "Ticket: Please send the invoice for Orchid Reader again.\nJSON:"

# A stream belongs to its client: keep the client until the stream has ended.
with InferenceClient(URL, token=os.environ.get("API_KEY")) as client:
    print("text-to-sql:", client.text_generation(SQL, adapter_id="text-to-sql", max_new_tokens=40))

    print("ticket-triage:", end="", flush=True)
    for piece in client.text_generation(TICKET, adapter_id="ticket-triage", max_new_tokens=40, stream=True, details=True):
        if not piece.token.special:
            print(piece.token.text, end="", flush=True)
    print(f"\n{piece.details.generated_tokens} tokens, ended by {piece.details.finish_reason}")
