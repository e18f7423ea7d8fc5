#!/usr/bin/env python3
"""Lorica and other servers under the same load over HTTP, in turns, each alone on the machine; writes one JSON file.

The load is `lorica-bench serve`: distinct random prompts of 96 tokens, 64 new ones, greedy, as many requests at once as the case
says, adapters dealt round-robin. A run during which others used more than --foreign of the machine is rejected and repeated.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys
import time

import load
import machine
from server_process import HOST, ServerProcess

CASES = {  # adapters, at once
    "base-8": (0, 8), "1-8": (1, 8), "8-8": (8, 8), "32-32": (32, 32), "128-32": (128, 32), "1000-32": (1000, 32)}


def lorica(options, adapters, at_once):
    """Up to 128 adapters are loaded before; more are loaded when a request names them, into the usual memory for adapters."""
    command = [options.binary, "serve", "--model-id", options.model, "--served-model-name", "base", "--hostname", HOST, "--port",
               str(options.port), "--threads", str(options.threads), *options.ours.split()]
    if adapters > 128:
        return command + ["--adapter-root", f"{options.models}/adapters"], [str(i) for i in range(adapters)], {}
    names = ",".join(f"a{i}={options.models}/adapters/{i}" for i in range(adapters))
    return command + (["--lora-adapters", names] if adapters else []), [f"a{i}" for i in range(adapters)], {}


def llama_server(options, adapters, at_once):
    command = ["build/peers/llama.cpp/build/bin/llama-server", "-m", f"{options.models}/base.{options.llama_format}.gguf", "--host", HOST,
               "--port", str(options.port), "-t", str(options.threads), "-np", str(at_once), "-c", str(at_once * 256)]
    if adapters:
        command += ["--lora", ",".join(f"{options.models}/loras/{i}.gguf" for i in range(adapters)), "--lora-init-without-apply"]
    return command, [str(i) for i in range(adapters)], {}


def vllm(options, adapters, at_once):
    command = ["build/peers/vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model", f"{options.models}/hf",
               "--served-model-name", "base", "--host", HOST, "--port", str(options.port), "--dtype", "bfloat16", "--max-model-len", "512",
               "--max-num-seqs", str(at_once), "--no-enable-prefix-caching", "--enforce-eager"]
    if adapters:
        command += ["--enable-lora", "--max-lora-rank", "16", "--max-loras", str(min(adapters, at_once)), "--max-cpu-loras",
                    str(adapters), "--lora-modules", *(f"a{i}={options.models}/adapters/{i}" for i in range(adapters))]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(options.threads)}
    return command, [f"a{i}" for i in range(adapters)], environment


SERVERS = {"lorica": lorica, "llama-server": llama_server, "vllm": vllm}


def start(kind, options, adapters, at_once):
    """The server, and the names of its adapters."""
    command, names, environment = SERVERS[kind](options, adapters, at_once)
    log = f"build/peers/served-{kind}.log"
    return ServerProcess(kind, command, options.port, log, options.start_seconds, environment), names


def load_of(options, kind, server, names, at_once, seed):
    """The result of one run of lorica-bench serve."""
    more = ["--num-prompts", max(options.requests, 2 * at_once), "--max-concurrency", at_once, "--random-input-len", 96,
            "--random-range-ratio", 0, "--random-output-len", 64, "--seed", seed, "--num-warmups", 2, "--percentile-metrics",
            "ttft,tpot,itl,e2el", "--metric-percentiles", "50,99", "--goodput", "ttft:1000", "tpot:50", "--server-pid", server.process.pid]
    if names:
        more += ["--lora-assignment", "round-robin", "--lora-modules", *names]
    if kind == "llama-server":
        more += ["--lora-style", "llama.cpp"]
    result = load.run(options.load_binary, options.port, more, options.run_seconds)
    for long in ("latencies", "queue_times", "command"):
        result.pop(long)
    return result


def measure(options, kind, case, seed):
    adapters, at_once = CASES[case]
    server, names = start(kind, options, adapters, at_once)
    with server:
        runs = []
        for attempt in range(options.tries):
            result = load_of(options, kind, server, names, at_once, seed * 100 + attempt)
            result["accepted"] = (result["foreign_load"] or 0) <= options.foreign and result["steal"] <= options.steal
            result["seconds_to_ready"] = round(server.seconds_to_ready, 2)
            runs.append(result)
            if result["accepted"] or time.monotonic() > options.deadline:
                break
        return " ".join(server.command)[:400], runs


KEPT = ("request_throughput", "output_throughput", "request_goodput", "p50_ttft_ms", "p99_ttft_ms", "p50_itl_ms", "p99_itl_ms", "median_tpot_ms",
        "failed", "server_resident_bytes", "foreign_load", "client_cpu_share")


def summary(runs):
    """Medians of the accepted runs, or of all when none is, which `accepted` 0 tells."""
    good = [r for r in runs if r["accepted"]]
    out = {"accepted": len(good), "rejected": len(runs) - len(good)}
    for key in KEPT:
        values = [r[key] for r in good or runs if r[key] is not None]
        out[key] = round(statistics.median(values), 3) if values else None
    return out


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--models", default="build/peers/models", help="of model_files.py")
    parser.add_argument("--binary", default="build/release/bin/lorica")
    parser.add_argument("--load-binary", default="build/release/bin/lorica-bench")
    parser.add_argument("--ours", default="", help="further arguments of lorica serve")
    parser.add_argument("--llama-format", default="Q4_0")
    parser.add_argument("--servers", default="lorica,llama-server,vllm")
    parser.add_argument("--cases", default="base-8,8-8,32-32", help=f"of {', '.join(CASES)}: adapters-atonce")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--foreign", type=float, default=0.02)
    parser.add_argument("--steal", type=float, default=0.01)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--port", type=int, default=18473)
    parser.add_argument("--start-seconds", type=float, default=300)
    parser.add_argument("--run-seconds", type=float, default=900)
    parser.add_argument("--limit-minutes", type=float, default=60)
    parser.add_argument("--output", default="bench/results/served.json")
    options = parser.parse_args()
    for flag, known in (("servers", SERVERS), ("cases", CASES)):
        for name in getattr(options, flag).split(","):
            if name not in known:
                parser.error(f"--{flag}: {name} is not one of {', '.join(known)}")
    options.deadline = time.monotonic() + 60 * options.limit_minutes
    return options


def one_round(options, turn, runs, commands, missing):
    for case in options.cases.split(","):
        for kind in options.servers.split(","):
            if (kind, case) in missing or time.monotonic() > options.deadline:
                continue
            try:
                commands[f"{kind} {case}"], more = measure(options, kind, case, turn)
                runs.setdefault(kind, {}).setdefault(case, []).extend(more)
            except (RuntimeError, OSError, subprocess.SubprocessError) as why:
                missing[kind, case] = str(why)[:300]
                print(f"{kind} {case}: {why}", file=sys.stderr)
    print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)


def main():
    options = read_options()
    runs, commands, missing = {}, {}, {}
    try:
        for turn in range(options.rounds):
            one_round(options, turn, runs, commands, missing)
    except KeyboardInterrupt:
        print("interrupted; what was measured is written", file=sys.stderr)
    report = {
        "kind": "served", "date": datetime.date.today().isoformat(), "machine": machine.about(),
        "command": "python bench/peers/served.py " + " ".join(sys.argv[1:]), "threads": options.threads,
        "noise_rule": {"foreign": options.foreign, "steal": options.steal, "tries": options.tries}, "commands": commands,
        "missing": [{"server": k, "case": c, "why": why} for (k, c), why in missing.items()],
        "cases": {c: {"adapters": CASES[c][0], "at_once": CASES[c][1]} for c in options.cases.split(",")},
        "served": {kind: {case: summary(some) for case, some in cases.items()} for kind, cases in runs.items()},
    }
    pathlib.Path(options.output).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report["served"], indent=1))


if __name__ == "__main__":
    main()
