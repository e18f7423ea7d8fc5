"""openai: completions, plain and streamed with usage."""
import openai

from callers.caller import TIMEOUT_S, answer, loop_caller, thread_caller


def fields(question) -> dict:
    prompt, adapter, most_tokens = question
    return {"model": adapter, "prompt": prompt, "max_tokens": most_tokens, "temperature": 0}


def streamed(question) -> dict:
    return fields(question) | {"stream": True, "stream_options": {"include_usage": True}}


def whole(completion) -> answer:
    choice, usage = completion.choices[0], completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return answer(choice.text, choice.finish_reason, usage.prompt_tokens, usage.completion_tokens)


def joined(chunks) -> answer:
    *pieces, last = chunks
    assert last.choices == [] and all(p.usage is None for p in pieces)
    assert len({(p.id, p.created, p.model) for p in chunks}) == 1
    reasons = [p.choices[0].finish_reason for p in pieces]
    assert reasons[:-1] == [None] * (len(pieces) - 1)
    return answer("".join(p.choices[0].text for p in pieces), reasons[-1], last.usage.prompt_tokens,
                  last.usage.completion_tokens, len(pieces))


class openai_sdk(thread_caller):
    native = False
    unknown_adapter = openai.NotFoundError
    refused = openai.BadRequestError

    def client(self):
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", timeout=TIMEOUT_S, max_retries=0)

    def plain(self, question) -> answer:
        with self.client() as client:
            return whole(client.completions.create(**fields(question)))

    def stream(self, question) -> answer:
        with self.client() as client:
            return joined(list(client.completions.create(**streamed(question))))

    def leave(self, question, pieces: int) -> None:
        with self.client() as client, client.completions.create(**streamed(question)) as stream:
            for _ in range(pieces):
                next(stream)


class async_openai_sdk(loop_caller):
    native = False
    unknown_adapter = openai.NotFoundError
    refused = openai.BadRequestError

    def client(self):
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", timeout=TIMEOUT_S, max_retries=0)

    async def ask(self, question) -> answer:
        async with self.client() as client:
            return whole(await client.completions.create(**fields(question)))

    async def listen(self, question) -> answer:
        async with self.client() as client:
            return joined([c async for c in await client.completions.create(**streamed(question))])

    async def listen_a_while(self, question, pieces: int) -> None:
        async with self.client() as client, await client.completions.create(**streamed(question)) as stream:
            for _ in range(pieces):
                await anext(stream)
