"""What lies in bench/results, by what it measures. Files of other kinds are only counted among the others."""

import json
import pathlib

RESULTS = pathlib.Path(__file__).parent.parent / "results"
OURS = "lorica"


def load(folder=RESULTS):
    """[(file name, kind, content)] in order of date and name; kinds: peers, decode, served, suite, other."""
    out = []
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text())
        out.append((file.name, kind_of(content), content))
    return sorted(out, key=lambda r: (str(r[2].get("date", "")), r[0]))


def kind_of(content):
    if isinstance(content.get("findings"), list):
        return "suite"
    if isinstance(content.get("served"), dict):
        return "served"
    if isinstance(content.get("tokens_per_second"), dict):
        return "peers" if content.get("kind", "peers") == "peers" else "other"
    if isinstance(content.get("results"), list) and all("tokens_per_second_best" in r for r in content["results"]):
        return "decode"
    return "other"


def latest(results, kind):
    """The newest (file name, content) of a kind, or None."""
    found = [(name, content) for name, its, content in results if its == kind]
    return found[-1] if found else None


def latest_of_each(results):
    """[(file name, content)]: of the suite's files the newest of every program, in order of the programs' names."""
    return [found for _, found in sorted({content["kind"]: (name, content) for name, its, content in results if its == "suite"}.items())]


def machine_text(content):
    """One line about the machine, however the file holds it."""
    given = content.get("machine", "unknown")
    if isinstance(given, str):
        return given
    return f"{given.get('processor', '?')}, {given.get('processors', '?')} processors, {given.get('memory_bytes', 0) >> 30} GiB"


def is_ours(engine):
    return engine.startswith(OURS)


def works(content):
    """Names of the work, in the order in which the engines tell them."""
    out = []
    for rates in content["tokens_per_second"].values():
        out += [work for work in rates if work not in out]
    return out
