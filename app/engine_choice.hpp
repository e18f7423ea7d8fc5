#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/memory_budget.hpp"
#include "config/settings.hpp"
#include "core/error.hpp"
#include "engine/executor.hpp"
#include "model/weights.hpp"

namespace lorica {

/// The executor that the settings ask for, and what is told of it.
struct chosen_engine {
  std::unique_ptr<executor> engine;
  kv_plan kv;
  std::string device;               ///< `cpu` or `cuda`
  std::string numbers;              ///< of the model
  std::string adapter_numbers;      ///< of adapters
  std::string kv_numbers;           ///< of keys and values
  std::uint64_t adapter_bytes = 0;  ///< that adapters may take
};

/// Settings that ask for something which a CPU has no use for, as flags.
std::vector<std::string> unused_on_cpu(const serve_settings& s);

/// Whether a CUDA device is to compute. `auto` takes one where there is one and nothing is asked for that
/// only the CPU has; `cuda`, and `fp8` wherever it is to be, fail with what `find_device` says, or with the
/// setting that stands against them.
result<bool> wants_cuda(const serve_settings& s, const std::function<result<void>()>& find_device);

/// Makes the executor. `token_ids`: the tokenizer's.
result<chosen_engine> make_engine(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                  std::uint32_t token_ids);

}  // namespace lorica
