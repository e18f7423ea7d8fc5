#pragma once

#include "bench/gpu/session.hpp"
#include "bench/gpu/shape.hpp"

namespace lorica::bench {

/// The tiny shape, each thing measured once.
inline session_settings tiny_settings() {
  session_settings out;
  out.shape = *shape_named("tiny");
  out.sizes = sizes_for("tiny");
  out.how = {0, 1, 0};
  return out;
}

}  // namespace lorica::bench
