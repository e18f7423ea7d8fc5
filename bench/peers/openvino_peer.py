"""OpenVINO GenAI's continuous batching over the GGUF file, base only, or with the format int4 over its own files (`setup openvino-export`).

Its adapters belong to all requests of a call and its GGUF reader takes none: one adapter is measured with its own files, several are refused.
"""

import os
import time

import numpy
import openvino
import openvino_genai

import peer


class OpenVino:
    def __init__(self, options):
        own = options.format == "int4"
        self.name = f"OpenVINO GenAI {openvino_genai.__version__.split('-')[0]}, {options.format}{'' if own else ' GGUF'}"
        schedule = openvino_genai.SchedulerConfig()
        schedule.cache_size = 1
        schedule.max_num_seqs = 64
        schedule.max_num_batched_tokens = 2048
        schedule.enable_prefix_caching = False
        self.adapter = None
        if own:
            self.adapter = openvino_genai.Adapter(os.path.join(options.models, "adapters/0/adapter_model.safetensors"))
            adapters = openvino_genai.AdapterConfig()
            adapters.add(self.adapter, 2.0)
            self.pipe = openvino_genai.ContinuousBatchingPipeline(os.path.join(options.models, "openvino-int4"), schedule, "CPU",
                                                                  {"INFERENCE_NUM_THREADS": options.threads, "adapters": adapters})
            return
        path = os.path.join(options.models, f"base.{options.format}.gguf")
        tokenizer = openvino_genai.Tokenizer(path)
        self.pipe = openvino_genai.ContinuousBatchingPipeline(path, tokenizer, schedule, "CPU", INFERENCE_NUM_THREADS=options.threads)

    def measure(self, work):
        if work.adapters and not self.adapter:
            raise peer.Cannot("a GGUF model takes no adapters here")
        if work.adapters > 1:
            raise peer.Cannot("all requests of a step have the same adapters here")
        self.generate(work, 1)
        first = self.generate(work, 1)
        return self.generate(work, work.decode + 1) - first if work.decode else first

    def generate(self, work, new):
        ids = [openvino.Tensor(numpy.array([p], dtype=numpy.int64)) for p in peer.prompts(work, 20000)]
        wanted = openvino_genai.GenerationConfig()
        wanted.max_new_tokens = wanted.min_new_tokens = new
        wanted.ignore_eos = True
        if self.adapter:
            wanted.adapters = openvino_genai.AdapterConfig()
            if work.adapters:
                wanted.adapters.add(self.adapter, 2.0)
        start = time.perf_counter()
        out = self.pipe.generate(ids, [wanted] * work.streams)
        seconds = time.perf_counter() - start
        if any(len(o.m_generation_ids[0]) != new for o in out):
            raise RuntimeError("other lengths came back than were asked for")
        return seconds


peer.run(OpenVino)
