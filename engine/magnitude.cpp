#include "engine/magnitude.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace lorica {
namespace {

constexpr std::size_t piece = 1024;  // columns at once: A's part of them stays in a cache
constexpr std::size_t rows_at_once = 32;

/// Row += scaling * (B A)_output, in pieces; gives the square of its length.
double square_of(std::span<float> row, const lora_site& site, std::size_t output) {
  double out = 0;
  const float* b = site.b.data() + output * site.rank;
  for (std::size_t at = 0; at < row.size(); at += piece) {
    auto part = row.subspan(at, std::min(piece, row.size() - at));
    for (std::size_t r = 0; r < site.rank; ++r) {
      const float factor = site.scaling * b[r];
      const float* a = site.a.data() + r * site.in + at;
      for (std::size_t k = 0; k < part.size(); ++k)
        part[k] += factor * a[k];
    }
    for (auto x : part)
      out += static_cast<double>(x) * static_cast<double>(x);
  }
  return out;
}

}  // namespace

result<std::vector<float>> magnitude_factors(const served_rows& base, std::uint32_t outputs,
                                             const lora_site& site, std::uint32_t first,
                                             const std::stop_token& stop) {
  std::vector<float> out(outputs);
  std::vector<float> rows(rows_at_once * site.in);
  for (std::size_t block = 0; block < out.size(); block += rows_at_once) {
    if (stop.stop_requested()) return fail(errc::cancelled, "packing was cancelled");
    auto count = std::min(rows_at_once, out.size() - block);
    auto served = std::span(rows).first(count * site.in);
    base(block, served);
    for (std::size_t i = 0; i < count; ++i) {
      const auto output = first + block + i;
      const double norm = std::sqrt(square_of(served.subspan(i * site.in, site.in), site, output));
      const double factor = static_cast<double>(site.magnitude[output]) / norm;
      out[block + i] = static_cast<float>(factor);
      if (!std::isfinite(out[block + i]))
        return fail(errc::bad_adapter,
                    "layer " + std::to_string(site.layer) + " " + std::string(to_string(site.where)) +
                        ": lora_magnitude_vector cannot be reached by output " + std::to_string(output) +
                        ", whose weights have the length " + (norm == 0 ? "0" : "of almost 0"),
                    "non_finite_weights");
    }
  }
  return out;
}

}  // namespace lorica
