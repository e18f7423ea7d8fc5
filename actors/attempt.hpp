#pragma once

#include <exception>
#include <new>
#include <utility>

#include "core/error.hpp"
#include "core/log.hpp"

namespace lorica {

/// Runs blocking work of a detached actor so that one bad job fails alone: exceptions become errors.
template <class F>
auto attempt(const char* who, F&& work) -> decltype(work()) {
  try {
    return std::forward<F>(work)();
  } catch (const std::bad_alloc&) {
    return fail(errc::out_of_memory, "Not enough memory");
  } catch (const std::exception& e) {
    log_error("{}: {}", who, e.what());
    return fail(errc::internal, "Internal error");
  }
}

}  // namespace lorica
