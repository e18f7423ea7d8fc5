"""Clients that go away in the middle: the server stops their work at once."""
import pytest

import callers
from waiting import eventually

# Greedy, it goes on for the 8,000 tokens that there is room for, which take minutes.
ENDLESS = ("Once upon a time", "", 8000)
CANCELLED = 'lorica_request_failures_total{reason="cancelled"}'


@pytest.mark.parametrize("kind", callers.ALL, ids=lambda kind: kind.__name__)
def test_a_client_that_leaves_a_stream_ends_its_generation(kind, demo):
    assert eventually(demo.at_rest)
    before = demo.metrics()
    kind(demo.url).leave(ENDLESS, pieces=3)
    assert eventually(demo.at_rest)
    after = demo.metrics()
    assert after[CANCELLED] == before[CANCELLED] + 1
    generated = 'lorica_generated_tokens_total{adapter="base"}'
    assert after.get(generated, 0) - before.get(generated, 0) < 2000
