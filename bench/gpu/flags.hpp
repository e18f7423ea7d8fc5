#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/gpu/session.hpp"

namespace lorica::bench {

/// What the command line asks for.
struct bench_flags {
  session_settings settings;
  std::vector<std::string> only;  ///< ids of cases; empty: all
  std::string output;             ///< a file for the JSON document; empty: standard output
  std::string clocks;
  bool list = false;
  bool help = false;
};

/// `errc::bad_config` names the flag and what would work.
result<bench_flags> read_flags(std::span<const std::string> words);

/// What `--help` tells.
std::string help_text();

}  // namespace lorica::bench
