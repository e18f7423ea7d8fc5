#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lorica {

/// Locally typical sampling (Meister et al. 2022, arXiv:2202.00666, section 4): keeps the tokens whose
/// surprise -ln(p) is nearest the entropy of the distribution, until their probabilities reach a mass. Holds
/// scratch memory, so one per thread; the result depends on the arguments alone.
class typical_filter {
 public:
  /// Indices of the tokens that are kept, the most typical first, the lower index among equals; all tokens as
  /// typical as the last one are kept too, as in transformers. `weights` are exp((logits - peak) /
  /// temperature), some of them positive, and need not be normalised; zeros are never kept. `mass` is in (0,
  /// 1). Valid until the next call.
  std::span<const std::uint32_t> keep(std::span<const float> logits, std::span<const float> weights,
                                      float peak, float temperature, float mass);

 private:
  struct candidate {
    double distance;  // of the surprise from the entropy
    double weight;
    std::uint32_t index;
  };

  void measure(std::span<const float> logits, std::span<const float> weights, float peak, float temperature);
  void leave_out_far(double goal);

  std::vector<candidate> candidates_;
  std::vector<std::uint32_t> kept_;
};

}  // namespace lorica
