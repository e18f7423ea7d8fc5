"""Lorica's server under the suite's loads: what it tells of itself, and load by `lorica-bench serve`."""

import re
import time
import urllib.request

import session  # noqa: F401  (finds bench/peers)
import load
from server_process import HOST, ServerProcess, free_port

SERIES = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$", re.M)


def parse_metrics(text):
    """{name or name{labels}: number}"""
    return {name + labels: float(number) for name, labels, number in SERIES.findall(text)}


class LoricaServer(ServerProcess):
    def __init__(self, options, name, *arguments):
        self.options = options
        port = free_port()
        command = [str(options.bin / "lorica"), "serve", "--model-id", options.model, "--served-model-name", "base", "--hostname", HOST,
                   "--port", str(port), "--threads", str(options.threads), "--log-level", "warn", *map(str, arguments)]
        super().__init__("lorica", command, port, f"build/suite/{name}.log")

    def metrics(self):
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=30) as answer:
            return parse_metrics(answer.read().decode())

    def adapter_loads(self):
        """Adapters that were brought into memory so far."""
        return self.metrics().get('lorica_adapter_loads_total{outcome="ready"}', 0.0)

    def memory(self):
        """Bytes of /proc/PID/status: all that is resident, of it anonymous, of it of files."""
        with open(f"/proc/{self.process.pid}/status") as file:
            kib = dict(re.findall(r"(VmRSS|RssAnon|RssFile):\s+(\d+) kB", file.read()))
        return {"resident": int(kib["VmRSS"]) << 10, "anonymous": int(kib["RssAnon"]) << 10, "files": int(kib["RssFile"]) << 10}

    def load(self, *more, seed=0):
        """The result of `lorica-bench serve` with these flags, details included; no request may fail."""
        flags = [*more, "--seed", seed, "--save-detailed", "--metric-percentiles", "50,99"]
        left = max(30.0, self.options.deadline - time.monotonic() + 300)
        out = load.run(str(self.options.bin / "lorica-bench"), self.port, flags, left)
        if out["failed"]:
            raise RuntimeError(f"{out['failed']} requests failed: {next(e for e in out['errors'] if e)}")
        return out

    def ask_for_each(self, count, *more):
        """One request for each of the first `count` adapters, in order."""
        return self.load("--num-prompts", count, "--lora-assignment", "round-robin", *more, "--lora-modules", *range(count))

    def endless(self, *more, seed=0):
        return load.Endless(str(self.options.bin / "lorica-bench"), self.port, [*more, "--seed", seed])

    def wait_for(self, holds, what, seconds=120):
        """Until the metrics satisfy `holds`; raises `RuntimeError` after so long."""
        end = time.monotonic() + seconds
        while not holds(self.metrics()):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"the server: {what} did not come within {seconds} s")
            time.sleep(0.1)

    def wait_idle(self):
        self.wait_for(lambda m: m["lorica_requests_running"] == 0 and m["lorica_requests_waiting"] == 0 and m["lorica_sessions"] == 0,
                      "rest")
