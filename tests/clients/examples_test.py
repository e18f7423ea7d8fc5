"""The examples of examples/clients run as they are, and print what the reference says."""
import json
import os
import subprocess
import sys

import pytest

from reference_answers import demo_of
from server_process import ROOT

FOLDER = ROOT / "examples/clients"
SQL = demo_of("text-to-sql")[-1]
TICKET = demo_of("ticket-triage")[-1]


def printed(server, name, *arguments):
    """What an example prints. Python examples run with the Python of the tests, where the clients are."""
    command = [sys.executable] if name.endswith(".py") else ["bash"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "URL": server.url}
    done = subprocess.run([*command, FOLDER / name, *arguments], env=environment, capture_output=True, text=True,
                          timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def events(text):
    return [line[6:] for line in text.splitlines() if line.startswith("data: ")]


def test_the_references_are_those_of_the_examples_prompts():
    for name in ("native.sh", "openai.sh", "hub_client.py", "openai_client.py"):
        text = (FOLDER / name).read_text()
        for reference in (SQL, TICKET):
            assert json.dumps(reference.prompt)[1:-1] in text, name


def test_curl_on_native_routes(demo):
    lines = printed(demo, "native.sh").splitlines()
    assert lines[0] == "text-to-sql:" and json.loads(lines[1])["generated_text"] == SQL.text
    assert lines[2] == "ticket-triage:" and json.loads(lines[3])["generated_text"] == TICKET.text
    streamed = [json.loads(e) for e in events("\n".join(lines[5:]))]
    assert streamed[-1]["generated_text"] == SQL.text
    assert streamed[-1]["details"]["generated_tokens"] == len(streamed) == len(SQL.token_ids)


def test_curl_on_openai_routes(demo):
    text = printed(demo, "openai.sh")
    lines = text.splitlines()
    models = [m["id"] for m in json.loads(lines[1])["data"]]
    assert {"text-to-sql", "ticket-triage"} < set(models)
    assert json.loads(lines[3])["choices"][0]["text"] == TICKET.text
    *chunks, done = events(text)
    assert done == "[DONE]"
    assert "".join(c["text"] for e in chunks for c in json.loads(e)["choices"]) == SQL.text
    assert json.loads(chunks[-1])["usage"]["completion_tokens"] == len(SQL.token_ids)


@pytest.mark.parametrize("name", ["hub_client.py", "openai_client.py"])
def test_python_clients_print_both_adapters(demo, name):
    lines = printed(demo, name).splitlines()
    assert f"text-to-sql: {SQL.text}" in lines and f"ticket-triage:{TICKET.text}" in lines
    assert any(line.startswith(f"{len(TICKET.token_ids)} tokens") for line in lines)
    if name == "openai_client.py":
        assert lines[0] == "adapters: entity-extraction, pirate-style, text-to-sql, ticket-triage"
        assert lines[-1].endswith("The model `nobody` does not exist.")
    else:
        assert lines[-1].endswith("ended by eos_token")


def test_all_adapters_at_once_with_the_standard_library(demo):
    lines = printed(demo, "many_adapters.py", "--url", demo.url, SQL.prompt).splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert list(rows) == ["base", "entity-extraction", "pirate-style", "text-to-sql", "ticket-triage"]
    assert rows["text-to-sql"].endswith(repr(SQL.text)) and rows["base"].split()[1] == "-"
    assert len({line.split()[1] for line in lines}) == 5, "each has a version of its own"


def test_an_example_that_meets_a_refusal_fails(demo):
    environment = {"PATH": os.environ["PATH"], "URL": f"{demo.url}/nowhere"}
    for name in ("native.sh", "openai.sh"):
        done = subprocess.run(["bash", FOLDER / name], env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode != 0
