#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "model/weights.hpp"

namespace lorica::bench {

/// A model without a file, for benches and tests: every matrix of its shape, of whatever numbers. Biases and
/// norms are the business of who derives from it. Immutable once it is laid out.
class made_up_weights : public model_weights {
 protected:
  /// Makes the next matrix; its bytes live as long as the model.
  using matrix_maker = std::function<tensor_view(std::uint64_t rows, std::uint64_t cols)>;

  /// In this order: the embedding, the head where it is another one, then of each layer q, k, v, o, gate, up,
  /// down.
  void lay_out(const model_config& m, const matrix_maker& make);
};

/// One of float32 numbers, each matrix in memory of its own.
class float_weights final : public made_up_weights {
 public:
  /// So many numbers, the same for the same seed.
  using number_maker = std::vector<float> (*)(std::size_t count, std::uint32_t seed);

  /// The first matrix has this seed, each further one the next.
  float_weights(const model_config& m, number_maker numbers, std::uint32_t first_seed);

 private:
  std::deque<std::vector<float>> numbers_;
};

}  // namespace lorica::bench
