#pragma once

#include "config/settings.hpp"

namespace lorica {

/// Runs `lorica serve` until SIGTERM, SIGINT or a failure; returns the exit code of the process: 0 after an
/// orderly end, 1 when something failed, 2 when a setting turned out to be wrong. Call once, from the main
/// thread, before any other thread exists.
int serve(const serve_settings& settings);

}  // namespace lorica
