#pragma once

#include <string>

#include "bench/serve_options.hpp"
#include "core/error.hpp"

namespace lorica::bench {

/// Plans the traffic, sends it, prints the figures to standard error and the result's JSON to its file, or
/// without
/// --save-result to standard output. Fails before the first request counts; requests that fail later are part
/// of the result.
result<void> serve(serve_options options);

}  // namespace lorica::bench
