#pragma once

#include <memory>
#include <vector>

#include "bench/gpu/random_numbers.hpp"
#include "bench/made_up_weights.hpp"

namespace lorica::bench {

/// A model of random bfloat16 weights without a file, cut from a pool: as much memory as its largest matrix.
class random_weights final : public made_up_weights {
 public:
  explicit random_weights(const model_config& m);

  /// What it is cut from; adapters may be too.
  const random_numbers& numbers() const noexcept { return numbers_; }

 private:
  tensor_view matrix(std::uint64_t rows, std::uint64_t cols);

  random_numbers numbers_;
  std::vector<float> norm_;  // [hidden], around 1
  std::uint64_t next_ = 0;
};

}  // namespace lorica::bench
