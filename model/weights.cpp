#include "model/weights.hpp"

#include "files/dequantise.hpp"

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

}  // namespace lorica
