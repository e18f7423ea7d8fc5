"""A server under measurement: one process with its children, ready when /health says so, its words in a log."""

import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

HOST = "127.0.0.1"


class NotReady(RuntimeError):
    """The server ended or did not become ready; the text says where its log lies."""


def free_port():
    with socket.socket() as some:
        some.bind((HOST, 0))
        return some.getsockname()[1]


class ServerProcess:
    """Started and ready after construction; `end` or leaving a `with` ends it."""

    def __init__(self, name, command, port, log, start_seconds=300, environment=None):
        self.command, self.port = command, port
        log = pathlib.Path(log)
        log.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with open(log, "w") as words:
            self.process = subprocess.Popen(command, env=os.environ | {"LORICA_PACKED_CACHE": "off"} | (environment or {}), stdout=words, stderr=words,
                                            start_new_session=True)
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() - started > start_seconds:
                self.end()
                raise NotReady(f"{name} does not become ready; its log lies in {log.parent}")
            time.sleep(0.2)
        self.seconds_to_ready = time.monotonic() - started

    def healthy(self):
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/health", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def end(self):
        for what in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, what)
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
