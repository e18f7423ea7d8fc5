#include "model/weights.hpp"

#include <filesystem>

#include "files/dequantise.hpp"
#include "files/read_file.hpp"
#include "model/config_checks.hpp"
#include "model/mapped_weights.hpp"

namespace lorica {
namespace {

// llama.cpp stores the pair (k, k + d/2) of a head in neighbouring rows: row h*d + j*d/2 + k lies at
// h*d + 2k + j.
std::uint64_t stored_row(const tensor_view& t, std::uint64_t row) {
  if (t.permuted_heads == 0) return row;
  const std::uint64_t head_dim = t.rows / t.permuted_heads;
  const std::uint64_t half = head_dim / 2;
  const std::uint64_t in_head = row % head_dim;
  return row - in_head + 2 * (in_head % half) + in_head / half;
}

}  // namespace

std::span<const std::byte> tensor_view::row_bytes(std::uint64_t row) const {
  const std::uint64_t stride = cols / block_elements(type) * block_bytes(type);
  return bytes.subspan(static_cast<std::size_t>(stored_row(*this, row) * stride),
                       static_cast<std::size_t>(stride));
}

void tensor_view::read_rows(std::uint64_t first, std::span<float> out) const {
  const auto width = static_cast<std::size_t>(cols);
  for (std::size_t at = 0; at < out.size(); at += width)
    dequantise(type, row_bytes(first + at / width), out.subspan(at, width));
}

tensor_view tensor_view::part(std::uint64_t first, std::uint64_t count) const {
  tensor_view out = *this;
  out.rows = count;
  const auto stride = bytes.size() / static_cast<std::size_t>(rows);
  out.bytes =
      bytes.subspan(static_cast<std::size_t>(first) * stride, static_cast<std::size_t>(count) * stride);
  return out;
}

tensor_view rewritten_tensors::keep(std::vector<float> row) {
  rows_.push_back(std::move(row));
  // Moving a vector keeps its storage in place.
  auto& kept = rows_.back();
  return {tensor_type::f32, 1, kept.size(), std::as_bytes(std::span(kept)), 0};
}

mapped_weights::mapped_weights(model_config config, model_tensors tensors,
                               std::vector<std::shared_ptr<const mapped_file>> files,
                               rewritten_tensors rewritten)
    : files_(std::move(files)), rewritten_(std::move(rewritten)) {
  config_ = std::move(config);
  embedding_ = tensors.embedding;
  head_ = tensors.head;
  final_norm_ = tensors.final_norm;
  layers_ = std::move(tensors.layers);
}

void mapped_weights::release_pages() const noexcept {
  for (auto& file : files_)
    file->release_pages();
}

result<std::shared_ptr<const model_weights>> open_model(const std::string& path) {
  std::error_code problem;
  auto status = std::filesystem::status(path, problem);
  if (std::filesystem::is_directory(status)) return open_hf_model(path);
  if (std::filesystem::is_regular_file(status)) return open_gguf_model(path);
  return fail(errc::io, "the model '" + std::string(file_name(path)) +
                            "' is neither a directory nor a .gguf file, or may not be read");
}

}  // namespace lorica
