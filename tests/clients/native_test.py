"""What TGI's and LoRAX's own tests expect of native routes, in our words, over plain HTTP."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub import InferenceClient

from reference_answers import TINY_TEXTS, tiny_of

REFERENCE = tiny_of("patterns")[0]


@pytest.fixture
def generate(tiny):
    """The decoded reply of /generate and its headers."""
    def ask(prompt=REFERENCE.prompt, path="/generate", **parameters):
        reply = tiny.exchange("POST", path, {"inputs": prompt, "parameters": {"max_new_tokens": 24} | parameters})
        return reply

    return ask


def test_a_reply_is_an_object_on_generate_and_a_list_of_one_at_the_root(generate):
    assert list(generate().json()) == ["generated_text"]
    assert [list(one) for one in generate(path="/").json()] == [["generated_text"]]


def test_details_are_the_superset_of_tgi_and_lorax(generate):
    details = generate(adapter_id="patterns", details=True, decoder_input_details=True).json()["details"]
    assert {"finish_reason", "generated_tokens", "seed", "prefill", "tokens", "prompt_tokens",
            "skipped_tokens"} <= details.keys()
    assert set(details["tokens"][0]) == {"id", "text", "logprob", "special", "skipped"}
    assert details["prompt_tokens"] == len(details["prefill"]) == len(REFERENCE.prompt_ids)


def test_many_equal_requests_at_once_have_one_answer(generate):
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: generate(adapter_id="patterns").json()["generated_text"], range(48)))
    assert set(replies) == {REFERENCE.text}


def test_sampling_is_on_where_there_are_no_parameters_and_off_where_there_are(tiny, generate):
    drawn = {tiny.exchange("POST", "/generate", {"inputs": "x"}).json()["generated_text"] for _ in range(3)}
    assert len(drawn) == 3
    assert generate(adapter_id="patterns").json() == generate(adapter_id="patterns").json()


def test_an_event_stream_is_framed_so_that_every_reader_finds_its_events(tiny):
    body = {"inputs": REFERENCE.prompt, "parameters": {"adapter_id": "patterns", "max_new_tokens": 24, "details": True}}
    reply = tiny.exchange("POST", "/generate_stream", body)
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-cache" and reply.headers["x-accel-buffering"] == "no"
    assert reply.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in reply.headers and "content-encoding" not in reply.headers
    assert b"\r" not in reply.body
    parts = reply.body.split(b"\n\n")
    assert parts.pop() == b"" and len(parts) == 24
    for part in parts:
        assert part.startswith(b"data: {") and b"\n" not in part and b'"error"' not in part
        event = json.loads(part[6:])
        assert {"index", "token", "generated_text", "details"} <= event.keys()


def test_line_ends_of_unicode_are_escaped_so_that_no_reader_cuts_a_line_there(tiny):
    prompt = "a\u2028b\u0085c\u2029d"
    body = {"inputs": prompt, "parameters": {"return_full_text": True, "max_new_tokens": 3}}
    raw = tiny.exchange("POST", "/generate_stream", body).body
    for line_end in "\u2028\u0085\u2029":
        assert line_end.encode() not in raw
    with InferenceClient(tiny.url) as client:  # whose parser splits at them
        pieces = list(client.text_generation(prompt, return_full_text=True, details=True, stream=True, max_new_tokens=3))
    assert pieces[-1].generated_text.startswith(prompt)


def test_the_version_that_answered_is_told_and_timings_come_with_plain_replies(generate):
    headers = generate(adapter_id="patterns").headers
    assert headers["x-adapter-id"] == "patterns" and len(headers["x-adapter-version"]) == 12
    assert int(headers["x-prompt-tokens"]) == len(REFERENCE.prompt_ids) and int(headers["x-generated-tokens"]) == 24
    for name in ("x-total-time", "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token"):
        assert int(headers[name]) >= 0
    assert "x-adapter-id" not in generate().headers


def test_tokens_of_a_text_are_those_of_the_reference_and_cover_it(tiny):
    for reference in TINY_TEXTS[:20]:
        tokens = tiny.exchange("POST", "/tokenize", {"inputs": reference.prompt}).json()
        assert [t["id"] for t in tokens] == list(reference.prompt_ids)
        ends = [t["stop"] for t in tokens]
        assert tokens[0]["start"] == 0 and ends == sorted(ends) and max(ends) >= len(reference.prompt)


@pytest.mark.parametrize("parameters, words", [
    ({"decoder_input_details": True}, "`decoder_input_details` == true is not supported when streaming tokens"),
    ({"best_of": 2, "do_sample": True}, "`best_of` != 1 is not supported when streaming tokens")])
def test_what_a_stream_cannot_have_is_a_status_before_it_begins(generate, parameters, words):
    reply = generate(path="/generate_stream", **parameters)
    assert (reply.status, reply.headers["content-type"]) == (422, "application/json")
    assert reply.json() == {"error": f"Input validation error: {words}", "error_type": "validation"}


@pytest.mark.parametrize("parameters, words", [
    ({"seed": -1}, "`seed`"), ({"max_new_tokens": "5"}, "`max_new_tokens`"), ({"temperature": "hot"}, "`temperature`"),
    ({"stop": "x"}, "`stop`"), ({"adapter_id": 5}, "`adapter_id`"), ({"details": "yes"}, "`details`"),
    ({"top_k": 2**40}, "`top_k`"), ({"presence_penalty": -3}, "`presence_penalty`")])
def test_a_wrong_type_is_422_with_the_name_of_the_field(generate, parameters, words):
    reply = generate(**parameters)
    assert reply.status == 422 and words in reply.json()["error"] and reply.json()["error_type"] == "validation"


def test_prompt_and_tokens_together_have_a_limit_with_tgis_words(generate):
    reply = generate("x " * 250, max_new_tokens=400)
    assert reply.status == 422
    assert "`inputs` tokens + `max_new_tokens` must be <= 512. Given:" in reply.json()["error"]
    too_long = generate("x " * 600, max_new_tokens=1)
    assert too_long.status == 422 and "`inputs` must have less than 511 tokens. Given:" in too_long.json()["error"]


def test_a_null_means_that_a_field_is_absent(generate):
    names = ["adapter_id", "best_of", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "seed", "stop",
             "frequency_penalty", "truncate", "watermark", "details", "decoder_input_details", "return_full_text",
             "top_n_tokens", "grammar", "adapter_source", "merged_adapters", "api_token", "response_format",
             "return_k_alternatives", "ignore_eos_token", "do_sample"]
    assert generate(**dict.fromkeys(names)).json() == generate().json()


def test_weights_scale_an_adapter_and_requests_of_one_batch_have_their_own(generate):
    def at(weight):
        return generate(adapters=[{"id": "patterns", "weight": weight}]).json()["generated_text"]

    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(at, [0, 1, -1, 0.5] * 8))
    assert texts[:4] * 8 == texts and len(set(texts)) == 4
    assert texts[0] == generate().json()["generated_text"] and texts[1] == REFERENCE.text


def test_an_alias_of_the_base_in_adapter_id_is_the_base(generate):
    base = generate().json()
    for name in ("", "tgi", "dummy", "llama-tied-gqa", "http://127.0.0.1:1"):
        assert generate(adapter_id=name).json() == base
