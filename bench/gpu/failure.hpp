#pragma once

#include <stdexcept>
#include <utility>

#include "core/error.hpp"

namespace lorica::bench {

/// Why a case could not be measured.
struct failure : std::runtime_error {
  explicit failure(const error& e) : std::runtime_error(e.text), code(e.code) {}
  errc code;
};

/// The value, or `failure`.
template <class T>
T need(result<T> r) {
  if (!r) throw failure(std::move(r).error());
  return *std::move(r);
}

inline void need(const result<void>& r) {
  if (!r) throw failure(r.error());
}

}  // namespace lorica::bench
