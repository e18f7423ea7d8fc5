"""One question by every way in has one answer."""
import openai
import pytest
from huggingface_hub import InferenceClient

import callers
from reference_answers import TINY_TEXTS, tiny_of

PROMPTS = [a.prompt for a in TINY_TEXTS[:4]]


@pytest.mark.parametrize("adapter", ["", "patterns", "dora"])
def test_all_clients_and_raw_http_have_the_same_text_and_counts(adapter, tiny):
    able = [k for k in callers.ALL if k.picks_adapters or not adapter]
    for prompt in PROMPTS:
        question = (prompt, adapter, 100)
        raw = tiny.exchange("POST", "/generate", {"inputs": prompt, "parameters": {
            "adapter_id": adapter, "max_new_tokens": 100, "details": True}}).json()
        answers = [way(question) for kind in able for way in (kind(tiny.url).plain, kind(tiny.url).stream)]
        assert {a.text for a in answers} == {raw["generated_text"]}
        assert {a.prompt_tokens for a in answers} - {None} == {raw["details"]["prompt_tokens"]}
        assert {a.generated_tokens for a in answers} - {None} == {raw["details"]["generated_tokens"]}


def test_a_seed_draws_the_same_text_on_native_and_openai_routes(tiny):
    hub = InferenceClient(tiny.url)
    with openai.OpenAI(base_url=f"{tiny.url}/v1", api_key="none") as client:
        for seed in range(5):
            native = hub.text_generation("x", adapter_id="patterns", temperature=0.9, top_p=0.8, seed=seed,
                                         max_new_tokens=40)
            given = client.completions.create(model="patterns", prompt="x", temperature=0.9, top_p=0.8, seed=seed,
                                              max_tokens=40)
            assert given.choices[0].text == native


def test_one_version_of_the_adapter_answers_on_all_routes(tiny):
    parameters = {"adapter_id": "patterns", "max_new_tokens": 1}
    native = {"inputs": "x", "parameters": parameters}
    ways = [("/generate", native), ("/generate_stream", native), ("/", native), ("/", native | {"stream": True}),
            ("/v1/completions", {"model": "patterns", "prompt": "x"}),
            ("/v1/completions", {"model": "patterns", "prompt": "x", "stream": True})]
    replies = [tiny.exchange("POST", path, body) for path, body in ways]
    assert {r.status for r in replies} == {200}
    assert {r.headers["x-adapter-id"] for r in replies} == {"patterns"}
    assert len({r.headers["x-adapter-version"] for r in replies}) == 1


def test_the_root_and_generate_stream_send_the_same_events(tiny):
    reference = tiny_of("rslora")[0]
    body = {"inputs": reference.prompt, "parameters": {"adapter_id": "rslora", "max_new_tokens": 24, "details": True}}
    root = tiny.exchange("POST", "/", body | {"stream": True})
    assert root.events() == tiny.exchange("POST", "/generate_stream", body).events()
    (one,) = tiny.exchange("POST", "/", body).json()
    assert one == tiny.exchange("POST", "/generate", body).json()
