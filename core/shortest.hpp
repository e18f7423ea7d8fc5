#pragma once

#include <charconv>

namespace lorica {

/// The double that prints as the shortest decimal which reads back as this float: -0.4f gives -0.4.
inline double shortest(float number) noexcept {
  char digits[32];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  double out = 0;
  std::from_chars(digits, end, out);
  return out;
}

}  // namespace lorica
