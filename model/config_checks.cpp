#include "model/config_checks.hpp"

#include <cmath>

namespace lorica {

// Frequencies are divided by it and must stay finite.
constexpr double least_stretch = 1e-6;

result<void> check_config(const model_config& config, const std::string& file) {
  auto refuse = [&](const std::string& text) { return refuse_model(file + ": " + text); };
  if (config.heads % config.kv_heads != 0)
    return refuse(std::to_string(config.heads) + " attention heads are no multiple of " +
                  std::to_string(config.kv_heads) + " key-value heads");
  if (config.head_dim % 2 != 0)
    return refuse("the head dimension " + std::to_string(config.head_dim) +
                  " is odd; rotary pairs need an even one");
  if (config.rotary_dim == 0 || config.rotary_dim % 2 != 0 || config.rotary_dim > config.head_dim)
    return refuse(std::to_string(config.rotary_dim) + " rotary dimensions do not fit a head of " +
                  std::to_string(config.head_dim) + " in pairs");
  const auto& rope = config.rope;
  if (rope.kind == rope_config::scaling::yarn && rope.theta <= 1)
    return refuse("yarn needs a rope_theta above 1");
  if (rope.kind == rope_config::scaling::llama3 && rope.high_freq_factor <= rope.low_freq_factor)
    return refuse("high_freq_factor of the rope scaling is not above low_freq_factor");
  for (auto id : config.eos)
    if (id < 0 || static_cast<std::uint32_t>(id) >= config.vocab)
      return refuse("the end-of-sequence id " + std::to_string(id) + " is outside the vocabulary of " +
                    std::to_string(config.vocab));
  if (rope.factor < least_stretch) return refuse("the factor of the rope scaling is below one millionth");
  if (!std::isfinite(rope.attention_factor) || rope.attention_factor <= 0)
    return refuse("the attention factor of the rope scaling comes out as " +
                  std::to_string(rope.attention_factor) + "; it must be finite and above zero");
  return {};
}

}  // namespace lorica
