"""What vLLM's own tests expect of completions, in our words; by the openai package and plain HTTP."""
import json

import openai
import pytest

from reference_answers import TINY, tiny_of

REFERENCE = tiny_of("patterns")[0]
# What the base answers to this prompt of ids begins with `hihihihihi`, a token for each `hi`.
HI = next(a for a in TINY if a.text.startswith("hihihi"))


@pytest.fixture
def complete(tiny):
    """Asks greedily for 24 tokens of an adapter unless told otherwise; fields beyond the package's own go as they are."""
    with openai.OpenAI(base_url=f"{tiny.url}/v1", api_key="none", max_retries=0) as client:
        def ask(prompt=REFERENCE.prompt, model="patterns", temperature=0, max_tokens=24, extra=None, **fields):
            return client.completions.create(model=model, prompt=prompt, temperature=temperature, max_tokens=max_tokens,
                                             extra_body=extra, **fields)

        yield ask


def test_a_completion_has_the_fields_of_its_object(complete):
    given = complete()
    assert (given.object, given.model, type(given.created)) == ("text_completion", "patterns", int)
    assert given.id.startswith("cmpl-") and given.system_fingerprint
    (choice,) = given.choices
    assert (choice.index, choice.logprobs, choice.finish_reason) == (0, None, "length")


def test_16_tokens_are_generated_where_nothing_is_said(complete):
    assert complete(max_tokens=None).usage.completion_tokens == 16


def test_a_prompt_of_ids_and_its_text_are_one_prompt(complete):
    assert complete(list(REFERENCE.prompt_ids)).choices[0].text == complete().choices[0].text == REFERENCE.text


@pytest.mark.parametrize("wanted, told", [(0, 1), (1, 1), (5, 5)])
def test_log_probabilities_are_told_for_each_token_with_so_many_alternatives(complete, wanted, told):
    logprobs = complete(logprobs=wanted).choices[0].logprobs
    assert logprobs.token_logprobs == pytest.approx(REFERENCE.logprobs, abs=1e-3)
    assert "".join(logprobs.tokens).startswith(REFERENCE.text[:1]) and len(logprobs.tokens) == 24
    # Alternatives of the same text, here pieces of characters, share one key.
    counts = [len(top) for top in logprobs.top_logprobs]
    assert max(counts) == told and sum(counts) > 24 * told / 2
    assert [max(top.values()) for top in logprobs.top_logprobs] == pytest.approx(REFERENCE.logprobs, abs=1e-3)
    assert logprobs.text_offset[0] == 0 and logprobs.text_offset == sorted(logprobs.text_offset)


def test_more_than_20_alternatives_are_refused(complete):
    with pytest.raises(openai.BadRequestError, match="`logprobs` must be >= 0 and <= 20. Given: 21"):
        complete(logprobs=21)


def test_the_prompt_is_echoed_before_the_text_plain_and_streamed(complete):
    assert complete(echo=True).choices[0].text == REFERENCE.prompt + REFERENCE.text
    chunks = list(complete(echo=True, stream=True))
    assert "".join(c.choices[0].text for c in chunks) == REFERENCE.prompt + REFERENCE.text


def test_an_echo_with_log_probabilities_covers_prompt_and_text(complete):
    logprobs = complete(echo=True, logprobs=0).choices[0].logprobs
    assert len(logprobs.tokens) == len(REFERENCE.prompt_ids) + 24
    assert logprobs.token_logprobs[0] is None and None not in logprobs.token_logprobs[1:]
    assert logprobs.token_logprobs[-24:] == pytest.approx(REFERENCE.logprobs, abs=1e-3)


def test_log_probabilities_of_the_prompt_are_told_by_id(complete):
    told = complete(max_tokens=1, extra={"prompt_logprobs": 0}).choices[0].prompt_logprobs
    assert told[0] is None
    assert [next(iter(entry)) for entry in told[1:]] == [str(i) for i in REFERENCE.prompt_ids[1:]]


def test_choices_of_a_stream_are_told_apart_by_index_and_equal_the_plain_ones(complete):
    fields = dict(n=3, temperature=1.0, seed=5)
    plain = complete(**fields)
    texts, reasons = ["", "", ""], [None] * 3
    for chunk in complete(**fields, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            if choice.finish_reason:
                assert reasons[choice.index] is None, "it ends once"
                reasons[choice.index] = choice.finish_reason
    assert texts == [c.text for c in plain.choices] and len(set(texts)) == 3
    assert reasons == [c.finish_reason for c in plain.choices]
    assert [c.index for c in plain.choices] == [0, 1, 2]
    assert plain.usage.completion_tokens <= 3 * 24


def test_best_of_answers_with_the_likeliest(complete):
    fields = dict(temperature=1.0, seed=3, logprobs=0)
    every = complete(n=4, **fields).choices
    best = max(every, key=lambda c: sum(c.logprobs.token_logprobs) / len(c.logprobs.token_logprobs))
    assert complete(n=1, best_of=4, **fields).choices[0].text == best.text
    with pytest.raises(openai.BadRequestError, match="`best_of` must be >= `n`"):
        complete(n=3, best_of=2, temperature=1.0)


@pytest.mark.parametrize("options, with_usage", [
    (None, "none"), ({"include_usage": False}, "none"), ({"include_usage": True}, "last"),
    ({"include_usage": True, "continuous_usage_stats": True}, "every"),
    ({"include_usage": False, "continuous_usage_stats": True}, "none")])
def test_usage_comes_in_the_chunks_that_the_options_name(complete, options, with_usage):
    chunks = list(complete(stream=True, stream_options=options) if options else complete(stream=True))
    had = [c.usage is not None for c in chunks]
    expected = {"none": [False] * len(chunks), "last": [False] * (len(chunks) - 1) + [True],
                "every": [True] * len(chunks)}[with_usage]
    assert had == expected
    empty = [c.choices == [] for c in chunks]
    assert empty == [False] * (len(chunks) - 1) + [with_usage != "none"]
    if with_usage != "none":
        assert chunks[-1].usage.completion_tokens == 24
        assert chunks[-1].usage.prompt_tokens == len(REFERENCE.prompt_ids)
    if with_usage == "every":
        counts = [c.usage.completion_tokens for c in chunks]
        assert counts == sorted(counts) and counts[0] < 24


def test_stream_options_without_a_stream_are_refused(complete):
    with pytest.raises(openai.BadRequestError, match="`stream_options` needs `stream`"):
        complete(stream_options={"include_usage": True})


def test_a_stop_text_is_found_across_the_borders_of_tokens(complete):
    # `ihi` begins and ends within tokens.
    fields = dict(prompt=list(HI.prompt_ids), model="", stop=["ihi"])
    choice = complete(**fields).choices[0]
    assert (choice.text, choice.finish_reason, choice.stop_reason) == ("h", "stop", "ihi")
    assert "".join(c.choices[0].text for c in complete(**fields, stream=True)) == "h"
    kept = complete(**fields, extra={"include_stop_str_in_output": True}).choices[0]
    assert kept.text == "hihi"


def test_text_that_looked_like_the_start_of_a_stop_text_is_released_at_the_end(complete):
    fields = dict(prompt=list(HI.prompt_ids), model="", max_tokens=4, stop=["hihihihihihi"])
    assert complete(**fields).choices[0].text == "hihihihi"
    assert "".join(c.choices[0].text for c in complete(**fields, stream=True)) == "hihihihi"


def test_a_stop_token_ends_the_text_and_is_named(complete):
    token = REFERENCE.token_ids[2]
    assert token not in REFERENCE.token_ids[:2]
    given = complete(extra={"stop_token_ids": [token]})
    assert given.choices[0].finish_reason == "stop" and given.choices[0].stop_reason == token
    assert given.usage.completion_tokens == 3


def test_a_bias_of_100_forces_a_token_and_of_minus_100_forbids_it(complete):
    hi = str(HI.token_ids[0])
    assert complete(logit_bias={hi: 100}, max_tokens=5).choices[0].text == "hi" * 5
    assert "hi" not in complete(list(HI.prompt_ids), "", logit_bias={hi: -100}).choices[0].text


def test_only_allowed_tokens_are_chosen(complete):
    given = complete(extra={"allowed_token_ids": [HI.token_ids[0]]}, max_tokens=7)
    assert given.choices[0].text == "hi" * 7


def test_bad_words_do_not_come(complete):
    fields = dict(prompt=list(HI.prompt_ids), model="")
    assert "hi" in complete(**fields).choices[0].text
    assert "hi" not in complete(**fields, extra={"bad_words": ["hi"]}).choices[0].text


def test_end_tokens_count_from_min_tokens_on_and_never_where_they_are_ignored(complete):
    ended = next(a for a in TINY if a.finish == "eos_token" and a.adapter == "stored-bf16")
    fields = dict(prompt=list(ended.prompt_ids), model="stored-bf16", max_tokens=40)
    plain = complete(**fields)
    assert plain.choices[0].finish_reason == "stop" and plain.choices[0].stop_reason is None
    assert plain.usage.completion_tokens == len(ended.token_ids)
    assert complete(**fields, extra={"min_tokens": 30}).usage.completion_tokens >= 30
    ignored = complete(**fields, extra={"ignore_eos": True})
    assert ignored.usage.completion_tokens == 40 and ignored.choices[0].finish_reason == "length"


def test_special_tokens_are_shown_where_they_are_wanted(complete):
    holder = tiny_of("patterns")[1]
    hidden = complete(holder.prompt).choices[0].text
    shown = complete(holder.prompt, extra={"skip_special_tokens": False}).choices[0].text
    assert hidden == holder.text and "<|end|>" not in hidden
    assert "<|end|>" in shown and shown.replace("<|end|>", "") == hidden


@pytest.mark.parametrize("fields, extra", [({"temperature": 0.7}, {"top_k": 1}), ({"temperature": 0.7, "top_p": 1e-6}, {}),
                                           ({"temperature": 0.7}, {"min_p": 1.0})])
def test_a_filter_that_leaves_one_token_is_greedy(complete, fields, extra):
    assert complete(extra=extra, **fields).choices[0].text == REFERENCE.text


def test_a_seed_gives_its_text_again(complete):
    def sampled(seed):
        return complete(temperature=1.0, seed=seed).choices[0].text

    assert sampled(1) == sampled(1) != sampled(2)


def test_the_last_tokens_of_the_prompt_are_kept_where_it_is_truncated(complete):
    given = complete(extra={"truncate_prompt_tokens": 4})
    assert given.usage.prompt_tokens == 4
    assert given.choices[0].text == complete(list(REFERENCE.prompt_ids[-4:])).choices[0].text


def test_fields_that_nobody_knows_are_passed_over(complete):
    assert complete(extra={"nobody_knows": {"a": [1]}, "user": "me", "cache_salt": "x"}).choices[0].text == REFERENCE.text


@pytest.mark.parametrize("fields", [
    {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}}},
    {"guided_json": {"type": "object"}}, {"guided_regex": "(("}, {"guided_choice": ["a", "b"]},
    {"guided_grammar": "not a grammar"}, {"structured_outputs": {"regex": "[0-9]+"}}, {"suffix": "end"}])
def test_what_is_not_served_is_refused_by_name_and_breaks_nothing(complete, fields):
    with pytest.raises(openai.BadRequestError, match=f"`{next(iter(fields))}`"):
        complete(extra=fields)
    assert complete(max_tokens=1).usage.completion_tokens == 1


@pytest.mark.parametrize("fields, param", [
    ({"temperature": -0.1}, "temperature"), ({"top_p": 0}, "top_p"), ({"top_p": 1.5}, "top_p"),
    ({"max_tokens": 0}, "max_tokens"), ({"max_tokens": "x"}, "max_tokens"), ({"max_tokens": 4.5}, "max_tokens"),
    ({"n": 0}, "n"), ({"n": 129}, "n"), ({"presence_penalty": 3}, "presence_penalty"),
    ({"frequency_penalty": -3}, "frequency_penalty"), ({"logit_bias": {"320": 1}}, "logit_bias"),
    ({"logit_bias": {"1": 101}}, "logit_bias"), ({"stop": ["a"] * 5}, "stop"), ({"stop": [""]}, "stop"),
    ({"prompt": ""}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": [-1]}, "prompt"),
    ({"prompt": {"a": 1}}, "prompt"), ({"min_p": 2}, "min_p"), ({"min_tokens": 25}, "min_tokens"),
    ({"stream": "yes"}, "stream"), ({"seed": 2**63}, "seed"), ({"seed": 1.5}, "seed"),
    ({"allowed_token_ids": []}, "allowed_token_ids"), ({"model": 5}, "model")])
def test_a_wrong_field_is_400_with_its_name(tiny, fields, param):
    body = {"model": "patterns", "prompt": "x", "max_tokens": 24, "temperature": 0} | fields
    reply = tiny.exchange("POST", "/v1/completions", body)
    assert reply.status == 400, reply.body
    error = reply.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("BadRequestError", param, 400)
    assert f"`{param}`" in error["message"]


def test_an_id_in_the_prompt_that_the_model_does_not_have_is_named(complete):
    with pytest.raises(openai.BadRequestError, match="token id 320 is not in the vocabulary of 320 tokens") as refusal:
        complete([5, 320])
    assert refusal.value.param == "prompt"


def test_prompt_and_tokens_beyond_the_model_are_refused_with_the_limit(complete):
    with pytest.raises(openai.BadRequestError, match="512"):
        complete(max_tokens=513)
    with pytest.raises(openai.BadRequestError, match="512"):
        complete([5] * 500, max_tokens=13)
    assert complete([5] * 500, max_tokens=12, extra={"ignore_eos": True}).usage.total_tokens == 512
    with pytest.raises(openai.BadRequestError, match="511"):
        complete([5] * 600, max_tokens=1)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"", b"{", b'{"prompt": "x"', b"\xff\xfe", b"[" * 5000])
@pytest.mark.parametrize("path", ["/v1/completions", "/generate", "/"])
def test_a_body_that_is_no_object_is_400_and_never_500(tiny, path, body):
    reply = tiny.exchange("POST", path, body, {"content-type": "application/json"})
    assert reply.status == 400 and json.loads(reply.body)["error"]
    assert int(reply.headers["content-length"]) == len(reply.body)
