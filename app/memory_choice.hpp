#pragma once

#include <cstdint>
#include <string_view>

#include "app/memory_budget.hpp"
#include "config/settings.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// What bounds adapters where host and device share their memory, and where both must hold them.
std::uint64_t adapter_limit(const serve_settings& s);

/// What the settings say of keys and values; the memory that there is and its price are missing.
kv_request kv_request_of(const serve_settings& s, const model_config& model, std::uint32_t block_tokens);

/// Logs the decision; `numbers`: what keys and values are kept in.
void tell_of_kv(const kv_plan& plan, const kv_request& r, std::string_view numbers);

}  // namespace lorica
