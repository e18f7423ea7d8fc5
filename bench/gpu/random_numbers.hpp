#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gpu/bfloat.hpp"

namespace lorica::bench {

/// A pool of bfloat16 numbers that look normal, with mean 0, from which weights and adapters are cut: whoever
/// asks for a part by another number gets another place of it, so that no two matrices are alike. Immutable,
/// any thread.
class random_numbers {
 public:
  /// So many that parts of up to `largest` have many places.
  random_numbers(std::size_t largest, float deviation, std::uint64_t seed);

  /// `count` neighbours, on 16 bytes; `count` is at most `largest`.
  std::span<const gpu::bfloat> part(std::uint64_t which, std::size_t count) const noexcept;

  std::size_t largest() const noexcept { return largest_; }
  float largest_number() const noexcept { return largest_number_; }  ///< no number of it is larger

 private:
  std::size_t largest_;
  float largest_number_;
  std::vector<gpu::bfloat> numbers_;
};

/// A number that looks like no other of its neighbours (the finaliser of SplitMix64, Steele et al. 2014).
std::uint64_t scattered(std::uint64_t x) noexcept;

}  // namespace lorica::bench
