#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lorica {

/// True for ids of clients that are shown and logged: `[A-Za-z0-9._-]{1,128}`.
bool is_fit_request_id(std::string_view id) noexcept;

/// 32 hex digits of two random words.
std::string random_id(std::uint64_t high, std::uint64_t low);

/// 64 bits from the kernel's generator; from any thread.
std::uint64_t random_bits();

}  // namespace lorica
