"""Several prompts in one completion, as vLLM's and TGI's own tests expect: a choice for each, in order, streamed too."""
import openai
import pytest
from langchain_openai import OpenAI

from reference_answers import TINY, tiny_of

REFERENCES = tiny_of("patterns") + tiny_of("rslora")


@pytest.fixture
def complete(tiny):
    with openai.OpenAI(base_url=f"{tiny.url}/v1", api_key="none", max_retries=0) as client:
        def ask(prompt, **fields):
            return client.completions.create(**({"model": "patterns", "prompt": prompt, "temperature": 0,
                                                 "max_tokens": 24} | fields))

        yield ask


def test_a_list_of_texts_has_a_choice_for_each_that_equals_its_own_answer(complete):
    references = tiny_of("patterns")
    given = complete([r.prompt for r in references] * 2)
    assert [c.index for c in given.choices] == [0, 1, 2, 3]
    assert [c.text for c in given.choices] == [r.text for r in references] * 2
    assert given.usage.prompt_tokens == 2 * sum(len(r.prompt_ids) for r in references)
    assert given.usage.completion_tokens == 4 * 24


def test_lists_of_ids_are_answered_as_the_reference(complete):
    references = [a for a in TINY if a.adapter == "rslora"][:4]
    given = complete([list(r.prompt_ids) for r in references], model="rslora")
    assert [c.text for c in given.choices] == [r.text for r in references]


def test_choices_of_a_streamed_list_are_told_apart_by_index(complete):
    references = tiny_of("patterns")
    texts, reasons = [""] * 2, [None] * 2
    chunks = list(complete([r.prompt for r in references], stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            reasons[choice.index] = choice.finish_reason or reasons[choice.index]
    assert texts == [r.text for r in references] and reasons == ["length"] * 2
    assert chunks[-1].usage.completion_tokens == 48


def test_choices_of_several_prompts_stand_in_the_order_of_the_prompts(complete):
    fields = dict(n=2, temperature=1.0, seed=9)
    both = complete(["while", "stone 1984"], **fields)
    assert [c.index for c in both.choices] == [0, 1, 2, 3]
    assert [c.text for c in both.choices[:2]] == [c.text for c in complete("while", **fields).choices]


def test_more_prompts_than_the_limit_are_refused_with_the_limit(complete):
    assert len(complete(["x"] * 4, max_tokens=1).choices) == 4
    with pytest.raises(openai.BadRequestError, match="4"):
        complete(["x"] * 5, max_tokens=1)


@pytest.mark.parametrize("prompt", [["x", ""], ["x", 5], [[5], []], ["x", None], [["x"]], [[5], [320]]])
def test_one_bad_prompt_refuses_the_whole_list(complete, prompt):
    with pytest.raises(openai.BadRequestError) as refusal:
        complete(prompt)
    assert refusal.value.param == "prompt"


def test_langchains_batch_is_one_request_answered_in_order(tiny):
    references = tiny_of("rslora")
    model = OpenAI(base_url=f"{tiny.url}/v1", api_key="none", model="rslora", temperature=0, max_retries=0, max_tokens=24)
    name = 'lorica_http_requests_total{route="/v1/completions",status="200"}'
    before = tiny.metrics().get(name, 0)
    assert model.batch([r.prompt for r in references]) == [r.text for r in references]
    assert tiny.metric(name) == before + 1
