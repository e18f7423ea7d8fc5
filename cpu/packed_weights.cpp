#include "cpu/packed_weights.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/bfloat.hpp"

namespace lorica {
namespace {

constexpr std::uint64_t alignment = 64;

constexpr std::uint64_t aligned(std::uint64_t bytes) noexcept {
  return (bytes + alignment - 1) / alignment * alignment;
}

void pack_floats(const float* const (&rows)[block_outputs], std::uint32_t cols, float* out) noexcept {
  for (std::uint32_t lane = 0; lane < block_outputs; ++lane) {
    if (!rows[lane]) continue;
    for (std::uint32_t k = 0; k < cols; ++k)
      out[std::size_t{k} * block_outputs + lane] = rows[lane][k];
  }
}

/// Pairs of columns are turned over as one number each, some at a time.
void pack_bfloats(const float* const (&rows)[block_outputs], std::uint32_t cols, std::byte* out) noexcept {
  constexpr std::uint32_t at_once = 64;
  std::uint16_t narrow[block_outputs][at_once] = {};
  for (std::uint32_t first = 0; first < cols; first += at_once) {
    const auto count = std::min(at_once, cols - first);
    for (std::uint32_t lane = 0; lane < block_outputs; ++lane) {
      if (!rows[lane]) continue;
      to_bfloats(rows[lane] + first, count, narrow[lane]);
      if (count % 2 != 0) narrow[lane][count] = 0;
    }
    for (std::uint32_t pair = 0; pair < (count + 1) / 2; ++pair)
      for (const auto& lane : narrow) {
        std::memcpy(out, lane + std::size_t{2} * pair, 2 * sizeof *lane);
        out += 2 * sizeof *lane;
      }
  }
}

/// The matrices that one packed matrix is made of.
struct matrix_source {
  packed_matrix* packed = nullptr;
  std::vector<const tensor_view*> parts;
  std::vector<const tensor_view*> biases;  // of the parts; empty views where there is none
};

}  // namespace

void pack_block(cpu_dtype dtype, const float* const (&rows)[block_outputs], std::uint32_t cols,
                std::uint32_t depth, std::byte* out) noexcept {
  std::memset(out, 0, std::size_t{depth} * block_outputs * element_bytes(dtype));
  if (dtype == cpu_dtype::float32) return pack_floats(rows, cols, reinterpret_cast<float*>(out));
  pack_bfloats(rows, cols, out);
}

/// Lays the model out, then fills it: the first walk counts bytes, so that one mapping holds all.
class weight_packer {
 public:
  weight_packer(const model_weights& model, cpu_dtype dtype, thread_team& team)
      : model_(model), dtype_(dtype), team_(team), out_(new packed_weights) {}

  result<std::unique_ptr<const packed_weights>> pack(const packing_progress& progress) {
    list();
    std::uint64_t bytes = 0;
    for (auto& m : matrices_)
      bytes += place(m);
    for (auto& [view, to] : norms_)
      bytes += aligned(std::uint64_t{padded_width(*view)} * sizeof(float));
    auto memory = mapped_memory::allocate(bytes, "the model's weights");
    if (!memory) return std::move(memory).error();
    out_->memory_ = *std::move(memory);
    next_ = out_->memory_.data();
    for (auto& [view, to] : norms_)
      *to = take_vector(*view);
    for (auto& m : matrices_) {
      fill(m);
      if (progress) progress(static_cast<std::uint64_t>(next_ - out_->memory_.data()), bytes);
    }
    return std::unique_ptr<const packed_weights>(std::move(out_));
  }

 private:
  void list() {
    out_->layers_.resize(model_.layers().size());
    for (std::size_t i = 0; i < out_->layers_.size(); ++i) {
      auto& from = model_.layers()[i];
      auto& to = out_->layers_[i];
      matrices_.push_back({&to.qkv, {&from.q, &from.k, &from.v}, {&from.q_bias, &from.k_bias, &from.v_bias}});
      matrices_.push_back({&to.o, {&from.o}, {&from.o_bias}});
      matrices_.push_back({&to.gate_up, {&from.gate, &from.up}, {&from.gate_bias, &from.up_bias}});
      matrices_.push_back({&to.down, {&from.down}, {&from.down_bias}});
      for (auto [view, at] : {std::pair(&from.attn_norm, &to.attn_norm),
                              {&from.ffn_norm, &to.ffn_norm},
                              {&from.after_attention, &to.after_attention},
                              {&from.after_ffn, &to.after_ffn},
                              {&from.q_norm, &to.q_norm},
                              {&from.k_norm, &to.k_norm}})
        if (*view) norms_.push_back({view, at});
    }
    matrices_.push_back({&out_->head_, {&model_.head()}, {}});
    norms_.push_back({&model_.final_norm(), &out_->final_norm_});
  }

  static bool has_bias(const matrix_source& m) {
    return std::ranges::any_of(m.biases, [](const tensor_view* b) { return static_cast<bool>(*b); });
  }

  /// Shapes of the packed matrix; bytes it needs.
  std::uint64_t place(matrix_source& m) {
    auto& to = *m.packed;
    to.depth = padded_depth(static_cast<std::uint32_t>(m.parts.front()->cols));
    for (std::size_t p = 0; p < m.parts.size(); ++p) {
      to.first_block[p] = to.blocks;
      to.blocks += blocks_for(static_cast<std::uint32_t>(m.parts[p]->rows));
    }
    auto bias = has_bias(m) ? aligned(std::uint64_t{to.blocks} * block_outputs * sizeof(float)) : 0;
    return aligned(to.blocks * to.block_bytes(dtype_)) + bias;
  }

  std::byte* take(std::uint64_t bytes) {
    auto* out = next_;
    next_ += aligned(bytes);
    return out;
  }

  static std::uint32_t padded_width(const tensor_view& vector) noexcept {
    return padded_depth(static_cast<std::uint32_t>(vector.cols));
  }

  const float* take_vector(const tensor_view& view) {
    auto* out = reinterpret_cast<float*>(take(std::uint64_t{padded_width(view)} * sizeof(float)));
    view.read_rows(0, {out, static_cast<std::size_t>(view.cols)});
    return out;
  }

  void fill(matrix_source& m) {
    auto& to = *m.packed;
    auto* data = take(to.blocks * to.block_bytes(dtype_));
    to.data = data;
    team_.run([&](unsigned member) {
      auto mine = share_of(to.blocks, member, team_.members());
      std::vector<float> rows(std::size_t{to.depth} * block_outputs);
      for (auto block = mine.first; block < mine.last; ++block)
        fill_block(m, block, rows, data + block * to.block_bytes(dtype_));
    });
    if (has_bias(m)) fill_bias(m);
  }

  void fill_block(const matrix_source& m, std::uint32_t block, std::vector<float>& memory,
                  std::byte* out) const {
    std::size_t part = m.parts.size() - 1;
    while (m.packed->first_block[part] > block)
      --part;
    auto& view = *m.parts[part];
    const std::uint64_t first = std::uint64_t{block - m.packed->first_block[part]} * block_outputs;
    const auto count = std::min<std::uint64_t>(block_outputs, view.rows - first);
    view.read_rows(first, std::span(memory).first(static_cast<std::size_t>(count * view.cols)));
    const float* rows[block_outputs] = {};
    for (std::uint64_t i = 0; i < count; ++i)
      rows[i] = memory.data() + i * view.cols;
    pack_block(dtype_, rows, static_cast<std::uint32_t>(view.cols), m.packed->depth, out);
  }

  void fill_bias(matrix_source& m) {
    auto& to = *m.packed;
    auto* bias = reinterpret_cast<float*>(take(std::uint64_t{to.blocks} * block_outputs * sizeof(float)));
    to.bias = bias;
    for (std::size_t p = 0; p < m.parts.size(); ++p) {
      auto& view = *m.biases[p];
      if (!view) continue;
      view.read_rows(
          0, {bias + std::size_t{to.first_block[p]} * block_outputs, static_cast<std::size_t>(view.cols)});
    }
  }

  const model_weights& model_;
  cpu_dtype dtype_;
  thread_team& team_;
  std::unique_ptr<packed_weights> out_;
  std::vector<matrix_source> matrices_;
  std::vector<std::pair<const tensor_view*, const float**>> norms_;
  std::byte* next_ = nullptr;
};

result<std::unique_ptr<const packed_weights>> packed_weights::pack(const model_weights& model,
                                                                   cpu_dtype dtype, thread_team& team,
                                                                   const packing_progress& progress) {
  return weight_packer(model, dtype, team).pack(progress);
}

}  // namespace lorica
