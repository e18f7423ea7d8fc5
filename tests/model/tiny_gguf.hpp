#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/files/file_bytes.hpp"

namespace lorica {

/// A GGUF model with 4 query heads and 2 key-value heads of 4, hidden 16, ffn 8, vocabulary 10. Every element
/// of a tensor is its row's number, so that an order of rows can be seen.
inline gguf_file tiny_gguf(const std::string& arch, std::uint32_t layers = 1) {
  gguf_file file;
  file.add_text("general.architecture", arch);
  file.add_text("general.name", "Tiny");
  file.add_u32(arch + ".block_count", layers);
  file.add_u32(arch + ".context_length", 128);
  file.add_u32(arch + ".embedding_length", 16);
  file.add_u32(arch + ".feed_forward_length", 8);
  file.add_u32(arch + ".attention.head_count", 4);
  file.add_u32(arch + ".attention.head_count_kv", 2);
  file.add_f32(arch + ".attention.layer_norm_rms_epsilon", 1e-5f);
  file.add_u32("tokenizer.ggml.eos_token_id", 2);
  auto add = [&](const std::string& name, std::uint64_t rows, std::uint64_t cols) {
    std::vector<float> values;
    for (std::uint64_t i = 0; i < rows * cols; ++i)
      values.push_back(static_cast<float>(rows == 1 ? i : i / cols));
    file.add_f32_tensor(name, rows == 1 ? std::vector{cols} : std::vector{cols, rows}, values);
  };
  add("token_embd.weight", 10, 16);
  add("output_norm.weight", 1, 16);
  for (std::uint32_t i = 0; i < layers; ++i) {
    const auto at = "blk." + std::to_string(i) + ".";
    add(at + "attn_norm.weight", 1, 16);
    add(at + "attn_q.weight", 16, 16);
    add(at + "attn_k.weight", 8, 16);
    add(at + "attn_v.weight", 8, 16);
    add(at + "attn_output.weight", 16, 16);
    add(at + "ffn_norm.weight", 1, 16);
    add(at + "ffn_gate.weight", 8, 16);
    add(at + "ffn_up.weight", 8, 16);
    add(at + "ffn_down.weight", 16, 8);
  }
  return file;
}

/// The biases of q, k and v, each element its own number.
inline void add_qkv_biases(gguf_file& file) {
  auto add = [&](const std::string& name, std::uint64_t size) {
    std::vector<float> values;
    for (std::uint64_t i = 0; i < size; ++i)
      values.push_back(static_cast<float>(i));
    file.add_f32_tensor("blk.0." + name + ".bias", {size}, values);
  };
  add("attn_q", 16);
  add("attn_k", 8);
  add("attn_v", 8);
}

}  // namespace lorica
