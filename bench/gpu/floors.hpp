#pragma once

#include <cstdint>
#include <span>

#include "bench/gpu/suite_sizes.hpp"
#include "engine/projection.hpp"
#include "gpu/e4m3.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

// What a step must read and compute, in bytes and in operations (a multiplication and an addition are two).
// Numbers have 2 bytes; with weights in fp8 those of the layers' linear maps have 1, and 4 bytes of scale for
// every output, but for maps whose sizes are no multiples of 16: the executor leaves them in bfloat16. Norms,
// tables and what passes between kernels count for nothing: a floor is what nobody can leave out.

/// Weights that a step reads whole: all linear maps and the head. The embedding is not: a step reads its
/// rows.
double weight_bytes(const model_config& m, gpu::weight_format format) noexcept;

/// Linear maps of a layer that have no codes though the others do: of q k v, o, gate up, down.
std::uint32_t maps_without_codes(const model_config& m) noexcept;

/// Keys and values of one token over all layers.
double kv_bytes(const model_config& m) noexcept;

/// Keys and values that `rows` sequences read which each have `context` tokens before their row, its own
/// included.
double kv_read_bytes(const model_config& m, std::uint32_t rows, std::uint32_t context) noexcept;

/// A and B of one adapter of `rank` on these projections of every layer.
double adapter_bytes(const model_config& m, std::span<const projection> on, std::uint32_t rank) noexcept;

/// Linear maps of a step of `rows` rows, of which `read` choose a token: in the last layer only those go on
/// behind attention, and only those have logits.
double linear_operations(const model_config& m, std::uint32_t rows, std::uint32_t read) noexcept;

/// Attention of one sequence's `rows` rows behind `context` tokens: q·k and the sum of values, as far as rows
/// see.
double attention_operations(const model_config& m, std::uint32_t rows, std::uint32_t context) noexcept;

/// Rates of the card at hand.
struct card_rates {
  double bytes = 0;       ///< per second, that a copy on the device reads and writes
  double operations = 0;  ///< per second, of a product of many rows by the layers' linear maps
  double attention = 0;   ///< operations per second of attention: of such a product of bfloat16
  gpu::weight_format weights = gpu::weight_format::bfloat16;
};

/// Seconds of a prompt of `tokens` whose products take `products`: attention is computed at `attention`
/// operations per second.
double prompt_floor(const model_config& m, std::uint32_t tokens, double products, double attention) noexcept;

/// Seconds of a step that decodes `rows` sequences of `context` tokens and reads `adapters` bytes of
/// adapters.
double decode_floor(const model_config& m, std::uint32_t rows, std::uint32_t context, double adapters,
                    const card_rates& card) noexcept;

/// What requests of equal lengths would take one after the other of a card that decodes `rows` of them at
/// once and does each prompt by itself, both at its rates: seconds per request.
double request_floor(const model_config& m, std::uint32_t prompt, std::uint32_t output, std::uint32_t rows,
                     const card_rates& card) noexcept;

/// Requests per second that arrive in G-9: what is wanted, at most half of what the card could serve at its
/// floors with so many sequences at once. More would measure how long a queue grows.
double thrash_rate(const model_config& m, const traffic_sizes& t, std::uint32_t at_once,
                   const card_rates& card) noexcept;

}  // namespace lorica::bench
