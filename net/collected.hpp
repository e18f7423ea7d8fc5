#pragma once

#include <cstdint>
#include <vector>

#include "core/generation.hpp"

namespace lorica {

/// A whole answer before it is written: what a sink that gathers was told. No locks.
struct collected {
  struct choice {
    std::vector<generated_token> tokens;
    generation_finish end;
  };
  generation_started facts;
  std::vector<choice> choices;  ///< by index
  generation_timings timings;

  collected() = default;

  /// For so many choices.
  explicit collected(std::uint32_t count) : choices(count) {}

  void add(generation_chunk tokens);
  void add(generation_finish end);
};

}  // namespace lorica
