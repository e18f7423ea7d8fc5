#!/usr/bin/env python3
"""Runs the test binaries of a build folder one after the other and adds up their test cases; after a release build
also the real clients (tests/clients).

Usage: run_tests.py BUILD_FOLDER [ROOM ...]
The environment variable LORICA_TEST_FILTER, if set, is Catch2's filter of test cases.
A test that lacks something it needs says so with a warning that begins with "skipped:"; it is counted apart.
"""
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

import client_tests

LIMIT_S = 1800
# Tests that are no binaries but start the built program or test scripts; their last line begins "NAME: 1 passed, 2 failed, 3 skipped".
SCRIPTS = {"schema": "tests/schema/run.py", "bench_scripts": "tests/bench/scripts_test.py"}
FILTER = os.environ.get("LORICA_TEST_FILTER")


def run(binary: pathlib.Path, results: pathlib.Path) -> tuple[int, int, int]:
    """Passed, failed and skipped test cases of one binary; a crash counts as one failure."""
    report = results / f"{binary.name}.xml"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    try:
        command = [binary, "-r", "xml", "-o", report] + ([FILTER] if FILTER else [])
        code = subprocess.run(command, timeout=LIMIT_S).returncode
    except subprocess.TimeoutExpired:
        code = -1
    seconds = time.monotonic() - started
    passed = failed = skipped = 0
    try:
        root = xml.parse(report).getroot()
        for case in root.iter("TestCase"):
            outcome = case.find("OverallResult")
            warnings = [(w.text or "").strip() for w in case.iter("Warning")]
            if outcome is None or outcome.get("success") != "true":
                failed += 1
                show(binary.name, case)
            elif any(w.startswith("skipped:") for w in warnings):
                skipped += 1
                print(f"  {binary.name}: {case.get('name')}: {warnings[0]}")
            else:
                passed += 1
    except (OSError, xml.ParseError):
        print(f"  {binary.name}: ended with exit code {code} and no readable report")
        failed += 1
    if code != 0 and failed == 0:
        print(f"  {binary.name}: exit code {code}")
        failed += 1
    print(f"{binary.name}: {passed} passed, {failed} failed, {skipped} skipped in {seconds:.1f} s", flush=True)
    return passed, failed, skipped


def run_script(name: str, build: pathlib.Path) -> tuple[int, int, int]:
    """The same of a script."""
    last = ""
    with subprocess.Popen([sys.executable, SCRIPTS[name], build], stdout=subprocess.PIPE, text=True) as script:
        for line in script.stdout:
            print(line, end="", flush=True)
            last = line
    counts = re.match(rf"{name}: (\d+) passed, (\d+) failed, (\d+) skipped", last)
    passed, failed, skipped = map(int, counts.groups()) if counts else (0, 1, 0)
    return passed, failed or int(script.returncode != 0), skipped


def show(binary: str, case: xml.Element) -> None:
    """Prints what went wrong in one test case."""
    print(f"  FAILED {binary}: {case.get('name')} ({case.get('filename')}:{case.get('line')})")
    for part in case.iter():
        if part.tag == "Expression" and part.get("success") == "false":
            original, expanded = part.findtext("Original", ""), part.findtext("Expanded", "")
            print(f"    {part.get('filename')}:{part.get('line')}: {original.strip()}\n      {expanded.strip()[:400]}")
        if part.tag in ("Exception", "FatalErrorCondition", "Failure"):
            print(f"    {part.tag}: {(part.text or '').strip()[:400]}")
        if part.tag == "Info":
            print(f"    {(part.text or '').strip()[:400]}")


def main() -> int:
    build = pathlib.Path(sys.argv[1])
    wanted = sys.argv[2:]
    binaries = sorted((build / "bin").glob("*_tests"))
    if wanted:
        binaries = [b for b in binaries if b.name.removesuffix("_tests") in wanted]
    clients = build.name == "release" and (not wanted or "clients" in wanted)
    scripts = [name for name in SCRIPTS if (not wanted and build.name == "release") or name in wanted]
    if not binaries and not clients and not scripts:
        print("no test binaries found", file=sys.stderr)
        return 1
    results = build / "test-results"
    results.mkdir(exist_ok=True)
    counts = [run(b, results) for b in binaries]
    counts += [run_script(name, build) for name in scripts]
    if clients:
        counts.append(client_tests.run(build, results))
    totals = [sum(column) for column in zip(*counts)]
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


sys.exit(main())
