#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/value.hpp"

namespace lorica::admin {

/// By name, or the most of a figure first and then by name.
enum class adapter_order : std::uint8_t { name, requests, bytes, last_used };

/// Of the words that `--sort` takes.
adapter_order adapter_order_of(std::string_view word) noexcept;

/// Compares two adapters as listings show them.
bool comes_before(const value& a, const value& b, adapter_order order);

/// `pinned, alias of sql` and the like; `failure` where its load failed. Empty when there is nothing to say.
std::string marks_of(const value& adapter);

}  // namespace lorica::admin
