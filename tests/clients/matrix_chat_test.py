"""Every client that can chat does everything that it can do. A chat is answered as the completion of its rendered text is."""
import pytest

from callers.caller import TOO_MANY_TOKENS
from callers.chat import CHATS
from chat_model import rendered
from crowd import answers_at_once
from reference_answers import TINY_TEXTS
from waiting import eventually

ADAPTERS = ["patterns", "rslora", "dora"]
PROMPTS = [a.prompt for a in TINY_TEXTS[:3]]
CANCELLED = 'lorica_request_failures_total{reason="cancelled"}'


def having(**wanted):
    kinds = [k for k in CHATS if all(getattr(k, name, True) == value for name, value in wanted.items())]
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


@pytest.fixture(scope="session")
def expected(chatty):
    """The completion of a question's rendered text, as the reply has it. A chat also ends where its template ends an answer."""
    (end,) = chatty.exchange("POST", "/tokenize", {"inputs": "<|end|>"}).json()

    def ask(question):
        prompt, adapter, tokens = question
        return chatty.exchange("POST", "/v1/completions", {
            "model": adapter, "prompt": rendered([{"role": "user", "content": prompt}]), "max_tokens": tokens,
            "temperature": 0, "stop_token_ids": [end["id"]]}).json()

    return ask


def check(given, reply):
    (choice,), usage = reply["choices"], reply["usage"]
    assert (given.text, given.finish) == (choice["text"], choice["finish_reason"])
    assert (given.prompt_tokens, given.generated_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])


@having()
def test_a_chat_with_the_base_is_the_completion_of_its_text(kind, chatty, expected):
    for prompt in PROMPTS:
        check(kind(chatty.url).plain((prompt, "", 40)), expected((prompt, "", 40)))


@having(streams=True)
def test_a_streamed_chat_joins_to_the_plain_one(kind, chatty, expected):
    for prompt in PROMPTS:
        given = kind(chatty.url).stream((prompt, "", 40))
        check(given, expected((prompt, "", 40)))
        assert given.pieces > 10


@having(picks_adapters=True)
def test_adapters_answer_chats_and_differ_from_each_other_and_from_the_base(kind, chatty, expected):
    for prompt in PROMPTS:
        answers = {}
        for adapter in ["", *ADAPTERS]:
            question = (prompt, adapter, 40)
            answers[adapter] = kind(chatty.url).plain(question)
            check(answers[adapter], expected(question))
            check(kind(chatty.url).stream(question), expected(question))
        assert len({a.text for a in answers.values()}) == 4


@having(picks_adapters=True)
def test_an_unknown_adapter_is_an_error_and_never_the_base(kind, chatty):
    for call in (kind(chatty.url).plain, kind(chatty.url).stream):
        with pytest.raises(kind.unknown_adapter, match="The model `nobody` does not exist."):
            call(("x", "nobody", 4))


@having()
def test_a_number_out_of_range_is_an_error_with_its_limit(kind, chatty):
    with pytest.raises(kind.refused, match="must be <= 512. Given: 100000"):
        kind(chatty.url).plain(("x", "", TOO_MANY_TOKENS))


@having(streams=True)
def test_32_streamed_chats_at_once_have_the_texts_that_they_have_alone(kind, chatty, expected):
    questions = [(prompt, adapter, 60) for prompt in [a.prompt for a in TINY_TEXTS[:8]] for adapter in ["", *ADAPTERS]]
    alone = [expected(question)["choices"][0]["text"] for question in questions]
    given = answers_at_once(chatty, questions, kind(chatty.url))
    assert [a.text for a in given] == alone and len(alone) == 32


@having(streams=True)
def test_a_client_that_leaves_a_streamed_chat_ends_its_generation(kind, demo):
    assert eventually(demo.at_rest)
    before = demo.metric(CANCELLED)
    # More than a thousand tokens, which take long.
    kind(demo.url).leave(("Count from one to five thousand, a number a line.", "", 6000), pieces=3)
    assert eventually(demo.at_rest) and demo.metric(CANCELLED) == before + 1
