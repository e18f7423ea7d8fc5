"""Every client does every thing that it can do, and gets what transformers and peft gave for the same prompt."""
import pytest

import callers
from callers.caller import TOO_MANY_TOKENS
from reference_answers import demo_of, tiny_of

ADAPTERS = ["patterns", "rslora"]

every_client = pytest.mark.parametrize("kind", callers.ALL, ids=lambda kind: kind.__name__)
# text_generation has no way to name an adapter.
every_client_with_adapters = pytest.mark.parametrize("kind", [k for k in callers.ALL if k.picks_adapters],
                                                     ids=lambda kind: kind.__name__)


def question(reference):
    return reference.prompt, reference.adapter, reference.most_tokens


def check(kind, given, reference):
    """The whole answer: text, why it ended, and the counts where the client has them."""
    assert given.text == reference.text
    assert given.finish == (reference.finish if kind.native else reference.openai_finish)
    assert given.prompt_tokens in (None, len(reference.prompt_ids))
    assert given.generated_tokens in (None, len(reference.token_ids))


@every_client
def test_a_plain_answer_of_the_base_is_the_reference(kind, tiny):
    for reference in tiny_of(""):
        given = kind(tiny.url).plain(question(reference))
        check(kind, given, reference)
        assert given.prompt_tokens and given.generated_tokens, "plain answers have usage with every client"


@every_client
def test_a_stream_of_the_base_joins_to_the_reference(kind, tiny):
    for reference in tiny_of(""):
        given = kind(tiny.url).stream(question(reference))
        check(kind, given, reference)
        assert given.pieces > len(reference.token_ids) / 2, "it came in pieces"


@every_client_with_adapters
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_answers_as_the_reference_plain_and_streamed(kind, adapter, tiny):
    for reference in tiny_of(adapter):
        client = kind(tiny.url)
        check(kind, client.plain(question(reference)), reference)
        check(kind, client.stream(question(reference)), reference)


@every_client_with_adapters
def test_two_adapters_differ_from_each_other_and_from_the_base(kind, tiny):
    client = kind(tiny.url)
    for reference in tiny_of(""):
        texts = {client.plain((reference.prompt, adapter, 24)).text for adapter in ["", *ADAPTERS]}
        assert len(texts) == 3


@every_client_with_adapters
def test_adapters_of_the_default_model_end_by_themselves_with_the_reference(kind, demo):
    sql, ticket = demo_of("text-to-sql")[0], demo_of("ticket-triage")[0]
    assert sql.finish == ticket.finish == "eos_token"
    check(kind, kind(demo.url).stream((sql.prompt, sql.adapter, 40)), sql)
    check(kind, kind(demo.url).plain((ticket.prompt, ticket.adapter, 40)), ticket)


@every_client_with_adapters
def test_an_unknown_adapter_is_an_error_of_its_own_class_and_never_the_base(kind, tiny):
    for call in (kind(tiny.url).plain, kind(tiny.url).stream):
        with pytest.raises(kind.unknown_adapter, match="The model `nobody` does not exist."):
            call(("x", "nobody", 4))


@every_client
def test_a_number_out_of_range_is_an_error_that_names_field_and_limit(kind, tiny):
    # 512 is what the model has positions for.
    words = "max_(new_)?tokens` must be <= 512. Given: 100000"
    for call in (kind(tiny.url).plain, kind(tiny.url).stream):
        with pytest.raises(kind.refused, match=words):
            call(("x", "", TOO_MANY_TOKENS))
