#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/adapter_place.hpp"
#include "adapters/coverage.hpp"
#include "core/byte_progress.hpp"
#include "core/error.hpp"
#include "engine/adapter_packer.hpp"
#include "engine/adapter_weights.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// Bounds of one adapter directory. What lies above them is refused before it costs memory.
struct reader_limits {
  std::uint32_t max_rank = 256;
  std::uint64_t max_file_bytes = std::uint64_t{4} << 30;  ///< of the weights
  std::size_t max_config_bytes = std::size_t{1} << 20;    ///< of `adapter_config.json`
  std::size_t max_header_bytes = std::size_t{16} << 20;   ///< of the safetensors header
};

/// An adapter that passed every check, with what people want to know about it.
struct loaded_adapter {
  adapter_weights weights;  ///< version set, canonical order; without sites where `packed` is set
  std::shared_ptr<const packed_adapter> packed = {};  ///< in place of the sites, of a reader that packs
  adapter_coverage coverage;
  std::vector<std::string> warnings;  ///< sentences; nothing that changes the result
  std::uint64_t file_bytes = 0;       ///< size of `adapter_model.safetensors` or the `.gguf` file
};

/// How one adapter is read.
struct reading_options {
  std::stop_token stop = {};             ///< looked at at least every 200 ms
  byte_progress* told = nullptr;         ///< hears how many bytes of the weights were read
  const adapter_packer* into = nullptr;  ///< packs modules as they are read; null: they are kept
  bool measure = true;                   ///< else the coverage has no norms: the version is known already
};

/// Reads a PEFT directory (`adapter_config.json`, `adapter_model.safetensors`), a directory with one `.gguf`
/// file instead, or such a file, for `base` into memory of its own: every byte is read once, checked, then
/// used. Blocking. With a packer the modules of a PEFT directory are packed as they are read, and no more
/// than some are in memory at once; those of a GGUF file are there as without one.
///
/// Fails with
/// - `errc::unknown_adapter`, reason `missing_file`: directory or file is not there;
/// - `errc::bad_adapter`, reason one of the words of docs/adapters.md: found but refused;
/// - `errc::io`, reason `unreadable_file`: the operating system could not read it;
/// - `errc::cancelled`: `stop` was requested;
/// - what the packer fails with.
result<loaded_adapter> read_adapter(const adapter_place& place, const model_config& base,
                                    const reader_limits& limits, const reading_options& how);

/// The same from a path that is opened as it is.
result<loaded_adapter> read_adapter(const std::string& path, const model_config& base,
                                    const reader_limits& limits, const std::stop_token& stop);

}  // namespace lorica
