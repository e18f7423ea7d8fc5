#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/gpu/failure.hpp"
#include "bench/gpu/random_numbers.hpp"
#include "bench/gpu/times.hpp"
#include "gpu/arena.hpp"
#include "gpu/device.hpp"
#include "gpu/e4m3.hpp"
#include "gpu/event.hpp"
#include "gpu/graph.hpp"
#include "gpu/stream.hpp"

namespace lorica::bench {

/// Memory and a stream on the device for measuring parts of a step by themselves. Everything throws
/// `failure`.
class device_room {
 public:
  /// Room for `bytes`, and the memory that `flush` writes.
  device_room(int device, std::uint64_t bytes);

  gpu::arena& memory() noexcept { return memory_; }
  const gpu::stream& main() const noexcept { return main_; }
  const gpu::device_properties& properties() const noexcept { return device_.properties(); }

  /// `count` elements that nobody has written.
  template <class T>
  T* take(const std::string& name, std::uint64_t count) {
    return need(memory_.take<T>(memory_part::workspace, name, count));
  }

  /// `count` random numbers.
  gpu::bfloat* numbers(const std::string& name, std::uint64_t count, const random_numbers& from);

  /// `count` codes, as large as a row's are, of random numbers.
  gpu::e4m3* codes(const std::string& name, std::uint64_t count, const random_numbers& from);

  /// Brings `values` there, by a copy through pinned memory.
  template <class T>
  void write(T* to, const std::vector<T>& values) {
    send(to, values.data(), values.size() * sizeof(T));
  }

  /// `count` values from there, once all work in the stream is done.
  template <class T>
  std::vector<T> read(const T* from, std::size_t count) {
    std::vector<T> out(count);
    fetch(out.data(), from, count * sizeof(T));
    return out;
  }

  /// Seconds on the device that what `body` puts into the stream takes when it is started as recorded work.
  /// Before each run what the L2 cache holds is overwritten. What a room times first is run for
  /// `repetition::warm_seconds` before.
  times time_recorded(const repetition& how, const std::function<result<void>()>& body);

  /// The same for work that is put in anew, warm.
  times time_direct(const repetition& how, const std::function<result<void>()>& body);

 private:
  template <class T>
  T* bring(const std::string& name, std::uint64_t count, std::size_t piece,
           const std::function<void(std::uint64_t first, std::span<T> piece)>& make);
  void send(void* to, const void* from, std::size_t bytes);
  void fetch(void* to, const void* from, std::size_t bytes);
  double measure(const std::function<result<void>()>& body);
  void warm(const repetition& how, const std::function<void()>& body);

  gpu::device device_;
  std::uint64_t flush_bytes_;
  gpu::arena memory_;
  gpu::stream main_;
  gpu::event begin_, end_;
  std::byte* flush_;
  bool warm_ = false;
};

}  // namespace lorica::bench
