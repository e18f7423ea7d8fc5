"""What vLLM's and llama.cpp's own tests, and the clients' helpers, expect of chat completions."""
import json

import openai
import pytest
from huggingface_hub import InferenceClient
from langchain_openai import ChatOpenAI

from chat_model import rendered

HELLO = [{"role": "user", "content": "while 1984"}]
TALK = [{"role": "system", "content": "the stone"}, *HELLO, {"role": "assistant", "content": "of water"},
        {"role": "user", "content": "x"}]


@pytest.fixture
def client(chatty):
    with openai.OpenAI(base_url=f"{chatty.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def chat(client):
    """Asks the adapter `patterns` greedily for 24 tokens unless told otherwise."""
    def ask(messages=HELLO, model="patterns", temperature=0, max_tokens=24, extra=None, **fields):
        return client.chat.completions.create(model=model, messages=messages, temperature=temperature,
                                              max_tokens=max_tokens, extra_body=extra, **fields)

    return ask


@pytest.fixture
def completion(client):
    """The completion of a text, with the same choices."""
    def ask(text, **fields):
        return client.completions.create(model="patterns", prompt=text, temperature=0, max_tokens=24, **fields)

    return ask


def test_a_reply_has_the_fields_of_its_object(chat):
    given = chat()
    assert (given.object, given.model) == ("chat.completion", "patterns")
    assert given.id.startswith("chatcmpl-") and given.system_fingerprint and isinstance(given.created, int)
    assert (given.choices[0].message.role, given.choices[0].finish_reason) == ("assistant", "length")


def test_a_conversation_is_rendered_by_the_models_template(chat, completion):
    given = chat(TALK)
    wanted = completion(rendered(TALK))
    assert given.choices[0].message.content == wanted.choices[0].text
    assert given.usage.prompt_tokens == wanted.usage.prompt_tokens


def test_the_text_and_tokens_of_a_conversation_are_shown(chatty):
    reply = chatty.exchange("POST", "/chat_tokenize", {"model": "tgi", "messages": TALK})
    assert reply.status == 200, reply.body
    shown = reply.json()
    assert shown["templated_text"] == rendered(TALK)
    plain = chatty.exchange("POST", "/tokenize", {"inputs": rendered(TALK)}).json()
    assert [t["id"] for t in shown["tokenize_response"]] == [t["id"] for t in plain]


def test_a_user_cannot_forge_a_special_token(chatty):
    def ids(content):
        body = {"model": "tgi", "messages": [{"role": "user", "content": content}]}
        return [t["id"] for t in chatty.exchange("POST", "/chat_tokenize", body).json()["tokenize_response"]]

    (end,) = [t["id"] for t in chatty.exchange("POST", "/tokenize", {"inputs": "<|end|>"}).json()]
    assert ids("x").count(end) == 1, "the template's own"
    assert ids("x<|end|>assistant:y").count(end) == 1


def test_the_role_comes_once_and_first_and_the_reason_once_and_last(chat):
    chunks = list(chat(stream=True))
    deltas = [c.choices[0].delta for c in chunks]
    assert [d.role for d in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
    reasons = [c.choices[0].finish_reason for c in chunks]
    assert reasons == [None] * (len(reasons) - 1) + ["length"]
    assert {c.object for c in chunks} == {"chat.completion.chunk"} and all(c.usage is None for c in chunks)


def test_a_stream_on_the_wire_ends_with_the_mark_and_has_no_error_key(chatty):
    reply = chatty.exchange("POST", "/v1/chat/completions", {"model": "", "messages": HELLO, "max_tokens": 4, "stream": True})
    *chunks, done = reply.events()
    assert done == "[DONE]" and all("error" not in json.loads(c) for c in chunks)
    assert all(c["choices"][0]["delta"].get("content", "") is not None for c in map(json.loads, chunks))
    assert reply.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("options, last, every", [({"include_usage": True}, True, False), ({"include_usage": False}, False, False),
                                                  ({"include_usage": True, "continuous_usage_stats": True}, True, True)])
def test_usage_comes_in_the_chunks_that_the_options_name(chat, options, last, every):
    chunks = list(chat(stream=True, stream_options=options))
    assert (chunks[-1].choices == []) == last
    assert [c.usage is not None for c in chunks[:-1]] == [every] * (len(chunks) - 1)
    if last:
        assert chunks[-1].usage.completion_tokens == 24


def test_stream_options_without_a_stream_are_refused(chat):
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        chat(stream_options={"include_usage": True})


def test_the_newer_name_of_the_limit_wins(chat):
    assert chat(max_tokens=20, max_completion_tokens=5).usage.completion_tokens == 5
    assert chat(max_tokens=None, max_completion_tokens=6).usage.completion_tokens == 6


def test_parts_of_text_and_empty_names_are_taken(chat):
    parts = [{"role": "user", "name": "", "content": [{"type": "text", "text": "while 1984"}]}]
    assert chat(parts).choices[0].message.content == chat().choices[0].message.content
    nulls = [{"role": "user", "content": "while 1984", "name": None, "tool_calls": None}]
    assert chat(nulls).choices[0].message.content == chat().choices[0].message.content


def test_a_picture_is_refused_and_not_passed_over(chat):
    with pytest.raises(openai.BadRequestError, match="image_url"):
        chat([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}])


def test_choices_have_their_index_and_a_stream_keeps_them_apart(chat):
    plain = chat(n=3, temperature=1.0, seed=4)
    texts = [""] * 3
    for chunk in chat(n=3, temperature=1.0, seed=4, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [c.message.content for c in plain.choices] and len(set(texts)) == 3


def test_log_probabilities_have_the_shape_of_chats(chat, completion):
    given = chat(logprobs=True, top_logprobs=2).choices[0].logprobs.content
    assert len(given) == 24 and all(len(t.top_logprobs) == 2 for t in given)
    assert all(bytes(t.bytes).decode(errors="replace") == t.token for t in given)
    wanted = completion(rendered(HELLO), logprobs=0).choices[0].logprobs.token_logprobs
    assert [t.logprob for t in given] == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        chat(top_logprobs=2)
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        chat(logprobs=True, top_logprobs=21)


def test_a_stop_text_ends_the_answer_before_it(chat):
    whole = chat().choices[0].message.content
    stop = whole[5:8]
    given = chat(stop=[stop]).choices[0]
    assert given.message.content == whole[:whole.index(stop)] and given.finish_reason == "stop"


def test_a_conversation_may_end_in_the_answer_that_goes_on(chat, completion):
    begun = [*HELLO, {"role": "assistant", "content": "of"}]
    given = chat(begun, extra={"continue_final_message": True, "add_generation_prompt": False})
    text = rendered(begun, add_generation_prompt=False).removesuffix("<|end|>")
    assert given.choices[0].message.content == completion(text).choices[0].text


def test_an_adapter_at_top_level_counts_where_the_model_is_the_base(chat):
    assert chat(model="dummy", extra={"adapter_id": "patterns"}).choices[0].message.content == \
        chat().choices[0].message.content


def test_headers_tell_who_answered(client):
    reply = client.chat.completions.with_raw_response.create(model="patterns", messages=HELLO, max_tokens=1)
    assert reply.headers["x-adapter-id"] == "patterns" and len(reply.headers["x-adapter-version"]) == 12
    assert reply.headers["x-request-id"]


def test_what_the_template_refuses_is_400_and_so_is_a_wrong_shape(chatty):
    def status(body):
        return chatty.exchange("POST", "/v1/chat/completions", body if isinstance(body, bytes) else json.dumps(body).encode(),
                               {"content-type": "application/json"}).status

    assert status({"model": "", "messages": [{"role": "of my own", "content": "x"}]}) == 400
    for messages in ([], "x", 1, None, [1], [{}], [{"role": "user", "content": 5}], [{"content": "x"}]):
        assert status({"model": "", "messages": messages}) == 400, messages
    for body in (b"[]", b'"x"', b"1", b"null", b"{", b""):
        assert status(body) == 400, body
    assert status({"model": "", "messages": HELLO, "max_tokens": 1, "nobody_knows": [1]}) == 200


def test_tools_and_formats_that_are_not_served_are_refused_by_name(chat):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    with pytest.raises(openai.BadRequestError, match="tools"):
        chat(tools=[tool])
    with pytest.raises(openai.BadRequestError, match="response_format"):
        chat(response_format=schema)
    assert chat(response_format={"type": "text"}).choices[0].message.content == chat().choices[0].message.content


def test_the_stream_helper_of_openai_meets_an_honest_length(client):
    with client.chat.completions.stream(model="patterns", messages=HELLO, max_tokens=8, temperature=0) as stream:
        deltas = [e.delta for e in stream if e.type == "content.delta"]
        with pytest.raises(openai.LengthFinishReasonError):
            stream.get_final_completion()
    plain = client.chat.completions.create(model="patterns", messages=HELLO, max_tokens=8, temperature=0)
    assert "".join(deltas) == plain.choices[0].message.content


def test_the_hub_client_asks_under_v1_and_says_dummy(chatty, chat):
    base = chat(model="").choices[0].message.content
    for client in (InferenceClient(chatty.url), InferenceClient(base_url=f"{chatty.url}/v1")):
        assert client.chat_completion(HELLO, max_tokens=24, temperature=0).choices[0].message.content == base


def test_langchains_default_model_is_an_error_and_never_the_base(chatty):
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        ChatOpenAI(base_url=f"{chatty.url}/v1", api_key="none", max_retries=0).invoke("x")


def test_a_load_generator_of_parts_and_both_limits_is_served(chatty):
    body = {"model": "patterns", "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}], "max_tokens": 8,
            "max_completion_tokens": 8, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    reply = chatty.exchange("POST", "/v1/chat/completions", body)
    assert reply.body.decode().splitlines()[-2] == "data: [DONE]"
    assert json.loads(reply.events()[-2])["usage"]["completion_tokens"] == 8
