#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "files/tensor_type.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// A weight matrix as it lies in its file: `rows` x `cols`, row-major, row = output feature. Bytes belong to
/// the `model_weights` they came from. Vectors have one row.
struct tensor_view {
  tensor_type type = tensor_type::f32;
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::span<const std::byte> bytes;
  /// Non-zero: rows of every head are stored with rotary pairs adjacent (GGUF llama) and row accessors undo
  /// it, so that readers always see the Hugging Face order (dimension k pairs with k + head_dim/2).
  std::uint32_t permuted_heads = 0;

  explicit operator bool() const noexcept { return rows != 0; }

  /// Bytes of one row in Hugging Face order, for packers that keep the stored format.
  std::span<const std::byte> row_bytes(std::uint64_t row) const;

  /// Rows [first, first + out.size()/cols) in Hugging Face order as float32; thread-safe.
  void read_rows(std::uint64_t first, std::span<float> out) const;

  /// Rows [first, first + count) as a view of their own; not for permuted rows.
  tensor_view part(std::uint64_t first, std::uint64_t count) const;
};

/// One transformer layer. Biases and further norms are empty views when the model has none. Weights of norms
/// are what the normalised values are multiplied with, also where a file stores them less one (Gemma).
struct layer_weights {
  tensor_view attn_norm, q, k, v, o, ffn_norm, gate, up, down;
  tensor_view q_bias, k_bias, v_bias, o_bias, gate_bias, up_bias, down_bias;
  tensor_view q_norm, k_norm;              ///< [1, head_dim] (`model_config::qk_norm`)
  tensor_view after_attention, after_ffn;  ///< [1, hidden] (`model_config::branch_norms`)
};

/// The base model's tensors, mapped read-only. Immutable; shared by executor and packers; outlives both.
class model_weights {
 public:
  virtual ~model_weights() = default;
  const model_config& config() const noexcept { return config_; }
  const tensor_view& embedding() const noexcept { return embedding_; }  ///< [vocab, hidden]
  const tensor_view& head() const noexcept { return head_; }  ///< [vocab, hidden]; the embedding when tied
  const tensor_view& final_norm() const noexcept { return final_norm_; }  ///< [1, hidden]
  const std::vector<layer_weights>& layers() const noexcept { return layers_; }

  /// Most of it will not be read soon: gives memory back that only saves reading files again.
  virtual void release_pages() const noexcept {}

 protected:
  model_config config_;
  tensor_view embedding_, head_, final_norm_;
  std::vector<layer_weights> layers_;
};

/// Opens a Hugging Face directory or a `.gguf` file, checks every shape against the config, maps the tensors.
/// Fails with `errc::bad_model` (text names file name and field, no directories) or `errc::io`.
result<std::shared_ptr<const model_weights>> open_model(const std::string& path);

}  // namespace lorica
