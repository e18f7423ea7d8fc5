"""What vLLM's tests expect of the list of models and of adapters that come and go while the server runs."""
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from guarded_server import API_KEY
from reference_answers import TINY_ADAPTERS, TINY_MODEL, TINY_TEXTS, tiny_of
from server_process import server_process
from waiting import eventually


@pytest.fixture
def room(tmp_path):
    """A folder from which adapters may be loaded, with good and broken ones."""
    folder = tmp_path / "adapters"
    folder.mkdir()
    for name in ("patterns", "rslora", "r8-q-v"):
        shutil.copytree(TINY_ADAPTERS / name, folder / name)
    shutil.copytree(TINY_ADAPTERS / "patterns", folder / "org" / "patterns")
    (folder / "empty").mkdir()
    for name, change in {"no-json": None, "of-another-kind": {"peft_type": "IA3"}, "biased": {"bias": "all"}}.items():
        shutil.copytree(TINY_ADAPTERS / "patterns", folder / name)
        config = folder / name / "adapter_config.json"
        text = "{" if change is None else json.dumps(json.loads(config.read_text()) | change)
        config.write_text(text)
    return folder


@pytest.fixture
def server(room, tmp_path):
    """Starts with no adapter; names that nobody loaded stay unknown, and none is looked for on the Hub."""
    running = server_process(["--model-id", TINY_MODEL, "--dtype", "float32", "--adapter-root", room,
                              "--dynamic-adapters", "off"], tmp_path / "log", {"HF_HUB_OFFLINE": "1"})
    yield running
    assert eventually(running.at_rest)
    assert running.stop() == 0, running.log()


def load(server, name, path, **fields):
    return server.exchange("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": path} | fields)


def unload(server, name):
    return server.exchange("POST", "/v1/unload_lora_adapter", {"lora_name": name})


def models(server, **headers):
    return server.exchange("GET", "/v1/models", headers=headers).json()["data"]


def text_of(server, reference, model=None):
    body = {"model": model or reference.adapter, "prompt": reference.prompt, "max_tokens": 24, "temperature": 0}
    reply = server.exchange("POST", "/v1/completions", body)
    return reply.json()["choices"][0]["text"] if reply.status == 200 else reply.status


def test_the_list_grows_by_a_load_and_shrinks_by_an_unload(server):
    reference = tiny_of("patterns")[0]
    assert [m["id"] for m in models(server)] == ["llama-tied-gqa"]
    assert text_of(server, reference) == 404
    loaded = load(server, "patterns", "patterns")
    assert (loaded.status, loaded.body) == (200, b"Success: LoRA adapter 'patterns' added successfully.")
    base, adapter = models(server)
    assert (base["parent"], adapter["parent"], adapter["id"]) == (None, base["id"], "patterns")
    assert text_of(server, reference) == reference.text
    unloaded = unload(server, "patterns")
    assert (unloaded.status, unloaded.body) == (200, b"Success: LoRA adapter 'patterns' removed successfully.")
    assert [m["id"] for m in models(server)] == ["llama-tied-gqa"]
    assert text_of(server, reference) == 404


def test_a_second_load_of_a_name_is_refused_and_in_place_is_not(server):
    assert load(server, "one", "patterns").status == 200
    again = load(server, "one", "rslora")
    assert again.status == 400 and "already been loaded" in again.json()["error"]["message"]
    assert text_of(server, tiny_of("patterns")[0], "one") == tiny_of("patterns")[0].text
    assert load(server, "one", "rslora", load_inplace=True).status == 200
    assert text_of(server, tiny_of("rslora")[0], "one") == tiny_of("rslora")[0].text


@pytest.mark.parametrize("path, status", [
    ("nobody", 404), ("empty", 404), ("no-json", 400), ("of-another-kind", 400), ("biased", 400),
    ("../patterns", 400), ("/etc", 400)])
def test_a_load_that_cannot_be_is_refused_and_its_name_is_never_the_base(server, path, status):
    reply = load(server, "bad", path)
    assert reply.status == status and reply.json()["error"]["message"], reply.body
    assert [m["id"] for m in models(server)] == ["llama-tied-gqa"]
    # The name is known now, with the reason why it does not serve.
    assert text_of(server, tiny_of("patterns")[0], "bad") in (400, 404)


@pytest.mark.parametrize("fields", [{}, {"lora_name": "a"}, {"lora_path": "patterns"}, {"lora_name": "", "lora_path": "patterns"},
                                    {"lora_name": "a", "lora_path": ""}, {"lora_name": 1, "lora_path": "patterns"},
                                    {"lora_name": "tgi", "lora_path": "patterns"},
                                    {"lora_name": "a b", "lora_path": "patterns"}])
def test_a_load_without_a_usable_name_and_path_is_400(server, fields):
    reply = server.exchange("POST", "/v1/load_lora_adapter", fields)
    assert reply.status == 400 and reply.json()["error"]["type"] in ("BadRequestError", "InvalidUserInput")


def test_what_was_never_loaded_cannot_be_unloaded(server):
    reply = unload(server, "nobody")
    assert reply.status == 404 and "nobody" in reply.json()["error"]["message"]


def test_ten_loads_at_once_all_answer_and_all_serve(server):
    references = [tiny_of(name)[0] for name in ("patterns", "rslora", "r8-q-v")]
    with ThreadPoolExecutor(10) as pool:
        paths = {f"copy-{i}": references[i % 3].adapter for i in range(10)}
        statuses = list(pool.map(lambda item: load(server, *item).status, paths.items()))
        assert statuses == [200] * 10
        texts = list(pool.map(lambda i: text_of(server, references[i % 3], f"copy-{i}"), range(10)))
    assert texts == [references[i % 3].text for i in range(10)]
    assert len(models(server)) == 11


def test_a_name_with_a_slash_is_found_raw_and_escaped(server):
    assert load(server, "org/patterns", "org/patterns").status == 200
    reference = tiny_of("patterns")[0]
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        assert client.models.retrieve("org/patterns").id == "org/patterns"  # asks for org%2Fpatterns
        given = client.completions.create(model="org/patterns", prompt=reference.prompt, temperature=0, max_tokens=24)
        assert given.choices[0].text == reference.text
    raw = server.exchange("GET", "/v1/models/org/patterns")
    assert raw.status == 200 and raw.json()["id"] == "org/patterns"
    assert server.exchange("GET", "/v1/models/org%252Fpatterns").status == 404, "it is decoded once"


def test_an_adapter_that_leaves_lets_its_running_stream_end(server):
    reference = TINY_TEXTS[0]
    assert load(server, "one", "patterns").status == 200
    long = {"inputs": reference.prompt, "parameters": {"adapter_id": "one", "max_new_tokens": 400}}
    alone = server.exchange("POST", "/generate", long).json()["generated_text"]
    with ThreadPoolExecutor(8) as pool:
        streams = [pool.submit(server.exchange, "POST", "/generate_stream", long) for _ in range(8)]
        assert eventually(lambda: server.metric("lorica_requests_running") >= 1)
        assert unload(server, "one").status == 200
        ended = [s.result() for s in streams]
    # Those that came before the unload have their whole text; those after it find no such name.
    whole = [json.loads(r.events()[-1])["generated_text"] for r in ended if r.status == 200]
    assert whole and set(whole) == {alone}
    assert {r.status for r in ended} <= {200, 404}


def test_callers_without_the_right_do_not_see_where_adapters_lie(guarded):
    def root(**headers):
        return next(m["root"] for m in models(guarded, **headers) if m["id"] == "patterns")

    assert root(authorization=f"Bearer {API_KEY}") == "patterns"
    assert root(**guarded.rights()).endswith("adapters/llama-tied-gqa/patterns")
    base = models(guarded, authorization=f"Bearer {API_KEY}")[0]
    assert base["root"] == base["id"] == "llama-tied-gqa"
