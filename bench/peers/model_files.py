"""Makes what the peers read from the default GGUF: build/peers/models with `base.FORMAT.gguf`, `hf/` (bfloat16, Hugging Face layout),
`adapters/N` (PEFT, rank 16 on all seven, random and seeded, A and B non-zero) and `loras/N.gguf` (the same for llama.cpp).

Run with an environment that has torch, transformers, gguf (`bench/peers/setup transformers`); what is there already is kept.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

SITES = {"q_proj": ("self_attn", "hidden", "q"), "k_proj": ("self_attn", "hidden", "kv"), "v_proj": ("self_attn", "hidden", "kv"),
         "o_proj": ("self_attn", "q", "hidden"), "gate_proj": ("mlp", "hidden", "ffn"), "up_proj": ("mlp", "hidden", "ffn"),
         "down_proj": ("mlp", "ffn", "hidden")}
GGUF_NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate",
              "up_proj": "ffn_up", "down_proj": "ffn_down"}
RANK = 16


def make_hf(model, out):
    import torch
    import transformers

    folder, file = os.path.split(os.path.abspath(model))
    read = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.bfloat16)
    config = type(read.config)(**{k: v for k, v in read.config.to_dict().items() if k != "quantization_config"})
    made = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    made.load_state_dict(read.state_dict())
    made.save_pretrained(out)
    transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(out)
    written = json.loads((out / "config.json").read_text())
    written.setdefault("rope_theta", written.get("rope_parameters", {}).get("rope_theta", 10000.0))  # where older readers look
    (out / "config.json").write_text(json.dumps(written, indent=1))


def sizes(config):
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return {"hidden": config["hidden_size"], "q": config["num_attention_heads"] * head, "kv": config["num_key_value_heads"] * head,
            "ffn": config["intermediate_size"]}


def make_adapter(config, seed, out):
    import torch
    from safetensors.torch import save_file

    random = torch.Generator().manual_seed(seed)
    dims, tensors = sizes(config), {}
    for layer in range(config["num_hidden_layers"]):
        for site, (block, inward, outward) in SITES.items():
            key = f"base_model.model.model.layers.{layer}.{block}.{site}"
            a = torch.randn(RANK, dims[inward], generator=random) * 0.03
            b = torch.randn(dims[outward], RANK, generator=random) * 0.01
            tensors[f"{key}.lora_A.weight"], tensors[f"{key}.lora_B.weight"] = a.bfloat16(), b.bfloat16()
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    (out / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 2 * RANK, "lora_dropout": 0.0, "bias": "none",
        "base_model_name_or_path": "SmolLM2-135M-Instruct", "inference_mode": True, "target_modules": sorted(SITES)}, indent=1))


def turned(weight, heads):
    """Rows of a LoRA's B for q and k in the order that GGUF's llama layout keeps them."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def make_lora(config, adapter, out):
    import gguf
    import numpy
    from safetensors.torch import load_file

    writer = gguf.GGUFWriter(out, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 2.0 * RANK)
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for key, tensor in load_file(adapter / "adapter_model.safetensors").items():
        part = key.split(".")
        layer, site, kind = part[4], part[6], part[7]
        data = tensor.float().numpy()
        if kind == "lora_B" and site in heads:
            data = turned(data, heads[site])
        name = f"blk.{layer}.{GGUF_NAMES[site]}.weight.lora_{'a' if kind == 'lora_A' else 'b'}"
        writer.add_tensor(name, numpy.ascontiguousarray(data.astype(numpy.float16)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantise(model, out, file_type):
    """By llama.cpp itself, from the default file: its weights are not finer than that one's, its speed is the format's."""
    place = "build/peers/llama.cpp"
    source = next(pathlib.Path(place).glob("llama_cpp_python-*/llama_cpp")).parent
    code = (f"import llama_cpp as l; p = l.llama_model_quantize_default_params(); p.ftype = l.LLAMA_FTYPE_MOSTLY_{file_type}; "
            "p.allow_requantize = True; "
            f"import ctypes, sys; sys.exit(l.llama_model_quantize({model!r}.encode(), {str(out)!r}.encode(), ctypes.byref(p)))")
    environment = os.environ | {"LLAMA_CPP_LIB_PATH": os.path.abspath(place + "/build/bin"), "PYTHONPATH": str(source)}
    subprocess.run([place + "/bin/python", "-c", code], check=True, env=environment, stdout=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/peers/models"))
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--loras", type=int, help="how many of them also for llama.cpp; without: up to 32")
    parser.add_argument("--formats", default="Q4_0,Q4_1,Q8_0,BF16", help="of GGUF files; empty: none")
    options = parser.parse_args()
    out = options.out
    (out / "loras").mkdir(parents=True, exist_ok=True)
    if not (out / "hf/config.json").exists():
        make_hf(options.model, out / "hf")
    config = json.loads((out / "hf/config.json").read_text())
    for file_type in filter(None, options.formats.split(",")):
        file = out / f"base.{file_type}.gguf"
        if not file.exists():
            quantise(options.model, file, file_type)
    for i in range(options.adapters):
        if not (out / f"adapters/{i}/adapter_config.json").exists():
            make_adapter(config, i, out / f"adapters/{i}")
    for i in range(min(options.adapters, options.loras or 32)):
        if not (out / f"loras/{i}.gguf").exists():
            make_lora(config, out / f"adapters/{i}", out / f"loras/{i}.gguf")


main()
