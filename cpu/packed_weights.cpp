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

void unpack_bfloats(const std::byte* block, std::uint32_t lane, std::span<float> out) noexcept {
  for (std::size_t k = 0; k < out.size(); ++k) {
    std::uint16_t narrow = 0;
    std::memcpy(&narrow, block + ((k / 2 * block_outputs + lane) * 2 + k % 2) * sizeof narrow, sizeof narrow);
    out[k] = from_bfloat(narrow);
  }
}

void unpack_floats(const std::byte* block, std::uint32_t lane, std::span<float> out) noexcept {
  for (std::size_t k = 0; k < out.size(); ++k)
    std::memcpy(&out[k], block + (k * block_outputs + lane) * sizeof(float), sizeof(float));
}

/// The matrices that one packed matrix is made of.
struct matrix_source {
  packed_matrix* packed = nullptr;
  std::vector<const tensor_view*> parts;
  std::vector<const tensor_view*> biases;  // of the parts; empty views where there is none
  std::byte* data = nullptr;               // where `packed` and its bias lie, to be written
  float* bias = nullptr;
  std::uint64_t done = 0;  // bytes of the mapping up to the end of both
};

/// A vector of a norm.
struct norm_source {
  const tensor_view* view = nullptr;
  const float** packed = nullptr;
  float* data = nullptr;
};

}  // namespace

void pack_block(cpu_dtype dtype, const float* const (&rows)[block_outputs], std::uint32_t cols,
                std::uint32_t depth, std::byte* out) noexcept {
  std::memset(out, 0, std::size_t{depth} * block_outputs * element_bytes(dtype));
  if (dtype == cpu_dtype::float32) return pack_floats(rows, cols, reinterpret_cast<float*>(out));
  pack_bfloats(rows, cols, out);
}

void packed_matrix::read_output(std::uint32_t output, std::span<float> out) const noexcept {
  const auto* block = data + output / block_outputs * block_bytes();
  const auto lane = output % block_outputs;
  if (format == weight_format::float32) return unpack_floats(block, lane, out);
  if (format == weight_format::bfloat16) return unpack_bfloats(block, lane, out);
  unpack_output(format, block, depth / depth_multiple, lane, out);
}

/// Lays the model out in one mapping, then fills it.
class weight_packer {
 public:
  weight_packer(const model_weights& model, cpu_mode mode)
      : model_(model), mode_(mode), out_(new packed_weights) {}

  result<std::unique_ptr<const packed_weights>> pack(thread_team& team, const packing_progress& progress) {
    if (auto ok = lay_out(); !ok) return ok.error();
    for (auto& n : norms_)
      n.view->read_rows(0, {n.data, static_cast<std::size_t>(n.view->cols)});
    for (auto& m : matrices_) {
      fill(m, team);
      if (m.bias) fill_bias(m);
      if (progress) progress(m.done, out_->contents_bytes_);
    }
    return std::unique_ptr<const packed_weights>(std::move(out_));
  }

  result<std::unique_ptr<const packed_weights>> read(const packed_reader& from) {
    if (auto ok = lay_out(); !ok) return ok.error();
    if (auto ok = from({out_->memory_.data(), out_->contents_bytes_}); !ok) return ok.error();
    return std::unique_ptr<const packed_weights>(std::move(out_));
  }

 private:
  using tensors = std::vector<const tensor_view*>;

  void add(packed_matrix& to, tensors parts, tensors biases) {
    auto& m = matrices_.emplace_back();
    m.packed = &to;
    m.parts = std::move(parts);
    m.biases = std::move(biases);
  }

  void list() {
    out_->layers_.resize(model_.layers().size());
    for (std::size_t i = 0; i < out_->layers_.size(); ++i) {
      auto& from = model_.layers()[i];
      auto& to = out_->layers_[i];
      add(to.qkv, {&from.q, &from.k, &from.v}, {&from.q_bias, &from.k_bias, &from.v_bias});
      add(to.o, {&from.o}, {&from.o_bias});
      add(to.gate_up, {&from.gate, &from.up}, {&from.gate_bias, &from.up_bias});
      add(to.down, {&from.down}, {&from.down_bias});
      for (auto [view, at] : {std::pair(&from.attn_norm, &to.attn_norm),
                              {&from.ffn_norm, &to.ffn_norm},
                              {&from.after_attention, &to.after_attention},
                              {&from.after_ffn, &to.after_ffn},
                              {&from.q_norm, &to.q_norm},
                              {&from.k_norm, &to.k_norm}})
        if (*view) norms_.push_back({view, at, nullptr});
    }
    add(out_->head_, {&model_.head()}, {});
    norms_.push_back({&model_.final_norm(), &out_->final_norm_, nullptr});
  }

  /// The first walk counts bytes, so that one mapping holds all; the second shares it out.
  result<void> lay_out() {
    list();
    std::uint64_t bytes = 0;
    for (auto& m : matrices_)
      bytes += place(m);
    for (auto& n : norms_)
      bytes += aligned(std::uint64_t{padded_width(*n.view)} * sizeof(float));
    out_->tied_ = reads_tied();
    auto memory = mapped_memory::allocate(bytes, "the model's weights");
    if (!memory) return std::move(memory).error();
    out_->memory_ = *std::move(memory);
    out_->contents_bytes_ = static_cast<std::size_t>(bytes);
    next_ = out_->memory_.data();
    for (auto& n : norms_)
      *n.packed = n.data = take_floats(padded_width(*n.view));
    for (auto& m : matrices_) {
      auto& to = *m.packed;
      to.data = m.data = take(to.blocks * to.block_bytes());
      if (has_bias(m)) to.bias = m.bias = take_floats(std::uint64_t{to.blocks} * block_outputs);
      m.done = static_cast<std::uint64_t>(next_ - out_->memory_.data());
    }
    return {};
  }

  static bool has_bias(const matrix_source& m) {
    return std::ranges::any_of(m.biases, [](const tensor_view* b) { return static_cast<bool>(*b); });
  }

  /// A tied embedding is read from the head, unless packing rounded it to bfloat16: rows of tokens keep what
  /// the file says.
  bool reads_tied() const {
    const auto rounded =
        out_->head_.format == weight_format::bfloat16 && model_.head().type != tensor_type::bf16;
    return model_.config().tied_head && !rounded;
  }

  /// Shapes of the packed matrix; bytes it needs.
  std::uint64_t place(matrix_source& m) {
    auto& to = *m.packed;
    to.depth = padded_depth(static_cast<std::uint32_t>(m.parts.front()->cols));
    to.format = mode_.format_of(m.parts.front()->type);
    for (auto* part : m.parts)
      if (mode_.format_of(part->type) != to.format) to.format = weight_format::q8_0;
    for (std::size_t p = 0; p < m.parts.size(); ++p) {
      to.first_block[p] = to.blocks;
      to.blocks += blocks_for(static_cast<std::uint32_t>(m.parts[p]->rows));
    }
    auto bias = has_bias(m) ? aligned(std::uint64_t{to.blocks} * block_outputs * sizeof(float)) : 0;
    return aligned(to.blocks * to.block_bytes()) + bias;
  }

  std::byte* take(std::uint64_t bytes) {
    auto* out = next_;
    next_ += aligned(bytes);
    return out;
  }

  float* take_floats(std::uint64_t count) { return reinterpret_cast<float*>(take(count * sizeof(float))); }

  static std::uint32_t padded_width(const tensor_view& vector) noexcept {
    return padded_depth(static_cast<std::uint32_t>(vector.cols));
  }

  void fill(const matrix_source& m, thread_team& team) const {
    auto& to = *m.packed;
    team.run([&](unsigned member) {
      auto mine = share_of(to.blocks, member, team.members());
      block_memory memory;
      for (auto block = mine.first; block < mine.last; ++block)
        fill_block(m, block, memory, m.data + block * to.block_bytes());
    });
  }

  /// What a member holds of the block at hand.
  struct block_memory {
    std::vector<float> weights;
    std::vector<weight_group> groups;
  };

  void fill_block(const matrix_source& m, std::uint32_t block, block_memory& memory, std::byte* out) const {
    std::size_t part = m.parts.size() - 1;
    while (m.packed->first_block[part] > block)
      --part;
    auto& view = *m.parts[part];
    const std::uint64_t first = std::uint64_t{block - m.packed->first_block[part]} * block_outputs;
    const auto count = std::min<std::uint64_t>(block_outputs, view.rows - first);
    if (is_quantised(m.packed->format)) return fill_groups(*m.packed, view, {first, count}, memory, out);
    memory.weights.resize(static_cast<std::size_t>(count * view.cols));
    view.read_rows(first, memory.weights);
    const float* rows[block_outputs] = {};
    for (std::uint64_t i = 0; i < count; ++i)
      rows[i] = memory.weights.data() + i * view.cols;
    pack_block(mode_.dtype, rows, static_cast<std::uint32_t>(view.cols), m.packed->depth, out);
  }

  struct row_range {
    std::uint64_t first, count;
  };

  static void fill_groups(const packed_matrix& to, const tensor_view& view, row_range range,
                          block_memory& memory, std::byte* out) {
    const auto groups = to.depth / depth_multiple;
    memory.groups.resize(std::size_t{block_outputs} * groups);
    const weight_group* rows[block_outputs] = {};
    for (std::uint64_t i = 0; i < range.count; ++i) {
      const auto own = std::span(memory.groups).subspan(static_cast<std::size_t>(i * groups), groups);
      read_groups(view, range.first + i, to.format, own);
      rows[i] = own.data();
    }
    pack_groups(to.format, rows, groups, out);
  }

  static void fill_bias(const matrix_source& m) {
    for (std::size_t p = 0; p < m.parts.size(); ++p) {
      auto& view = *m.biases[p];
      if (!view) continue;
      view.read_rows(0, {m.bias + std::size_t{m.packed->first_block[p]} * block_outputs,
                         static_cast<std::size_t>(view.cols)});
    }
  }

  const model_weights& model_;
  cpu_mode mode_;
  std::unique_ptr<packed_weights> out_;
  std::vector<matrix_source> matrices_;
  std::vector<norm_source> norms_;
  std::byte* next_ = nullptr;
};

result<std::unique_ptr<const packed_weights>> packed_weights::pack(const model_weights& model, cpu_mode mode,
                                                                   thread_team& team,
                                                                   const packing_progress& progress) {
  return weight_packer(model, mode).pack(team, progress);
}

result<std::unique_ptr<const packed_weights>> packed_weights::read(const model_weights& model, cpu_mode mode,
                                                                   const packed_reader& read) {
  return weight_packer(model, mode).read(read);
}

}  // namespace lorica
