#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "gpu/arena.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/device.hpp"
#include "gpu/pinned.hpp"
#include "gpu/stream.hpp"
#include "tests/catch.hpp"

#ifdef LORICA_EMULATED_DEVICE
#include "tests/emulated_device/grid.hpp"
#include "tests/emulated_device/runtime.hpp"
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace lorica::testing {

/// The value, or the end of the test with the error's text.
template <class T>
T must(result<T> r) {
  if (!r) FAIL(r.error().text);
  return *std::move(r);
}
inline void must(result<void> r) {
  if (!r) FAIL(r.error().text);
}

/// Bytes 0xff behind pieces of device memory, that no kernel may touch. On the emulated device what was
/// written there is found at the end of the test, and under the address sanitizer every access ends it.
class fences {
 public:
  static constexpr std::size_t bytes = 512;

  fences() = default;
  fences(fences&&) = default;
  fences& operator=(fences&&) = delete;
  ~fences() { check(); }

  void add(std::byte* at) {
    all_.push_back(at);
#if defined(LORICA_EMULATED_DEVICE) && defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(at, bytes);
#endif
  }

 private:
  void check() const {
#ifdef LORICA_EMULATED_DEVICE
    if (all_.empty()) return;
    std::size_t touched = 0;
    emulated_device::peek([&] {
      for (auto* at : all_) {
#ifdef __SANITIZE_ADDRESS__
        __asan_unpoison_memory_region(at, bytes);
#endif
        for (std::size_t i = 0; i < bytes; ++i)
          touched += at[i] != std::byte{0xff};
      }
    });
    CHECK(touched == 0);  // bytes that were written behind a piece
#endif
  }

  std::vector<std::byte*> all_;
};

/// A device with memory and a stream for one test.
class test_device {
 public:
  gpu::device device;
  gpu::arena memory;
  gpu::stream stream;
  fences behind = {};

  /// The values on the device.
  template <class T>
  T* put(const std::vector<T>& values) {
    auto* at = room<T>(values.size());
    auto pinned = must(gpu::pinned_buffer::allocate(values.size() * sizeof(T) + 1));
    std::ranges::copy(std::as_bytes(std::span(values)), pinned.data());
    must(stream.to_device(at, pinned.data(), values.size() * sizeof(T)));
    must(stream.synchronise());
    return at;
  }

  /// Room for `count` elements; bytes 0xff.
  template <class T>
  T* room(std::size_t count) {
    const auto bytes = count * sizeof(T);
    auto* at = must(
        memory.take(memory_part::workspace, "piece " + std::to_string(memory.used()), bytes + fences::bytes));
    must(stream.fill(at, std::byte{0xff}, bytes + fences::bytes));
    must(stream.synchronise());
    behind.add(at + bytes);
    return reinterpret_cast<T*>(at);
  }

  /// What is there once everything in the stream is done.
  template <class T>
  std::vector<T> get(const T* from, std::size_t count) {
    std::vector<T> out(count);
    auto pinned = must(gpu::pinned_buffer::allocate(count * sizeof(T) + 1));
    must(stream.to_host(pinned.data(), from, count * sizeof(T)));
    must(stream.synchronise());
    std::ranges::copy(std::span(pinned.data(), count * sizeof(T)),
                      std::as_writable_bytes(std::span(out)).begin());
    return out;
  }
};

inline constexpr std::uint64_t test_memory = std::uint64_t{64} << 20;

#ifdef LORICA_EMULATED_DEVICE
inline constexpr bool emulated = true;
#else
inline constexpr bool emulated = false;
#endif

/// Nothing where there is no device, which is told as a skipped test.
inline std::optional<gpu::device> find_test_device() {
  auto opened = gpu::device::open(0);
  if (!emulated && !opened) {
    WARN("skipped: " << opened.error().text);
    return std::nullopt;
  }
  return must(std::move(opened));
}

/// Null where there is no device.
inline std::unique_ptr<test_device> open_test_device() {
  auto device = find_test_device();
  if (!device) return nullptr;
  auto memory = must(gpu::arena::allocate(test_memory));
  auto stream = must(gpu::stream::create());
  return std::make_unique<test_device>(test_device{*std::move(device), std::move(memory), std::move(stream)});
}

/// In how many orders the threads of a block can run: two on the emulated device, nobody's choice on a real
/// one.
inline std::vector<int> thread_orders() {
#ifdef LORICA_EMULATED_DEVICE
  return {0, 1};
#else
  return {0};
#endif
}

inline void run_threads_in([[maybe_unused]] int order) {
#ifdef LORICA_EMULATED_DEVICE
  emulated_device::run_threads(order == 0 ? emulated_device::thread_order::ascending
                                          : emulated_device::thread_order::descending);
#endif
}

/// Numbers in [-1, 1) that bfloat16 holds exactly.
inline std::vector<float> exact_numbers(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> out(count);
  for (auto& x : out)
    x = gpu::to_float(gpu::to_bfloat(static_cast<float>(random()) / 2147483648.0f - 1.0f));
  return out;
}

inline std::vector<gpu::bfloat> as_bfloat(const std::vector<float>& values) {
  std::vector<gpu::bfloat> out;
  for (auto x : values)
    out.push_back(gpu::to_bfloat(x));
  return out;
}

inline std::vector<float> as_float(const std::vector<gpu::bfloat>& values) {
  std::vector<float> out;
  for (auto x : values)
    out.push_back(gpu::to_float(x));
  return out;
}

inline bool same_bits(const std::vector<gpu::bfloat>& a, const std::vector<gpu::bfloat>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(gpu::bfloat)) == 0;
}

/// One unit of the last place of bfloat16, and what sums in another order may differ by.
inline double bfloat_tolerance(double size) {
  return 8e-3 * size + 2e-5;
}
inline double float_tolerance(double size) {
  return 4e-6 * (1 + size);
}

}  // namespace lorica::testing
