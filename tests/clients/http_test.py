"""What llama.cpp's tests and load generators expect of HTTP itself."""
import http.client
import json

import pytest

from guarded_server import API_KEY


def test_health_is_open_and_everything_else_wants_the_key(guarded):
    for path in ("/health", "/ping", "/"):
        reply = guarded.exchange("GET", path)
        assert (reply.status, reply.body) == (200, b"")
    for path in ("/v1/models", "/v1/models/patterns", "/info", "/metrics", "/v1/adapters"):
        assert guarded.exchange("GET", path).status == 401
        assert guarded.exchange("GET", path, headers={"authorization": f"Bearer {API_KEY}"}).status == 200


@pytest.mark.parametrize("key", ["", "Bearer", f"Bearer {API_KEY}x", f"Bearer {API_KEY.upper()}", API_KEY, f"Basic {API_KEY}"])
def test_a_wrong_key_is_401_in_the_words_of_the_route(guarded, key):
    openai = guarded.exchange("POST", "/v1/completions", {"prompt": "x"}, {"authorization": key})
    native = guarded.exchange("POST", "/generate", {"inputs": "x"}, {"authorization": key})
    assert openai.status == native.status == 401
    assert openai.json()["error"]["type"] == "authentication_error"
    assert isinstance(native.json()["error"], str)


def test_the_key_of_the_api_changes_no_adapter(guarded):
    for method, path in [("DELETE", "/v1/adapters/patterns"), ("POST", "/v1/adapters/patterns/pause"),
                         ("POST", "/v1/unload_lora_adapter")]:
        reply = guarded.exchange(method, path, {"lora_name": "patterns"} if "unload" in path else None,
                                 {"authorization": f"Bearer {API_KEY}"})
        assert reply.status in (401, 403), path
    models = guarded.exchange("GET", "/v1/models", headers={"authorization": f"Bearer {API_KEY}"}).json()["data"]
    assert "patterns" in [m["id"] for m in models]


def test_options_needs_no_key_and_lets_no_origin_in_unless_told(guarded):
    reply = guarded.exchange("OPTIONS", "/v1/completions", headers={
        "origin": "https://example.org", "access-control-request-method": "POST"})
    assert reply.status in (200, 204)
    assert "access-control-allow-origin" not in reply.headers


def test_trace_is_refused_and_a_wrong_method_names_the_right_ones(tiny):
    assert tiny.exchange("TRACE", "/v1/completions").status == 405
    reply = tiny.exchange("GET", "/v1/completions")
    assert reply.status == 405 and "POST" in reply.headers["allow"]


def test_a_path_that_is_not_there_is_an_error_in_the_words_of_its_side(tiny):
    assert tiny.exchange("POST", "/v1/nothing", {}).json()["error"]["type"] == "NotFoundError"
    assert isinstance(tiny.exchange("POST", "/nothing", {}).json()["error"], str)


@pytest.mark.parametrize("path, body", [
    ("/generate", {"inputs": "x", "parameters": {"adapter_id": "nobody"}}),
    ("/generate_stream", {"inputs": "x", "parameters": {"adapter_id": "nobody"}}),
    ("/generate_stream", {"inputs": ""}), ("/v1/completions", {"model": "nobody", "prompt": "x", "stream": True}),
    ("/v1/completions", {"prompt": 5, "stream": True})])
def test_errors_have_a_length_a_type_and_a_request_id(tiny, path, body):
    # Without a length some clients lose the text of an error.
    reply = tiny.exchange("POST", path, body)
    assert reply.status >= 400
    assert int(reply.headers["content-length"]) == len(reply.body) and "transfer-encoding" not in reply.headers
    assert reply.headers["content-type"] == "application/json" and reply.headers["x-request-id"]


def test_stream_in_the_body_decides_and_not_what_is_accepted(tiny):
    body = {"model": "", "prompt": "x", "max_tokens": 3}
    streamed = tiny.exchange("POST", "/v1/completions", body | {"stream": True}, {"accept": "application/json"})
    assert streamed.headers["content-type"].startswith("text/event-stream") and streamed.events()[-1] == "[DONE]"
    plain = tiny.exchange("POST", "/v1/completions", body, {"accept": "text/event-stream"})
    assert plain.headers["content-type"] == "application/json" and plain.json()["choices"]


def test_a_client_that_offers_gzip_gets_its_answer_as_it_is(tiny):
    reply = tiny.exchange("POST", "/generate", {"inputs": "x", "parameters": {"max_new_tokens": 2}},
                          {"accept-encoding": "gzip, deflate, br, zstd"})
    assert "content-encoding" not in reply.headers and "generated_text" in reply.json()


def test_head_of_the_metrics_has_no_body_and_leaves_the_connection_usable(tiny):
    connection = http.client.HTTPConnection("127.0.0.1", tiny.port, timeout=30)
    connection.request("HEAD", "/metrics")
    head = connection.getresponse()
    assert head.status == 200 and int(head.headers["content-length"]) > 0 and head.read() == b""
    own = connection.sock
    connection.request("GET", "/metrics")
    assert connection.getresponse().read().startswith(b"# ") and connection.sock is own
    connection.close()


def test_the_series_that_routers_read_are_there(tiny):
    tiny.exchange("POST", "/generate", {"inputs": "x", "parameters": {"max_new_tokens": 1, "adapter_id": "patterns"}})
    metrics = tiny.metrics()
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting", "tgi_queue_size", "tgi_request_success"):
        assert any(key.split("{")[0] == name for key in metrics), name
    assert metrics["tgi_request_success"] >= 1
    assert any(key.startswith("vllm:lora_requests_info{") for key in metrics)


def test_a_line_of_the_log_cannot_be_forged(tiny):
    name = "x\n2030-01-01 00:00:00.000 error  forged by a caller"
    reply = tiny.exchange("POST", "/v1/load_lora_adapter", {"lora_name": "forger", "lora_path": name})
    assert reply.status == 400 or reply.status == 404
    tiny.exchange("POST", "/generate", {"inputs": name, "parameters": {"adapter_id": name}}, {"user-agent": "a\tb"})
    lines = [line for line in tiny.log().splitlines() if "forged by a caller" in line]
    assert lines, "the refused load is in the log"
    assert not [line for line in lines if line.startswith("2030")]


def test_prompts_are_not_in_the_log_nor_in_errors(tiny):
    words = "the-words-of-nobody-else"
    assert tiny.exchange("POST", "/generate", {"inputs": words, "parameters": {"max_new_tokens": 1}}).status == 200
    refused = tiny.exchange("POST", "/generate", {"inputs": words, "parameters": {"temperature": -1}})
    cut = tiny.exchange("POST", "/generate", f'{{"inputs": "{words}"'.encode())
    assert refused.status == 422 and cut.status == 400
    assert words not in tiny.log() and words not in json.dumps([refused.json(), cut.json()])


def test_information_names_the_limits_in_both_spellings(tiny):
    info = tiny.exchange("GET", "/info").json()
    assert info["max_input_tokens"] == info["max_input_length"] == info["max_total_tokens"] - 1 == 511
    assert {"model_id", "model_sha", "model_pipeline_tag", "max_concurrent_requests", "max_best_of", "max_stop_sequences",
            "validation_workers", "max_client_batch_size", "router", "version", "sha", "docker_label"} <= info.keys()
