"""A peer's program under the driver: it is stopped (SIGSTOP) whenever it is not its turn, so that threads of it that spin cost
the others nothing."""

import dataclasses
import json
import os
import pathlib
import select
import signal
import subprocess

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
MODULES = {"llama.cpp": "llama_cpp_peer.py", "vllm": "vllm_peer.py", "openvino": "openvino_peer.py",
           "transformers": "transformers_peer.py", "mistral.rs": "mistral_rs_peer.py"}


class Lost(Exception):
    """The peer cannot be used; the text says why."""


class PeerProcess:
    def __init__(self, kind, format_name, options):
        place = ROOT / "build/peers" / kind
        format_name, _, threads = format_name.partition("@")
        threads = threads or str(options.threads)
        python = place / "bin/python"
        if not python.exists():
            raise Lost(f"not set up; `bench/peers/setup {kind}` does it")
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        if kind == "llama.cpp":
            source = next(place.glob("llama_cpp_python-*/llama_cpp"), None)
            if not source:
                raise Lost("not set up; `bench/peers/setup llama.cpp` does it")
            environment |= {"PYTHONPATH": str(source.parent), "OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "infinity"}
        self.command = [str(python.relative_to(ROOT)), f"bench/peers/{MODULES[kind]}", "--models", str(options.models), "--format",
                        format_name, "--threads", threads, "--adapters", str(options.adapters)]
        self.limit = options.peer_seconds
        log = ROOT / "build/peers" / f"{kind}-{format_name}-{threads}.log"
        self.process = subprocess.Popen(self.command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(log, "w"), text=True, start_new_session=True)
        said = self._answer()
        if "cannot" in said:
            self.end()
            raise Lost(said["cannot"])
        self.name = said["name"] + ("" if threads == str(options.threads) else f", {threads} thread" + ("" if threads == "1" else "s"))
        self.stop()

    def measure(self, work):
        """{"seconds", "tokens"} or {"cannot"}."""
        self._signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(dataclasses.asdict(work)) + "\n")
            self.process.stdin.flush()
            return self._answer()
        except BrokenPipeError:
            raise Lost("it ended by itself; its log lies in build/peers") from None
        finally:
            self.stop()

    def stop(self):
        self._signal(signal.SIGSTOP)

    def _answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], self.limit)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.end()
            raise Lost("it ended by itself; its log lies in build/peers" if ready else f"no answer within {self.limit} s")
        return json.loads(line)

    def _signal(self, what):
        if self.process.poll() is None:
            os.killpg(self.process.pid, what)

    def end(self):
        for what in (signal.SIGKILL, signal.SIGCONT):
            try:
                os.killpg(self.process.pid, what)
            except ProcessLookupError:
                pass
        self.process.wait()
