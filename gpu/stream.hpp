#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/error.hpp"

struct CUstream_st;

namespace lorica::gpu {

class event;

enum class stream_priority : std::uint8_t { normal, high };

/// Device work in order. One thread puts work in. The default stream of the runtime is never used.
class stream {
 public:
  static result<stream> create(stream_priority priority = stream_priority::normal);

  /// Later work here waits for `e` as it was recorded last.
  result<void> wait_for(const event& e) const;

  /// Waits on the host for all of it.
  result<void> synchronise() const;

  /// `bytes` from pinned host memory, which stays as it is until the copy is done.
  result<void> to_device(void* to, const void* from_pinned, std::size_t bytes) const;
  /// The other way; there when somebody has waited for it.
  result<void> to_host(void* to_pinned, const void* from, std::size_t bytes) const;
  result<void> copy(void* to, const void* from, std::size_t bytes) const;
  result<void> fill(void* to, std::byte value, std::size_t bytes) const;

  /// Whether its device can begin a launch before the one in front has ended.
  bool begins_early() const noexcept { return begins_early_; }

  CUstream_st* native() const noexcept { return native_.get(); }

 private:
  struct destroy {
    void operator()(CUstream_st* s) const noexcept;
  };
  stream(CUstream_st* s, bool begins_early) : native_(s), begins_early_(begins_early) {}

  std::unique_ptr<CUstream_st, destroy> native_;
  bool begins_early_;
};

}  // namespace lorica::gpu
