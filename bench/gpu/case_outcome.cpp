#include "bench/gpu/case_outcome.hpp"

namespace lorica::bench {

std::string_view name_of(case_state s) noexcept {
  switch (s) {
    case case_state::running: return "running";
    case case_state::ended: return "ended";
    case case_state::cut_off: return "cut off";
    case case_state::not_run: break;
  }
  return "not run";
}

}  // namespace lorica::bench
