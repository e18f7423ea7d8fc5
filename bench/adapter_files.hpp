#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/model_config.hpp"

namespace lorica::bench {

/// Directories with random adapters of rank `rank` on every projection, in PEFT's layout and float32, which
/// is how PEFT saves them. Gone with the object.
class adapter_files {
 public:
  /// Writes `count` of them: `0`, `1`, …. Throws when the disk does not take them.
  adapter_files(const model_config& m, std::uint32_t rank, std::uint32_t count);
  ~adapter_files();
  adapter_files(const adapter_files&) = delete;
  adapter_files& operator=(const adapter_files&) = delete;

  const std::string& root() const noexcept { return root_; }

 private:
  std::string root_;
};

}  // namespace lorica::bench
