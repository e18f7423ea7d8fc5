#include "bench/gpu/device_room.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "gpu/pinned.hpp"

namespace lorica::bench {
namespace {

constexpr std::uint64_t chunk_bytes = std::uint64_t{64} << 20;

/// What is written between two runs: twice the cache.
std::uint64_t flush_bytes_of(const gpu::device_properties& p) noexcept {
  return std::max<std::uint64_t>(2 * p.l2_bytes, 4096);
}

}  // namespace

device_room::device_room(int device, std::uint64_t bytes)
    : device_(need(gpu::device::open(device))),
      flush_bytes_(flush_bytes_of(device_.properties())),
      memory_(need(gpu::arena::allocate(bytes + gpu::arena::charged(flush_bytes_)))),
      main_(need(gpu::stream::create())),
      begin_(need(gpu::event::create_timed())),
      end_(need(gpu::event::create_timed())),
      flush_(take<std::byte>("what empties the cache", flush_bytes_)) {}

void device_room::send(void* to, const void* from, std::size_t bytes) {
  auto pinned = need(gpu::pinned_buffer::allocate(std::max<std::size_t>(bytes, 1)));
  std::memcpy(pinned.data(), from, bytes);
  need(main_.to_device(to, pinned.data(), bytes));
  need(main_.synchronise());
}

void device_room::fetch(void* to, const void* from, std::size_t bytes) {
  auto pinned = need(gpu::pinned_buffer::allocate(std::max<std::size_t>(bytes, 1)));
  need(main_.to_host(pinned.data(), from, bytes));
  need(main_.synchronise());
  std::memcpy(to, pinned.data(), bytes);
}

/// In pieces through pinned memory, each written by `make`.
template <class T>
T* device_room::bring(const std::string& name, std::uint64_t count, std::size_t piece,
                      const std::function<void(std::uint64_t first, std::span<T> piece)>& make) {
  auto* out = take<T>(name, count);
  const auto at_once =
      static_cast<std::size_t>(std::min<std::uint64_t>({count, chunk_bytes / sizeof(T), piece}));
  auto pinned = need(gpu::pinned_buffer::allocate(std::max<std::size_t>(at_once, 1) * sizeof(T)));
  for (std::uint64_t done = 0; done < count; done += at_once) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(at_once, count - done));
    make(done, pinned.as<T>().first(now));
    need(main_.to_device(out + done, pinned.data(), now * sizeof(T)));
    need(main_.synchronise());
  }
  return out;
}

gpu::bfloat* device_room::numbers(const std::string& name, std::uint64_t count, const random_numbers& from) {
  return bring<gpu::bfloat>(name, count, from.largest(),
                            [&](std::uint64_t first, std::span<gpu::bfloat> piece) {
                              std::ranges::copy(from.part(first + count, piece.size()), piece.begin());
                            });
}

gpu::e4m3* device_room::codes(const std::string& name, std::uint64_t count, const random_numbers& from) {
  const float inverse = 1 / gpu::scale_of_codes(from.largest_number());
  return bring<gpu::e4m3>(name, count, from.largest(), [&](std::uint64_t first, std::span<gpu::e4m3> piece) {
    std::ranges::transform(from.part(first + count, piece.size()), piece.begin(),
                           [inverse](gpu::bfloat x) { return gpu::to_e4m3(to_float(x) * inverse); });
  });
}

double device_room::measure(const std::function<result<void>()>& body) {
  need(begin_.record(main_));
  need(body());
  need(end_.record(main_));
  need(end_.wait());
  return static_cast<double>(need(gpu::event::milliseconds(begin_, end_))) / 1e3;
}

void device_room::warm(const repetition& how, const std::function<void()>& body) {
  if (!std::exchange(warm_, true)) warm_up(how.warm_seconds, body);
}

times device_room::time_recorded(const repetition& how, const std::function<result<void>()>& body) {
  const auto work = need(gpu::graph::capture(main_, body));
  const auto once = [&] {
    need(main_.fill(flush_, std::byte{1}, flush_bytes_));
    return measure([&] { return work.launch(main_); });
  };
  warm(how, [&] { static_cast<void>(once()); });
  return repeat(how, once);
}

times device_room::time_direct(const repetition& how, const std::function<result<void>()>& body) {
  const auto once = [&] { return measure(body); };
  warm(how, [&] { static_cast<void>(once()); });
  return repeat(how, once);
}

}  // namespace lorica::bench
