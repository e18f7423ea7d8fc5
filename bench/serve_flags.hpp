#pragma once

#include <CLI/App.hpp>
#include <memory>

#include "bench/serve_options.hpp"
#include "core/error.hpp"

namespace lorica::bench {

/// What was typed, before it is checked.
struct serve_flags;

/// Adds `serve`'s flags to a command. The flags live as long as the pointer.
std::shared_ptr<serve_flags> add_serve_flags(CLI::App& command);

/// Checked options. `errc::bad_config` names the flag, its value and what would work.
result<serve_options> options_of(const serve_flags& flags);

}  // namespace lorica::bench
