#!/usr/bin/env python3
"""Sends what docs/openapi.yaml allows, and what it forbids, to running servers: run.py BUILD_FOLDER

The document is what the server itself gives as /openapi.json. The last line counts operations.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "tests/golden/models/llama-tied-gqa"
ADAPTERS = "tests/golden/adapters/llama-tied-gqa"
SOURCES = ["r8-q-v", "one-layer", "dora"]
# The model brings no template for chats.
TEMPLATE = """{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}
{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"""
KEYS = {"API_KEY": "key-of-the-api", "ADMIN_API_KEY": "key-of-the-administration"}
START_S = 60
RUN_S = 300


class server:
    """`lorica serve` on a free port with a tiny model, for the time of a `with`."""

    def __init__(self, build: pathlib.Path, environment: dict[str, str]):
        self.model = tempfile.TemporaryDirectory()
        shutil.copytree(ROOT / MODEL, pathlib.Path(self.model.name) / "tiny")
        pathlib.Path(self.model.name, "tiny", "chat_template.jinja").write_text(TEMPLATE)
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        command = [build / "bin" / "lorica", "serve", "--model-id", pathlib.Path(self.model.name, "tiny"), "--dtype", "float32", "--threads", "1",
                   "--port", "0", "--adapter-root", ADAPTERS, "--adapter-wait", "5",
                   "--lora-adapters", ",".join(f"{s}={ADAPTERS}/{s}" for s in SOURCES)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=self.log, stderr=self.log,
                                        env={**os.environ, "HF_HUB_OFFLINE": "1", "LORICA_PACKED_CACHE": "off", **environment})
        self.url = self._wait()

    def _wait(self) -> str:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            ready = re.search(r"ready on (http://[^ ]+) ", pathlib.Path(self.log.name).read_text())
            if ready:
                return ready.group(1)
            time.sleep(0.05)
        self.process.kill()
        raise SystemExit("schema: the server did not get ready:\n" + pathlib.Path(self.log.name).read_text())

    def get(self, path: str, key: str = "") -> dict:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {key}"} if key else {})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)

    def stop(self) -> str:
        """Empty when it ended well on SIGTERM; else what it said."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none"
        return "" if code == 0 else f"exit code {code}:\n" + pathlib.Path(self.log.name).read_text()[-4000:]


def apply_limits(node, info: dict) -> None:
    """Puts the numbers of this server where the document says `x-limit`."""
    if isinstance(node, list):
        for item in node:
            apply_limits(item, info)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("x-limit"), str):
        limit = info[node["x-limit"]]
        for part in [node, *node.get("anyOf", [])]:
            kinds = part.get("type", [])
            if "integer" in kinds:
                part["maximum"] = min(limit, part.get("maximum", limit))
            if "array" in kinds:
                part["maxItems"] = min(limit, part.get("maxItems", limit))
    for member in node.values():
        apply_limits(member, info)


def name_adapters(document: dict) -> None:
    """Lets half of the names and sources be some that are there."""
    schemas = document["components"]["schemas"]
    schemas["AdapterName"] = {"anyOf": [{"enum": SOURCES}, schemas["AdapterName"]]}
    for schema in (schemas["LoadAdapter"], schemas["DeclaredSet"]["properties"]["adapters"]["items"]):
        schema["properties"]["source"] = {"anyOf": [{"enum": SOURCES}, schema["properties"]["source"]]}


def demand_keys(document: dict) -> None:
    """Takes away the word that a key may be missing."""
    for holder in [document, *(op for path in document["paths"].values() for op in path.values())]:
        if len(holder.get("security", [])) > 1:
            holder["security"] = [one for one in holder["security"] if one]


def count(report: pathlib.Path, name: str) -> tuple[int, int]:
    """Passed and failed operations of a report."""
    passed = failed = 0
    for case in xml.parse(report).getroot().iter("testcase"):
        if case.find("failure") is None and case.find("error") is None:
            passed += 1
        else:
            failed += 1
            print(f"  FAILED schema ({name}): {case.get('name')}")
    return passed, failed


def check(build: pathlib.Path, python: str, name: str, environment: dict[str, str], arguments: list[str]) -> tuple[int, int]:
    """One run of schemathesis against a server of its own."""
    place = server(build, environment)
    admin = environment.get("ADMIN_API_KEY", "")
    document = place.get("/openapi.json", admin)
    apply_limits(document, place.get("/info", admin))
    name_adapters(document)
    if admin:
        demand_keys(document)
        arguments = [*arguments, "--header", f"Authorization: Bearer {admin}"]
    results = build / "test-results"
    results.mkdir(exist_ok=True)
    written, report = results / f"schema-{name}.json", results / f"schema-{name}.xml"
    written.write_text(json.dumps(document))
    report.unlink(missing_ok=True)
    command = [python, "-m", "schemathesis.cli", "--config-file", "tests/schema/schemathesis.toml", "run", str(written),
               "--url", place.url, "--report", "junit", "--report-junit-path", str(report), *arguments]
    output = results / f"schema-{name}.log"
    try:
        with output.open("w") as to:
            code = subprocess.run(command, cwd=ROOT, stdout=to, stderr=to, timeout=RUN_S).returncode
    except subprocess.TimeoutExpired:
        code = "none: it hangs"
    why = place.stop()
    passed, failed = count(report, name) if report.exists() else (0, 1)
    if why:
        print(f"  FAILED schema ({name}): the server did not end well: {why}")
        failed += 1
    if code != 0 and failed == 0:
        failed = 1
    if failed:
        print(f"  schema ({name}): exit code {code}, see {output}")
    return passed, failed


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    started = time.monotonic()
    made = subprocess.run([ROOT / "tests" / "schema" / "prepare"], stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        print("  schema: skipped: the packages of tests/schema/requirements.txt cannot be installed")
        print("schema: 0 passed, 0 failed, 1 skipped")
        return 0
    python = str(ROOT / made.stdout.strip())
    runs = [check(build, python, "open", {}, []),
            check(build, python, "keys", KEYS, ["--checks", "ignored_auth,not_a_server_error,status_code_conformance",
                                                "--max-examples", "5", "--mode", "positive"])]
    passed, failed = (sum(column) for column in zip(*runs))
    print(f"schema: {passed} passed, {failed} failed, 0 skipped in {time.monotonic() - started:.1f} s", flush=True)
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
