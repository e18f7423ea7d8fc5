"""lorax: the LoRAX client, which sends every field, nulls included, and reads a list."""
from lorax import AsyncClient, Client
from lorax.errors import ValidationError

from callers.caller import TIMEOUT_S, answer, loop_caller, thread_caller


def fields(question) -> dict:
    prompt, adapter, most_tokens = question
    return {"prompt": prompt, "adapter_id": adapter or None, "max_new_tokens": most_tokens}


def whole(response) -> answer:
    details = response.details
    assert len(details.tokens) == details.generated_tokens
    return answer(response.generated_text, details.finish_reason.value, details.prompt_tokens,
                  details.generated_tokens)


def joined(pieces) -> answer:
    text = "".join(p.token.text for p in pieces if not p.token.special)
    details = pieces[-1].details
    assert pieces[-1].generated_text == text
    return answer(text, details.finish_reason.value, details.prompt_tokens, details.generated_tokens, len(pieces))


class lorax(thread_caller):
    unknown_adapter = refused = ValidationError

    def plain(self, question) -> answer:
        return whole(Client(self.url, timeout=TIMEOUT_S).generate(**fields(question)))

    def stream(self, question) -> answer:
        return joined(list(Client(self.url, timeout=TIMEOUT_S).generate_stream(**fields(question))))

    def leave(self, question, pieces: int) -> None:
        client = Client(self.url, timeout=TIMEOUT_S)
        stream = client.generate_stream(**fields(question))
        for _ in range(pieces):
            next(stream)
        stream.close()


class async_lorax(loop_caller):
    unknown_adapter = refused = ValidationError

    async def ask(self, question) -> answer:
        return whole(await AsyncClient(self.url, timeout=TIMEOUT_S).generate(**fields(question)))

    async def listen(self, question) -> answer:
        client = AsyncClient(self.url, timeout=TIMEOUT_S)
        return joined([p async for p in client.generate_stream(**fields(question))])

    async def listen_a_while(self, question, pieces: int) -> None:
        stream = AsyncClient(self.url, timeout=TIMEOUT_S).generate_stream(**fields(question))
        for _ in range(pieces):
            await anext(stream)
        await stream.aclose()
