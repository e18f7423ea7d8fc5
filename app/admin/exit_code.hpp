#pragma once

#include "core/error.hpp"

namespace lorica::admin {

/// How `lorica-admin` ends. Documented in `--help` and docs/operations.md.
enum class exit_code : int {
  done = 0,
  refused = 1,      ///< the server said no, a job failed, or the server is not ready
  usage = 2,        ///< the command line is wrong
  unreachable = 3,  ///< nobody answers, not in time, or not in HTTP and JSON
  not_found = 4,    ///< no such adapter or job
  not_allowed = 5,  ///< the key is missing or wrong, or this caller may not
  interrupted = 130,
};

constexpr exit_code exit_code_of(const error& why) noexcept {
  switch (why.code) {
    case errc::bad_config: return exit_code::usage;
    case errc::io:
    case errc::timeout:
    case errc::malformed: return exit_code::unreachable;
    case errc::unknown_adapter: return exit_code::not_found;
    case errc::unauthorized:
    case errc::forbidden: return exit_code::not_allowed;
    case errc::cancelled: return exit_code::interrupted;
    default: return exit_code::refused;
  }
}

}  // namespace lorica::admin
