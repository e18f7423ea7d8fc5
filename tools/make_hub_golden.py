#!/usr/bin/env python3
"""Writes tests/golden/hub_cache_tree.txt: what huggingface_hub leaves in its cache after fetching an adapter.

Usage: make_hub_golden.py (with huggingface_hub installed). A small Hub on the loopback has one repository, org/sql,
with a small file and an LFS file; both are fetched by `hf_hub_download`. Lines: `d PATH`, `l PATH -> TARGET`,
`f PATH SHA256` of every entry of the cache, sorted; lock files and CACHEDIR.TAG without their content.
"""
import hashlib
import http.server
import os
import pathlib
import tempfile
import threading

COMMIT = "1" * 40
CONFIG = b'{"peft_type": "LORA"}\n'
WEIGHTS = b"".join(b"lorica %d\n" % i for i in range(40_000))
LFS = hashlib.sha256(WEIGHTS).hexdigest()
OID = hashlib.sha1(b"blob %d\0" % len(CONFIG) + CONFIG).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        small = "adapter_config.json" in self.path
        body = CONFIG if small else WEIGHTS
        self.send_response(200 if small or self.path.startswith("/lfs/") else 302)
        self.send_header("X-Repo-Commit", COMMIT)
        if small:
            self.send_header("ETag", f'"{OID}"')
        elif not self.path.startswith("/lfs/"):
            self.send_header("X-Linked-Etag", f'"{LFS}"')
            self.send_header("X-Linked-Size", str(len(WEIGHTS)))
            self.send_header("Location", f"http://127.0.0.2:{FAR.server_port}/lfs/{LFS}")
            body = b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_GET = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        pass


def tree(root: pathlib.Path) -> list[str]:
    lines = []
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            lines.append(f"l {name} -> {os.readlink(path)}")
        elif path.is_dir():
            lines.append(f"d {name}")
        elif name.endswith((".lock", "CACHEDIR.TAG")):
            lines.append(f"f {name}")
        else:
            lines.append(f"f {name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return sorted(lines)


NEAR = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
FAR = http.server.ThreadingHTTPServer(("127.0.0.2", 0), Hub)  # large files lie on another host


def main() -> None:
    for server in (NEAR, FAR):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HF_HOME"] = scratch
        os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{NEAR.server_port}"
        os.environ["HF_HUB_DISABLE_XET"] = "1"
        from huggingface_hub import hf_hub_download

        root = pathlib.Path(scratch) / "hub"
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            hf_hub_download("org/sql", name, cache_dir=root)
        out = pathlib.Path(__file__).parent.parent / "tests" / "golden" / "hub_cache_tree.txt"
        out.write_text("\n".join(tree(root)) + "\n")


main()
