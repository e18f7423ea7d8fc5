#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "files/gguf.hpp"
#include "files/gguf_reader.hpp"

namespace lorica {

/// Reads one entry of the tensor table: name, extents, type, offset (still relative to the data section), and
/// the bytes it needs. A part of `parse_gguf`.
result<gguf_tensor> read_gguf_tensor(gguf_reader& in);

/// Checks that the tensors follow each other with only padding between them, that the file holds them all and
/// nothing else, and makes their offsets absolute. Needs `alignment` and `data_start`.
result<void> place_gguf_tensors(gguf_header& header, std::uint64_t file_bytes);

}  // namespace lorica
