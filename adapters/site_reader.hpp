#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <vector>

#include "adapters/adapter_directory.hpp"
#include "adapters/inspection.hpp"
#include "adapters/site_plan.hpp"
#include "core/byte_progress.hpp"
#include "core/error.hpp"

namespace lorica {

/// Reads what a plan says out of a safetensors file, every byte once: converted to float32 and refused where
/// it is not finite. Looks at the stop token at least every 200 ms and then fails with `errc::cancelled`;
/// else with what `adapter_file::read` and `check_finite` fail with. Several threads may read at once.
class site_reader {
 public:
  /// All outlive it; `told` may be null and hears how many bytes were read.
  site_reader(const adapter_file& file, const std::stop_token& stop, byte_progress* told)
      : file_(file), stop_(stop), told_(told) {}

  /// One site, into `out.site`.
  result<void> read(const planned_site& plan, site_buffer& out) const;

  /// All full copies.
  result<std::vector<module_copy>> read_copies(const site_plan& plan) const;

 private:
  result<void> read(const stored_factor& factor, std::vector<std::byte>& stored,
                    std::vector<float>& out) const;
  result<void> read(const std::optional<stored_factor>& factor, std::vector<std::byte>& stored,
                    std::vector<float>& out) const;

  const adapter_file& file_;
  const std::stop_token& stop_;
  byte_progress* told_;
};

}  // namespace lorica
