#!/usr/bin/env python3
"""House rules that a machine can see. Prints each broken one and exits 1; prints nothing when all hold.

Rules: includes follow the arrows between rooms; third-party headers stay in their room; headers begin with
#pragma once; no left-over marks of unfinished work; nothing is called common, util, misc, manager or helper; no
test sleeps; file sizes; every room has a README; documents link to files that exist; what is built for a device alone
(LORICA_ONLY_DEVICE) includes, by whatever way, the standard library, the system and CUDA only.
"""
import pathlib
import re
import subprocess
import sys

ARROWS = {
    "core": set(),
    "config": {"core"},
    "files": {"core"},
    "text": {"core", "files"},
    "model": {"core", "files"},
    "engine": {"core", "files", "text", "model"},
    "cpu": {"core", "files", "text", "model", "engine"},
    "gpu": {"core", "files", "text", "model", "engine"},
    "adapters": {"core", "files", "text", "model", "engine"},
    "actors": {"core", "files", "text", "model", "engine", "cpu", "gpu", "adapters"},
    "net": {"core"},
    "app": {"core", "config", "files", "text", "model", "engine", "cpu", "gpu", "adapters", "actors", "net"},
}
FOREIGN = {
    "boost/": {"net"},
    "caf/": {"actors"},
    "cuda": {"gpu"},
    "cublas": {"gpu"},
    "cub/": {"gpu"},
    "simdjson": {"core"},
    "pcre2": {"core"},
    "spdlog/": {"core"},
    "xxhash": {"core"},
    "prometheus/": {"core"},
    "openssl/": {"core", "net"},
    "unicode/": {"text"},
    "sqlite3": {"adapters"},
    "curl/": {"adapters", "net"},
    "ncurses": {"app"},
    "CLI/": {"config", "bench"},
    "toml++/": {"config"},
}
# Tests may use what the room they test uses.
LONG_FILES_SAY_WHY = 500
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
VAGUE = re.compile(r"(^|[_/])(common|utils?|misc|manager|helpers?)([_./]|$)")
SLEEP = re.compile(r"sleep_for|sleep_until|\busleep\(|\bnanosleep\(")
MAX_BYTES = 5 << 20

problems: list[str] = []


def check_includes(path: str, room: str, lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if not match:
            continue
        quote, target = match.groups()
        other = target.split("/")[0]
        if quote == '"' and other in ARROWS and room in ARROWS and other != room and other not in ARROWS[room]:
            problems.append(f"{path}:{number}: {room} must not include {target}")
        if quote == '"' and "/" not in target:
            problems.append(f"{path}:{number}: include {target} from the root")
        for prefix, rooms in FOREIGN.items():
            tested = path.split("/")[1] if room in ("tests", "bench") and path.count("/") > 1 else room
            if target.startswith(prefix) and tested not in rooms and tested != "system":
                problems.append(f"{path}:{number}: {target} belongs in {', '.join(sorted(rooms))}")


def check_source(path: str) -> None:
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    room = path.split("/")[0]
    check_includes(path, room, lines)
    if path.endswith((".hpp", ".cuh")) and "#pragma once" not in lines[:1]:
        problems.append(f"{path}:1: a header begins with #pragma once")
    if VAGUE.search(path):
        problems.append(f"{path}: the name says too little")
    if len(lines) > LONG_FILES_SAY_WHY and room != "tests" and not lines[0].startswith("//"):
        problems.append(f"{path}: {len(lines)} lines; split it, or say in its first line why it is one noun")
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            problems.append(f"{path}:{number}: unfinished work: {line.strip()[:80]}")
        if room == "tests" and SLEEP.search(line):
            problems.append(f"{path}:{number}: tests wait for conditions, not for time")


def check_links(path: str) -> None:
    folder = pathlib.Path(path).parent
    text = pathlib.Path(path).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not (folder / target).exists():
            problems.append(f"{path}: link to {target}, which is not there")


def device_sources() -> set[str]:
    """What LORICA_ONLY_DEVICE compiles: whole rooms, and the libraries X_plain of others."""
    found = {"core/json_write.cpp", "cpu/executor.cpp", "cpu/unkept_weights.cpp", "bench/made_up_weights.cpp", "bench/virtual_server.cpp", "bench/traffic.cpp", "bench/numpy_random.cpp", "bench/zipf.cpp"}
    for folder in ("engine", "gpu", "bench/gpu"):
        found |= {str(f) for f in pathlib.Path(folder).glob("*.c*") if f.suffix in (".cpp", ".cu")}
    for room in ("files", "model", "cpu"):
        lists = pathlib.Path(room, "CMakeLists.txt").read_text(encoding="utf-8")
        sources = re.search(rf"add_library\({room}_plain STATIC([^)]*)\)", lists).group(1).split()
        found |= {f"{room}/{source}" for source in sources}
    return found


def check_device_sources() -> None:
    """Follows includes to the first header of somebody else."""
    foreign = [prefix for prefix, rooms in FOREIGN.items() if "gpu" not in rooms] + ["fmt/", "catch2/"]
    waiting = [(path, path) for path in sorted(device_sources())]
    seen = set()
    while waiting:
        path, source = waiting.pop()
        if path in seen or not pathlib.Path(path).is_file():
            continue
        seen.add(path)
        for quote, target in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', pathlib.Path(path).read_text(encoding="utf-8"), re.MULTILINE):
            if quote == '"':
                waiting.append((target, source))
            elif target.startswith(tuple(foreign)):
                problems.append(f"{path}: {target} reaches {source}, which is built where only CUDA is (LORICA_ONLY_DEVICE)")


def main() -> int:
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()
    files = [f for f in files if pathlib.Path(f).is_file()]
    for path in files:
        if pathlib.Path(path).stat().st_size > MAX_BYTES:
            problems.append(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        if path.endswith((".cpp", ".hpp", ".cu", ".cuh")):
            check_source(path)
        if path.endswith(".md"):
            check_links(path)
    check_device_sources()
    for room in ARROWS:
        if any(f.startswith(room + "/") for f in files) and f"{room}/README.md" not in files:
            problems.append(f"{room}/: no README.md")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


sys.exit(main())
