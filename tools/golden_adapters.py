"""The adapters of tests/golden/adapters: PEFT writes them, every variant showing one thing a reader must understand."""

import copy
import json
import zlib
from dataclasses import dataclass

import numpy as np
import peft
import torch
from safetensors import safe_open
from safetensors.torch import save_file

ALL_SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass
class Variant:
    """One kind of adapter: what LoraConfig gets, and how the file differs from what PEFT writes."""

    name: str
    config: dict
    zero_b: bool = False
    dtype: torch.dtype = torch.float32
    rename: tuple = ()


VARIANTS = [
    Variant("r8-q-v", {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}),
    # Of two patterns that match, the first one in the file counts; PEFT sorts them when it writes.
    Variant(
        "patterns",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ALL_SEVEN,
            "rank_pattern": {
                "^model.layers.1.mlp.down_proj": 16,
                "layers.1.self_attn.q_proj": 5,
                "mlp.(gate|up)_proj": 6,
                "q_proj": 2,
                "self_attn.k_proj": 1,
            },
            "alpha_pattern": {
                "layers.0.self_attn.[kv]_proj": 3,
                "mlp.down_proj": 24,
                "q_proj": 6.5,
                "v_proj": 5,
            },
        },
    ),
    Variant("rslora", {"r": 9, "lora_alpha": 6, "use_rslora": True, "target_modules": ["k_proj", "o_proj", "down_proj"]}),
    Variant(
        "rslora-patterns",
        {
            "r": 4,
            "lora_alpha": 4,
            "use_rslora": True,
            "target_modules": ["q_proj", "v_proj", "up_proj"],
            "rank_pattern": {"v_proj": 7},
            "alpha_pattern": {"layers.0.mlp.up_proj": 9},
        },
    ),
    Variant("one-layer", {"r": 8, "lora_alpha": 16, "target_modules": ["o_proj", "up_proj"], "layers_to_transform": [1]}),
    Variant(
        "regex-targets", {"r": 6, "lora_alpha": 12, "target_modules": r".*\.layers\.0\.(self_attn\.(q|k|v)_proj|mlp\.gate_proj)"}
    ),
    Variant("all-linear", {"r": 3, "lora_alpha": 6, "target_modules": "all-linear"}),
    Variant("float-alpha", {"r": 8, "lora_alpha": 12.5, "target_modules": ["v_proj", "down_proj"]}),
    Variant("negative-alpha", {"r": 2, "lora_alpha": -4, "target_modules": ["v_proj", "gate_proj"]}),
    Variant("zero-b", {"r": 8, "lora_alpha": 16, "target_modules": ALL_SEVEN}, zero_b=True),
    Variant("stored-bf16", {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}, dtype=torch.bfloat16),
    Variant("stored-f16", {"r": 16, "lora_alpha": 16, "target_modules": ["k_proj", "down_proj"]}, dtype=torch.float16),
    Variant(
        "default-in-keys",
        {"r": 4, "lora_alpha": 8, "target_modules": ["v_proj", "o_proj"]},
        rename=((".lora_A.weight", ".lora_A.default.weight"), (".lora_B.weight", ".lora_B.default.weight")),
    ),
    Variant(
        "bare-keys", {"r": 4, "lora_alpha": 8, "target_modules": ["v_proj", "gate_proj"]}, rename=(("base_model.model.", ""),)
    ),
    Variant(
        "compiled-keys",
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "up_proj"]},
        rename=(("base_model.model.", "base_model.model._orig_mod."),),
    ),
    Variant(
        "language-model-keys",
        {"r": 4, "lora_alpha": 8, "target_modules": ["k_proj", "v_proj"]},
        rename=(("base_model.model.model.", "base_model.model.language_model.model."),),
    ),
    Variant("r256", {"r": 256, "lora_alpha": 64, "target_modules": ["v_proj"]}),
    Variant("lora-bias", {"r": 5, "lora_alpha": 8, "lora_bias": True, "target_modules": ALL_SEVEN}),
    Variant("dora", {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ALL_SEVEN}),
    Variant(
        "dora-rslora-patterns",
        {
            "r": 4,
            "lora_alpha": 4,
            "use_dora": True,
            "use_rslora": True,
            "target_modules": ["k_proj", "o_proj", "up_proj", "down_proj"],
            "rank_pattern": {"o_proj": 7},
            "alpha_pattern": {"layers.0.mlp.up_proj": -9},
        },
    ),
    Variant(
        "embedding-and-head",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["q_proj", "embed_tokens", "lm_head"],
            "rank_pattern": {"lm_head": 7},
            "alpha_pattern": {"embed_tokens": 6},
        },
    ),
    Variant("head-bias", {"r": 3, "lora_alpha": 6, "lora_bias": True, "target_modules": ["v_proj", "lm_head"]}),
    Variant("embedding-rslora", {"r": 5, "lora_alpha": 3, "use_rslora": True, "target_modules": ["embed_tokens"]}),
    Variant("dora-head", {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ["o_proj", "lm_head"]}),
    Variant("saved-head", {"r": 4, "lora_alpha": 8, "target_modules": ["v_proj"], "modules_to_save": ["lm_head"]}, dtype=torch.bfloat16),
    Variant(
        "saved-embedding",
        {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "lm_head"], "modules_to_save": ["embed_tokens"]},
        dtype=torch.float16,
    ),
    Variant("excluded", {"r": 5, "lora_alpha": 10, "target_modules": ALL_SEVEN, "exclude_modules": ["k_proj", "layers.0.mlp.up_proj"]}),
]
# The same for a model whose projections are fused.
FUSED = [
    Variant("r8-qkv", {"r": 8, "lora_alpha": 16, "target_modules": ["qkv_proj"]}),
    Variant(
        "patterns",
        {
            "r": 4,
            "lora_alpha": 8,
            "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
            "rank_pattern": {"^model.layers.1.mlp.down_proj": 16, "layers.1.self_attn.qkv_proj": 5, "gate_up_proj": 6},
            "alpha_pattern": {"layers.0.self_attn.qkv_proj": 3, "mlp.down_proj": 24},
        },
    ),
    Variant("rslora", {"r": 9, "lora_alpha": 6, "use_rslora": True, "target_modules": ["qkv_proj", "gate_up_proj"]}),
    Variant("one-layer", {"r": 8, "lora_alpha": 16, "target_modules": ["gate_up_proj"], "layers_to_transform": [1]}),
    Variant("regex-targets", {"r": 6, "lora_alpha": 12, "target_modules": r".*\.layers\.0\.(self_attn\.qkv_proj|mlp\.gate_up_proj)"}),
    Variant("all-linear", {"r": 3, "lora_alpha": 6, "target_modules": "all-linear"}),
    Variant("zero-b", {"r": 8, "lora_alpha": 16, "target_modules": ["qkv_proj", "gate_up_proj"]}, zero_b=True),
    Variant("stored-bf16", {"r": 8, "lora_alpha": 16, "target_modules": ["qkv_proj", "down_proj"]}, dtype=torch.bfloat16),
    Variant("r256", {"r": 256, "lora_alpha": 64, "target_modules": ["qkv_proj"]}),
    Variant("lora-bias", {"r": 5, "lora_alpha": 8, "lora_bias": True, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj"]}),
    Variant("dora", {"r": 4, "lora_alpha": 8, "use_dora": True, "target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]}),
    Variant("embedding-and-head", {"r": 4, "lora_alpha": 8, "target_modules": ["qkv_proj", "embed_tokens", "lm_head"]}),
    Variant(
        "saved-both",
        {"r": 4, "lora_alpha": 8, "target_modules": ["qkv_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
        dtype=torch.bfloat16,
    ),
]
# What GGUF files and the second spelling of a config are tried with: k and q are in it.
FEW = ["r8-q-v", "r8-qkv", "patterns", "all-linear", "dora"]
FEW_QUANTISED = [*FEW, "embedding-and-head"]


def variants_for(model, thorough, few=FEW):
    """The variants that a model is tried with."""
    known = FUSED if model.family == "phi3" else VARIANTS
    return [variant for variant in known if thorough or variant.name in few]


def write(variant, base, model_name, folder):
    """Writes one adapter for `base` and returns the model that PEFT makes of the files, in float32, and the base anew."""
    # Unloading leaves full copies in the base.
    untouched = copy.deepcopy(base) if "modules_to_save" in variant.config else None
    config = peft.LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **variant.config)
    adapted = peft.get_peft_model(base, config)
    spread = base.get_input_embeddings().weight.std().item()
    rng = np.random.default_rng(zlib.crc32(f"{model_name}/{variant.name}".encode()))
    with torch.no_grad():
        for name, parameter in sorted(adapted.named_parameters()):
            if "modules_to_save" in name:
                noise = rng.standard_normal(tuple(parameter.shape)) * 0.5 * parameter.std().item()
                parameter.copy_((parameter + torch.from_numpy(noise.astype(np.float32))).to(variant.dtype))
                continue
            if "lora_embedding_A" in name:
                scale = 1
            elif "lora_embedding_B" in name:
                scale = 0.3 * spread
            elif "lora_A" in name:
                scale = 1 / np.sqrt(parameter.shape[1])
            elif "lora_B" in name and name.endswith(".bias"):
                scale = 0.3
            elif "lm_head" in name and "lora_B" in name:
                # As large as the logits are: a cap would bring larger ones together.
                head = base.get_output_embeddings().weight
                scale = 0.3 * head.std().item() * np.sqrt(head.shape[1])
            elif "lora_magnitude_vector" in name:
                # Lengths of the base's rows, changed by up to a third.
                parameter.mul_(torch.from_numpy(1 + rng.uniform(-0.3, 0.3, tuple(parameter.shape)).astype(np.float32)))
                continue
            elif "lora_B" in name:
                scale = 0 if variant.zero_b else 0.5
            else:
                continue
            values = rng.standard_normal(tuple(parameter.shape)) * scale
            parameter.copy_(torch.from_numpy(values.astype(np.float32)).to(variant.dtype))
    adapted.save_pretrained(folder)
    base = copy.deepcopy(untouched) if untouched else adapted.unload()
    _make_repeatable(folder, model_name, variant)
    reloaded = peft.PeftModel.from_pretrained(base, folder).eval()
    assert all(weight.dtype == torch.float32 for weight in reloaded.parameters())
    _rename(folder, variant)
    return reloaded, untouched


def _make_repeatable(folder, model_name, variant):
    """Takes out what differs from run to run, and stores the tensors in the variant's dtype."""
    (folder / "README.md").unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = f"tiny/{model_name}"
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config[key], list):
            config[key].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _rewrite(folder, lambda name, tensor: (name, tensor.to(variant.dtype)))


def _rename(folder, variant):
    def renamed(name, tensor):
        for old, new in variant.rename:
            name = name.replace(old, new)
        return name, tensor

    if variant.rename:
        _rewrite(folder, renamed)


def _rewrite(folder, change):
    path = folder / "adapter_model.safetensors"
    with safe_open(path, "pt") as file:
        tensors = dict(change(name, file.get_tensor(name)) for name in sorted(file.keys()))
    save_file(tensors, path, metadata={"format": "pt"})
