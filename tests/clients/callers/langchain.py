"""langchain_openai: its completions. A plain call sends the prompt as a list of one, a stream as a text; the chunks of a
stream have no place for usage. Closing a stream leaves its connection open: that goes with the last reference to it."""
import gc

import openai
from langchain_openai import OpenAI

from callers.caller import TIMEOUT_S, answer, loop_caller, thread_caller


def model_of(url: str, question):
    _, adapter, most_tokens = question
    return OpenAI(base_url=f"{url}/v1", api_key="none", model=adapter, max_tokens=most_tokens, temperature=0,
                  max_retries=0, timeout=TIMEOUT_S)


def whole(result) -> answer:
    generation, usage = result.generations[0][0], result.llm_output["token_usage"]
    return answer(generation.text, generation.generation_info["finish_reason"], usage["prompt_tokens"],
                  usage["completion_tokens"])


def joined(chunks) -> answer:
    reasons = [c.generation_info["finish_reason"] for c in chunks if c.generation_info]
    return answer("".join(c.text for c in chunks), reasons[-1], None, None, len(chunks))


class langchain(thread_caller):
    native = False
    unknown_adapter = openai.NotFoundError
    refused = openai.BadRequestError

    def plain(self, question) -> answer:
        return whole(model_of(self.url, question).generate([question[0]]))

    # `stream` gives texts only; the chunks below it have the finish reason.
    def stream(self, question) -> answer:
        return joined(list(model_of(self.url, question)._stream(question[0])))

    def leave(self, question, pieces: int) -> None:
        stream = model_of(self.url, question).stream(question[0])
        for _ in range(pieces):
            next(stream)
        stream.close()
        del stream
        gc.collect()


class async_langchain(loop_caller):
    native = False
    unknown_adapter = openai.NotFoundError
    refused = openai.BadRequestError

    async def ask(self, question) -> answer:
        return whole(await model_of(self.url, question).agenerate([question[0]]))

    async def listen(self, question) -> answer:
        return joined([c async for c in model_of(self.url, question)._astream(question[0])])

    async def listen_a_while(self, question, pieces: int) -> None:
        stream = model_of(self.url, question).astream(question[0])
        for _ in range(pieces):
            await anext(stream)
        await stream.aclose()

    def leave(self, question, pieces: int) -> None:
        super().leave(question, pieces)
        gc.collect()
