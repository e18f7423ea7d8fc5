"""The servers that the tests talk to, each started once, and what every test is kept from."""
import os
import signal

import pytest

import chat_model
from guarded_server import ADMIN_KEY, API_KEY
from reference_answers import DEMO_ADAPTERS, DEMO_MODEL, TINY_ADAPTERS, TINY_MODEL
from server_process import server_process
from waiting import eventually

LIMIT_S = 120


def adapters_below(folder) -> str:
    """The `--lora-adapters` value with every adapter of a folder under its own name."""
    found = sorted(p.parent for p in folder.glob("*/adapter_config.json"))
    return ",".join(f"{p.name}={p}" for p in found)


def served(arguments: list, log, key: str = ""):
    """A server until its fixture ends; it must then end by itself, with 0, and with nothing left running."""
    server = server_process(arguments, log, key=key)
    yield server
    assert eventually(server.at_rest), f"something is left behind:\n{server.metrics()}"
    code = server.stop()
    assert code == 0, f"exit code {code}\n{server.log()}"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A model of two layers with 27 adapters, in the arithmetic of its reference answers."""
    root = TINY_ADAPTERS.parent
    yield from served(["--model-id", TINY_MODEL, "--dtype", "float32", "--lora-adapters",
                       adapters_below(TINY_ADAPTERS), "--adapter-root", root],
                      tmp_path_factory.mktemp("tiny") / "log")


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The default model with its four demonstration adapters: slow enough to be left in the middle."""
    yield from served(["--model-id", DEMO_MODEL, "--dtype", "float32", "--lora-adapters",
                       adapters_below(DEMO_ADAPTERS)], tmp_path_factory.mktemp("demo") / "log")


@pytest.fixture(scope="session")
def guarded(tmp_path_factory):
    """The tiny model behind keys, with room for one request at a time."""
    yield from served(["--model-id", TINY_MODEL, "--dtype", "float32", "--lora-adapters",
                       adapters_below(TINY_ADAPTERS), "--api-key", API_KEY, "--admin-api-key", ADMIN_KEY,
                       "--max-concurrent-requests", "1"], tmp_path_factory.mktemp("guarded") / "log", ADMIN_KEY)


@pytest.fixture(scope="session")
def chatty(tmp_path_factory):
    """The tiny model and its adapters with a chat template."""
    folder = tmp_path_factory.mktemp("chatty")
    yield from served(["--model-id", chat_model.make(folder), "--dtype", "float32", "--lora-adapters",
                       adapters_below(TINY_ADAPTERS)], folder / "log")


@pytest.fixture(autouse=True)
def only_what_the_test_says(monkeypatch):
    """No key, address or proxy of the person who runs the tests reaches a client."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "HF_", "HUGGING", "LANGCHAIN_", "LANGSMITH_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")


@pytest.fixture(autouse=True)
def within_the_limit():
    """A test that hangs fails, and the others go on."""
    def too_long(*_):
        raise TimeoutError(f"longer than {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
