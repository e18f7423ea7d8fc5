#!/usr/bin/env python3
"""Unpacks build/gpu-bundle.tar.gz elsewhere and uses it with an empty environment: run.py

What a host without a device must see; where nvidia-smi lists one, its tests must pass instead of being skipped. The last line counts.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests/golden/models/llama-tied-gqa"
TOOLKIT = ROOT / "build/cuda-toolkit"  # tools/setup_cuda fetches it where the host has no CUDA
ENVIRONMENT = {"CUDA_HOME": str(TOOLKIT)} if TOOLKIT.exists() else {}
START_S = 60


def has_device() -> bool:
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    except OSError:
        return False
    return listed.stdout.startswith("GPU")


def run(bundle: pathlib.Path, *arguments: str) -> tuple[int, str]:
    """Exit code and all output of `./run …` with nothing in the environment."""
    done = subprocess.run([bundle / "run", *arguments], cwd=bundle, env=ENVIRONMENT, text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def device_tests(bundle: pathlib.Path) -> str:
    """Empty, or what is wrong; so with all below."""
    code, output = run(bundle, "tests")
    counts = re.search(r"^gpu_tests: (\d+) passed, (\d+) failed, (\d+) skipped", output, re.MULTILINE)
    if code != 0 or not counts:
        return f"exit code {code}: {output[-2000:]}"
    report = json.loads((bundle / "tests.json").read_text())
    told = [report["passed"], report["failed"], report["skipped"]]
    results = [case["result"] for case in report["cases"]]
    if not report["finished"] or told != [results.count(r) for r in ("passed", "failed", "skipped")] or told != [int(n) for n in counts.groups()]:
        return f"the counts differ: {counts.group(0)}, tests.json {told}"
    if has_device() == (report["skipped"] > 0):
        return f"{report['skipped']} skipped, and {'a' if has_device() else 'no'} device is here"
    return ""


def suite(bundle: pathlib.Path) -> str:
    code, output = run(bundle, "suite", "--output", str(bundle / "results"), "--sanitize")
    if code != 0:
        return f"exit code {code}: {output[-2000:]}"
    parts = {part["part"]: part for part in json.loads((bundle / "results/suite.json").read_text())["parts"]}
    if list(parts) != ["build", "tests", "bench", "peers", "memcheck", "racecheck"]:
        return f"parts are {list(parts)}"
    if parts["tests"]["state"] != "passed" or any(p["state"] == "not run" and not p["why"] for p in parts.values()):
        return f"{parts}"
    return "" if has_device() or "no device" in parts["bench"]["why"] else f"{parts['bench']}"


def says_how(bundle: pathlib.Path) -> str:
    for arguments, expected in (("check",), "libcublasLt.so.13 from"), (("serve", "--help"), "--device"), (("bench", "--help"), "--output"):
        code, output = run(bundle, *arguments)
        if code != 0 or expected not in output:
            return f"{arguments}: exit code {code}: {output[-1000:]}"
    return ""


def refuses_a_device(bundle: pathlib.Path) -> str:
    if has_device():
        return ""
    code, output = run(bundle, "serve", "--device", "cuda", "--model-id", str(MODEL), "--port", "0")
    return "" if code not in (0, -11) and "no CUDA device was found" in output else f"exit code {code}: {output[-1000:]}"


def serves_on_the_cpu(bundle: pathlib.Path) -> str:
    log = bundle / "serve.log"
    command = [bundle / "run", "serve", "--device", "cpu", "--model-id", str(MODEL), "--port", "0", "--threads", "1", "--packed-cache", "off"]
    with log.open("w") as to:
        process = subprocess.Popen(command, cwd=bundle, env=ENVIRONMENT, stdout=to, stderr=to)
    try:
        ready, until = None, time.monotonic() + START_S
        while not ready and process.poll() is None and time.monotonic() < until:
            ready = re.search(r"ready on (http://[^ ]+) ", log.read_text())
            time.sleep(0.05)
        if not ready:
            return log.read_text()
        body = json.dumps({"inputs": "Once", "parameters": {"max_new_tokens": 4}}).encode()
        request = urllib.request.Request(ready.group(1) + "/generate", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            text = json.load(reply)["generated_text"]
        process.terminate()
        code = process.wait(timeout=60)
        return "" if text and code == 0 else f"text {text!r}, exit code {code}"
    finally:
        process.kill()


def main() -> int:
    failed = 0
    checks = [device_tests, suite, says_how, refuses_a_device, serves_on_the_cpu]
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(["tar", "-xzf", ROOT / "build/gpu-bundle.tar.gz", "-C", elsewhere], check=True)
        for check in checks:
            why = check(pathlib.Path(elsewhere) / "gpu-bundle")
            if why:
                failed += 1
                print(f"  FAILED bundle: {check.__name__}: {why}")
    print(f"bundle: {len(checks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
