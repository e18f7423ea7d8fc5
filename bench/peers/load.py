"""Load by `lorica-bench serve`, whose result is read back."""

import json
import pathlib
import subprocess
import sys
import tempfile

from server_process import HOST


def arguments(binary, port, more):
    return [binary, "serve", "--host", HOST, "--port", str(port), "--model", "base", *map(str, more)]


def run(binary, port, more, seconds):
    """The result of one run; `more` are further flags. Raises `subprocess.SubprocessError` when it fails or takes longer."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*arguments(binary, port, more), "--save-result", "--result-filename", f"{folder}/result.json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr, timeout=seconds)
        return json.loads(pathlib.Path(folder, "result.json").read_text())


class Endless:
    """Load beside a measurement: ended, not waited for. Its own result is lost."""

    def __init__(self, binary, port, more):
        self.process = subprocess.Popen(arguments(binary, port, more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def running(self):
        return self.process.poll() is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
