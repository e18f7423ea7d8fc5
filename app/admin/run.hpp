#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include "app/admin/key_source.hpp"
#include "app/admin/task.hpp"

namespace lorica::admin {

/// Streams and facts of the process that `run` works with.
struct surroundings {
  std::ostream& out;
  std::ostream& err;
  bool live = false;  ///< `err` is a terminal
  read_environment environment;
  interruption stop;
  std::string version;
};

/// The program: from arguments to how it ends.
exit_code run(std::span<const std::string> arguments, const surroundings& here);

}  // namespace lorica::admin
