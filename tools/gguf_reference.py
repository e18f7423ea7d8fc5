"""Loads a llama-architecture GGUF file into transformers, in float32.

This is the reference that adapters are trained against and that golden outputs come from: every weight is dequantised to the very
values that the server computes with, so the two may be compared token by token.

    model, tokenizer = gguf_reference.load("models/SmolLM2-135M-Instruct.Q4_1.gguf")

`model` is a `transformers.LlamaForCausalLM` in eval mode, `tokenizer` a `tokenizers.Tokenizer`. `model.config` holds the ids of
BOS, EOS and padding as the file names them.
"""

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

# GGUF name within a block -> transformers name within a layer.
BLOCK_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OUTER_TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
CONTROL_TOKEN = 3
USER_DEFINED_TOKEN = 4


def load(path):
    """Returns (model in float32, tokenizer). Raises ValueError with the reason if the file is not of a supported kind."""
    reader = GGUFReader(path)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    return _model(reader, metadata), _tokenizer(metadata)


def _model(reader, metadata):
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise ValueError(f"general.architecture is {architecture!r}; only 'llama' is supported")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    if "rope_freqs.weight" in tensors or metadata.get("llama.rope.scaling.type", "none") != "none":
        raise ValueError("scaled RoPE is not supported; use a model without llama.rope.scaling")

    heads = metadata["llama.attention.head_count"]
    config = LlamaConfig(
        vocab_size=len(metadata["tokenizer.ggml.tokens"]),
        hidden_size=metadata["llama.embedding_length"],
        intermediate_size=metadata["llama.feed_forward_length"],
        num_hidden_layers=metadata["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=metadata.get("llama.attention.head_count_kv", heads),
        head_dim=metadata.get("llama.attention.key_length", metadata["llama.embedding_length"] // heads),
        max_position_embeddings=metadata["llama.context_length"],
        rms_norm_eps=metadata["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": metadata.get("llama.rope.freq_base", 10000.0)},
        tie_word_embeddings="output.weight" not in tensors,
        bos_token_id=metadata.get("tokenizer.ggml.bos_token_id"),
        eos_token_id=metadata.get("tokenizer.ggml.eos_token_id"),
        pad_token_id=metadata.get("tokenizer.ggml.padding_token_id"),
        dtype="float32",
    )
    state = {}
    for name, tensor in tensors.items():
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        state[_transformers_name(name)] = torch.from_numpy(_half_split(name, values, config))
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]

    model = LlamaForCausalLM(config).float()
    model.load_state_dict(state, strict=True)
    return model.eval()


def _transformers_name(name):
    if name in OUTER_TENSORS:
        return OUTER_TENSORS[name]
    parts = name.split(".")
    if len(parts) == 4 and parts[0] == "blk" and parts[2] in BLOCK_TENSORS:
        return f"model.layers.{parts[1]}.{BLOCK_TENSORS[parts[2]]}.{parts[3]}"
    raise ValueError(f"tensor {name} is not known in the llama architecture")


def _half_split(name, values, config):
    """Undoes the row order of q and k: GGUF rotates neighbours (2i, 2i+1), transformers rotates halves (i, i + head_dim/2)."""
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    part = name.split(".")[-2]
    if part not in heads:
        return np.ascontiguousarray(values)
    pairs = values.reshape(heads[part], config.head_dim // 2, 2, -1)
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(values.shape))


def _tokenizer(metadata):
    kind, split = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre", "default")
    if kind != "gpt2":
        raise ValueError(f"tokenizer.ggml.model is {kind!r}; only byte-level BPE ('gpt2') is supported")
    if metadata.get("tokenizer.ggml.add_bos_token", False):
        raise ValueError("tokenizer.ggml.add_bos_token is not supported")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    splits = {
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level]),
        "gpt-2": byte_level,
    }
    if split not in splits:
        raise ValueError(f"tokenizer.ggml.pre is {split!r}; supported are {', '.join(splits)}")

    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = splits[split]
    tokenizer.decoder = decoders.ByteLevel()
    types = metadata["tokenizer.ggml.token_type"]
    tokenizer.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, types) if k == CONTROL_TOKEN]
    )
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t, k in zip(tokens, types) if k == USER_DEFINED_TOKEN])
    return tokenizer
