"""transformers and PEFT in float32; rows with different adapters by `adapter_names`, as PEFT documents."""

import os
import time

import peft
import torch
import transformers

import peer


class Transformers:
    def __init__(self, options):
        if options.format != "float32":
            raise ValueError("only float32")
        self.name = f"transformers {transformers.__version__} + peft {peft.__version__}, float32"
        torch.set_num_threads(options.threads)
        base = transformers.AutoModelForCausalLM.from_pretrained(os.path.join(options.models, "hf"), dtype=torch.float32)
        self.vocab = base.config.vocab_size
        base.generation_config.eos_token_id = None
        self.model = peft.PeftModel.from_pretrained(base, os.path.join(options.models, "adapters/0"), adapter_name="a0")
        for i in range(1, options.adapters):
            self.model.load_adapter(os.path.join(options.models, f"adapters/{i}"), adapter_name=f"a{i}")
        self.model.eval()

    def measure(self, work):
        ids = torch.tensor(peer.prompts(work, self.vocab))
        names = [f"a{i % work.adapters}" if work.adapters else "__base__" for i in range(work.streams)]
        self.generate(ids, names, 1)
        first = self.generate(ids, names, 1)
        return self.generate(ids, names, work.decode + 1) - first if work.decode else first

    def generate(self, ids, names, new):
        start = time.perf_counter()
        with torch.no_grad():
            self.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), adapter_names=names, do_sample=False,
                                min_new_tokens=new, max_new_tokens=new, pad_token_id=0)
        return time.perf_counter() - start


peer.run(Transformers)
