#!/usr/bin/env python3
"""Two adapters of one server through the openai package: `model` says which one answers.

Needs: pip install openai. URL and, where the server wants a key, API_KEY come from the environment.
"""
import os

import openai

URL = os.environ.get("URL", "http://127.0.0.1:3000")
SQL = "Table: bridges(id, material, build_year, river, height)\nQuestion: How many bridges are there per river?\nSQL:"
TICKET = "Ticket: Please send the invoice for Orchid Reader again.\nJSON:"

client = openai.OpenAI(base_url=f"{URL}/v1", api_key=os.environ.get("API_KEY", "none"))
print("adapters:", ", ".join(m.id for m in client.models.list() if m.parent))

reply = client.completions.create(model="text-to-sql", prompt=SQL, max_tokens=40, temperature=0)
print("text-to-sql:", reply.choices[0].text)

print("ticket-triage:", end="", flush=True)
for chunk in client.completions.create(model="ticket-triage", prompt=TICKET, max_tokens=40, temperature=0, stream=True,
                                       stream_options={"include_usage": True}):
    if chunk.choices:
        print(chunk.choices[0].text, end="", flush=True)
print(f"\n{chunk.usage.completion_tokens} tokens")

try:
    client.completions.create(model="nobody", prompt="x")
except openai.NotFoundError as refusal:
    print("an unknown name is an error, never the base:", refusal.body["message"])
