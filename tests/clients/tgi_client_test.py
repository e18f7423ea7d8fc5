"""What TGI's own client, text_generation, reads and needs beside the matrix."""
import asyncio

import pytest
from text_generation import AsyncClient, Client
from text_generation.errors import OverloadedError, UnknownError, ValidationError

from guarded_server import API_KEY, occupied
from reference_answers import tiny_of


def test_all_details_are_those_of_the_reference(tiny):
    for reference in tiny_of(""):
        details = Client(tiny.url).generate(reference.prompt, max_new_tokens=24, decoder_input_details=True).details
        assert [t.id for t in details.prefill] == list(reference.prompt_ids)
        assert [t.id for t in details.tokens] == list(reference.token_ids)
        assert [t.logprob for t in details.tokens] == pytest.approx(reference.logprobs, abs=1e-3)
        assert details.seed is None and details.best_of_sequences is None


def test_best_of_gives_the_better_of_two_and_tells_the_other(tiny):
    reply = Client(tiny.url).generate("x", do_sample=True, best_of=2, max_new_tokens=16)
    (other,) = reply.details.best_of_sequences

    def mean(tokens):
        return sum(t.logprob for t in tokens) / len(tokens)

    assert mean(reply.details.tokens) >= mean(other.tokens)
    assert other.generated_tokens == len(other.tokens) and other.seed != reply.details.seed


def test_alternatives_are_read_in_replies_and_in_streams(tiny):
    client = Client(tiny.url)
    plain = client.generate("x", max_new_tokens=4, top_n_tokens=2).details
    streamed = list(client.generate_stream("x", max_new_tokens=4, top_n_tokens=2))
    assert [[t.id for t in top] for top in plain.top_tokens] == [[t.id for t in p.top_tokens] for p in streamed]
    assert [top[0].id for top in plain.top_tokens] == [t.id for t in plain.tokens]


def test_a_sampled_stream_has_the_text_of_the_reply_with_its_seed(tiny):
    fields = dict(do_sample=True, temperature=1.2, top_k=40, top_p=0.95, typical_p=0.9, repetition_penalty=1.1,
                  frequency_penalty=0.1, seed=11, max_new_tokens=32)
    client = Client(tiny.url)
    plain = client.generate("x", **fields)
    streamed = list(client.generate_stream("x", **fields))
    assert [p.token.id for p in streamed] == [t.id for t in plain.details.tokens]
    assert streamed[-1].generated_text == plain.generated_text
    assert plain.details.seed == streamed[-1].details.seed == 11


def test_what_the_types_allow_and_the_server_does_not_serve_is_refused_by_name(tiny):
    with pytest.raises(ValidationError, match="grammar is not supported"):
        Client(tiny.url).generate("x", grammar={"type": "regex", "value": "[0-9]+"})


def test_a_watermark_changes_the_text_and_the_same_one_comes_again(tiny):
    client = Client(tiny.url)
    plain, *marked = (client.generate("x", max_new_tokens=12, watermark=wanted).generated_text for wanted in (False, True, True))
    assert marked[0] == marked[1] != plain


def test_the_client_is_told_that_the_server_is_full(guarded):
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with occupied(guarded):
        with pytest.raises(OverloadedError):
            Client(guarded.url, headers=headers).generate("x", max_new_tokens=1)
        with pytest.raises(OverloadedError):
            list(Client(guarded.url, headers=headers).generate_stream("x", max_new_tokens=1))
    assert Client(guarded.url, headers=headers).generate("x", max_new_tokens=1).details.generated_tokens == 1


def test_a_missing_key_is_told_in_plain_and_streamed_calls(guarded):
    async def streamed():
        return [p async for p in AsyncClient(guarded.url).generate_stream("x", max_new_tokens=1)]

    for call in (lambda: Client(guarded.url).generate("x"), lambda: asyncio.run(streamed())):
        with pytest.raises(UnknownError, match="API key is missing or wrong"):
            call()


def test_a_stream_has_no_end_mark_which_this_client_could_not_read(tiny):
    reply = tiny.exchange("POST", "/", {"inputs": "x", "stream": True, "parameters": {"max_new_tokens": 3}})
    assert len(reply.events()) == 3 and b"[DONE]" not in reply.body
