"""What huggingface_hub's InferenceClient asks of a TGI server beside the matrix."""
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import OverloadedError, UnknownError, ValidationError
from huggingface_hub.utils import get_session

from guarded_server import API_KEY, OVERLOADED, occupied
from reference_answers import demo_of, tiny_of


def test_the_documented_call_for_one_of_many_adapters_is_answered_by_it(demo):
    reference = demo_of("text-to-sql")[0]

    def call(**parameters):
        return InferenceClient(demo.url).text_generation(reference.prompt, max_new_tokens=40, **parameters)

    assert call(adapter_id="text-to-sql") == reference.text
    assert call(adapter_id="pirate-style") != reference.text
    assert call() != reference.text


def test_details_have_the_tokens_and_log_probabilities_of_the_reference(tiny):
    client = InferenceClient(tiny.url)
    for reference in tiny_of("patterns"):
        details = client.text_generation(reference.prompt, adapter_id="patterns", details=True,
                                         decoder_input_details=True, max_new_tokens=24).details
        assert [t.id for t in details.tokens] == list(reference.token_ids)
        assert [t.logprob for t in details.tokens] == pytest.approx(reference.logprobs, abs=1e-3)
        assert [t.id for t in details.prefill] == list(reference.prompt_ids)
        assert details.prefill[0].logprob is None and all(t.logprob < 0 for t in details.prefill[1:])
        assert details.seed is None, "nothing was drawn"


def test_a_stream_numbers_its_tokens_and_only_the_last_has_text_and_details(tiny):
    reference = tiny_of("rslora")[0]
    with InferenceClient(tiny.url) as client:
        pieces = list(client.text_generation(reference.prompt, adapter_id="rslora", details=True, stream=True,
                                             max_new_tokens=24))
    assert [p.index for p in pieces] == list(range(1, 25))
    assert [p.token.id for p in pieces] == list(reference.token_ids)
    assert all(p.details is None and p.generated_text is None for p in pieces[:-1])
    assert pieces[-1].generated_text == reference.text


def test_a_stream_without_details_is_the_texts_of_the_tokens(tiny):
    reference = tiny_of("rslora")[1]
    with InferenceClient(tiny.url) as client:
        pieces = list(client.text_generation(reference.prompt, adapter_id="rslora", stream=True, max_new_tokens=24))
    assert "".join(pieces) == reference.text


def test_the_prompt_is_given_back_where_it_is_asked_for(tiny):
    reference = tiny_of("")[0]
    text = InferenceClient(tiny.url).text_generation(reference.prompt, return_full_text=True, max_new_tokens=24)
    assert text == reference.prompt + reference.text


def test_a_stop_string_ends_the_text_and_is_part_of_it(demo):
    reference = demo_of("ticket-triage")[0]
    at = reference.text.index('"priority"')
    fields = dict(prompt=reference.prompt, adapter_id="ticket-triage", details=True, stop=['"priority"'],
                  max_new_tokens=40)
    with InferenceClient(demo.url) as client:
        reply, pieces = client.text_generation(**fields), list(client.text_generation(**fields, stream=True))
    assert reply.generated_text == reference.text[:at] + '"priority"' == "".join(p.token.text for p in pieces)
    assert reply.details.finish_reason == pieces[-1].details.finish_reason == "stop_sequence"


def test_alternatives_come_with_each_token_likeliest_first(tiny):
    reference = tiny_of("patterns")[0]
    details = InferenceClient(tiny.url).text_generation(reference.prompt, adapter_id="patterns", details=True,
                                                        top_n_tokens=3, max_new_tokens=8).details
    assert [len(top) for top in details.top_tokens] == [3] * 8
    assert [top[0]["id"] for top in details.top_tokens] == list(reference.token_ids[:8]), "greedy takes the likeliest"
    for top in details.top_tokens:
        assert top[0]["logprob"] >= top[1]["logprob"] >= top[2]["logprob"]


def test_a_seed_gives_its_text_again_and_another_one_another(tiny):
    def sampled(seed):
        reply = InferenceClient(tiny.url).text_generation("x", do_sample=True, seed=seed, max_new_tokens=40,
                                                          details=True)
        assert reply.details.seed == seed
        return reply.generated_text

    assert sampled(7) == sampled(7) != sampled(8)


def test_a_seed_that_was_drawn_is_reported_and_gives_the_text_again(tiny):
    def sampled(**parameters):
        return InferenceClient(tiny.url).text_generation("x", do_sample=True, max_new_tokens=40, details=True,
                                                         **parameters)

    first = sampled()
    assert sampled(seed=first.details.seed).generated_text == first.generated_text


def test_truncate_keeps_the_last_tokens_of_the_prompt(tiny):
    long, short = tiny_of("")[1], tiny_of("")[0]
    details = InferenceClient(tiny.url).text_generation(long.prompt, truncate=5, details=True, max_new_tokens=1,
                                                        decoder_input_details=True).details
    assert [t.id for t in details.prefill] == list(long.prompt_ids[-5:])
    assert short.prompt_ids[-5:] != long.prompt_ids[-5:]


@pytest.mark.parametrize("parameters, words", [
    ({"temperature": -1.0}, "`temperature` must be strictly positive"),
    ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
    ({"typical_p": 0.0}, "`typical_p` must be > 0.0 and < 1.0"),
    ({"top_k": 0}, "`top_k` must be strictly positive"),
    ({"repetition_penalty": 0.0}, "`repetition_penalty` must be strictly positive"),
    ({"frequency_penalty": 2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
    ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "`stop` supports up to 4 stop sequences. Given: 5"),
    ({"truncate": 0}, "`truncate` must be strictly positive and less than 511. Given: 0"),
    ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
    ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
    ({"best_of": 3, "do_sample": True}, "`best_of` must be > 0 and <= 2. Given: 3"),
    ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
])
def test_what_tgi_refuses_is_refused_in_its_words(tiny, parameters, words):
    with pytest.raises(ValidationError) as refusal:
        InferenceClient(tiny.url).text_generation("x", **parameters)
    assert str(refusal.value) == f"Input validation error: {words}"


def test_an_empty_prompt_is_refused_in_tgis_words(tiny):
    with pytest.raises(ValidationError, match="Input validation error: `inputs` cannot be empty"):
        InferenceClient(tiny.url).text_generation("")


def test_a_refusal_never_looks_as_if_the_server_were_no_tgi(tiny):
    # After such a refusal the client would leave out parameters by itself and stream no more.
    client = InferenceClient(tiny.url)
    with pytest.raises(ValidationError):
        client.text_generation("x", best_of=2)
    with client:
        assert len(list(client.text_generation("x", adapter_id="patterns", stream=True, max_new_tokens=3))) == 3


def test_a_missing_key_is_an_error_with_its_status_behind_it_and_a_right_one_is_let_in(guarded):
    with pytest.raises(UnknownError, match="The API key is missing or wrong") as refusal:
        InferenceClient(guarded.url).text_generation("x", max_new_tokens=1)
    assert refusal.value.__cause__.response.status_code == 401 and refusal.value.__cause__.request_id
    client = InferenceClient(guarded.url, token=API_KEY)
    assert client.text_generation(tiny_of("")[0].prompt, max_new_tokens=24) == tiny_of("")[0].text


def test_a_full_server_is_its_own_error_after_one_request(guarded):
    with occupied(guarded):
        before = guarded.metric(OVERLOADED)
        with pytest.raises(OverloadedError, match="overloaded"):
            InferenceClient(guarded.url, token=API_KEY).text_generation("x", max_new_tokens=1)
        assert guarded.metric(OVERLOADED) == before + 1


def test_information_and_health_are_where_the_client_looks(tiny):
    client = InferenceClient(tiny.url, provider="hf-inference")
    info = client.get_endpoint_info()
    assert info["model_id"] == "llama-tied-gqa" and info["max_total_tokens"] == 512
    assert client.health_check() is True


def test_the_hub_token_that_the_client_sends_unasked_is_neither_taken_nor_logged(tiny, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secretOfThePersonWhoCalls")
    seen = []

    def looked_at(request):
        seen.append(request.headers.get("authorization"))

    session = get_session()
    session.event_hooks["request"].append(looked_at)
    try:
        assert InferenceClient(tiny.url).text_generation("x", max_new_tokens=1)
        with pytest.raises(ValidationError):
            InferenceClient(tiny.url).text_generation("x", adapter_id="nobody")
    finally:
        session.event_hooks["request"].remove(looked_at)
    assert seen == ["Bearer hf_secretOfThePersonWhoCalls"] * 2, "it did send it"
    assert "hf_secret" not in tiny.log()


def test_a_request_id_leads_from_an_error_to_the_request(tiny):
    with pytest.raises(ValidationError) as refusal:
        InferenceClient(tiny.url, headers={"X-Request-ID": "of-the-test.1"}).text_generation("x", adapter_id="nobody")
    assert refusal.value.__cause__.response.headers["x-request-id"] == "of-the-test.1"
