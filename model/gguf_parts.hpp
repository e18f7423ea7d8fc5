#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "files/gguf.hpp"
#include "files/mapped_file.hpp"

namespace lorica {

/// A GGUF model as one table of tensors, whether it lies in one file or in several parts. Owned by the call
/// that opens a model; views live as long as `files`.
struct gguf_parts {
  std::string name;  ///< of the first file, without directory, part number and ending
  std::vector<std::shared_ptr<const mapped_file>> files;
  gguf_header header;  ///< metadata of the first part, tensors of all; offsets are those of their own files
  std::vector<std::span<const std::byte>> data;  ///< the bytes of `header.tensors[i]`
};

/// Maps a `.gguf` file and, when its `split.count` says that it is the first of several parts, the others
/// beside it: NAME-00002-of-00003.gguf and so on. Fails with `errc::bad_model`, or `errc::io` when the file
/// itself cannot be read; texts name the file at fault without its directory.
result<gguf_parts> open_gguf_parts(const std::string& path);

}  // namespace lorica
