#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace lorica::bench {

/// One request of a trace.
struct request_arrival {
  double at = 0;              ///< seconds from the beginning
  std::uint32_t adapter = 0;  ///< 0: the base
  std::uint32_t prompt = 1;   ///< tokens
  std::uint32_t output = 1;   ///< tokens
};

/// Inputs of S-LoRA's synthetic trace, with the names of its paper (Sheng et al. 2024, section 7.1).
struct slora_options {
  std::uint32_t adapters = 200;
  double alpha = 1;                               ///< of the power law: 1 is uniform, smaller is more skewed
  double rate = 2;                                ///< requests per second
  double cv = 1;                                  ///< coefficient of variation of the gaps; 1 is Poisson
  double seconds = 300;                           ///< rate * seconds requests are made
  std::uint32_t input_low = 8, input_high = 512;  ///< prompt tokens, the upper end excluded
  std::uint32_t output_low = 8, output_high = 512;
  std::uint32_t seed = 42;
};

/// The trace that S-LoRA's generator makes, draw for draw (numpy's legacy generator); adapters are numbered
/// from
/// 1. `errc::invalid` names the option that makes no sense.
result<std::vector<request_arrival>> slora_traffic(const slora_options& o);

/// How requests are spread over adapters in Punica's benchmark (Chen et al. 2024, section 7).
enum class punica_pattern : std::uint8_t {
  distinct,   ///< each request its own
  uniform,    ///< ceil(sqrt(n)) adapters, alike
  skewed,     ///< the i-th has 1.5 times the requests of the next
  identical,  ///< all the same
};

struct punica_options {
  punica_pattern pattern = punica_pattern::uniform;
  std::uint32_t requests = 1000;
  std::uint32_t longest = 2048;  ///< prompt and output; at least 4
  std::uint64_t seed = 0xABCDABCD987;
};

/// Punica's lengths and adapters, all at time 0: a closed loop by the slots of whoever serves them. The
/// distributions are Punica's, the numbers are not: it draws from PCG64, this from a counter-based generator
/// of our own.
result<std::vector<request_arrival>> punica_traffic(const punica_options& o);

}  // namespace lorica::bench
