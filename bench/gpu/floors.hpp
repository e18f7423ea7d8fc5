#pragma once

#include <cstdint>
#include <span>

#include "engine/projection.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

// What a step must read and compute, in bytes of bfloat16 and in operations (a multiplication and an addition
// are two). Norms, tables and what passes between kernels count for nothing: a floor is what nobody can leave
// out.

/// Weights that a step reads whole: all linear maps and the head. The embedding is not: a step reads its
/// rows.
double weight_bytes(const model_config& m) noexcept;

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
  double operations = 0;  ///< per second, of a product of many rows
};

/// Seconds of a step that decodes `rows` sequences of `context` tokens and reads `adapters` bytes of
/// adapters.
double decode_floor(const model_config& m, std::uint32_t rows, std::uint32_t context, double adapters,
                    const card_rates& card) noexcept;

/// What requests of equal lengths would take one after the other of a card that decodes `rows` of them at
/// once and does each prompt by itself, both at its rates: seconds per request.
double request_floor(const model_config& m, std::uint32_t prompt, std::uint32_t output, std::uint32_t rows,
                     const card_rates& card) noexcept;

}  // namespace lorica::bench
