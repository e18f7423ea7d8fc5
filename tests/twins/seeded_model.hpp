#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/cpu/drive.hpp"

namespace lorica::testing {

/// Tiny models that are made of a seed in code, for where no file can be read; weights as large as in the
/// goldens' models (tools/golden_models.py), all of them numbers that bfloat16 holds. No token ends a
/// generation.
std::vector<std::string> seeded_names();
std::shared_ptr<const model_weights> seeded_model(const std::string& name);

/// Kinds of adapters for them, by name.
std::vector<std::string> seeded_adapter_names();
adapter_source seeded_adapters(const std::shared_ptr<const model_weights>& base);

/// So many prompts of 1 to 60 random tokens, each with `tokens` to come; adapters of the list in turn, then
/// the first two that can be combined.
std::vector<golden_case> seeded_cases(const std::vector<std::string>& adapters, std::size_t count,
                                      std::size_t tokens);

}  // namespace lorica::testing
