"""Runs tests/clients, the real Python clients against the built server, and counts them for run_tests.py."""
import os
import pathlib
import subprocess
import time
import xml.etree.ElementTree as xml

LIMIT_S = 1200
ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = ROOT / "build/clients-venv/bin/python"


def run(build: pathlib.Path, results: pathlib.Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests; a run that ends without a report counts as one failure.

    LORICA_CLIENT_FILTER, if set, is pytest's -k.
    """
    report = (results / "clients.xml").resolve()
    report.unlink(missing_ok=True)
    started = time.monotonic()
    command = [PYTHON, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", ROOT / "tests/clients"]
    if wanted := os.environ.get("LORICA_CLIENT_FILTER"):
        command += ["-k", wanted]
    try:
        code = subprocess.run(command, timeout=LIMIT_S, env=os.environ | {"LORICA_BUILD": str(build)}).returncode
    except (OSError, subprocess.TimeoutExpired) as failure:
        print(f"  clients: {failure}")
        code = -1
    passed, failed, skipped = counted(report)
    if code != 0 and failed == 0:
        print(f"  clients: pytest ended with {code}")
        failed = 1
    print(f"clients: {passed} passed, {failed} failed, {skipped} skipped in {time.monotonic() - started:.1f} s",
          flush=True)
    return passed, failed, skipped


def counted(report: pathlib.Path) -> tuple[int, int, int]:
    """What a JUnit report says; an error in setting up or taking down is a failure."""
    try:
        suite = xml.parse(report).getroot().find("testsuite")
    except (OSError, xml.ParseError):
        return 0, 0, 0
    total, failed, skipped = int(suite.get("tests")), int(suite.get("failures")) + int(suite.get("errors")), int(
        suite.get("skipped"))
    return max(total - failed - skipped, 0), failed, skipped
