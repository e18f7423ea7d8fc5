#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/arena.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/e4m3.hpp"
#include "gpu/stream.hpp"
#include "model/model_config.hpp"

namespace lorica::gpu {

/// A matrix of rows on the device.
template <class T>
struct row_buffer {
  T* data = nullptr;
  std::size_t stride = 0;  ///< elements

  T* row(std::size_t r) const noexcept { return data + r * stride; }
};

/// What decides the size of a workspace.
struct workspace_sizes {
  std::uint32_t rows = 0;
  std::uint32_t logits_rows = 0;   ///< logits that are held at once
  std::uint64_t low_rank = 0;      ///< floats
  std::uint32_t partial_rows = 0;  ///< most rows whose attention is computed in parts
  std::uint64_t partials = 0;      ///< floats: of attention in parts
  std::uint32_t code_width = 0;    ///< inputs of the widest matrix of codes; 0: there is none
};

/// What the rows of a step pass through. Rows of bfloat16 and codes begin on 16 bytes; what lies between them
/// is zero.
class workspace {
 public:
  /// Takes one piece of the arena and fills it with zeros.
  static result<workspace> allocate(arena& memory, const model_config& m, const workspace_sizes& sizes,
                                    const stream& s);

  /// Bytes of the arena that `allocate` takes.
  static std::uint64_t bytes(const model_config& m, const workspace_sizes& sizes);

  row_buffer<float> residual;        ///< [rows, hidden]
  row_buffer<float> kept;            ///< [rows, hidden]: the residual stream of the rows that are read
  row_buffer<bfloat> normed;         ///< [rows, hidden]
  row_buffer<bfloat> qkv;            ///< [rows, q | k | v]
  row_buffer<bfloat> query;          ///< [rows, heads, padded head_dim]
  row_buffer<bfloat> attended;       ///< [rows, heads * head_dim]
  row_buffer<bfloat> kept_attended;  ///< the same of the rows that are read
  row_buffer<bfloat> branch;         ///< [rows, hidden]: what a branch adds
  row_buffer<bfloat> gate_up;        ///< [rows, 2 ffn]
  row_buffer<bfloat> activated;      ///< [rows, ffn]
  row_buffer<float> cos;             ///< [rows, rotary_dim / 2]
  row_buffer<float> sin;
  row_buffer<e4m3> codes;        ///< [rows, code_width]: inputs of one product of codes
  float* code_scales = nullptr;  ///< [rows]
  row_buffer<float> logits;      ///< [logits_rows, vocab]
  float* low_rank = nullptr;
  float* partials = nullptr;
  std::uint32_t partial_rows = 0;  ///< that there are partials for
  float* frequencies = nullptr;    ///< [rotary_dim / 2]

 private:
  class cursor;
  std::uint64_t lay_out(std::byte* base, const model_config& m, const workspace_sizes& sizes);
};

}  // namespace lorica::gpu
