#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/error.hpp"

namespace lorica::gpu {

/// Host memory that the device copies from and to beside the host. Slow to make: at start, not in a step.
class pinned_buffer {
 public:
  static result<pinned_buffer> allocate(std::size_t bytes);

  std::byte* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }

  /// As elements of `T`, which the caller writes or a copy fills.
  template <class T>
  std::span<T> as() const noexcept {
    return {reinterpret_cast<T*>(data()), size_ / sizeof(T)};
  }

 private:
  struct give_back {
    void operator()(std::byte* at) const noexcept;
  };
  pinned_buffer(std::byte* at, std::size_t bytes) : data_(at), size_(bytes) {}

  std::unique_ptr<std::byte, give_back> data_;
  std::size_t size_ = 0;
};

}  // namespace lorica::gpu
