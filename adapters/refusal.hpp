#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/shown.hpp"

namespace lorica {

/// The stable words for refused adapters (`error.reason`); docs/adapters.md explains each.
namespace refusal {
inline constexpr std::string_view bad_config = "bad_config";
inline constexpr std::string_view bad_gguf = "bad_gguf";
inline constexpr std::string_view bad_safetensors = "bad_safetensors";
inline constexpr std::string_view base_mismatch = "base_mismatch";
inline constexpr std::string_view cache_not_writable = "cache_not_writable";
inline constexpr std::string_view digest_mismatch = "digest_mismatch";
inline constexpr std::string_view duplicate_tensor = "duplicate_tensor";
inline constexpr std::string_view hub_gated = "hub_gated";
inline constexpr std::string_view hub_not_found = "hub_not_found";
inline constexpr std::string_view hub_unreachable = "hub_unreachable";
inline constexpr std::string_view load_timeout = "load_timeout";
inline constexpr std::string_view missing_file = "missing_file";
inline constexpr std::string_view missing_tensor = "missing_tensor";
inline constexpr std::string_view non_finite_weights = "non_finite_weights";
inline constexpr std::string_view path_not_allowed = "path_not_allowed";
inline constexpr std::string_view pickle_refused = "pickle_refused";
inline constexpr std::string_view rank_too_large = "rank_too_large";
inline constexpr std::string_view shape_mismatch = "shape_mismatch";
inline constexpr std::string_view source_changed = "source_changed";
inline constexpr std::string_view too_large = "too_large";
inline constexpr std::string_view unknown_tensor = "unknown_tensor";
inline constexpr std::string_view unpaired_tensor = "unpaired_tensor";
inline constexpr std::string_view unreadable_file = "unreadable_file";
inline constexpr std::string_view unsupported_bias = "unsupported_bias";
inline constexpr std::string_view unsupported_dora = "unsupported_dora";
inline constexpr std::string_view unsupported_dtype = "unsupported_dtype";
inline constexpr std::string_view unsupported_field = "unsupported_field";
inline constexpr std::string_view unsupported_init = "unsupported_init";
inline constexpr std::string_view unsupported_module = "unsupported_module";
inline constexpr std::string_view unsupported_modules_to_save = "unsupported_modules_to_save";
inline constexpr std::string_view unsupported_peft_type = "unsupported_peft_type";
inline constexpr std::string_view unsupported_task_type = "unsupported_task_type";
}  // namespace refusal

/// The adapter is refused with `errc::bad_adapter`.
inline error refused(std::string_view reason, std::string text) {
  return fail(errc::bad_adapter, std::move(text), std::string(reason));
}

/// What a refusal is to a client, by its word: a source that is not there is a 404, as in vLLM.
constexpr errc code_of_refusal(std::string_view reason) {
  bool missing = reason == refusal::hub_not_found || reason == refusal::missing_file;
  return missing ? errc::unknown_adapter : errc::bad_adapter;
}

/// `shown` in double quotes.
std::string quoted(std::string_view text);

}  // namespace lorica
