#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lorica::bench {

/// A request that will be sent.
struct planned_request {
  double arrival = 0;            ///< seconds since the start
  std::uint32_t prompt = 1;      ///< tokens
  std::uint32_t shared = 0;      ///< of them, the first so many, which all requests of the run have
  std::uint32_t output = 1;      ///< tokens
  std::uint32_t adapter = none;  ///< index into the adapters

  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();  ///< the base
};

enum class adapter_order : std::uint8_t { random, round_robin, zipf };

/// `vllm bench serve --dataset-name random`.
struct random_traffic {
  std::uint32_t requests = 1000;
  double rate = std::numeric_limits<double>::infinity();  ///< per second
  double burstiness = 1;                                  ///< shape of the gaps' Gamma; 1: Poisson
  std::uint32_t input = 1024;                             ///< tokens, middle of the range
  std::uint32_t prefix = 0;                               ///< tokens before them, the same for all
  std::uint32_t output = 128;
  double range_ratio = 0;  ///< lengths lie in [n(1 - r), n(1 + r)]
  std::uint32_t adapters = 0;
  adapter_order order = adapter_order::random;
  double exponent = 1;  ///< of Zipf's law, where the order is `zipf`
  std::uint32_t seed = 0;
};

/// S-LoRA's synthetic trace, drawn as its code draws it: adapters by a power law, uniform lengths, one
/// Gamma process of arrivals for all.
struct s_lora_traffic {
  std::uint32_t adapters = 1;
  double alpha = 1;       ///< P(index < k) = (k/n)^alpha; 1 is uniform, smaller is more skewed
  double rate = 2;        ///< requests per second
  double cv = 1;          ///< coefficient of variation of the gaps; 1: Poisson
  double duration = 300;  ///< seconds
  std::pair<std::uint32_t, std::uint32_t> input = {8, 512};  ///< tokens, [first, second)
  std::pair<std::uint32_t, std::uint32_t> output = {8, 512};
  std::uint32_t seed = 42;
};

enum class punica_pattern : std::uint8_t { distinct, uniform, skewed, identical };

/// Punica's closed loop: everything is there at once, lengths as of chats, adapters in one of four patterns
/// over the requests.
struct punica_traffic {
  std::uint32_t requests = 1000;
  punica_pattern pattern = punica_pattern::distinct;
  std::uint32_t most = 2048;  ///< tokens of prompt and output together
  std::uint32_t adapters = 1000;
  std::uint64_t seed = 0xABCDABCD987;
};

/// Adapters that the pattern needs for so many requests.
std::uint32_t adapters_of(punica_pattern pattern, std::uint32_t requests);

/// In order of arrival. `errc::bad_config` when a number lies outside what the text names; at most
/// `most_requests` are planned.
result<std::vector<planned_request>> plan(const random_traffic& t);
result<std::vector<planned_request>> plan(const s_lora_traffic& t);
result<std::vector<planned_request>> plan(const punica_traffic& t);

constexpr std::uint32_t most_requests = 1'000'000;
constexpr std::uint32_t most_tokens = 1'000'000;

}  // namespace lorica::bench
