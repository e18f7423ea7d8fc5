#include "adapters/update_norm.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lorica {
namespace {

constexpr std::size_t rows_at_once = 4;
constexpr std::size_t rows_in_single = 512;  // that are summed in single precision

/// The sum of v'v over rows v of `width` numbers, brought to the size of one so that no number overflows.
class gram_matrix {
 public:
  explicit gram_matrix(std::size_t width)
      : width_(width), rows_(rows_at_once * width), part_(width * width), sum_(width * width) {}

  /// Room for the next row.
  float* next_row() {
    if (filled_ == rows_at_once) add_rows();
    return rows_.data() + filled_++ * width_;
  }

  /// [width, width]; only what lies on and right of the diagonal counts.
  const std::vector<double>& sum() {
    std::fill(rows_.begin() + static_cast<std::ptrdiff_t>(filled_ * width_), rows_.end(), 0.0f);
    add_rows();
    add_part();
    return sum_;
  }

 private:
  void add_rows() {
    const float* r0 = rows_.data();
    const float* r1 = r0 + width_;
    const float* r2 = r1 + width_;
    const float* r3 = r2 + width_;
    for (std::size_t i = 0; i < width_; ++i) {
      float* to = part_.data() + i * width_;
      const float x0 = r0[i], x1 = r1[i], x2 = r2[i], x3 = r3[i];
      for (std::size_t j = i & ~std::size_t{7}; j < width_; ++j)
        to[j] += (x0 * r0[j] + x1 * r1[j]) + (x2 * r2[j] + x3 * r3[j]);
    }
    filled_ = 0;
    in_part_ += rows_at_once;
    if (in_part_ >= rows_in_single) add_part();
  }

  void add_part() {
    for (std::size_t i = 0; i < part_.size(); ++i)
      sum_[i] += static_cast<double>(part_[i]);
    std::fill(part_.begin(), part_.end(), 0.0f);
    in_part_ = 0;
  }

  std::size_t width_;
  std::vector<float> rows_;
  std::size_t filled_ = 0;
  std::vector<float> part_;
  std::size_t in_part_ = 0;
  std::vector<double> sum_;
};

}  // namespace

double update_norm(const lora_site& site, double norm_a, double norm_b) {
  const double size = std::abs(static_cast<double>(site.scaling)) * norm_a * norm_b;
  if (size == 0 || !std::isfinite(size)) return size;
  const std::size_t rank = site.rank;
  const double a_to_one = 1 / norm_a;
  const double b_to_one = 1 / norm_b;
  gram_matrix of_a(rank), of_b(rank);
  for (std::size_t column = 0; column < site.in; ++column) {
    float* row = of_a.next_row();
    for (std::size_t i = 0; i < rank; ++i)
      row[i] = static_cast<float>(static_cast<double>(site.a[i * site.in + column]) * a_to_one);
  }
  for (std::size_t output = 0; output < site.out; ++output) {
    float* row = of_b.next_row();
    for (std::size_t i = 0; i < rank; ++i)
      row[i] = static_cast<float>(static_cast<double>(site.b[output * rank + i]) * b_to_one);
  }
  const auto& a = of_a.sum();
  const auto& b = of_b.sum();
  double square = 0;
  for (std::size_t i = 0; i < rank; ++i)
    for (std::size_t j = i; j < rank; ++j)
      square += (i == j ? 1 : 2) * a[i * rank + j] * b[i * rank + j];
  return size * std::sqrt(std::max(0.0, square));
}

}  // namespace lorica
