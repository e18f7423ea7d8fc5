"""`lorica-bench-decode` as an arm of the suite: one run, its results as flat figures."""

import json
import subprocess

import session

RUNS = 3  # of each workload in one process; the median counts, so that a first run, which finds memory untouched, does not


def run(options, *more):
    """The JSON of one run with further flags; raises `session.Missing` with the program's words when it refuses."""
    command = [str(options.bin / "lorica-bench-decode"), "--model", options.model, "--threads", str(options.threads), "--runs", str(RUNS),
               *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise session.Missing(f"{command[0]} {' '.join(map(str, more))}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def figures(out):
    """{"NAME tok/s", "NAME kept", …}"""
    flat = {}
    for one in out["results"]:
        name = one["name"]
        flat[f"{name} tok/s"] = one["tokens_per_second_median"]
        flat[f"{name} median step ms"] = one["median_step_ms"]
        flat[f"{name} longest over median"] = one["longest_step_ms"] / one["median_step_ms"]
        if "kept" in one:
            flat[f"{name} kept"] = one["kept"]
        if "step_over_base" in one:
            flat[f"{name} over base"] = one["step_over_base"]
    if "adapter_slope" in out:
        flat["slope ratio"] = out["adapter_slope"]["ratio"]
        flat["slope ns per byte"] = 1e9 * out["adapter_slope"]["seconds_per_byte"]
    return flat
