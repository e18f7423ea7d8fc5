"""A running `lorica serve`."""
import ctypes
import os
import pathlib
import re
import signal
import subprocess

import raw_http
from waiting import eventually

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = ROOT / os.environ.get("LORICA_BUILD", "build/release") / "bin" / "lorica"
PR_SET_PDEATHSIG = 1
AT_REST = ["lorica_sessions", "lorica_requests_running", "lorica_requests_waiting", "lorica_kv_blocks_used",
           "lorica_adapter_leases"]


def die_with_the_tests() -> None:
    """Runs in the child: whatever ends the tests ends the server too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class server_process:
    """Listens on a free port of loopback. Owned by one fixture, which ends it with `stop`."""

    def __init__(self, arguments: list, log: pathlib.Path, variables: dict[str, str] | None = None, key: str = ""):
        """Starts it in the root of the repository and waits until it is ready; RuntimeError with its log if it ends
        first. Of the environment it gets no more than `variables` and what a program needs to run; they may name its
        PORT. `key` opens its metrics and adapters to the tests."""
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        self.log_path, self.key = log, key
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(BINARY), "serve", *map(str, arguments)], cwd=ROOT, stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, env=plain | {"PORT": "0", "LORICA_PACKED_CACHE": "off"} | (variables or {}), preexec_fn=die_with_the_tests)
        self.port = 0
        if not eventually(self.ready_or_ended) or self.process.poll() is not None:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the server did not get ready:\n{self.log()}")
        self.url = f"http://127.0.0.1:{self.port}"

    def ready_or_ended(self) -> bool:
        if self.process.poll() is not None:
            return True
        found = re.search(r"ready on http://[0-9.]+:(\d+)\b.*\n", self.log())
        if not found:
            return False
        self.port = int(found[1])
        return raw_http.exchange(self.port, "GET", "/health").status == 200

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def exchange(self, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> raw_http.reply:
        return raw_http.exchange(self.port, method, path, body, headers)

    def rights(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"} if self.key else {}

    def metrics(self) -> dict[str, float]:
        """All series by name, with labels as they are written."""
        lines = self.exchange("GET", "/metrics", headers=self.rights()).body.decode().splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}

    def metric(self, name: str) -> float:
        return self.metrics()[name]

    def at_rest(self) -> bool:
        """Nothing runs, waits or is held."""
        now = self.metrics()
        return all(now[name] == 0 for name in AT_REST)

    def stop(self) -> int:
        """Asks it to end (SIGTERM) and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
