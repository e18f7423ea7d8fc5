"""llama.cpp through its C functions, as llama-cpp-python declares them: decode, then the highest logit of every row.

Adapters belong to a context, so rows with different ones are decoded one after the other, each behind a switch (`switching`, what
one context can do), or by a context for each adapter (`--format …+contexts`, what no server does). Its threads spin: the driver stops
this process between its turns.
"""

import ctypes
import os
import time

import numpy

import peer

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/peers/llama.cpp")
os.environ.setdefault("LLAMA_CPP_LIB_PATH", os.path.join(PLACE, "build/bin"))
import llama_cpp  # noqa: E402


class LlamaCpp:
    def __init__(self, options):
        self.format, *kind = options.format.split("+")
        self.contexts = "contexts" in kind
        self.threads = options.threads
        self.name = f"llama.cpp ({llama_cpp.__version__}), {self.format}" + (", a context per adapter" if self.contexts else "")
        llama_cpp.llama_backend_init()
        path = os.path.join(options.models, f"base.{self.format}.gguf")
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError("the model does not load")
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.loras = []
        for i in range(options.adapters):
            lora = llama_cpp.llama_adapter_lora_init(self.model, os.path.join(options.models, "loras", f"{i}.gguf").encode())
            if not lora:
                raise RuntimeError(f"adapter {i} does not load")
            self.loras.append(lora)

    def context(self, work, streams):
        c = llama_cpp.llama_context_default_params()
        c.n_ctx = streams * ((work.prompt + work.decode + 2 + 255) // 256 * 256)
        c.n_batch = c.n_ubatch = 512
        c.n_seq_max = streams
        c.n_threads = c.n_threads_batch = self.threads
        context = llama_cpp.llama_init_from_model(self.model, c)
        if not context:
            raise RuntimeError("no context")
        return context

    def use(self, context, adapter):
        count = 0 if adapter is None else 1
        loras = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(self.loras[adapter] if count else None)
        if llama_cpp.llama_set_adapters_lora(context, loras, count, (ctypes.c_float * 1)(1.0)) != 0:
            raise RuntimeError("the adapter is not taken")

    def decode(self, context, rows):
        """Rows (sequence, position, token, wants logits) in one call; the best token of each that wants."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (sequence, position, token, wants) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, 1, wants
            batch.seq_id[i][0] = sequence
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        return [int(numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, i), (self.vocab,)).argmax())
                for i, row in enumerate(rows) if row[3]]

    def measure(self, work):
        if work.adapters > len(self.loras):
            raise peer.Cannot(f"{len(self.loras)} adapters are loaded")
        mixed = work.adapters > 1
        apart = mixed and self.contexts
        contexts = [self.context(work, 1) for _ in range(work.streams)] if apart else [self.context(work, work.streams)]
        self.batch = llama_cpp.llama_batch_init(512, 0, 1)
        try:
            return self.timed(work, contexts, mixed, apart)
        finally:
            llama_cpp.llama_batch_free(self.batch)
            for context in contexts:
                llama_cpp.llama_free(context)

    def timed(self, work, contexts, mixed, apart):
        adapter = [i % work.adapters if work.adapters else None for i in range(work.streams)]
        for i, context in enumerate(contexts):
            self.use(context, adapter[i])
        of = (lambda i: (contexts[i], 0)) if apart else (lambda i: (contexts[0], i))
        if not work.decode:  # warm first, so that the buffers are there
            self.prefill(work, 0, of, seed=1)
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(contexts[0]), True)
        start = time.perf_counter()
        token = []
        for i in range(work.streams):
            if mixed and not apart:
                self.use(contexts[0], adapter[i])
            token.append(self.prefill(work, i, of))
        if not work.decode:
            return time.perf_counter() - start
        start = time.perf_counter()
        for step in range(work.decode):
            position = work.prompt + step
            if not mixed:
                token = self.decode(contexts[0], [(i, position, token[i], 1) for i in range(work.streams)])
                continue
            for i in range(work.streams):
                context, sequence = of(i)
                if not apart:
                    self.use(context, adapter[i])
                token[i] = self.decode(context, [(sequence, position, token[i], 1)])[0]
        return time.perf_counter() - start

    def prefill(self, work, i, of, seed=0):
        context, sequence = of(i)
        ids = peer.prompts(work, self.vocab, seed)[i]
        return self.decode(context, [(sequence, p, t, p + 1 == len(ids)) for p, t in enumerate(ids)])[0]


peer.run(LlamaCpp)
