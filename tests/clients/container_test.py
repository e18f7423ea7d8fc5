"""The container file of examples/container, as far as it can be run without an engine for containers."""
import re
import shlex
import socket
import subprocess

import pytest

from container_file import entrypoint_of, environment_of, stages_of
from raw_http import exchange
from reference_answers import TINY_ADAPTERS, TINY_MODEL, tiny_of
from server_process import BINARY, ROOT, server_process

TEXT = (ROOT / "examples/container/Containerfile").read_text()
BUILD, IMAGE = stages_of(TEXT)
# Engines set it to the id of the container.
HOSTNAME = {"HOSTNAME": "0f3a9bd0c1d2"}


def installed_by(s) -> list[str]:
    """Packages that a stage installs with apt-get."""
    (line,) = [rest for rest in s.all("RUN") if "apt-get install" in rest]
    words = shlex.split(line.split("apt-get install", 1)[1].split("&&")[0])
    return [w for w in words if not w.startswith("-")]


def depends(packages: list[str]) -> set[str]:
    """The packages and everything that they depend on, as Debian's database on this machine has it."""
    found, waiting = set(), list(packages)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        text = subprocess.run(["dpkg-query", "-W", "-f", "${Depends},${Pre-Depends}", name], capture_output=True,
                              text=True).stdout
        for wish in text.split(","):
            waiting += [re.sub(r"[ :(].*", "", one.strip()) for one in wish.split("|")[:1] if one.strip()]
    return found


def owners(program) -> set[str]:
    """The packages of the libraries that a program is linked with."""
    libraries = re.findall(r"=> (/\S+)", subprocess.check_output(["ldd", program], text=True))
    files = subprocess.check_output(["readlink", "-f", *libraries], text=True).splitlines()
    # Debian 12 knows some of them by the older path without /usr.
    names = files + [f.removeprefix("/usr") for f in files]
    found = dict(reversed(line.split(": ")) for line in subprocess.run(
        ["dpkg", "-S", *names], capture_output=True, text=True).stdout.splitlines())
    without = [f for f in files if not {f, f.removeprefix("/usr")} & found.keys()]
    assert files and not without, f"no package has {without}"
    return {package.split(":")[0] for package in found.values()}


def test_it_is_built_on_the_debian_that_the_program_is_made_for():
    assert (BUILD.base, BUILD.name, IMAGE.base) == ("debian:12-slim", "build", "debian:12-slim")
    assert "VERSION_ID=\"12\"" in open("/etc/os-release").read()


def test_what_it_copies_is_there():
    assert BUILD.all("COPY") == [". ."]
    (line,) = IMAGE.all("COPY")
    origin, *sources, target = shlex.split(line)
    assert origin == "--from=build" and target == "/usr/local/bin/"
    (folder,) = BUILD.all("WORKDIR")
    for source in sources:
        assert (ROOT / source.removeprefix(folder + "/")).is_file(), source
    assert entrypoint_of(IMAGE)[0] in [s.rsplit("/", 1)[1] for s in sources]


def test_what_is_kept_from_the_build_is_nothing_that_it_needs():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    tracked = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    kept = [f for f in tracked if not any(f == i or f.startswith(i + "/") for i in ignored)]
    missing = set(tracked) - set(kept)
    assert not [f for f in missing if f.endswith((".cpp", ".hpp", ".cmake", "CMakeLists.txt", ".sh"))]
    assert {"tools/setup.sh", "tools/build", "CMakePresets.json"} <= set(kept)


def test_its_build_step_runs_here():
    (line,) = BUILD.all("RUN")
    assert subprocess.run(["bash", "-euc", line], cwd=ROOT, timeout=100).returncode == 0


def test_it_installs_all_that_the_programs_are_linked_with():
    packages = installed_by(IMAGE)
    known = depends(packages)
    for program in ("lorica", "lorica-admin"):
        needed = owners(BINARY.parent / program)
        assert needed <= known, f"{program} also needs {needed - known}"
    for package in packages:
        state = subprocess.run(["dpkg-query", "-W", package], capture_output=True)
        assert state.returncode == 0, f"Debian has no {package}, or tools/setup.sh does not bring it"


def test_it_listens_on_all_addresses_whatever_the_engine_calls_the_container(tmp_path):
    program, command, *arguments = entrypoint_of(IMAGE)
    assert (program, command) == ("lorica", "serve")
    variables = environment_of(IMAGE) | HOSTNAME | {"PORT": "0"}
    server = server_process([*arguments, "--model-id", TINY_MODEL, "--dtype", "float32", "--lora-adapters",
                             f"patterns={TINY_ADAPTERS / 'patterns'}"], tmp_path / "log", variables)
    listening = [line.split()[1] for line in open("/proc/net/tcp").readlines()[1:] if line.split()[3] == "0A"]
    assert f"00000000:{server.port:04X}" in listening
    reference = tiny_of("patterns")[0]
    body = {"inputs": reference.prompt, "parameters": {"adapter_id": "patterns", "max_new_tokens": 24}}
    assert exchange(server.port, "POST", "/generate", body).json()["generated_text"] == reference.text
    # Another address of this machine than the one that is the default.
    with socket.create_connection(("127.0.0.2", server.port), timeout=10):
        pass
    assert server.stop() == 0


def test_its_port_is_tgis_and_comes_from_the_environment(tmp_path):
    assert environment_of(IMAGE)["PORT"] == "80" and IMAGE.all("EXPOSE") == ["80"]
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        variables = environment_of(IMAGE) | HOSTNAME | {"PORT": str(port)}
        with pytest.raises(RuntimeError, match=f"Cannot listen on 0.0.0.0:{port}"):
            server_process([*entrypoint_of(IMAGE)[2:], "--model-id", TINY_MODEL], tmp_path / "log", variables)


def test_all_settings_may_come_from_the_environment_as_with_tgis_image(tmp_path):
    variables = environment_of(IMAGE) | HOSTNAME | {
        "PORT": "0", "MODEL_ID": str(TINY_MODEL), "LORA_ADAPTERS": f"a={TINY_ADAPTERS / 'patterns'}",
        "MAX_INPUT_LENGTH": "100", "MAX_TOTAL_TOKENS": "200", "MAX_BATCH_PREFILL_TOKENS": "128",
        "MAX_CONCURRENT_REQUESTS": "7", "JSON_OUTPUT": "true", "CUDA_GRAPHS": "1,2", "MAX_WAITING_TOKENS": "20",
        "WAITING_SERVED_RATIO": "0.3", "USAGE_STATS": "off"}
    server = server_process(entrypoint_of(IMAGE)[2:], tmp_path / "log", variables)
    info = exchange(server.port, "GET", "/info").json()
    assert (info["max_input_length"], info["max_total_tokens"], info["max_concurrent_requests"]) == (100, 200, 7)
    names = [m["id"] for m in exchange(server.port, "GET", "/v1/models").json()["data"]]
    assert names == ["llama-tied-gqa", "a"]
    assert server.stop() == 0
