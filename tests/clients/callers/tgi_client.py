"""text_generation, TGI's own client. It has no field for an adapter, so it only ever asks the base; its streamed details
have no count of the prompt's tokens."""
from text_generation import AsyncClient, Client
from text_generation.errors import ValidationError

from callers.caller import TIMEOUT_S, answer, loop_caller, thread_caller


def whole(response) -> answer:
    details = response.details
    return answer(response.generated_text, details.finish_reason.value, len(details.prefill), details.generated_tokens)


def joined(pieces) -> answer:
    text = "".join(p.token.text for p in pieces if not p.token.special)
    details = pieces[-1].details
    assert pieces[-1].generated_text == text
    return answer(text, details.finish_reason.value, None, details.generated_tokens, len(pieces))


class tgi(thread_caller):
    picks_adapters = False
    refused = ValidationError

    def plain(self, question) -> answer:
        prompt, _, most_tokens = question
        client = Client(self.url, timeout=TIMEOUT_S)
        return whole(client.generate(prompt, max_new_tokens=most_tokens, decoder_input_details=True))

    def stream(self, question) -> answer:
        prompt, _, most_tokens = question
        return joined(list(Client(self.url, timeout=TIMEOUT_S).generate_stream(prompt, max_new_tokens=most_tokens)))

    def leave(self, question, pieces: int) -> None:
        prompt, _, most_tokens = question
        stream = Client(self.url, timeout=TIMEOUT_S).generate_stream(prompt, max_new_tokens=most_tokens)
        for _ in range(pieces):
            next(stream)
        stream.close()


class async_tgi(loop_caller):
    picks_adapters = False
    refused = ValidationError

    async def ask(self, question) -> answer:
        prompt, _, most_tokens = question
        client = AsyncClient(self.url, timeout=TIMEOUT_S)
        return whole(await client.generate(prompt, max_new_tokens=most_tokens, decoder_input_details=True))

    async def listen(self, question) -> answer:
        prompt, _, most_tokens = question
        client = AsyncClient(self.url, timeout=TIMEOUT_S)
        return joined([p async for p in client.generate_stream(prompt, max_new_tokens=most_tokens)])

    async def listen_a_while(self, question, pieces: int) -> None:
        prompt, _, most_tokens = question
        stream = AsyncClient(self.url, timeout=TIMEOUT_S).generate_stream(prompt, max_new_tokens=most_tokens)
        for _ in range(pieces):
            await anext(stream)
        await stream.aclose()
