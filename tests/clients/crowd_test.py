"""32 streams at once, of the base and several adapters, each with the text that it has alone."""
import itertools

import pytest

import callers
from callers.caller import thread_caller
from crowd import answers_at_once
from raw_http import exchange
from reference_answers import TINY_TEXTS

TOKENS = 120
ADAPTERS = ["patterns", "rslora", "r8-q-v", "dora", "all-linear"]


@pytest.fixture(scope="module")
def alone(tiny):
    """What each question is answered with nobody else there, over plain HTTP and without a stream."""
    prompts = [a.prompt for a in TINY_TEXTS[:8]]
    questions = [(prompt, adapter, TOKENS) for prompt in prompts for adapter in ["", *ADAPTERS]]

    def ask(question):
        prompt, adapter, tokens = question
        parameters = {"adapter_id": adapter, "max_new_tokens": tokens}
        return exchange(tiny.port, "POST", "/generate", {"inputs": prompt, "parameters": parameters}).json()

    return {question: ask(question)["generated_text"] for question in questions}


def mixed(alone):
    """26 questions to adapters and 6 to the base, all different."""
    return [q for q in alone if q[1]][:26] + [q for q in alone if not q[1]][:6]


def of_the_base(alone):
    return [q for q in alone if not q[1]] * 4


@pytest.mark.parametrize("kind", callers.ALL, ids=lambda kind: kind.__name__)
def test_32_streams_of_a_client_have_the_texts_that_they_have_alone(kind, tiny, alone):
    # text_generation can only ask the base, and nothing holds requests of the base back until all are there.
    questions = mixed(alone) if kind.picks_adapters else of_the_base(alone)
    assert len(questions) == 32
    given = answers_at_once(tiny, questions, kind(tiny.url))
    assert [a.text for a in given] == [alone[q] for q in questions]


class everybody(thread_caller):
    """Each question is streamed by another one of the clients."""

    def __init__(self, url, questions):
        super().__init__(url)
        able = itertools.cycle([k for k in callers.ALL if k.picks_adapters])
        anyone = itertools.cycle(sorted(callers.ALL, key=lambda k: k.picks_adapters))
        self.kinds = {q: next(able if q[1] else anyone) for q in questions}

    def stream(self, question):
        return self.kinds[question](self.url).stream(question)


def test_32_streams_of_all_clients_together_have_the_texts_that_they_have_alone(tiny, alone):
    questions = mixed(alone)
    crowd = everybody(tiny.url, questions)
    assert set(crowd.kinds.values()) == set(callers.ALL)
    given = answers_at_once(tiny, questions, crowd)
    assert [a.text for a in given] == [alone[q] for q in questions]
