#include "cpu/packed_weights.hpp"

#include <algorithm>
#include <cstring>

#include "core/checked.hpp"
#include "cpu/bfloat16.hpp"
#include "files/dequantise.hpp"

namespace lorica {

void store_element(std::byte* storage, std::size_t at, float value, cpu_dtype type) noexcept {
  if (type == cpu_dtype::float32) {
    std::memcpy(storage + at * 4, &value, 4);
    return;
  }
  auto bits = to_bfloat16(value);
  std::memcpy(storage + at * 2, &bits, 2);
}

float load_element(const std::byte* storage, std::size_t at, cpu_dtype type) noexcept {
  if (type == cpu_dtype::float32) {
    float out = 0;
    std::memcpy(&out, storage + at * 4, 4);
    return out;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, storage + at * 2, 2);
  return bfloat_to_float(bits);
}

result<packed_weights> packed_weights::pack(std::span<const tensor_view> parts, cpu_dtype type,
                                            thread_team& team) {
  packed_weights out;
  std::uint64_t rows = 0;
  for (auto& part : parts)
    rows += part.rows;
  out.type_ = type;
  out.k_ = static_cast<std::uint32_t>(parts.front().cols);
  out.n_ = static_cast<std::uint32_t>(rows);
  auto elements = checked_mul<std::uint64_t>(std::uint64_t{out.blocks()} * lanes, out.k_);
  auto bytes = elements ? checked_mul<std::uint64_t>(*elements, element_bytes(type)) : std::nullopt;
  if (!bytes) return fail(errc::bad_model, "a weight matrix is too large");
  auto memory = mapping::make(*bytes);
  if (!memory) return std::move(memory).error();
  out.memory_ = *std::move(memory);
  team.run([&](std::uint32_t member) {
    std::vector<float> row(out.k_);
    auto share = share_of(rows, member, team.size());
    std::uint64_t first = 0;
    for (auto& part : parts) {
      for (auto n = std::max(share.first, first); n < std::min(share.last, first + part.rows); ++n) {
        part.read_rows(n - first, row);
        auto base = n / lanes * lanes * out.k_ + n % lanes;
        for (std::size_t k = 0; k < row.size(); ++k)
          store_element(out.memory_.data(), base + k * lanes, row[k], type);
      }
      first += part.rows;
    }
  });
  return out;
}

void packed_weights::read_row(std::uint32_t row, std::span<float> out) const {
  auto base = std::size_t{row} / lanes * lanes * k_ + row % lanes;
  for (std::size_t k = 0; k < out.size(); ++k)
    out[k] = load_element(memory_.data(), base + k * lanes, type_);
}

}  // namespace lorica
