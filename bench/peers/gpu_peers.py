#!/usr/bin/env python3
"""What torch and Triton make of the cases of gpu_bench on the same card, with the same names: plain torch, eagerly and in CUDA graphs, and adapters
by Triton's shrink and expand, by padded batched products, and by PEFT's loop. Needs torch and Triton of the machine; reads nothing.

python3 bench/peers/gpu_peers.py --output build/gpu-peers.json && python3 bench/peers/gpu_compare.py OURS.json build/gpu-peers.json
On a machine without a card `TRITON_INTERPRET=1 python3 bench/peers/gpu_peers.py --device cpu --shape tiny --runs 1` tries all of it out.
Exit codes: 0 done, 1 something failed, 2 wrong flags, 3 no torch or no card.
"""

import argparse
import json
import os
import statistics
import sys
import time

from gpu_shape import SHAPES, Site

NO_DEVICE = 3
SCALING = 2.0
try:
    import torch
    import gpu_lora
    import gpu_model
    import gpu_triton
except ImportError as missing:
    torch, problem = None, missing


class Card:
    """How time is taken where the work runs."""

    def __init__(self, options):
        self.cuda, self.options = options.device != "cpu", options
        self.device = torch.device(options.device)
        if self.cuda:
            torch.cuda.set_device(self.device)
            size = 2 * torch.cuda.get_device_properties(self.device).L2_cache_size
            self.flush = torch.empty(size, dtype=torch.uint8, device=self.device)

    def facts(self):
        import triton
        name = torch.cuda.get_device_name(self.device) if self.cuda else "cpu"
        return {"card": name, "torch": torch.__version__, "cuda": torch.version.cuda, "triton": triton.__version__}

    def wall(self, body):
        """A whole step: from the host's call until the card is done."""
        def once():
            start = time.perf_counter()
            body()
            if self.cuda:
                torch.cuda.synchronize()
            return time.perf_counter() - start
        return self.repeat(once)

    def cold(self, body):
        """Work on the card alone; before each run the cache is overwritten."""
        if not self.cuda:
            return self.wall(body)
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

        def once():
            self.flush.fill_(1)
            begin.record()
            body()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end) / 1e3
        return self.repeat(once)

    def repeat(self, once):
        seconds = [once() for _ in range(self.options.warmups + self.options.runs)][self.options.warmups:]
        return Times(statistics.fmean(seconds), statistics.median(seconds), min(seconds), len(seconds))

    def recorded(self, body):
        """The same work as one CUDA graph; without a card the work itself."""
        if not self.cuda:
            return body
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                body()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            body()
        return graph.replay


class Times:
    def __init__(self, mean, median, best, runs):
        self.mean, self.median, self.best, self.runs = mean, median, best, runs

    def row(self):
        return {"runs": self.runs, "mean_ms": 1e3 * self.mean, "median_ms": 1e3 * self.median, "best_ms": 1e3 * self.best}


class Rows:
    """What was measured; `wrong` says which peers are not, and why, and nothing begins behind `end`."""

    def __init__(self, wrong, end, changed=lambda: None):
        self.rows, self.wrong, self.end, self.changed = [], wrong, end, changed

    def add(self, case, name, peer, graphs, measure):
        """A row, or why there is none."""
        row = {"case": case, "name": name, "peer": peer, "graphs": graphs}
        try:
            if time.monotonic() > self.end:
                row |= {"missing": "no time was left", "out_of_room": False, "out_of_time": True}
            elif peer in self.wrong:
                row |= {"missing": self.wrong[peer], "out_of_room": False}
            else:
                row |= measure()
        except Exception as problem:  # whatever a kernel's compiler throws: the other rows are measured all the same
            said = (str(problem) or type(problem).__name__).splitlines()[0][:200]
            row |= {"missing": said, "out_of_room": isinstance(problem, (torch.OutOfMemoryError, MemoryError))}
        self.rows.append(row)
        self.changed()
        told = row.get("missing") or " ".join(f"{k} {v:.3f}" for k, v in row.items() if isinstance(v, float))
        print(f"{case:5} {name:42} {peer:8} {told}", file=sys.stderr, flush=True)


def percent_over(base, with_it):
    return 100 * (with_it - base) / base


def makers(sizes):
    """What adds adapters to a site, by the peer's name, and whether it is recorded."""
    return {"triton": (gpu_triton.TritonLora, True),
            "bmm": (lambda *args: gpu_lora.BmmLora(*args, padded_rank=max(sizes.ranks)), True),
            "loop": (gpu_lora.LoopLora, False)}


def put_loras(model, make, deal, rank):
    model.loras = {}
    for layer in range(model.shape.layers):
        for number, site in enumerate(model.shape.sites):
            a, b = gpu_lora.random_adapters(site, deal.adapters, rank, model.device, layer * 4 + number)
            model.loras[layer, site.name] = make(site, a, b, deal, SCALING)


def base_decode(card, model, sizes, rows):
    for count in sizes.decode_rows:
        for peer, graphs in (("eager", False), ("graphs", True)):
            def measure(graphs=graphs):
                step = gpu_model.Decode(model, count, sizes.context).step
                return card.wall(card.recorded(step) if graphs else step).row()
            rows.add("G-1", f"decode {count}", peer, graphs, measure)


def base_prefill(card, model, sizes, rows):
    for tokens in sizes.prompts:
        rows.add("G-2", f"prefill {tokens}", "eager", False, lambda: card.wall(gpu_model.Prompts(model, 1, tokens).step).row())


def over_base(card, model, work, make, recorded, deal, rank):
    """A step with adapters over the same without."""
    model.loras = {}
    base = card.wall(card.recorded(work.step) if recorded else work.step)
    put_loras(model, make, deal, rank)
    try:
        with_them = card.wall(card.recorded(work.step) if recorded else work.step)
    finally:
        model.loras = {}
    return with_them.row() | {"base_ms": 1e3 * base.median, "over_base_percent": percent_over(base.median, with_them.median)}


def adapted_decode(card, model, sizes, rows):
    work = gpu_model.Decode(model, sizes.rows, sizes.context)
    for rank in sizes.ranks:
        for count in sizes.adapters:
            deal = gpu_lora.Deal(sizes.rows, count, model.device)
            for peer, (make, recorded) in makers(sizes).items():
                rows.add("G-3", f"r{rank}, {count} adapters", peer, recorded,
                         lambda: over_base(card, model, work, make, recorded, deal, rank))


def adapted_prefill(card, model, sizes, rows):
    for tokens in sizes.adapted_prompts:
        for count in sizes.prompt_adapters:
            work, deal = gpu_model.Prompts(model, count, tokens // count), gpu_lora.Deal(tokens // count * count, count, model.device)
            for peer, (make, _) in makers(sizes).items():
                rows.add("G-5", f"prefill {tokens}, {count} adapters", peer, False,
                         lambda: over_base(card, model, work, make, False, deal, sizes.rank))


def launches_of(site, rows, rank, adapters):
    """As many launches with numbers of their own as fill more than any cache, within bounds."""
    each = rows * (site.depth + site.width) + adapters * rank * (len(site.outputs) * site.depth + site.width)
    return min(64, max(4, (128 << 20) // each))


def kernels(card, model, sizes, rows):
    for site in model.shape.sites:
        for count in sizes.kernel_rows:
            for rank in sizes.kernel_ranks:
                for adapters in (a for a in sizes.kernel_adapters if a <= count):
                    name = f"{site.name}, {count} rows, r{rank}, {adapters} adapters"
                    for peer in ("triton", "bmm"):
                        rows.add("G-6", name, peer, True, lambda: kernel_row(card, model.device, site, count, rank, adapters, peer))


def kernel_row(card, device, site, count, rank, adapters, peer):
    deal, n = gpu_lora.Deal(count, adapters, device), launches_of(site, count, rank, adapters)
    make = gpu_triton.TritonLora if peer == "triton" else lambda *args: gpu_lora.BmmLora(*args, padded_rank=rank)
    loras = [make(site, *gpu_lora.random_adapters(site, adapters, rank, device, i), deal, SCALING) for i in range(n)]
    inputs = [(gpu_model.normal((count, site.depth), device), gpu_model.normal((count, site.width), device)) for _ in range(n)]

    def timed(call):
        def all_of_them():
            for lora, (x, y) in zip(loras, inputs):
                call(lora, x, y)
        return card.cold(card.recorded(all_of_them))
    pair = timed(lambda lora, x, y: lora.add(x, y))
    out = Times(pair.mean / n, pair.median / n, pair.best / n, pair.runs).row() | {"pair_us": 1e6 * pair.median / n}
    if peer == "triton":
        out["shrink_us"] = 1e6 * timed(lambda lora, x, y: lora.shrink(x)).median / n
        out["expand_us"] = 1e6 * timed(lambda lora, x, y: lora.expand(y)).median / n
    return out


def check(device, sizes):
    """{peer: why it is not measured}: nobody is compared with who does not compute what he should."""
    sites, wrong = (Site("one", 70, (40,)), Site("three", 48, (33, 17, 16))), {}
    for peer, (make, _) in makers(sizes).items():
        try:
            for site in sites:
                for rows, adapters, rank in ((1, 1, 3), (7, 3, 20), (40, 2, 16)):
                    error = gpu_lora.errors(make, site, rows, adapters, rank, device)
                    if not error <= 1:
                        raise ValueError(f"it is wrong at {rows} rows, {adapters} adapters of rank {rank}: {error:.1f} times what rounding allows")
        except Exception as problem:  # its kernels may not even compile
            wrong[peer] = (str(problem) or type(problem).__name__).splitlines()[0][:200]
            print(f"gpu_peers: {peer}: {wrong[peer]}", file=sys.stderr)
    return wrong


def write(path, text):
    """Whole or not at all."""
    with open(path + ".part", "w") as file:
        file.write(text + "\n")
    os.replace(path + ".part", path)


# What comes first is compared with what is wanted; the base is told beside it.
CASES = {"G-3": adapted_decode, "G-6": kernels, "G-1": base_decode, "G-5": adapted_prefill, "G-2": base_prefill}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="a card of torch, or cpu to try it out")
    parser.add_argument("--shape", choices=SHAPES, default="mistral-7b")
    parser.add_argument("--only", default=",".join(CASES), help="of " + ",".join(CASES) + "; '' only checks that the peers compute what they should")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--warmups", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600, help="seconds behind which nothing more is begun")
    parser.add_argument("--output", help="a file for the JSON document, anew after every row; without it to standard output at the end")
    options = parser.parse_args()
    options.only = [c for c in options.only.split(",") if c]
    if unknown := [c for c in options.only if c not in CASES]:
        parser.error(f"--only: there is no case {unknown[0]} here")
    if options.runs < 1 or options.warmups < 0:
        parser.error("--runs is at least 1 and --warmups at least 0")
    return options


def main():
    options = arguments()
    if torch is None:
        print(f"gpu_peers: this Python lacks something: {problem}", file=sys.stderr)
        return NO_DEVICE
    if options.device != "cpu" and not torch.cuda.is_available():
        print("gpu_peers: torch sees no CUDA device; --device cpu tries the program out", file=sys.stderr)
        return NO_DEVICE
    torch.manual_seed(1)
    shape, sizes = SHAPES[options.shape]
    end, card = time.monotonic() + options.limit, Card(options)
    facts, complete = card.facts(), False

    def document():
        return json.dumps({"program": "gpu_peers", **facts, "shape": shape.name, "dtype": "bfloat16", "complete": complete, "warmups": options.warmups,
                           "runs": options.runs, "command": " ".join(sys.argv), "wrong": rows.wrong, "rows": rows.rows}, indent=1)

    rows = Rows(check(card.device, sizes), end, lambda: options.output and write(options.output, document()))
    with torch.inference_mode():
        model = gpu_model.Model(shape, card.device)
        for case in CASES:
            if case in options.only:
                CASES[case](card, model, sizes, rows)
    complete = True
    if options.output:
        write(options.output, document())
    else:
        print(document())
    failed = any("missing" in r and not r["out_of_room"] and not r.get("out_of_time") for r in rows.rows)
    return 1 if failed or rows.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
