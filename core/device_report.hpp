#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lorica {

/// What a device beside the processor tells of itself and of what computes on it; for logs, metrics and
/// `/info`.
struct device_report {
  std::string name;
  std::uint64_t memory_bytes = 0;         ///< that it has
  std::uint64_t taken_bytes = 0;          ///< of them for the executor's life
  std::vector<std::uint32_t> graph_rows;  ///< numbers of sequences for which steps are recorded, ascending
  bool deterministic = false;             ///< a row's bits never depend on the rows beside it
};

}  // namespace lorica
