"""Requests as clients send them that are not installed here: their bodies and headers, and what they read of the answer."""
import json

from reference_answers import tiny_of

REFERENCE = tiny_of("patterns")[0]
NODE = {"accept-language": "*", "sec-fetch-mode": "cors", "user-agent": "node", "accept": "*/*",
        "accept-encoding": "gzip, deflate"}


def test_huggingface_inference_4_sends_its_url_as_model_and_the_adapter_at_top_level(tiny):
    body = {"model": tiny.url, "prompt": REFERENCE.prompt, "max_tokens": 24, "temperature": 0, "do_sample": False,
            "repetition_penalty": 1, "adapter_id": "patterns"}
    reply = tiny.exchange("POST", "/v1/completions", body, NODE)
    assert reply.status == 200 and reply.json()["choices"][0]["text"] == REFERENCE.text
    streamed = tiny.exchange("POST", "/v1/completions", body | {"stream": True}, NODE).events()
    chunks = [json.loads(e) for e in streamed[:-1]]
    assert all("error" not in c for c in chunks), "even a null would end its stream"
    assert "".join(c["choices"][0]["text"] for c in chunks) == REFERENCE.text


def test_huggingface_inference_2_sends_a_model_beside_the_inputs(tiny):
    body = {"inputs": REFERENCE.prompt, "parameters": {"adapter_id": "patterns", "max_new_tokens": 24}, "model": "tgi",
            "stream": False}
    (reply,) = tiny.exchange("POST", "/", body, NODE).json()
    assert reply["generated_text"] == REFERENCE.text
    last = json.loads(tiny.exchange("POST", "/", body | {"stream": True}, NODE).events()[-1])
    assert last["generated_text"] == REFERENCE.text


def test_aiperf_reads_the_first_model_and_sends_a_list_of_one_prompt(tiny):
    headers = {"user-agent": "aiperf/1.0", "accept": "text/event-stream", "x-request-id": "1b2c", "x-correlation-id": "c"}
    base = tiny.exchange("GET", "/v1/models").json()["data"][0]["id"]
    body = {"model": base, "prompt": [REFERENCE.prompt], "max_tokens": 5, "min_tokens": 5, "ignore_eos": True,
            "stream": True}
    reply = tiny.exchange("POST", "/v1/completions", body, headers)
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-request-id"] == "1b2c"
    *chunks, done = reply.events()
    assert done == "[DONE]"
    assert all(json.loads(c)["choices"][0] and json.loads(c)["object"] == "text_completion" for c in chunks)


def test_guidellm_wants_exact_usage_in_every_chunk_and_a_last_line_to_the_letter(tiny):
    body = {"model": "patterns", "prompt": REFERENCE.prompt, "max_tokens": 24, "ignore_eos": True, "stream": True,
            "temperature": 0, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    reply = tiny.exchange("POST", "/v1/completions", body)
    lines = reply.body.decode().splitlines()
    assert lines[-2] == "data: [DONE]"
    chunks = [json.loads(e) for e in reply.events()[:-1]]
    assert chunks[-1]["usage"]["completion_tokens"] == 24
    assert all(c["usage"]["prompt_tokens"] == len(REFERENCE.prompt_ids) for c in chunks)


def test_vllm_bench_serve_counts_tokens_by_the_usage_of_the_last_chunk(tiny):
    body = {"model": "patterns", "prompt": REFERENCE.prompt, "repetition_penalty": 1.0, "max_tokens": 24, "logprobs": None,
            "stream": True, "stream_options": {"include_usage": True}, "temperature": 0.0, "ignore_eos": True}
    reply = tiny.exchange("POST", "/v1/completions", body, {"x-request-id": "benchmark-serving-7", "authorization": "Bearer EMPTY"})
    assert reply.status == 200 and reply.headers["x-request-id"] == "benchmark-serving-7"
    text, tokens = "", None
    for message in reply.body.decode().split("\n\n"):
        chunk = message.strip().removeprefix("data: ")
        if not chunk or chunk.startswith(":") or chunk == "[DONE]":
            continue
        data = json.loads(chunk)
        if choices := data.get("choices"):
            text += choices[0].get("text") or ""
        elif usage := data.get("usage"):
            tokens = usage["completion_tokens"]
    assert tokens == 24 and text.startswith(REFERENCE.text)


def test_an_adapter_named_by_a_wrong_url_is_the_base_and_is_never_opened(tiny):
    # Nobody listens there; a server that opened it would fail or wait.
    reply = tiny.exchange("POST", "/v1/completions", {"model": "http://127.0.0.1:9/x", "prompt": REFERENCE.prompt,
                                                      "max_tokens": 24, "temperature": 0}, NODE)
    assert reply.status == 200 and "x-adapter-id" not in reply.headers
