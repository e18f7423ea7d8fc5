#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/sha256.hpp"
#include "engine/adapter_weights.hpp"

namespace lorica {

/// The version of an adapter is a SHA-256 over what it computes, and nothing else: names of files and
/// tensors, the stored element type and fields of the config without effect do not count. The same adapter
/// under another directory, with other key spellings, or widened to float32 has the same version. It is a
/// digest of digests, so that modules can be hashed side by side. All little endian:
///
/// - a site: layer, projection, rank, in, out (u32 each), scaling (f32), which extras follow (u32; 1: a bias,
///   2: a magnitude), then the numbers of A, B, and of bias and magnitude where they follow;
/// - a full copy: projection, rows, columns (u32 each), its numbers;
/// - numbers: the bytes of each (u32), then all: 2, bfloat16, where that loses nothing of any; else 4, f32.
///   So a file of bfloat16 costs what its own bytes do, and widened it has the same version;
/// - the adapter: `lorica adapter 2\n`, the number of sites (u32), their digests in canonical order, the
///   number of full copies (u32), their digests.
using part_digest = std::array<std::uint8_t, 32>;

/// Of one part, with a hash that is at its beginning and is so again afterwards. Looks at `stop` at least
/// every 200 ms; nothing when it was stopped.
std::optional<part_digest> digest_of(sha256& hash, const lora_site& site, const std::stop_token& stop);
std::optional<part_digest> digest_of(sha256& hash, const module_copy& copy, const std::stop_token& stop);

/// Of the whole; parts in canonical order.
adapter_version version_of(std::span<const part_digest> sites, std::span<const part_digest> copies);

/// The same of weights that are in memory. Fails with `errc::cancelled` only.
result<adapter_version> version_of(const adapter_weights& weights, const std::stop_token& stop);

}  // namespace lorica
