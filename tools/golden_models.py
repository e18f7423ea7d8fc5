"""The tiny base models of tests/golden/models: what they look like and how their files are written.

Weights come from a generator seeded by the model's name, so every run writes the same bytes. They are scaled so that the layers
outweigh the embedding: a tied random model would otherwise repeat its last token for ever.
"""

import json
import zlib
from dataclasses import dataclass, field

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel

VOCAB = 320
BOS, EOS, END_OF_TURN = 0, 1, 2
SPECIALS = ["<s>", "</s>", "<|end|>"]
# Pairs of bytes that become tokens, in the order of their merging. 'Ġ' is the byte-level form of the space.
MERGES = (
    "Ġ t|h e|i n|Ġ a|e r|o n|r e|Ġt he|a t|e n|o r|Ġ s|Ġ w|e s|n d|i s|Ġ o|i t|a n|a l|"
    "o u|Ġ c|i ng|e d|a r|Ġ f|Ġ p|in g|Ġa nd|l l|Ġ b|i on|Ġ m|Ġ d|t i|Ġ in|Ġ to|Ġo f|Ġ h|l e|"
    "s t|i c|a s|r o|v e|c h|s e|u t|o m|n e|l o|d e|c o|m e|h i|l i|r a|w e|u s|m a|i l|t e|Ġ e|u r|Ġ n|Ġ g"
).split("|")

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


HEADS = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "gemma": "GemmaForCausalLM",
    "gemma2": "Gemma2ForCausalLM",
}


@dataclass
class Model:
    """One tiny model. `seed_name` lets two models share their weights; `prompts` are lengths in ids and in words."""

    name: str
    family: str
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    layers: int
    tied: bool
    attention_bias: bool = False
    mlp_bias: bool = False
    dtype: torch.dtype = torch.float32
    shards: int = 1
    extra: dict = field(default_factory=dict)
    generation: dict = field(default_factory=lambda: {"bos_token_id": BOS, "eos_token_id": EOS})
    seed_name: str = ""
    vocab: int = VOCAB
    prompts: tuple = ([1, 10, 61], [2, 24])

    @property
    def gemma(self):
        return self.family in ("gemma", "gemma2")

    @property
    def embedding_gain(self):
        """Gemma multiplies embeddings by sqrt(hidden), which would drown the layers."""
        return 0.4 / np.sqrt(self.hidden) if self.gemma else 0.4

    def config(self):
        """The model's config.json."""
        config = {
            "architectures": [HEADS[self.family]],
            "model_type": self.family,
            "hidden_act": "gelu_pytorch_tanh" if self.gemma else "silu",
            "hidden_size": self.hidden,
            "intermediate_size": self.ffn,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": self.vocab,
            "max_position_embeddings": 512,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": self.tied,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
        }
        if self.family == "llama":
            config |= {"attention_bias": self.attention_bias, "mlp_bias": self.mlp_bias}
        if self.family == "qwen3":
            config |= {"attention_bias": self.attention_bias}
        if self.family == "phi3":
            config |= {"pad_token_id": EOS}
        if self.gemma:
            config |= {"head_dim": self.head_dim, "hidden_activation": "gelu_pytorch_tanh"}
        return config | self.extra

    def weights(self):
        """All tensors under their Hugging Face names, in the dtype they are stored in."""
        rng = np.random.default_rng(zlib.crc32((self.seed_name or self.name).encode()))

        def normal(rows, cols, scale):
            return torch.from_numpy((rng.standard_normal((rows, cols)) * scale).astype(np.float32))

        def vector(size, mean, scale):
            return torch.from_numpy((mean + rng.standard_normal(size) * scale).astype(np.float32))

        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        qkv_bias = self.attention_bias or self.family == "qwen2"
        if self.family == "phi3":
            return self._fused_weights(normal, vector)
        linears = {
            "self_attn.q_proj": (q, self.hidden, 1.5, qkv_bias),
            "self_attn.k_proj": (kv, self.hidden, 1.5, qkv_bias),
            "self_attn.v_proj": (kv, self.hidden, 1.0, qkv_bias),
            "self_attn.o_proj": (self.hidden, q, 1.5, self.attention_bias),
            "mlp.gate_proj": (self.ffn, self.hidden, 1.0, self.mlp_bias),
            "mlp.up_proj": (self.ffn, self.hidden, 1.0, self.mlp_bias),
            "mlp.down_proj": (self.hidden, self.ffn, 2.0, self.mlp_bias),
        }
        return self._all_weights(linears, normal, vector)

    def _fused_weights(self, normal, vector):
        """Phi-3: q, k and v are one matrix, gate and up another."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        linears = {
            "self_attn.qkv_proj": (q + 2 * kv, self.hidden, 1.5, False),
            "self_attn.o_proj": (self.hidden, q, 1.5, False),
            "mlp.gate_up_proj": (2 * self.ffn, self.hidden, 1.0, False),
            "mlp.down_proj": (self.hidden, self.ffn, 2.0, False),
        }
        return self._all_weights(linears, normal, vector)

    def _all_weights(self, linears, normal, vector):
        # Gemma stores the weights of its norms less one.
        mean = 0.0 if self.gemma else 1.0
        norms = ["input_layernorm", "post_attention_layernorm"]
        if self.family == "gemma2":
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        head_norms = ["self_attn.q_norm", "self_attn.k_norm"] if self.family == "qwen3" else []
        out = {"model.embed_tokens.weight": normal(self.vocab, self.hidden, self.embedding_gain)}
        for layer in range(self.layers):
            at = f"model.layers.{layer}."
            for name in norms:
                out[f"{at}{name}.weight"] = vector(self.hidden, mean, 0.1)
            for name in head_norms:
                out[f"{at}{name}.weight"] = vector(self.head_dim, mean, 0.3)
            for name, (rows, cols, gain, bias) in linears.items():
                out[f"{at}{name}.weight"] = normal(rows, cols, gain / np.sqrt(cols))
                if bias:
                    out[f"{at}{name}.bias"] = vector(rows, 0.0, 0.3)
        out["model.norm.weight"] = vector(self.hidden, mean, 0.1)
        if not self.tied:
            out["lm_head.weight"] = normal(self.vocab, self.hidden, 0.4)
        return {name: tensor.to(self.dtype).contiguous() for name, tensor in out.items()}

    def write(self, folder):
        """Writes the Hugging Face directory."""
        folder.mkdir(parents=True)
        write_json(folder / "config.json", self.config())
        write_json(folder / "generation_config.json", self.generation)
        tokenizer().save(str(folder / "tokenizer.json"))
        weights = self.weights()
        if self.shards == 1:
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
            return
        names = sorted(weights)
        weight_map = {}
        for shard in range(self.shards):
            file = f"model-{shard + 1:05}-of-{self.shards:05}.safetensors"
            part = names[shard :: self.shards]
            save_file({name: weights[name] for name in part}, folder / file, metadata={"format": "pt"})
            weight_map |= {name: file for name in part}
        size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
        write_json(folder / "model.safetensors.index.json", index)


TIED = Model("llama-tied-gqa", "llama", hidden=64, heads=4, kv_heads=2, head_dim=16, ffn=96, layers=2, tied=True)
MODELS = [
    TIED,
    Model(
        "llama-untied-bias-f16",
        "llama",
        hidden=48,
        heads=6,
        kv_heads=3,
        head_dim=8,
        ffn=80,
        layers=3,
        tied=False,
        attention_bias=True,
        mlp_bias=True,
        dtype=torch.float16,
        extra={"torch_dtype": "float16", "rope_theta": 20000.0},
        generation={"bos_token_id": BOS, "eos_token_id": [EOS, END_OF_TURN]},
    ),
    Model(
        "llama-head-dim-llama3-v4",
        "llama",
        hidden=40,
        heads=4,
        kv_heads=1,
        head_dim=16,
        ffn=72,
        layers=2,
        tied=False,
        shards=2,
        extra={"head_dim": 16, "torch_dtype": "float32", "rope_theta": 500.0, "rope_scaling": LLAMA3_ROPE},
        seed_name="llama-head-dim-llama3",
    ),
    Model(
        "llama-head-dim-llama3-v5",
        "llama",
        hidden=40,
        heads=4,
        kv_heads=1,
        head_dim=16,
        ffn=72,
        layers=2,
        tied=False,
        extra={"head_dim": 16, "dtype": "float32", "rope_parameters": LLAMA3_ROPE | {"rope_theta": 500.0}},
        seed_name="llama-head-dim-llama3",
    ),
    Model(
        "qwen2-bf16",
        "qwen2",
        hidden=32,
        heads=4,
        kv_heads=2,
        head_dim=8,
        ffn=64,
        layers=2,
        tied=False,
        dtype=torch.bfloat16,
        extra={
            "dtype": "bfloat16",
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
            "use_sliding_window": False,
            "sliding_window": 32,
            "max_window_layers": 1,
        },
    ),
    Model(
        "mistral-window",
        "mistral",
        hidden=64,
        heads=4,
        kv_heads=2,
        head_dim=16,
        ffn=96,
        layers=2,
        tied=False,
        extra={"sliding_window": 16, "rope_theta": 1000000.0},
    ),
    Model(
        "mistral-head-dim",
        "mistral",
        hidden=48,
        heads=4,
        kv_heads=1,
        head_dim=20,
        ffn=64,
        layers=2,
        tied=False,
        extra={"head_dim": 20, "sliding_window": None},
    ),
    Model(
        "qwen2-window-yarn",
        "qwen2",
        hidden=64,
        heads=4,
        kv_heads=2,
        head_dim=16,
        ffn=96,
        layers=3,
        tied=True,
        extra={
            "rope_theta": 1000.0,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
            "use_sliding_window": True,
            "sliding_window": 12,
            "max_window_layers": 1,
        },
    ),
    Model(
        "qwen3",
        "qwen3",
        hidden=64,
        heads=4,
        kv_heads=2,
        head_dim=24,
        ffn=96,
        layers=2,
        tied=True,
        extra={"head_dim": 24, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}},
    ),
    Model(
        "qwen3-bias-layer-types",
        "qwen3",
        hidden=48,
        heads=3,
        kv_heads=3,
        head_dim=32,
        ffn=80,
        layers=3,
        tied=False,
        attention_bias=True,
        dtype=torch.bfloat16,
        extra={
            "head_dim": 32,
            "rms_norm_eps": 0.05,
            "use_sliding_window": True,
            "sliding_window": 9,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        },
    ),
    Model("phi3", "phi3", hidden=64, heads=4, kv_heads=2, head_dim=16, ffn=96, layers=2, tied=False, extra={"sliding_window": 33}),
    # Every prompt is longer than the original length: transformers changes over to the long factors within a shorter one.
    Model(
        "phi3-longrope",
        "phi3",
        hidden=64,
        heads=4,
        kv_heads=2,
        head_dim=16,
        ffn=64,
        layers=2,
        tied=True,
        extra={
            "original_max_position_embeddings": 32,
            "partial_rotary_factor": 0.75,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0, 1.05, 1.1, 1.2, 1.3, 1.5],
                "long_factor": [1.0, 1.5, 2.5, 4.0, 8.0, 12.0],
            },
        },
        prompts=([33, 61], [30, 40]),
    ),
    Model(
        "phi3-longrope-short",
        "phi3",
        hidden=64,
        heads=4,
        kv_heads=4,
        head_dim=16,
        ffn=64,
        layers=2,
        tied=False,
        extra={
            "max_position_embeddings": 256,
            "original_max_position_embeddings": 256,
            "rope_scaling": {
                "type": "su",
                "factor": 4.0,
                "original_max_position_embeddings": 256,
                "short_factor": [1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0],
                "long_factor": [1.0, 1.5, 2.5, 4.0, 8.0, 12.0, 20.0, 30.0],
            },
        },
    ),
    Model("gemma", "gemma", hidden=64, heads=4, kv_heads=1, head_dim=24, ffn=96, layers=2, tied=True),
    Model(
        "gemma2",
        "gemma2",
        hidden=64,
        heads=4,
        kv_heads=2,
        head_dim=24,
        ffn=96,
        layers=3,
        tied=True,
        extra={
            "query_pre_attn_scalar": 20,
            "sliding_window": 14,
            "attn_logit_softcapping": 1.5,
            "final_logit_softcapping": 0.8,
        },
    ),
    Model(
        "gemma2-gelu-uncapped",
        "gemma2",
        hidden=48,
        heads=3,
        kv_heads=3,
        head_dim=16,
        ffn=64,
        layers=2,
        tied=True,
        attention_bias=True,
        extra={
            "attention_bias": True,
            "query_pre_attn_scalar": 16,
            "sliding_window": 4096,
            "hidden_activation": "gelu",
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "layer_types": ["full_attention", "sliding_attention"],
        },
    ),
    Model(
        "llama-gelu-yarn",
        "llama",
        hidden=64,
        heads=4,
        kv_heads=2,
        head_dim=16,
        ffn=96,
        layers=2,
        tied=False,
        extra={
            "hidden_act": "gelu",
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "original_max_position_embeddings": 64,
                "beta_fast": 16.0,
                "beta_slow": 2.0,
                "truncate": False,
                "mscale": 1.5,
                "mscale_all_dim": 0.5,
            },
        },
    ),
    Model(
        "llama-linear-wide-vocabulary",
        "llama",
        hidden=64,
        heads=4,
        kv_heads=4,
        head_dim=16,
        ffn=64,
        layers=2,
        tied=False,
        vocab=400,
        extra={"rope_scaling": {"type": "linear", "factor": 2.0}},
    ),
]
# Models with all variants of adapters; the others get a few.
THOROUGH = [
    "llama-tied-gqa",
    "llama-untied-bias-f16",
    "llama-head-dim-llama3-v4",
    "qwen2-bf16",
    "mistral-window",
    "qwen3",
    "phi3",
    "gemma",
    "gemma2",
]
# GGUF file -> the model whose weights it holds, types of (embedding, matrices). The default model of the project is made like q4_1.
QUANTISED = {
    "llama-gguf-f32": ("llama-tied-gqa", "F32", "F32"),
    "llama-gguf-q8_0": ("llama-tied-gqa", "Q8_0", "Q8_0"),
    "llama-gguf-q4_1": ("llama-tied-gqa", "Q8_0", "Q4_1"),
    "llama-gguf-q4_0": ("llama-tied-gqa", "Q4_0", "Q4_0"),
    "mistral-gguf-q5_0": ("mistral-window", "Q8_0", "Q5_0"),
    "qwen2-gguf-q5_1": ("qwen2-window-yarn", "Q8_0", "Q5_1"),
    "qwen3-gguf-q8_0": ("qwen3", "Q8_0", "Q8_0"),
    "phi3-gguf-q4_0": ("phi3-longrope", "Q8_0", "Q4_0"),
    "gemma-gguf-q8_0": ("gemma", "Q8_0", "Q8_0"),
    "gemma2-gguf-f16": ("gemma2", "F16", "F16"),
}
GGUF_PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
GEMMA2_PARTS = GGUF_PARTS | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
GGUF_OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def vocabulary():
    """Tokens in the order of their ids: specials, the 256 bytes, merged pairs as far as they fit."""
    tokens = SPECIALS + sorted(ByteLevel.alphabet())
    merges = []
    for merge in MERGES:
        left, right = merge.split(" ")
        if left in tokens and right in tokens and left + right not in tokens and len(tokens) < VOCAB:
            tokens.append(left + right)
            merges.append((left, right))
    assert len(tokens) == VOCAB, len(tokens)
    return tokens, merges


def tokenizer():
    """A byte-level BPE in GPT-2's manner."""
    tokens, merges = vocabulary()
    out = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    out.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    out.decoder = decoders.ByteLevel()
    out.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return out


def permuted(rows, heads):
    """llama.cpp's row order of q and k: the two halves of a head interleaved."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def write_gguf(path, name):
    """Writes a file of QUANTISED and returns the weights it holds, dequantised, under their Hugging Face names."""
    source, *types = QUANTISED[name]
    model = next(model for model in MODELS if model.name == source)
    embedding_type, matrix_type = (gguf.GGMLQuantizationType[t] for t in types)
    path.parent.mkdir(parents=True)
    writer = gguf.GGUFWriter(path, {"mistral": "llama"}.get(model.family, model.family))
    writer.add_type("model")
    writer.add_name(name)
    writer.add_context_length(512)
    writer.add_embedding_length(model.hidden)
    writer.add_block_count(model.layers)
    writer.add_feed_forward_length(model.ffn)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.kv_heads)
    writer.add_rope_dimension_count(int(model.head_dim * model.extra.get("partial_rotary_factor", 1)))
    writer.add_rope_freq_base(model.extra.get("rope_theta", model.extra.get("rope_parameters", {}).get("rope_theta", 10000.0)))
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCAB)
    add_family_keys(writer, model)
    tokens, merges = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIALS else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_add_bos_token(False)
    stored = {}
    for hf_name, tensor in model.weights().items():
        values = tensor.float().numpy()
        heads = {"q_proj": model.heads, "k_proj": model.kv_heads}.get(hf_name.split(".")[-2], 0)
        heads = heads if model.family in ("llama", "mistral") else 0
        # Gemma's files hold 1 + w, in float32.
        lifted = np.float32(1 if model.gemma and "norm" in hf_name else 0)
        rows = permuted(values, heads) if heads else values + lifted
        matrix = embedding_type if hf_name == "model.embed_tokens.weight" else matrix_type
        kind = matrix if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        data = gguf.quantize(rows, kind)
        writer.add_tensor(gguf_name(hf_name, model), data, raw_dtype=kind)
        plain = gguf.dequantize(data, kind).astype(np.float32)
        stored[hf_name] = torch.from_numpy(unpermuted(plain, heads) if heads else plain - lifted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model, stored


def add_family_keys(writer, model):
    """What the converters of llama.cpp write for a family beside the sizes."""
    if model.head_dim * model.heads != model.hidden:
        writer.add_key_length(model.head_dim)
        writer.add_value_length(model.head_dim)
    if model.family in ("mistral", "gemma2"):
        writer.add_sliding_window(model.extra["sliding_window"])
    if model.family == "qwen2":
        scaling = model.extra["rope_scaling"]
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(scaling["factor"])
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    if model.family == "phi3":
        rope, original = model.extra["rope_parameters"], model.extra["original_max_position_embeddings"]
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(512 / original) / np.log(original))))
        writer.add_tensor("rope_factors_short.weight", np.array(rope["short_factor"], dtype=np.float32))
        writer.add_tensor("rope_factors_long.weight", np.array(rope["long_factor"], dtype=np.float32))
    if model.family == "gemma2":
        writer.add_attn_logit_softcapping(model.extra["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(model.extra["final_logit_softcapping"])


def gguf_config(model):
    """The model as a GGUF file can say it: no windows for some layers only, no scalar of its own for queries."""
    config = model.config()
    if model.family == "qwen2":
        config["use_sliding_window"] = False
    if model.family == "gemma2":
        config["query_pre_attn_scalar"] = model.head_dim
    return config


def unpermuted(rows, heads):
    """Undoes `permuted`."""
    return np.ascontiguousarray(rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape))


def gguf_name(hf_name, model):
    if hf_name in GGUF_OUTER:
        return GGUF_OUTER[hf_name]
    _, _, layer, part = hf_name.split(".", 3)
    part, kind = part.rsplit(".", 1)
    return f"blk.{layer}.{(GEMMA2_PARTS if model.family == 'gemma2' else GGUF_PARTS)[part]}.{kind}"
