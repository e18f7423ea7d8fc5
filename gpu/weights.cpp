#include "gpu/weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <string>
#include <thread>

#include "gpu/gemm.hpp"
#include "gpu/staging.hpp"

namespace lorica::gpu {
namespace {

constexpr std::size_t half_bytes = std::size_t{16} << 20;
constexpr std::uint64_t rows_per_thread = 64;

/// Calls `work` for parts of [0, rows), several at a time where there are many rows.
template <class Work>
void share_rows(std::uint64_t rows, const Work& work) {
  const auto threads =
      std::clamp<std::uint64_t>(rows / rows_per_thread, 1, std::max(1u, std::thread::hardware_concurrency()));
  const auto share = (rows + threads - 1) / threads;
  std::vector<std::jthread> others;
  for (auto first = share; first < rows; first += share)
    others.emplace_back([&work, first, last = std::min(first + share, rows)] { work(first, last); });
  work(0, std::min(share, rows));
}

/// Rows [first, first + count) of a matrix as bfloat16.
void read_bfloats(const tensor_view& from, std::uint64_t first, std::uint64_t count, bfloat* to) {
  share_rows(count, [&](std::uint64_t begin, std::uint64_t end) {
    if (from.type == tensor_type::bf16) {
      for (auto row = begin; row < end; ++row)
        std::memcpy(to + row * from.cols, from.row_bytes(first + row).data(), from.cols * sizeof(bfloat));
      return;
    }
    std::vector<float> values(from.cols);
    for (auto row = begin; row < end; ++row) {
      from.read_rows(first + row, values);
      std::ranges::transform(values, to + row * from.cols, to_bfloat);
    }
  });
}

/// Rows [first, first + count) of a matrix as codes, with a scale for each.
void read_codes(const tensor_view& from, std::uint64_t first, std::uint64_t count, e4m3* to, float* scales) {
  share_rows(count, [&](std::uint64_t begin, std::uint64_t end) {
    std::vector<float> values(from.cols);
    for (auto row = begin; row < end; ++row) {
      from.read_rows(first + row, values);
      float largest = 0;
      for (auto x : values)
        largest = std::max(largest, std::abs(x));
      scales[row] = scale_of_codes(largest);
      const float inverse = 1.0f / scales[row];
      std::ranges::transform(values, to + row * from.cols,
                             [inverse](float x) { return to_e4m3(x * inverse); });
    }
  });
}

/// What a layer's matrices are made of.
struct matrix_parts {
  std::initializer_list<const tensor_view*> weights;
  std::initializer_list<const tensor_view*> biases;
};

std::uint64_t outputs_of(const matrix_parts& m) {
  std::uint64_t out = 0;
  for (auto* w : m.weights)
    out += w->rows;
  return out;
}

bool has_codes(const matrix_parts& m, weight_format format) {
  return format == weight_format::fp8 && fits_codes((*m.weights.begin())->cols, outputs_of(m));
}

std::uint64_t matrix_bytes(const matrix_parts& m, weight_format format) {
  const auto outputs = outputs_of(m), count = outputs * (*m.weights.begin())->cols;
  auto out = has_codes(m, format) ? arena::charged(count) + arena::charged(outputs * sizeof(float))
                                  : arena::charged(count * sizeof(bfloat));
  if (std::ranges::any_of(m.biases, [](auto* b) { return static_cast<bool>(*b); }))
    out += arena::charged(outputs * sizeof(bfloat));
  return out;
}

std::uint64_t vector_bytes(const tensor_view& v) {
  return arena::charged(v.cols * sizeof(float));
}

std::uint64_t layer_bytes(const layer_weights& l, weight_format format) {
  auto out = matrix_bytes({{&l.q, &l.k, &l.v}, {&l.q_bias, &l.k_bias, &l.v_bias}}, format) +
             matrix_bytes({{&l.o}, {&l.o_bias}}, format) +
             matrix_bytes({{&l.gate, &l.up}, {&l.gate_bias, &l.up_bias}}, format) +
             matrix_bytes({{&l.down}, {&l.down_bias}}, format);
  for (auto* v : {&l.attn_norm, &l.ffn_norm, &l.after_attention, &l.after_ffn, &l.q_norm, &l.k_norm})
    if (*v) out += vector_bytes(*v);
  return out;
}

}  // namespace

/// Takes memory and fills it, part by part. The first failure is kept and ends all work.
class weight_uploader {
 public:
  weight_uploader(arena& memory, staging& way, weight_format format, const stream& s, std::uint64_t all,
                  const upload_progress& progress)
      : memory_(memory), way_(way), format_(format), stream_(s), all_(all), progress_(progress) {}

  result<device_weights> upload(const model_weights& model);

 private:
  device_layer layer(const layer_weights& l, const std::string& name);
  device_matrix matrix(const matrix_parts& parts, weight_format format, const std::string& name);
  void codes(const matrix_parts& parts, const std::string& name, device_matrix& out);
  const float* vector(const tensor_view& v, const std::string& name);
  void rows(const tensor_view& from, bfloat* to);
  void rows(const tensor_view& from, e4m3* to, float* scales);
  const bfloat* biases(const matrix_parts& parts, const std::string& name, std::uint32_t outputs);
  void send(void* to, std::size_t bytes, const std::function<void(std::span<std::byte>)>& fill);

  template <class T>
  T* take(const std::string& name, std::uint64_t count) {
    if (!done_) return nullptr;
    auto at = memory_.take<T>(memory_part::weights, name, count);
    if (at) return *at;
    done_ = at.error();
    return nullptr;
  }

  arena& memory_;
  staging& way_;
  weight_format format_;
  const stream& stream_;
  std::uint64_t all_;
  std::uint64_t sent_ = 0;
  const upload_progress& progress_;
  result<void> done_;
};

void weight_uploader::send(void* to, std::size_t bytes,
                           const std::function<void(std::span<std::byte>)>& fill) {
  if (!done_) return;
  done_ = way_.send(static_cast<std::byte*>(to), bytes, fill, stream_);
  sent_ += bytes;
  if (progress_) progress_(sent_, all_);
}

void weight_uploader::rows(const tensor_view& from, bfloat* to) {
  const auto row_bytes = from.cols * sizeof(bfloat);
  const auto at_once = std::max<std::uint64_t>(1, way_.half_bytes() / row_bytes);
  for (std::uint64_t first = 0; first < from.rows && done_; first += at_once) {
    const auto count = std::min(at_once, from.rows - first);
    send(to + first * from.cols, count * row_bytes, [&](std::span<std::byte> half) {
      read_bfloats(from, first, count, reinterpret_cast<bfloat*>(half.data()));
    });
  }
}

void weight_uploader::rows(const tensor_view& from, e4m3* to, float* scales) {
  const auto at_once = std::max<std::uint64_t>(1, way_.half_bytes() / from.cols);
  for (std::uint64_t first = 0; first < from.rows && done_; first += at_once) {
    const auto count = std::min(at_once, from.rows - first);
    send(to + first * from.cols, count * from.cols, [&](std::span<std::byte> half) {
      read_codes(from, first, count, reinterpret_cast<e4m3*>(half.data()), scales + first);
    });
  }
}

const bfloat* weight_uploader::biases(const matrix_parts& parts, const std::string& name,
                                      std::uint32_t outputs) {
  if (std::ranges::none_of(parts.biases, [](auto* b) { return static_cast<bool>(*b); })) return nullptr;
  auto* to = take<bfloat>(name + " bias", outputs);
  send(to, outputs * sizeof(bfloat), [&](std::span<std::byte> half) {
    auto* at = reinterpret_cast<bfloat*>(half.data());
    auto* weights = parts.weights.begin();
    for (auto* b : parts.biases) {
      const auto width = (*weights++)->rows;
      if (*b)
        read_bfloats(*b, 0, 1, at);
      else
        std::fill_n(at, width, bfloat{0});
      at += width;
    }
  });
  return to;
}

/// Codes go to the device part by part, then the scales that came with them.
void weight_uploader::codes(const matrix_parts& parts, const std::string& name, device_matrix& out) {
  auto* to = take<e4m3>(name, std::uint64_t{out.outputs} * out.depth);
  auto* scales = take<float>(name + " scales", out.outputs);
  std::vector<float> found(out.outputs);
  for (std::uint32_t p = 0; p < out.parts && done_; ++p)
    rows(*parts.weights.begin()[p], to + std::size_t{out.first_output[p]} * out.depth,
         found.data() + out.first_output[p]);
  send(scales, out.outputs * sizeof(float),
       [&](std::span<std::byte> half) { std::memcpy(half.data(), found.data(), half.size()); });
  out.codes = to;
  out.scales = scales;
}

device_matrix weight_uploader::matrix(const matrix_parts& parts, weight_format format,
                                      const std::string& name) {
  device_matrix out;
  for (auto* w : parts.weights) {
    out.depth = static_cast<std::uint32_t>(w->cols);
    out.first_output[out.parts++] = out.outputs;
    out.outputs += static_cast<std::uint32_t>(w->rows);
  }
  out.first_output[out.parts] = out.outputs;
  if (has_codes(parts, format)) {
    codes(parts, name, out);
  } else {
    auto* to = take<bfloat>(name, std::uint64_t{out.outputs} * out.depth);
    for (std::uint32_t p = 0; p < out.parts && done_; ++p)
      rows(*parts.weights.begin()[p], to + std::size_t{out.first_output[p]} * out.depth);
    out.weights = to;
  }
  out.bias = biases(parts, name, out.outputs);
  return out;
}

const float* weight_uploader::vector(const tensor_view& v, const std::string& name) {
  if (!v) return nullptr;
  auto* to = take<float>(name, v.cols);
  send(to, v.cols * sizeof(float), [&](std::span<std::byte> half) {
    v.read_rows(0, {reinterpret_cast<float*>(half.data()), v.cols});
  });
  return to;
}

device_layer weight_uploader::layer(const layer_weights& l, const std::string& name) {
  device_layer out;
  out.qkv = matrix({{&l.q, &l.k, &l.v}, {&l.q_bias, &l.k_bias, &l.v_bias}}, format_, name + " qkv");
  out.o = matrix({{&l.o}, {&l.o_bias}}, format_, name + " o");
  out.gate_up = matrix({{&l.gate, &l.up}, {&l.gate_bias, &l.up_bias}}, format_, name + " gate, up");
  out.down = matrix({{&l.down}, {&l.down_bias}}, format_, name + " down");
  out.attn_norm = vector(l.attn_norm, name + " norm");
  out.ffn_norm = vector(l.ffn_norm, name + " norm");
  out.after_attention = vector(l.after_attention, name + " norm");
  out.after_ffn = vector(l.after_ffn, name + " norm");
  out.q_norm = vector(l.q_norm, name + " norm");
  out.k_norm = vector(l.k_norm, name + " norm");
  return out;
}

result<device_weights> weight_uploader::upload(const model_weights& model) {
  device_weights out;
  out.format_ = format_;
  constexpr auto whole = weight_format::bfloat16;
  const auto embedding = matrix({{&model.embedding()}, {}}, whole, "embedding");
  out.embedding_ = embedding.weights;
  out.head_ = model.config().tied_head ? embedding : matrix({{&model.head()}, {}}, whole, "head");
  for (auto& l : model.layers()) {
    if (!done_) break;
    out.layers_.push_back(layer(l, "layer " + std::to_string(out.layers_.size())));
  }
  out.final_norm_ = vector(model.final_norm(), "final norm");
  if (!done_) return done_.error();
  if (auto ok = stream_.synchronise(); !ok) return ok.error();
  return out;
}

std::string device_weights::numbers() const {
  if (format_ == weight_format::bfloat16) return "bfloat16";
  std::size_t all = 0, whole = 0;
  for (auto& l : layers_)
    for (auto* m : {&l.qkv, &l.o, &l.gate_up, &l.down}) {
      ++all;
      whole += m->codes ? 0 : 1;
    }
  if (whole == 0) return "fp8";
  return "fp8 but for " + std::to_string(whole) + " of " + std::to_string(all) + " linear maps";
}

std::uint64_t device_weights::bytes(const model_weights& model, weight_format format) {
  constexpr auto whole = weight_format::bfloat16;
  auto out = matrix_bytes({{&model.embedding()}, {}}, whole) + vector_bytes(model.final_norm());
  if (!model.config().tied_head) out += matrix_bytes({{&model.head()}, {}}, whole);
  for (auto& l : model.layers())
    out += layer_bytes(l, format);
  return out;
}

result<device_weights> device_weights::upload(arena& memory, const model_weights& model, weight_format format,
                                              const stream& s, const upload_progress& progress) {
  auto all = bytes(model, format);
  auto way = staging::allocate(std::min<std::uint64_t>(half_bytes, all));
  if (!way) return std::move(way).error();
  auto out = weight_uploader(memory, *way, format, s, all, progress).upload(model);
  if (!out) static_cast<void>(s.synchronise());  // before the memory goes that copies may still read
  return out;
}

}  // namespace lorica::gpu
