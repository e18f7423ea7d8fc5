"""What every client can be asked to do, and how 32 calls of it are made at once."""
import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor

TIMEOUT_S = 120
TOO_MANY_TOKENS = 100_000  # more than any model of the tests has room for


@dataclasses.dataclass
class answer:
    """Text, finish reason in the words of the route, and counts; None: this client's types have no place for it."""

    text: str
    finish: str | None
    prompt_tokens: int | None
    generated_tokens: int | None
    pieces: int = 1  # of the stream


class thread_caller:
    """A client whose calls block. A question is (prompt, adapter, most_tokens); adapter "" is the base.

    A client has `native` (whether it uses TGI's routes), `picks_adapters`, the classes `refused` and `unknown_adapter`
    of its exceptions, and the calls

        plain(question) -> answer
        stream(question) -> answer
        leave(question, pieces): reads so many pieces of a stream and goes away
    """

    native = True
    picks_adapters = True

    def __init__(self, url: str):
        self.url = url

    def at_once(self, questions, meanwhile) -> list[answer]:
        """Streams, each in a thread of its own; `meanwhile` is called once all are on their way."""
        with ThreadPoolExecutor(len(questions)) as pool:
            answers = [pool.submit(self.stream, question) for question in questions]
            meanwhile()
            return [a.result() for a in answers]


class loop_caller:
    """The same for a client of asyncio, which brings `ask`, `listen` and `listen_a_while` as coroutines."""

    native = True
    picks_adapters = True

    def __init__(self, url: str):
        self.url = url

    def plain(self, question) -> answer:
        return asyncio.run(self.ask(question))

    def stream(self, question) -> answer:
        return asyncio.run(self.listen(question))

    def leave(self, question, pieces: int) -> None:
        asyncio.run(self.listen_a_while(question, pieces))

    def at_once(self, questions, meanwhile) -> list[answer]:
        async def all_of_them():
            listening = [asyncio.create_task(self.listen(question)) for question in questions]
            await asyncio.to_thread(meanwhile)
            return await asyncio.gather(*listening)

        return asyncio.run(all_of_them())
