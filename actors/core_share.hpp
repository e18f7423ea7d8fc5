#pragma once

#include <cstdint>

namespace lorica {

/// What background work may take from those who compute.
enum class core_share : std::uint8_t {
  leftover,  ///< the time in which nobody computes; gives its core away at once to whoever begins to
  some,      ///< a quarter of a core, against a thread that computes there
  turns,     ///< as much as that thread, in short turns: the work offers its core itself
};

}  // namespace lorica
