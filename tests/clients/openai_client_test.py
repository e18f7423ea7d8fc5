"""What the openai package sends and reads beside the matrix: models, headers, errors, retries, time-outs."""
import asyncio
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from guarded_server import ADMIN_KEY, API_KEY, OVERLOADED, occupied
from reference_answers import TINY, tiny_of
from waiting import eventually


def client_of(server, **options):
    return openai.OpenAI(base_url=f"{server.url}/v1", **({"api_key": "none", "max_retries": 0} | options))


@pytest.fixture
def client(tiny):
    with client_of(tiny) as client:
        yield client


def test_a_prompt_of_token_ids_is_answered_as_the_reference(client):
    for reference in (a for a in TINY if a.adapter in ("", "patterns", "rslora")):
        given = client.completions.create(model=reference.adapter, prompt=list(reference.prompt_ids), temperature=0,
                                          max_tokens=reference.most_tokens)
        assert given.choices[0].text == reference.text
        assert given.usage.prompt_tokens == len(reference.prompt_ids)


def test_the_list_of_models_begins_with_the_base_and_adapters_name_it_as_parent(client):
    base, *adapters = client.models.list().data
    assert base.id == "llama-tied-gqa" and base.parent is None and base.max_model_len == 512
    assert {m.parent for m in adapters} == {"llama-tied-gqa"}
    assert {"patterns", "rslora"} <= {m.id for m in adapters}


def test_a_model_is_retrieved_by_its_id_and_an_unknown_one_is_not_found(client):
    assert client.models.retrieve("patterns").parent == "llama-tied-gqa"
    with pytest.raises(openai.NotFoundError) as refusal:
        client.models.retrieve("org/na me")
    assert "The model `org/na me` does not exist." in str(refusal.value)


@pytest.mark.parametrize("name", ["", "tgi", "dummy", "llama-tied-gqa", "http://127.0.0.1:3000", "https://example.org/x"])
def test_names_that_mean_the_base_are_answered_by_it(client, name):
    reference = tiny_of("")[0]
    reply = client.completions.with_raw_response.create(model=name, prompt=reference.prompt, temperature=0,
                                                        max_tokens=24)
    assert reply.parse().choices[0].text == reference.text
    assert "x-adapter-id" not in reply.headers and reply.headers["x-model-id"] == "llama-tied-gqa"


def test_headers_tell_the_adapter_its_version_and_where_it_was_found(client):
    def headers(adapter):
        return client.completions.with_raw_response.create(model=adapter, prompt="x", max_tokens=1).headers

    first, second = headers("patterns"), headers("rslora")
    assert (first["x-adapter-id"], second["x-adapter-id"]) == ("patterns", "rslora")
    assert len(first["x-adapter-version"]) == 12 and first["x-adapter-version"] != second["x-adapter-version"]
    assert first["x-adapter-tier"] in ("device", "host")


def test_an_adapter_at_top_level_counts_where_the_model_is_the_base(client):
    reference = tiny_of("patterns")[0]
    given = client.completions.create(model="dummy", prompt=reference.prompt, temperature=0, max_tokens=24,
                                      extra_body={"adapter_id": "patterns"})
    assert given.choices[0].text == reference.text
    with pytest.raises(openai.BadRequestError, match="two different adapters"):
        client.completions.create(model="rslora", prompt="x", extra_body={"adapter_id": "patterns"})


def test_an_error_tells_code_parameter_type_and_request(client):
    with pytest.raises(openai.BadRequestError) as refusal:
        client.completions.create(model="", prompt="x", temperature=-1, extra_headers={"X-Request-ID": "of-a-test"})
    error = refusal.value
    assert (error.status_code, error.param, error.type) == (400, "temperature", "BadRequestError")
    assert str(error.code) == "400" and error.request_id == "of-a-test"


def test_every_reply_has_a_request_id_of_its_own_unless_the_client_brings_one(client):
    def ask(**headers):
        return client.completions.create(model="", prompt="x", max_tokens=1, extra_headers=headers)._request_id

    assert ask() != ask()
    assert ask(**{"X-Request-ID": "a.b_c-1"}) == "a.b_c-1"
    assert ask(**{"X-Request-ID": "not allowed"}) != "not allowed"


def test_ids_and_times_are_the_same_in_a_stream_and_another_in_the_next(client):
    def stream():
        return list(client.completions.create(model="", prompt="x", max_tokens=4, stream=True))

    first, second = stream(), stream()
    assert len({c.id for c in first}) == len({c.id for c in second}) == 1
    assert first[0].id != second[0].id and first[0].id.startswith("cmpl-")


def test_a_wrong_key_is_an_authentication_error_and_either_right_one_is_let_in(guarded):
    with client_of(guarded, api_key="never-seen") as client, pytest.raises(openai.AuthenticationError) as refusal:
        client.completions.create(model="", prompt="x")
    assert refusal.value.type == "authentication_error"
    assert "never-seen" not in refusal.value.response.text + guarded.log()
    for key in (API_KEY, ADMIN_KEY):
        with client_of(guarded, api_key=key) as client:
            assert client.models.list().data[0].id == "llama-tied-gqa"
            assert client.completions.create(model="", prompt="x", max_tokens=1).usage.completion_tokens == 1


def test_a_full_server_is_a_rate_limit_error_that_says_when_to_come_back(guarded):
    with occupied(guarded), client_of(guarded, api_key=API_KEY) as client:
        with pytest.raises(openai.RateLimitError) as refusal:
            client.completions.create(model="", prompt="x", max_tokens=1)
    assert 1 <= int(refusal.value.response.headers["retry-after"]) <= 60


def test_a_client_that_retries_gets_its_answer_once_there_is_room(guarded):
    with occupied(guarded) as free, client_of(guarded, api_key=API_KEY, max_retries=1) as client:
        before = guarded.metric(OVERLOADED)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.completions.create, model="", prompt="x", max_tokens=1)
            assert eventually(lambda: guarded.metric(OVERLOADED) == before + 1)
            free()
            assert answer.result().usage.completion_tokens == 1


def test_an_unknown_adapter_is_not_asked_for_again(tiny):
    # 404 is no status that the client repeats; a connection error or a 5xx it would.
    def answered():
        return tiny.metrics().get('lorica_http_requests_total{route="/v1/completions",status="404"}', 0)

    before = answered()
    with client_of(tiny, max_retries=2) as client, pytest.raises(openai.NotFoundError):
        client.completions.create(model="nobody", prompt="x")
    assert answered() == before + 1


def test_five_streams_one_after_the_other_leave_no_connection_behind(tiny):
    reference = tiny_of("rslora")[0]
    before = tiny.metric("lorica_http_connections")
    with client_of(tiny) as client:
        for _ in range(5):
            chunks = client.completions.create(model="rslora", prompt=reference.prompt, temperature=0, max_tokens=24,
                                               stream=True)
            assert "".join(c.choices[0].text for c in chunks) == reference.text
    assert eventually(lambda: tiny.metric("lorica_http_connections") <= before)


def test_a_stream_that_was_read_to_its_end_is_no_abort(tiny):
    name = 'lorica_request_failures_total{reason="cancelled"}'
    before = tiny.metric(name)
    with client_of(tiny) as client:
        for _ in range(5):
            list(client.completions.create(model="", prompt="x", max_tokens=8, stream=True))
    assert eventually(tiny.at_rest) and tiny.metric(name) == before


def test_a_task_that_is_cancelled_ends_its_generation_without_a_stream_too(demo):
    assert eventually(demo.at_rest)
    name = 'lorica_request_failures_total{reason="cancelled"}'
    before = demo.metric(name)

    async def give_up():
        async with openai.AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
            asking = asyncio.create_task(client.completions.create(
                model="", prompt="Once upon a time", max_tokens=8000, temperature=0, extra_body={"ignore_eos": True}))
            assert await asyncio.to_thread(eventually, lambda: demo.metric("lorica_requests_running") == 1)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(give_up())
    assert eventually(demo.at_rest) and demo.metric(name) == before + 1
