"""mistral.rs through its Python package, over the GGUF file; sequences at once by requests from as many threads; base only.

Prompts are texts there, so their length is what its tokenizer makes of random words, about that of the others. Its package takes
adapters for a GGUF model only as files in a format of its own (`ordering`), which PEFT does not write.
"""

import concurrent.futures
import random
import time

import mistralrs

import peer


class MistralRs:
    def __init__(self, options):
        import importlib.metadata
        import os

        self.name = f"mistral.rs {importlib.metadata.version('mistralrs')}, {options.format} GGUF"
        models = os.path.abspath(options.models)
        self.runner = mistralrs.Runner(
            which=mistralrs.Which.GGUF(tok_model_id=os.path.join(models, "hf"), quantized_model_id=models,
                                       quantized_filename=f"base.{options.format}.gguf"),
            max_seqs=32, prefix_cache_n=0)
        self.seed = 0

    def measure(self, work):
        if work.adapters:
            raise peer.Cannot("its package takes no adapter in PEFT's layout for a GGUF model")
        self.generate(work, 1)
        first = self.generate(work, 1)
        return self.generate(work, work.decode + 1) - first if work.decode else first

    def generate(self, work, new):
        def one(i):
            words = random.Random(self.seed * 1000 + i)
            text = " ".join(words.choice(("time", "house", "water", "people", "light", "year")) for _ in range(work.prompt))
            request = mistralrs.CompletionRequest(prompt=text, model="default", max_tokens=new, temperature=0.0, ignore_eos=True)
            return self.runner.send_completion_request(request)

        self.seed += 1
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(work.streams) as pool:
            answers = list(pool.map(one, range(work.streams)))
        seconds = time.perf_counter() - start
        if any(a.usage.completion_tokens != new for a in answers):
            raise RuntimeError("other lengths came back than were asked for")
        return seconds


peer.run(MistralRs)
