#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// One tensor of a safetensors file. `dtype` is the file's own word (`F32`, `I64`): who reads it decides what
/// is served.
struct safetensors_tensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;  ///< row-major; empty for a scalar, zeros are legal
  std::uint64_t begin = 0;           ///< bytes from the start of the file, any alignment
  std::uint64_t end = 0;             ///< exclusive
};

/// What the header of a safetensors file says, with every rule of the format checked.
struct safetensors_header {
  std::uint64_t data_start = 0;                               ///< bytes from the start of the file
  std::vector<safetensors_tensor> tensors;                    ///< sorted by name
  std::vector<std::pair<std::string, std::string>> metadata;  ///< `__metadata__`, in the file's order

  /// The tensor of that name, or null. O(log n).
  const safetensors_tensor* find(std::string_view name) const noexcept;
};

/// Bounds on what a header may cost to read.
struct safetensors_limits {
  std::size_t max_header_bytes = std::size_t{16} << 20;
  std::size_t max_tensors = 65'536;
  std::size_t max_name_bytes = 1'024;
  std::size_t max_dimensions = 8;
};

/// Bytes from the start of the file up to the end of the header, told by the file's first bytes: how much
/// `parse_safetensors` must be given. Checks rules 1 and 2.
result<std::uint64_t> safetensors_head_bytes(std::span<const std::byte> first_bytes, std::uint64_t file_bytes,
                                             const safetensors_limits& limits = {});

/// Reads the header. `head` begins at the start of the file and holds at least the header (it may be the
/// whole file); `file_bytes` is the length of the file. Failures are `errc::malformed` with the reason
/// `bad_safetensors`; the text has the number of the broken rule (README.md). Values are not looked at.
result<safetensors_header> parse_safetensors(std::span<const std::byte> head, std::uint64_t file_bytes,
                                             const safetensors_limits& limits = {});

}  // namespace lorica
