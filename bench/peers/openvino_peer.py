"""OpenVINO GenAI's continuous batching over the GGUF file; base only.

Its adapters belong to a whole call of `generate` and its GGUF reader takes none, so the work with adapters is refused.
"""

import os
import time

import numpy
import openvino
import openvino_genai

import peer


class OpenVino:
    def __init__(self, options):
        self.name = f"OpenVINO GenAI {openvino_genai.__version__.split('-')[0]}, {options.format} GGUF"
        schedule = openvino_genai.SchedulerConfig()
        schedule.cache_size = 1
        schedule.max_num_seqs = 64
        schedule.max_num_batched_tokens = 2048
        schedule.enable_prefix_caching = False
        path = os.path.join(options.models, f"base.{options.format}.gguf")
        tokenizer = openvino_genai.Tokenizer(path)
        self.pipe = openvino_genai.ContinuousBatchingPipeline(path, tokenizer, schedule, "CPU", INFERENCE_NUM_THREADS=options.threads)

    def measure(self, work):
        if work.adapters:
            raise peer.Cannot("a GGUF model takes no adapters here")
        self.generate(work, 1)
        first = self.generate(work, 1)
        return self.generate(work, work.decode + 1) - first if work.decode else first

    def generate(self, work, new):
        ids = [openvino.Tensor(numpy.array([p], dtype=numpy.int64)) for p in peer.prompts(work, 20000)]
        wanted = openvino_genai.GenerationConfig()
        wanted.max_new_tokens = wanted.min_new_tokens = new
        wanted.ignore_eos = True
        start = time.perf_counter()
        out = self.pipe.generate(ids, [wanted] * work.streams)
        seconds = time.perf_counter() - start
        if any(len(o.m_generation_ids[0]) != new for o in out):
            raise RuntimeError("other lengths came back than were asked for")
        return seconds


peer.run(OpenVino)
