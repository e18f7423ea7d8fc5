#include "net/request_id.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace lorica {

bool is_fit_request_id(std::string_view id) noexcept {
  auto fit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), fit);
}

std::string random_id(std::uint64_t high, std::uint64_t low) {
  return fmt::format("{:016x}{:016x}", high, low);
}

std::uint64_t random_bits() {
  thread_local std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

}  // namespace lorica
