"""What langchain_openai does with completions beside the matrix."""
import asyncio

import openai
import pytest
from langchain_core.prompts import PromptTemplate
from langchain_openai import OpenAI

from reference_answers import demo_of, tiny_of


def model_of(server, adapter, **fields):
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", model=adapter, temperature=0, max_retries=0, **fields)


def test_the_default_model_is_an_error_and_never_the_base(tiny):
    with pytest.raises(openai.NotFoundError, match="The model `gpt-3.5-turbo-instruct` does not exist."):
        OpenAI(base_url=f"{tiny.url}/v1", api_key="none", max_retries=0).invoke("x")


def test_a_chain_of_prompt_and_adapter_answers_as_the_reference(demo):
    reference = demo_of("ticket-triage")[0]
    ticket = reference.prompt.removeprefix("Ticket: ").removesuffix("\nJSON:")
    chain = PromptTemplate.from_template("Ticket: {ticket}\nJSON:") | model_of(demo, "ticket-triage", max_tokens=40)
    assert chain.invoke({"ticket": ticket}) == reference.text


def test_invoke_and_stream_and_their_coroutines_give_one_text(tiny):
    reference = tiny_of("patterns")[0]
    model = model_of(tiny, "patterns", max_tokens=24)

    async def both():
        return (await model.ainvoke(reference.prompt), "".join([c async for c in model.astream(reference.prompt)]))

    assert model.invoke(reference.prompt) == "".join(model.stream(reference.prompt)) == reference.text
    assert asyncio.run(both()) == (reference.text, reference.text)


def test_a_batch_that_is_sent_one_by_one_is_answered_in_order(tiny):
    references = tiny_of("rslora")
    model = model_of(tiny, "rslora", max_tokens=24)
    assert model.batch([r.prompt for r in references], config={"max_concurrency": 1}) == [r.text for r in references]


def test_a_stop_text_ends_the_answer_before_it(demo):
    reference = demo_of("ticket-triage")[0]
    model = model_of(demo, "ticket-triage", max_tokens=40)
    assert model.invoke(reference.prompt, stop=['"priority"']) == reference.text.split('"priority"')[0]


def test_log_probabilities_arrive_where_the_model_object_asks_for_them(tiny):
    reference = tiny_of("patterns")[0]
    model = model_of(tiny, "patterns", max_tokens=24, logprobs=1)
    told = model.generate([reference.prompt]).generations[0][0].generation_info["logprobs"]
    assert told["token_logprobs"] == pytest.approx(reference.logprobs, abs=1e-3)
