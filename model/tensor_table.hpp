#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "model/model_config.hpp"
#include "model/weights.hpp"

namespace lorica {

/// One tensor of a model's files under the name it has there.
struct stored_tensor {
  std::vector<std::uint64_t> shape;  ///< row-major, as in PyTorch
  tensor_type type = tensor_type::f32;
  std::span<const std::byte> bytes;  ///< exactly the shape's elements
};

/// How a file format names the parts of a model. A layer's part is `layer_prefix` N `.` part `.weight`.
struct tensor_naming {
  std::string_view embedding, final_norm, head, layer_prefix;
  std::string_view attn_norm, q, k, v, o, ffn_norm, gate, up, down;
  std::string_view q_norm, k_norm, after_attention, after_ffn;
  std::string_view qkv, gate_up;  ///< where several projections are one matrix, their rows in this order
};

/// `model.layers.0.self_attn.q_proj.weight` and the like, as the family spells it.
tensor_naming hugging_face_naming(architecture arch) noexcept;
/// `blk.0.attn_q.weight` and the like.
tensor_naming gguf_naming() noexcept;

/// The parts of a model, each of the shape that the config asks for.
struct model_tensors {
  tensor_view embedding, head, final_norm;
  std::vector<layer_weights> layers;
};

/// Tensors that nobody has asked for yet, by name.
class tensor_table {
 public:
  /// False when the name is taken.
  bool add(std::string name, stored_tensor tensor) {
    return left_.emplace(std::move(name), std::move(tensor)).second;
  }
  bool has(std::string_view name) const { return left_.find(name) != left_.end(); }
  void drop(std::string_view name);

  /// Takes a matrix [rows, cols]; missing or of another shape is an error that names it.
  result<tensor_view> take_matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols);
  /// Takes a vector [cols] as one row.
  result<tensor_view> take_vector(const std::string& name, std::uint64_t cols);

  const std::map<std::string, stored_tensor, std::less<>>& left() const noexcept { return left_; }

 private:
  result<tensor_view> take(const std::string& name, const std::vector<std::uint64_t>& shape);

  std::map<std::string, stored_tensor, std::less<>> left_;
};

/// Takes every part of the model out of `table`. A missing tensor, a wrong shape and a tensor that is left
/// over are `errc::bad_model` by name.
result<model_tensors> assemble_model(tensor_table table, const tensor_naming& naming,
                                     const model_config& config);

}  // namespace lorica
