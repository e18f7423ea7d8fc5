"""huggingface_hub: InferenceClient with a URL, which posts to exactly that URL."""
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import ValidationError

from callers.caller import TIMEOUT_S, answer, loop_caller, thread_caller


def fields(question, stream: bool) -> dict:
    prompt, adapter, most_tokens = question
    return {"prompt": prompt, "adapter_id": adapter or None, "max_new_tokens": most_tokens, "details": True,
            "stream": stream, "decoder_input_details": None if stream else True}


def whole(output) -> answer:
    # The type of a plain reply has no count of the prompt's tokens, but their list.
    details = output.details
    return answer(output.generated_text, details.finish_reason, len(details.prefill), details.generated_tokens)


def joined(pieces) -> answer:
    text = "".join(p.token.text for p in pieces if not p.token.special)
    assert [p.generated_text for p in pieces[:-1]] == [None] * (len(pieces) - 1)
    details = pieces[-1].details
    assert pieces[-1].generated_text == text
    return answer(text, details.finish_reason, details.input_length, details.generated_tokens, len(pieces))


class hub(thread_caller):
    unknown_adapter = refused = ValidationError

    # A stream belongs to the client object: it ends with it.
    def plain(self, question) -> answer:
        with InferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return whole(client.text_generation(**fields(question, stream=False)))

    def stream(self, question) -> answer:
        with InferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return joined(list(client.text_generation(**fields(question, stream=True))))

    def leave(self, question, pieces: int) -> None:
        with InferenceClient(self.url, timeout=TIMEOUT_S) as client:
            stream = client.text_generation(**fields(question, stream=True))
            for _ in range(pieces):
                next(stream)


class async_hub(loop_caller):
    unknown_adapter = refused = ValidationError

    async def ask(self, question) -> answer:
        async with AsyncInferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return whole(await client.text_generation(**fields(question, stream=False)))

    async def listen(self, question) -> answer:
        async with AsyncInferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return joined([p async for p in await client.text_generation(**fields(question, stream=True))])

    async def listen_a_while(self, question, pieces: int) -> None:
        async with AsyncInferenceClient(self.url, timeout=TIMEOUT_S) as client:
            stream = await client.text_generation(**fields(question, stream=True))
            for _ in range(pieces):
                await anext(stream)
