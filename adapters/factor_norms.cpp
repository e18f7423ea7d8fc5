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

constexpr std::size_t lanes = 16;                // of the widest vector
constexpr std::size_t rows_at_once = 64;         // summed in registers
constexpr std::size_t rows_in_single = 512;      // summed in single precision
constexpr std::size_t columns_in_single = 2048;  // the same, of which each lane sums a sixteenth

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

/// The sum of sixteen; vectors are halved until one is short.
[[gnu::always_inline]] inline float sum_of(const vector& all) {
  using half_vector = float __attribute__((vector_size(sizeof(vector) / 2)));
  using quarter_vector = float __attribute__((vector_size(sizeof(vector) / 4)));
  half_vector half[2];
  std::memcpy(half, &all, sizeof half);
  half[0] += half[1];
  quarter_vector quarter[2];
  std::memcpy(quarter, half, sizeof quarter);
  quarter[0] += quarter[1];
  return (quarter[0][0] + quarter[0][1]) + (quarter[0][2] + quarter[0][3]);
}

/// Adds the products of rows with each other to sum [width, width], on and right of the diagonal. Rows are
/// `stride` apart; `columns` is a multiple of sixteen and small enough for single precision.
LORICA_EACH_ISA void add_row_products(const float* rows, std::size_t rank, std::size_t stride,
                                      std::size_t columns, double* sum, std::size_t width) {
  constexpr std::size_t down = 2;  // sums that grow side by side
  constexpr std::size_t right = 4;
  for (std::size_t i = 0; i < rank; i += down)
    for (std::size_t j = i / right * right; j < rank; j += right) {
      const float* x[down];
      const float* y[right];
      for (std::size_t a = 0; a < down; ++a)
        x[a] = rows + std::min(i + a, rank - 1) * stride;
      for (std::size_t b = 0; b < right; ++b)
        y[b] = rows + std::min(j + b, rank - 1) * stride;
      vector part[down][right] = {};
      for (std::size_t k = 0; k < columns; k += lanes) {
        vector of_x[down];
        vector of_y[right];
        for (std::size_t a = 0; a < down; ++a)
          std::memcpy(&of_x[a], x[a] + k, sizeof of_x[a]);
        for (std::size_t b = 0; b < right; ++b)
          std::memcpy(&of_y[b], y[b] + k, sizeof of_y[b]);
        for (std::size_t a = 0; a < down; ++a)
          for (std::size_t b = 0; b < right; ++b)
            part[a][b] += of_x[a] * of_y[b];
      }
      for (std::size_t a = 0; a < down && i + a < rank; ++a)
        for (std::size_t b = 0; b < right && j + b < rank; ++b)
          sum[(i + a) * width + j + b] += static_cast<double>(sum_of(part[a][b]));
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
    std::size_t first = 0;
    while (by == 1 && columns - first >= lanes) {
      const auto count = std::min(columns - first, columns_in_single) / lanes * lanes;
      add_row_products(matrix + first, rank_, columns, count, sum_.data(), width_);
      first += count;
    }
    for (; first < columns; first += rows_at_once) {
      const auto count = begin_block(columns - first);
      for (std::size_t i = 0; i < rank_; ++i)
        for (std::size_t k = 0; k < count; ++k)
          rows_[i * rows_at_once + k] = matrix[i * columns + first + k] * by;
      add_row_products(rows_.data(), rank_, rows_at_once, rows_at_once, sum_.data(), width_);
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
