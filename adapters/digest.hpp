#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <thread>
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

/// The same on a thread of its own, beside the one that reads the sites: hashing takes as long as all else.
class digest_beside {
 public:
  /// Which form the digest has.
  enum class form : std::uint8_t { pairs, more };

  /// `sites` has room for the `count` elements that it will have; whoever makes it outlives this.
  digest_beside(const std::vector<lora_site>& sites, std::size_t count, form how,
                const std::stop_token& stop);
  ~digest_beside();
  digest_beside(const digest_beside&) = delete;
  digest_beside& operator=(const digest_beside&) = delete;

  /// As many sites are complete.
  void have(std::size_t sites);

  /// To be called once, after `have(count)`. `errc::cancelled` only.
  result<adapter_version> finish(const std::vector<module_copy>& copies);

 private:
  void run();

  static constexpr std::size_t given_up = static_cast<std::size_t>(-1);

  const lora_site* sites_;  // not the vector, whose own members change meanwhile
  std::size_t count_;
  form form_;
  std::stop_token stop_;
  sha256 hash_;
  bool complete_ = false;  // every site is in the hash
  std::atomic<std::size_t> ready_{0};
  std::thread thread_;
};

}  // namespace lorica
