"""What the LoRAX client sends and reads beside the matrix: merged adapters, end tokens, its errors."""
import json

import pytest
from lorax import Client, MergedAdapters
from lorax.errors import OverloadedError, ValidationError

from guarded_server import API_KEY, OVERLOADED, occupied
from reference_answers import TINY_MODEL, TINY_TEXTS, tiny_of


def merged(ids, weights, strategy="linear"):
    return MergedAdapters(ids=ids, weights=weights, merge_strategy=strategy, density=1.0)


def test_merged_adapters_are_answered_as_the_reference_of_lorax_own_arithmetic(tiny):
    cases = [c for c in json.loads((TINY_MODEL / "merges.json").read_text()) if c.get("prompt")]
    assert cases
    for case in cases:
        ids, weights = zip(*case["merged"])
        reply = Client(tiny.url).generate(case["prompt"], merged_adapters=merged(ids, weights),
                                          max_new_tokens=len(case["token_ids"]))
        assert [t.id for t in reply.details.tokens] == case["token_ids"]
        assert reply.generated_text == case["text"]


def test_one_merged_adapter_of_weight_one_is_that_adapter(tiny):
    reference = tiny_of("patterns")[0]
    reply = Client(tiny.url).generate(reference.prompt, merged_adapters=merged(["patterns"], [1.0]), max_new_tokens=24)
    assert reply.generated_text == reference.text


def test_an_unknown_one_among_merged_adapters_is_an_error(tiny):
    with pytest.raises(ValidationError, match="The model `nobody` does not exist."):
        Client(tiny.url).generate("x", merged_adapters=merged(["patterns", "nobody"], [0.5, 0.5]))


def test_a_merge_that_is_not_served_is_refused_by_its_name(tiny):
    with pytest.raises(ValidationError, match="merge_strategy"):
        Client(tiny.url).generate("x", merged_adapters=merged(["patterns", "rslora"], [1, 1], "ties"))


def test_end_tokens_are_passed_over_where_the_client_says_so(tiny):
    ended = next(a for a in TINY_TEXTS if a.finish == "eos_token")
    client = Client(tiny.url)
    stopped = client.generate(ended.prompt, adapter_id=ended.adapter, max_new_tokens=40)
    assert stopped.generated_text == ended.text and stopped.details.finish_reason.value == "eos_token"
    on = client.generate(ended.prompt, adapter_id=ended.adapter, max_new_tokens=40, ignore_eos_token=True)
    assert on.details.generated_tokens == 40 and on.details.finish_reason.value == "length"
    assert [t.id for t in on.details.tokens][:len(ended.token_ids)] == list(ended.token_ids)


def test_a_full_server_is_asked_once(guarded):
    client = Client(guarded.url, headers={"Authorization": f"Bearer {API_KEY}"})
    with occupied(guarded):
        before = guarded.metric(OVERLOADED)
        with pytest.raises(OverloadedError):
            client.generate("x", adapter_id="rslora", max_new_tokens=1)
        assert guarded.metric(OVERLOADED) == before + 1
    assert client.generate("x", adapter_id="rslora", max_new_tokens=1).details.generated_tokens == 1


def test_a_schema_is_refused_and_not_passed_over_in_silence(tiny):
    schema = {"type": "json_object", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
    with pytest.raises(ValidationError, match="`response_format` is not served"):
        Client(tiny.url).generate("x", response_format=schema)


def test_older_clients_find_the_fields_that_this_one_no_longer_has(tiny):
    # lorax-client before 0.6.3 demands `skipped` and `skipped_tokens`.
    body = {"inputs": "x", "parameters": {"max_new_tokens": 2, "details": True}}
    details = tiny.exchange("POST", "/", body).json()[0]["details"]
    assert details["skipped_tokens"] == 0 and [t["skipped"] for t in details["tokens"]] == [False, False]
    events = [json.loads(e) for e in tiny.exchange("POST", "/", body | {"stream": True}).events()]
    assert [e["token"]["skipped"] for e in events] == [False, False]
