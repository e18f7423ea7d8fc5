#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/sha256.hpp"
#include "engine/adapter_weights.hpp"

namespace lorica {

/// The version of an adapter: SHA-256 over what it computes, and nothing else. Input, all little endian:
/// `lorica lora 1\n`, then for each site in canonical order layer, projection, rank, in, out (u32 each),
/// scaling (f32), the elements of A, the elements of B (f32). An adapter that has more than pairs begins with
/// `lorica lora 2\n` and the number of sites (u32) instead, and after B every site has a u32 that says what
/// follows (1: a bias, 2: a magnitude) and the elements of it; then come
/// the number of full copies (u32), and for each its projection, rows, columns (u32 each) and elements. So
/// names of files and tensors, the stored element type and fields of the config without effect do not count:
/// the same adapter under another directory, with other key spellings, or widened to float32 has the same
/// version. Looks at `stop` at least every 200 ms; fails with `errc::cancelled` only.
result<adapter_version> digest_of(const adapter_weights& weights, const std::stop_token& stop);

/// Which form the digest has: of pairs only, or of more.
enum class digest_form : std::uint8_t { pairs, more };

/// The digest of an adapter whose sites come one after the other.
class content_digest {
 public:
  content_digest(digest_form form, std::size_t sites);

  /// The next site; false when it was stopped, and then the digest is worth nothing.
  bool add(const lora_site& site, const std::stop_token& stop);

  /// All full copies, after the last site, in either form.
  bool add(const std::vector<module_copy>& copies, const std::stop_token& stop);

  /// To be called once.
  adapter_version finish() { return adapter_version{hash_.finish()}; }

 private:
  digest_form form_;
  sha256 hash_;
};

}  // namespace lorica
