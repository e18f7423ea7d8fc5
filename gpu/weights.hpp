#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "gpu/arena.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/e4m3.hpp"
#include "gpu/stream.hpp"
#include "model/weights.hpp"

namespace lorica::gpu {

/// One or more weight matrices with equal inputs, one below the other, [outputs, depth]: numbers or codes.
struct device_matrix {
  static constexpr std::uint32_t most_parts = 3;

  const bfloat* weights = nullptr;  ///< null where there are codes
  const e4m3* codes = nullptr;
  const float* scales = nullptr;  ///< [outputs], of codes
  const bfloat* bias = nullptr;   ///< [outputs], or null; zero for parts that have none
  std::uint32_t depth = 0;
  std::uint32_t outputs = 0;
  std::uint32_t parts = 0;
  std::uint32_t first_output[most_parts + 1] = {};  ///< of each part, then the end
};

/// A transformer layer on the device. Norms are float32.
struct device_layer {
  device_matrix qkv;                 ///< parts q, k, v
  device_matrix o;                   ///< one part
  device_matrix gate_up;             ///< parts gate, up
  device_matrix down;                ///< one part
  const float* attn_norm = nullptr;  ///< [hidden]
  const float* ffn_norm = nullptr;
  const float* after_attention = nullptr;  ///< [hidden]; null where the model has none
  const float* after_ffn = nullptr;
  const float* q_norm = nullptr;  ///< [head_dim]; null where the model has none
  const float* k_norm = nullptr;
};

/// Told the bytes that were brought to the device so far and in all.
using upload_progress = std::function<void(std::uint64_t done, std::uint64_t all)>;

/// The base model on the device, in bfloat16 whatever its file holds; with `weight_format::fp8` the linear
/// maps of the layers are codes where `fits_codes` holds, a scale for every output. Immutable; the memory is
/// the arena's.
class device_weights {
 public:
  /// Bytes of the arena that `upload` takes.
  static std::uint64_t bytes(const model_weights& model, weight_format format);

  /// Takes memory (`memory_part::weights`), brings everything there and waits for it.
  static result<device_weights> upload(arena& memory, const model_weights& model, weight_format format,
                                       const stream& s, const upload_progress& progress);

  const std::vector<device_layer>& layers() const noexcept { return layers_; }
  const bfloat* embedding() const noexcept { return embedding_; }  ///< [vocab, hidden]
  const device_matrix& head() const noexcept { return head_; }     ///< the embedding where tied
  const float* final_norm() const noexcept { return final_norm_; }

  /// For people: "bfloat16", "fp8", or "fp8 but for 4 of 8 linear maps".
  std::string numbers() const;

 private:
  friend class weight_uploader;
  device_weights() = default;

  weight_format format_ = weight_format::bfloat16;
  std::vector<device_layer> layers_;
  const bfloat* embedding_ = nullptr;
  device_matrix head_;
  const float* final_norm_ = nullptr;
};

}  // namespace lorica::gpu
