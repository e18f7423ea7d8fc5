#!/usr/bin/env python3
"""Asks the base and every loaded adapter the same thing at once and prints who answered. Standard library only.

Usage: many_adapters.py [--url http://127.0.0.1:3000] [PROMPT]
"""
import argparse
import json
import os
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def call(url: str, body: dict | None = None):
    """Headers and decoded JSON body of one exchange."""
    headers = {"content-type": "application/json"}
    if key := os.environ.get("API_KEY"):
        headers["authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=120) as reply:
        return reply.headers, json.load(reply)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:3000")
    parser.add_argument("prompt", nargs="?", default="My laptop does not start after the update.")
    arguments = parser.parse_args()

    _, models = call(f"{arguments.url}/v1/models")
    adapters = [None] + [m["id"] for m in models["data"] if m.get("parent")]

    def generate(adapter):
        parameters = {"adapter_id": adapter, "max_new_tokens": 40}
        try:
            headers, reply = call(f"{arguments.url}/generate", {"inputs": arguments.prompt, "parameters": parameters})
            return headers["x-adapter-version"] or "-", reply["generated_text"]
        except urllib.error.HTTPError as failure:
            return "error", failure.read().decode()

    with ThreadPoolExecutor(max_workers=len(adapters)) as pool:
        for adapter, (version, text) in zip(adapters, pool.map(generate, adapters)):
            print(f"{adapter or 'base':20} {version:14} {text!r}")


main()
