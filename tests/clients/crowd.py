"""Many streams that run at the same time for certain."""
from waiting import eventually


def wide_steps(metrics: dict) -> float:
    """Steps of more than four rows."""
    return metrics["lorica_step_rows_count"] - metrics['lorica_step_rows_bucket{le="4"}']


def answers_at_once(server, questions, caller) -> list:
    """The answers to streamed questions (prompt, adapter, tokens), all of them inside the server before the first runs.

    Requests for adapters are held back by pausing these; nothing holds back requests of the base, so that questions to the base
    alone run as they come.
    """
    named = {adapter for _, adapter, _ in questions if adapter}
    waiting = sum(1 for _, adapter, _ in questions if adapter)

    def all_adapters(action: str):
        for adapter in named:
            assert server.exchange("POST", f"/v1/adapters/{adapter}/{action}").status == 200

    def let_go():
        try:
            assert eventually(lambda: server.metric("lorica_sessions") >= waiting)
        finally:
            all_adapters("resume")

    before = server.metrics()
    all_adapters("pause")
    try:
        answers = caller.at_once(questions, meanwhile=let_go)
    finally:
        all_adapters("resume")
    after = server.metrics()
    assert not named or wide_steps(after) - wide_steps(before) > 8, "hardly any step had rows of several: they did not run at once"
    return answers
