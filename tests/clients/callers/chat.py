"""The clients that can chat, behind the calls of caller.py; a question's prompt is the only message. lorax has no chat."""
import httpx2
import openai
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from langchain_openai import ChatOpenAI
from text_generation import AsyncClient, Client
from text_generation.errors import ValidationError
from text_generation.types import Message

from callers.caller import TIMEOUT_S, answer, loop_caller, thread_caller
from callers.openai_sdk import async_openai_sdk, openai_sdk


def messages(question) -> list[dict]:
    return [{"role": "user", "content": question[0]}]


def fields(question) -> dict:
    return {"messages": messages(question), "model": question[1] or "tgi", "max_tokens": question[2], "temperature": 0}


def streamed(question) -> dict:
    return fields(question) | {"stream": True, "stream_options": {"include_usage": True}}


def whole(reply) -> answer:
    (choice,), usage = reply.choices, reply.usage
    assert choice.message.role == "assistant" and choice.index == 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    return answer(choice.message.content, choice.finish_reason, usage.prompt_tokens, usage.completion_tokens)


def joined(chunks) -> answer:
    """A stream in the order that all clients take: the role once, texts, an empty delta with the reason, usage."""
    first, *texts, end, usage = chunks
    assert first.choices[0].delta.role == "assistant" and not first.choices[0].delta.content
    assert all(c.choices[0].delta.role is None and isinstance(c.choices[0].delta.content, str) for c in texts)
    assert not end.choices[0].delta.content and all(c.choices[0].finish_reason is None for c in [first, *texts])
    assert usage.choices == [] and len({(c.id, c.created, c.model) for c in chunks}) == 1
    return answer("".join(c.choices[0].delta.content for c in texts), end.choices[0].finish_reason,
                  usage.usage.prompt_tokens, usage.usage.completion_tokens, len(texts))


class hub_chat(thread_caller):
    unknown_adapter = refused = HfHubHTTPError

    def plain(self, question) -> answer:
        with InferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return whole(client.chat_completion(**fields(question)))

    def stream(self, question) -> answer:
        with InferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return joined(list(client.chat_completion(**streamed(question))))

    def leave(self, question, pieces: int) -> None:
        with InferenceClient(self.url, timeout=TIMEOUT_S) as client:
            stream = client.chat_completion(**streamed(question))
            for _ in range(pieces):
                next(stream)


class async_hub_chat(loop_caller):
    unknown_adapter = refused = HfHubHTTPError

    async def ask(self, question) -> answer:
        async with AsyncInferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return whole(await client.chat_completion(**fields(question)))

    async def listen(self, question) -> answer:
        async with AsyncInferenceClient(self.url, timeout=TIMEOUT_S) as client:
            return joined([c async for c in await client.chat_completion(**streamed(question))])

    async def listen_a_while(self, question, pieces: int) -> None:
        async with AsyncInferenceClient(self.url, timeout=TIMEOUT_S) as client:
            stream = await client.chat_completion(**streamed(question))
            for _ in range(pieces):
                await anext(stream)


class openai_chat(openai_sdk):
    def plain(self, question) -> answer:
        with self.client() as client:
            return whole(client.chat.completions.create(**fields(question)))

    def stream(self, question) -> answer:
        with self.client() as client:
            return joined(list(client.chat.completions.create(**streamed(question))))

    def leave(self, question, pieces: int) -> None:
        with self.client() as client, client.chat.completions.create(**streamed(question)) as stream:
            for _ in range(pieces):
                next(stream)


class async_openai_chat(async_openai_sdk):
    async def ask(self, question) -> answer:
        async with self.client() as client:
            return whole(await client.chat.completions.create(**fields(question)))

    async def listen(self, question) -> answer:
        async with self.client() as client:
            return joined([c async for c in await client.chat.completions.create(**streamed(question))])

    async def listen_a_while(self, question, pieces: int) -> None:
        async with self.client() as client, await client.chat.completions.create(**streamed(question)) as stream:
            for _ in range(pieces):
                await anext(stream)


def of_tgi(reply) -> answer:
    (choice,), usage = reply.choices, reply.usage
    assert reply.system_fingerprint and choice.message.role == "assistant"
    return answer(choice.message.content, choice.finish_reason, usage["prompt_tokens"], usage["completion_tokens"])


# text_generation names no adapter (`model` is always tgi). Its chat streams work with no server that sends the role once: the
# types demand it in every delta, and the blocking one asks its response for an attribute that it does not have.
class tgi_chat(thread_caller):
    picks_adapters = streams = False
    refused = ValidationError

    def plain(self, question) -> answer:
        prompt, _, most_tokens = question
        return of_tgi(Client(self.url, timeout=TIMEOUT_S).chat([Message(role="user", content=prompt)],
                                                               max_tokens=most_tokens, temperature=0))


class async_tgi_chat(loop_caller):
    picks_adapters = streams = False
    refused = ValidationError

    async def ask(self, question) -> answer:
        prompt, _, most_tokens = question
        client = AsyncClient(self.url, timeout=TIMEOUT_S)
        return of_tgi(await client.chat([Message(role="user", content=prompt)], max_tokens=most_tokens, temperature=0))


def model_of(url: str, question, **options):
    _, adapter, most_tokens = question
    return ChatOpenAI(base_url=f"{url}/v1", api_key="none", model=adapter or "tgi", max_tokens=most_tokens, temperature=0,
                      max_retries=0, timeout=TIMEOUT_S, stream_usage=True, **options)


def of_langchain(message, pieces: int = 1) -> answer:
    usage = message.usage_metadata
    return answer(message.content, message.response_metadata["finish_reason"], usage["input_tokens"],
                  usage["output_tokens"], pieces)


def summed(chunks) -> answer:
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return of_langchain(total, len(chunks))


class langchain_chat(thread_caller):
    unknown_adapter = openai.NotFoundError
    refused = openai.BadRequestError

    def plain(self, question) -> answer:
        return of_langchain(model_of(self.url, question).invoke(question[0]))

    def stream(self, question) -> answer:
        return summed(list(model_of(self.url, question).stream(question[0])))

    def leave(self, question, pieces: int) -> None:
        stream = model_of(self.url, question).stream(question[0])
        for _ in range(pieces):
            next(stream)
        stream.close()


class async_langchain_chat(loop_caller):
    unknown_adapter = openai.NotFoundError
    refused = openai.BadRequestError

    # Without a connection pool of its own a model shares one with models of event loops that have ended.
    async def ask(self, question) -> answer:
        async with httpx2.AsyncClient() as pool:
            return of_langchain(await model_of(self.url, question, http_async_client=pool).ainvoke(question[0]))

    async def listen(self, question) -> answer:
        async with httpx2.AsyncClient() as pool:
            model = model_of(self.url, question, http_async_client=pool)
            return summed([c async for c in model.astream(question[0])])

    async def listen_a_while(self, question, pieces: int) -> None:
        async with httpx2.AsyncClient() as pool:
            stream = model_of(self.url, question, http_async_client=pool).astream(question[0])
            for _ in range(pieces):
                await anext(stream)
            await stream.aclose()


CHATS = [hub_chat, async_hub_chat, openai_chat, async_openai_chat, tgi_chat, async_tgi_chat, langchain_chat,
         async_langchain_chat]
