#!/usr/bin/env python3
"""Streams from many clients, a tenth of which leave early, against one server for a while; then everything must be
back: sequences, blocks, leases, descriptors, and memory without a slope.

Usage: soak.py [--seconds 600] [--clients 16] [--seed 1]
"""
import argparse
import http.client
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
AT_REST = ["lorica_sessions", "lorica_requests_running", "lorica_requests_waiting", "lorica_kv_blocks_used",
           "lorica_adapter_leases"]


def start_server() -> tuple[subprocess.Popen, int]:
    adapters = ",".join(f"{p.parent.name}={p.parent}" for p in ROOT.glob("examples/adapters/*/adapter_config.json"))
    process = subprocess.Popen(
        [ROOT / "build/release/bin/lorica", "serve", "--model-id", MODEL, "--port", "0", "--packed-cache", "off", "--lora-adapters", adapters],
        stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if found := re.search(r"ready on http://127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, int(found[1])
    sys.exit("soak: the server did not get ready")


def memory_kib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def descriptors(pid: int) -> int:
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def metrics(port: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return {m[1]: float(m[2]) for m in re.finditer(r"^(lorica_\w+) (\S+)$", text, re.M)}


class client(threading.Thread):
    """One caller: one stream after the other until the end, each checked for its adapter's name."""

    def __init__(self, port: int, adapters: list, seed: int, end: float):
        super().__init__()
        self.port, self.adapters, self.random, self.end = port, adapters, random.Random(seed), end
        self.done = self.left = 0
        self.wrong: list[str] = []

    def run(self):
        while time.monotonic() < self.end and not self.wrong:
            try:
                self.one()
            except OSError as failure:
                self.wrong.append(f"connection failed: {failure}")

    def one(self):
        adapter = self.random.choice(self.adapters)
        parameters = {"adapter_id": adapter, "max_new_tokens": self.random.randint(1, 60)}
        body = {"inputs": f"Note {self.random.random()}: ", "parameters": parameters}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", "/generate_stream", json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        if reply.status == 429:
            return
        if reply.status != 200 or reply.headers.get("x-adapter-id") != adapter:
            self.wrong.append(f"status {reply.status}, adapter {reply.headers.get('x-adapter-id')} for {adapter}")
            return
        if self.random.random() < 0.1:
            reply.readline()
            connection.close()
            self.left += 1
            return
        events = [json.loads(line[6:]) for line in reply if line.startswith(b"data: ")]
        if not events or events[-1].get("generated_text") is None:
            self.wrong.append("a stream without an end")
        self.done += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    process, port = start_server()
    names = [p.parent.name for p in ROOT.glob("examples/adapters/*/adapter_config.json")] + [None]
    problems = []
    try:
        halves = []
        for half in range(2):
            end = time.monotonic() + arguments.seconds / 2
            clients = [client(port, names, arguments.seed * 1000 + half * 100 + i, end) for i in range(arguments.clients)]
            for c in clients:
                c.start()
            for c in clients:
                c.join()
                problems += c.wrong
            limit = time.monotonic() + 20
            while any(metrics(port).get(name) != 0 for name in AT_REST) and time.monotonic() < limit:
                time.sleep(0.1)
            now = metrics(port)
            problems += [f"{name} is {now.get(name)} at rest" for name in AT_REST if now.get(name) != 0]
            halves.append((memory_kib(process.pid), descriptors(process.pid)))
            print(f"half {half + 1}: {sum(c.done for c in clients)} finished, {sum(c.left for c in clients)} left early, "
                  f"{halves[-1][0]} KiB, {halves[-1][1]} descriptors", flush=True)
        if halves[1][0] > halves[0][0] * 1.02 + 8192:
            problems.append(f"memory grew from {halves[0][0]} to {halves[1][0]} KiB")
        if halves[1][1] > halves[0][1] + 2:
            problems.append(f"descriptors grew from {halves[0][1]} to {halves[1][1]}")
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=120)
    if code != 0:
        problems.append(f"the server ended with {code}")
    for p in problems:
        print(f"soak: {p}")
    print(f"soak: {'failed' if problems else 'passed'}, seed {arguments.seed}")
    return 1 if problems else 0


sys.exit(main())
