#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace emulated_device {

struct extent {
  unsigned x = 1, y = 1, z = 1;
  constexpr extent(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  std::size_t count() const { return std::size_t{x} * y * z; }
};

/// In which order the threads of a block run between two meetings, and when asynchronous copies are done: as
/// late as they may be in ascending order, at once in descending. A kernel that lacks a barrier gives
/// different numbers in one of them.
enum class thread_order : std::uint8_t { ascending, descending };
void run_threads(thread_order order);

/// How a kernel was launched.
struct launch {
  extent grid, block;
  std::size_t shared_bytes = 0;
  bool early = false;  ///< it may begin before what is in front of it has ended
};

/// Runs `body` once per thread of every block, blocks one after the other, threads as fibers of this OS
/// thread. Shared memory is filled with bytes 0xff (no number): dynamic one before each block, arrays of
/// fixed size before the first. The text says what went wrong: threads that wait for each other in different
/// places, lanes that meet in different operations, a thread of an early launch that never waited for the one
/// in front of it; empty when nothing did.
std::string run_grid(const launch& how, const std::function<void()>& body);

// What follows is called by device code.

/// What lanes do together; all lanes that meet must do the same.
enum class meeting : std::uint8_t { none, sync, shuffle, vote, match, mma, load_matrix };

inline constexpr std::size_t lanes_per_warp = 32;
struct alignas(16) lane_slot {
  std::byte bytes[32];
};

/// Waits for all lanes of `mask` of this warp, each of which brings `bytes` <= 32 bytes, and gives what they
/// brought, by lane; valid until the caller meets again.
const lane_slot* meet(unsigned mask, meeting what, const void* value, std::size_t bytes);

/// Waits for all threads of the block that have not ended.
void meet_block();
/// The same; true where `value` is true in any thread.
bool meet_block_any(bool value);

std::byte* shared_memory();
unsigned lane();

/// The thread has waited for the launch in front.
void waited_for_previous();

/// A copy into dynamic shared memory, both sides on 16 bytes, that is only done when its thread waits for it,
/// as late as the device may, or at once (`thread_order`).
void copy_later(void* to, const void* from, std::size_t bytes, std::size_t zeros);
void commit_copies();
/// Waits until at most `pending` committed groups are not done.
void wait_copies(std::size_t pending);

/// Ends the launch with an error. A literal: nothing on this stack is destroyed.
void fault(const char* text);

}  // namespace emulated_device

// The names that device code knows; set for the thread that runs.
extern emulated_device::extent threadIdx, blockIdx, blockDim, gridDim;
