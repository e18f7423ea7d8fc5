#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lorica::bench {

/// How far a case is.
enum class case_state { not_run, running, ended, cut_off };

/// What became of a case. One that is running in the last document that there is was cut off with the
/// program.
struct case_outcome {
  std::string id;
  case_state state = case_state::not_run;
  std::string why = "its turn has not come";  ///< it was not run, or was cut off; else empty
  double seconds = 0;                         ///< that it took
};

/// `not run`, `running`, `ended`, `cut off`.
std::string_view name_of(case_state s) noexcept;

}  // namespace lorica::bench
