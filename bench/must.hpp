#pragma once

#include <stdexcept>
#include <utility>

#include "core/error.hpp"

namespace lorica::bench {

/// The value, or an exception with the error's text: a bench that cannot go on ends.
template <class T>
T must(result<T> r) {
  if (!r) throw std::runtime_error(r.error().text);
  return *std::move(r);
}

inline void must(const result<void>& r) {
  if (!r) throw std::runtime_error(r.error().text);
}

}  // namespace lorica::bench
