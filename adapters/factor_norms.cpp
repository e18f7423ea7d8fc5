#include "adapters/factor_norms.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "core/each_isa.hpp"

namespace lorica {
namespace {

constexpr std::size_t lanes = 16;            // of the widest vector
constexpr std::size_t rows_at_once = 64;     // summed in registers
constexpr std::size_t rows_in_single = 512;  // summed in single precision

using vector = float __attribute__((vector_size(lanes * sizeof(float))));

/// Adds the products of `rows_at_once` vectors [width] with themselves to sum [width, width], on and right of
/// the diagonal.
LORICA_EACH_ISA void add_products(const float* rows, std::size_t width, float* sum) {
  constexpr std::size_t tile = 8;  // sums that grow side by side
  for (std::size_t i = 0; i < width; i += tile)
    for (std::size_t j = i / lanes * lanes; j < width; j += lanes) {
      vector part[tile] = {};
      for (std::size_t row = 0; row < rows_at_once; ++row) {
        const float* x = rows + row * width;
        vector y;
        std::memcpy(&y, x + j, sizeof y);
        for (std::size_t t = 0; t < tile; ++t)
          part[t] += x[i + t] * y;
      }
      for (std::size_t t = 0; t < tile; ++t) {
        vector before;
        float* to = sum + (i + t) * width + j;
        std::memcpy(&before, to, sizeof before);
        before += part[t];
        std::memcpy(to, &before, sizeof before);
      }
    }
}

/// The sum of v'v over vectors v of `rank` numbers.
class gram_matrix {
 public:
  explicit gram_matrix(std::size_t rank)
      : rank_(rank),
        width_((rank + lanes - 1) / lanes * lanes),
        rows_(rows_at_once * width_),
        part_(width_ * width_),
        sum_(width_ * width_) {}

  /// Over the columns of a matrix [rank, columns], times `by`.
  void add_columns(const float* matrix, std::size_t columns, float by) {
    for (std::size_t first = 0; first < columns; first += rows_at_once) {
      const auto count = begin_block(columns - first);
      for (std::size_t i = 0; i < rank_; ++i)
        for (std::size_t k = 0; k < count; ++k)
          rows_[k * width_ + i] = matrix[i * columns + first + k] * by;
      end_block(rows_.data());
    }
  }

  /// Over the rows of a matrix [rows, rank], times `by`.
  void add_rows(const float* matrix, std::size_t rows, float by) {
    for (std::size_t first = 0; first < rows; first += rows_at_once) {
      const auto count = begin_block(rows - first);
      if (by == 1 && rank_ == width_ && count == rows_at_once) {
        end_block(matrix + first * rank_);
        continue;
      }
      for (std::size_t k = 0; k < count; ++k)
        for (std::size_t i = 0; i < rank_; ++i)
          rows_[k * width_ + i] = matrix[(first + k) * rank_ + i] * by;
      end_block(rows_.data());
    }
  }

  /// [rank, rank]; on and right of the diagonal.
  double at(std::size_t i, std::size_t j) const {
    return sum_[i * width_ + j] + static_cast<double>(part_[i * width_ + j]);
  }

  double trace() const {
    double out = 0;
    for (std::size_t i = 0; i < rank_; ++i)
      out += at(i, i);
    return out;
  }

 private:
  std::size_t begin_block(std::size_t left) {
    if (left < rows_at_once) std::fill(rows_.begin(), rows_.end(), 0.0f);
    return std::min(left, rows_at_once);
  }

  void end_block(const float* rows) {
    add_products(rows, width_, part_.data());
    in_part_ += rows_at_once;
    if (in_part_ >= rows_in_single) add_part();
  }

  void add_part() {
    for (std::size_t i = 0; i < part_.size(); ++i)
      sum_[i] += static_cast<double>(part_[i]);
    std::fill(part_.begin(), part_.end(), 0.0f);
    in_part_ = 0;
  }

  std::size_t rank_;
  std::size_t width_;
  std::vector<float> rows_;
  std::vector<float> part_;
  std::size_t in_part_ = 0;
  std::vector<double> sum_;
};

/// The largest magnitude; 0 of none.
LORICA_EACH_ISA float largest(std::span<const float> numbers) {
  // As whole numbers, of which the order is the same: their maximum is a loop that needs no order.
  std::uint32_t out = 0;
  for (auto x : numbers)
    out = std::max(out, std::bit_cast<std::uint32_t>(x) & 0x7fffffffu);
  return std::bit_cast<float>(out);
}

/// A factor for numbers up to `most`, so that no product of them overflows or vanishes.
float to_one(float most) {
  const bool harmless = most > 1e-6f && most < 1e6f;
  return harmless || most == 0 ? 1 : std::min(1 / most, std::numeric_limits<float>::max());
}

}  // namespace

factor_norms norms_of(const lora_site& site) {
  const float most_a = largest(site.a);
  const float most_b = largest(site.b);
  factor_norms out;
  if (most_a == 0 && most_b == 0) return out;
  const std::size_t rank = site.rank;
  const float by_a = to_one(most_a);
  const float by_b = to_one(most_b);
  gram_matrix of_a(rank), of_b(rank);
  of_a.add_columns(site.a.data(), site.in, by_a);
  of_b.add_rows(site.b.data(), site.out, by_b);
  const double size_a = 1 / static_cast<double>(by_a);
  const double size_b = 1 / static_cast<double>(by_b);
  out.a = size_a * std::sqrt(of_a.trace());
  out.b = size_b * std::sqrt(of_b.trace());
  double square = 0;
  for (std::size_t i = 0; i < rank; ++i)
    for (std::size_t j = i; j < rank; ++j)
      square += (i == j ? 1 : 2) * of_a.at(i, j) * of_b.at(i, j);
  out.update =
      std::abs(static_cast<double>(site.scaling)) * size_a * size_b * std::sqrt(std::max(0.0, square));
  return out;
}

}  // namespace lorica
