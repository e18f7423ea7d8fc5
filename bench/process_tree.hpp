#pragma once

#include <sys/types.h>

#include <optional>
#include <span>

namespace lorica::bench {

/// Processor seconds so far of these processes and of all that descend from them and still run. Nothing when
/// one of them is not there.
std::optional<double> processor_seconds(std::span<const pid_t> processes);

/// Bytes of memory that these processes and all that descend from them hold now (proportional where it is
/// shared).
std::optional<double> resident_bytes(std::span<const pid_t> processes);

}  // namespace lorica::bench
