#include "engine/watermark.hpp"

#include <cstddef>
#include <numeric>
#include <random>
#include <utility>

namespace lorica {
namespace {

constexpr std::uint64_t hash_key = 15485863;

}  // namespace

void add_watermark(std::span<float> logits, const watermark& mark, token_id before,
                   std::vector<std::uint32_t>& permutation) {
  const auto size = logits.size();
  const auto marked = static_cast<std::size_t>(static_cast<double>(size) * mark.gamma);
  permutation.resize(size);
  std::iota(permutation.begin(), permutation.end(), 0u);
  // The seed is a number of 64 bits there too, of which the generator takes the lower half.
  std::mt19937 random(static_cast<std::uint32_t>(hash_key * static_cast<std::uint64_t>(before)));
  for (std::size_t i = 0; i < marked; ++i) {
    // The last place has nothing to change with, and draws nothing.
    if (i + 1 < size) std::swap(permutation[i], permutation[i + random() % (size - i)]);
    logits[permutation[i]] += mark.delta;
  }
}

}  // namespace lorica
