#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "cpu/executor.hpp"
#include "cpu/mode.hpp"

namespace lorica::bench {

/// How the executor computes, as the flags of the benches say it.
struct mode_flags {
  std::string dtype = "int8";
  std::string adapter_dtype = "int8";
  std::string kv_cache_dtype = "auto";
  std::string instructions = "auto";
  std::uint32_t threads = 0;  ///< 0: the machine's

  cpu_mode mode() const;
  std::optional<isa> wanted() const;
  std::uint32_t members() const;

  /// All of it, put into the options of an executor.
  void apply(cpu_options& o) const;
};

/// --dtype, --adapter-dtype and --kv-cache-dtype.
void add_dtype_flags(CLI::App& app, mode_flags& f);

/// --isa and --threads.
void add_machine_flags(CLI::App& app, mode_flags& f);

}  // namespace lorica::bench
