"""Runs Lorica and its peers on the same work, in turns, and writes one JSON file.

Work: the default model, greedy, prompts of 64 random tokens, 128 new ones; adapters of rank 16 on all seven projections with
non-zero A and B. Peers that are not installed are left out and named in the file. See bench/README.md.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a peer that waits must not run while the other is measured

PROMPT, NEW = 64, 128


def prompts(count, vocab):
    import random

    return [[random.Random(seed).randrange(3, vocab) for _ in range(PROMPT)] for seed in range(count)]


class Transformers:
    """transformers and PEFT in float32; mixed batches by `adapter_names`, as PEFT documents."""

    def __init__(self, model, threads, adapters):
        import peft
        import torch
        import transformers

        self.torch = torch
        self.name = f"transformers {transformers.__version__} + peft {peft.__version__}, float32"
        torch.set_num_threads(threads)
        base = transformers.AutoModelForCausalLM.from_pretrained(
            os.path.dirname(model) or ".", gguf_file=os.path.basename(model), dtype=torch.float32)
        self.vocab = base.config.vocab_size
        base.generation_config.eos_token_id = None
        config = peft.LoraConfig(r=16, lora_alpha=32, init_lora_weights=False, target_modules=[
            "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
        self.model = peft.get_peft_model(base, config, adapter_name="a0")
        for i in range(1, adapters):
            torch.manual_seed(i)
            self.model.add_adapter(f"a{i}", config)
        self.model.eval()

    def decode(self, streams, adapters):
        ids = self.torch.tensor(prompts(streams, self.vocab))
        names = [f"a{i % adapters}" if adapters else "__base__" for i in range(streams)]
        self._generate(ids, names, 1)
        start = time.perf_counter()
        self._generate(ids, names, 1)
        first = time.perf_counter() - start
        start = time.perf_counter()
        self._generate(ids, names, NEW + 1)
        return streams * NEW / (time.perf_counter() - start - first)

    def _generate(self, ids, names, new):
        with self.torch.no_grad():
            self.model.generate(input_ids=ids, attention_mask=self.torch.ones_like(ids), adapter_names=names,
                                do_sample=False, min_new_tokens=new, max_new_tokens=new, pad_token_id=0)


class LlamaCpp:
    """llama.cpp through llama-cpp-python, base only: its adapters are per context, so that a mixed batch has no call.

    Each measurement is a process of its own, whose threads spin between operations: with the compiler's default they sleep at every
    barrier, and two threads are slower than one.
    """

    def __init__(self, model, threads, adapters):
        import llama_cpp

        self.name = f"llama-cpp-python {llama_cpp.__version__}, Q4_1"
        self.command = [sys.executable, __file__, "--model", model, "--threads", str(threads), "--llama-cpp-once"]

    def decode(self, streams, adapters):
        if streams != 1 or adapters != 0:
            return None
        environment = os.environ | {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "infinity"}
        return float(subprocess.run(self.command, check=True, capture_output=True, text=True, env=environment).stdout)


def llama_cpp_once(options):
    """Tokens per second of one stream: llama_decode and the highest logit, nothing of the Python package's own sampling."""
    import llama_cpp
    import numpy

    n = options.threads
    llama = llama_cpp.Llama(options.model, n_ctx=512, n_threads=n, n_threads_batch=n, verbose=False)
    context, vocab = llama.ctx, llama.n_vocab()
    llama.eval(prompts(1, vocab)[0])

    def best():
        logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), (vocab,))
        return int(logits.argmax())

    token = (llama_cpp.llama_token * 1)(best())
    rates = []
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(NEW):
            assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(token, 1)) == 0
            token[0] = best()
        rates.append(NEW / (time.perf_counter() - start))
    print(max(rates))


WORK = [("decode 1", 1, 0), ("decode 1, 1 adapter", 1, 1), ("decode 8", 8, 0), ("decode 8, 8 adapters", 8, 8)]


def ours(options):
    command = [options.binary, "--model", options.model, "--threads", str(options.threads), "--runs", "1"]
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return out["executor"], {r["name"]: r["tokens_per_second_best"] for r in out["results"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--binary", default="build/release/bin/lorica-bench-decode")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default="bench/results/peers.json")
    parser.add_argument("--peers", default="transformers,llama.cpp", help="which of the two, separated by commas")
    parser.add_argument("--llama-cpp-once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.llama_cpp_once:
        return llama_cpp_once(options)

    kinds = {"transformers": Transformers, "llama.cpp": LlamaCpp}
    unknown = set(options.peers.split(",")) - set(kinds)
    if unknown:
        parser.error(f"--peers: {', '.join(sorted(unknown))} is not known; there are {', '.join(kinds)}")
    peers, missing = [], []
    for kind in (kinds[name] for name in options.peers.split(",")):
        try:
            peers.append(kind(options.model, options.threads, 8))
        except ImportError as e:
            missing.append(f"{kind.__name__}: {e.name} is not installed")
    seen = {}
    for turn in range(options.rounds):
        name, rates = ours(options)
        for work, rate in rates.items():
            seen.setdefault(f"lorica {name}", {}).setdefault(work, []).append(rate)
        for peer in peers:
            for work, streams, adapters in WORK:
                rate = peer.decode(streams, adapters)
                if rate:
                    seen.setdefault(peer.name, {}).setdefault(work, []).append(rate)
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
    processor = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor}, {os.cpu_count()} processors, {platform.system()}",
        "command": "bench/peers/compare.py " + " ".join(sys.argv[1:]),
        "threads": options.threads,
        "missing": missing,
        "tokens_per_second": {
            name: {work: {"best": round(max(v), 1), "median": round(statistics.median(v), 1), "runs": len(v)}
                   for work, v in works.items()} for name, works in seen.items()},
    }
    with open(options.output, "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    for name, works in report["tokens_per_second"].items():
        print(name)
        for work, rate in works.items():
            print(f"  {work:24} best {rate['best']:8.1f}  median {rate['median']:8.1f} tok/s")


if __name__ == "__main__":
    main()
