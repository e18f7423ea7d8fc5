#include "tests/emulated_device/grid.hpp"

#include <sys/mman.h>

#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "tests/emulated_device/fiber.hpp"

emulated_device::extent threadIdx, blockIdx, blockDim, gridDim;

// Where the linker has put the shared arrays of fixed size (words.hpp); nothing where there are none.
extern "C" {
[[gnu::weak]] extern std::byte __start_emulated_shared[];
[[gnu::weak]] extern std::byte __stop_emulated_shared[];
}

namespace emulated_device {
namespace {

constexpr std::size_t stack_bytes = std::size_t{256} << 10;
constexpr std::size_t guard_bytes = 4096;

struct late_copy {
  void* to;
  const void* from;
  std::size_t bytes, zeros;
};

struct device_thread {
  fiber where;
  extent index;
  bool done = true, waited = false;
  const std::uint64_t* gate = nullptr;  ///< waits while this holds `seen`
  std::uint64_t seen = 0;
  std::deque<std::vector<late_copy>> copies;  ///< the last group is not committed
};

/// Lanes of one mask that meet again and again. A lane can be one meeting ahead of the others, so two sets of
/// slots are enough.
struct circle {
  unsigned mask = 0, arrived = 0;
  meeting what = meeting::none;
  std::uint64_t generation = 0;
  std::array<std::array<lane_slot, lanes_per_warp>, 2> slots;
};

struct state {
  fiber scheduler;
  std::vector<std::unique_ptr<device_thread>> threads;  ///< as many as the largest block had
  std::vector<std::deque<circle>> warps;
  std::vector<std::byte> shared;
  const std::function<void()>* body = nullptr;
  std::size_t current = 0, live = 0, arrived = 0;
  bool early = false;
  std::uint64_t generation = 0;
  bool any = false, last_any = false;
  std::string fault;
  thread_order order = thread_order::ascending;
};

state& now() {
  static state s;
  return s;
}

device_thread& current() {
  return *now().threads[now().current];
}

void pause_thread() {
  switch_fiber(current().where, now().scheduler);
}

void wait_behind(const std::uint64_t& gate, std::uint64_t seen) {
  current().gate = &gate;
  current().seen = seen;
  pause_thread();
}

void open_block_gate() {
  auto& s = now();
  s.arrived = 0;
  s.last_any = s.any;
  s.any = false;
  ++s.generation;
}

void run_copy(const late_copy& c) {
  std::memcpy(c.to, c.from, c.bytes);
  std::memset(static_cast<std::byte*>(c.to) + c.bytes, 0, c.zeros);
}

void finish_copies(std::size_t pending) {
  auto& copies = current().copies;
  while (copies.size() > pending + 1) {
    for (auto& c : copies.front())
      run_copy(c);
    copies.pop_front();
  }
}

/// A thread of the device: one body per block, for ever.
void thread_entry() {
  arrived(now().scheduler);
  for (;;) {
    (*now().body)();
    auto& s = now();
    if (s.early && !current().waited)
      s.fault = "a thread of an early launch never waited for the one in front";
    current().done = true;
    --s.live;
    if (s.live != 0 && s.arrived == s.live) open_block_gate();
    pause_thread();
  }
}

/// Of thread `number`. Stacks begin at different places of their pages, or the caches could hold few at once.
std::unique_ptr<device_thread> new_thread(std::size_t number) {
  auto out = std::make_unique<device_thread>();
  auto* at = static_cast<std::byte*>(mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (at == MAP_FAILED) throw std::bad_alloc();
  mprotect(at, guard_bytes, PROT_NONE);
  constexpr std::size_t places = 32, apart = guard_bytes / places;
  prepare(out->where, at + guard_bytes, stack_bytes - number % places * apart, thread_entry);
  return out;
}

void begin_block(const extent& block, std::size_t shared_bytes) {
  auto& s = now();
  const auto count = block.count();
  while (s.threads.size() < count)
    s.threads.push_back(new_thread(s.threads.size()));
  for (std::size_t i = 0; i < count; ++i) {
    auto& t = *s.threads[i];
    t.index = extent(static_cast<unsigned>(i % block.x), static_cast<unsigned>(i / block.x % block.y),
                     static_cast<unsigned>(i / block.x / block.y));
    t.done = t.waited = false;
    t.gate = nullptr;
    t.copies.assign(1, {});
  }
  s.warps.resize((count + lanes_per_warp - 1) / lanes_per_warp);
  s.shared.assign(shared_bytes, std::byte{0xff});
  s.live = count;
  s.arrived = 0;
  s.any = false;
}

/// Also between the arrays, where the address sanitizer allows nothing: what it would look at is not called.
[[gnu::no_sanitize("address")]] void fill_fixed_shared() {
  using wide [[gnu::may_alias]] = std::uint64_t;
  auto* at = __start_emulated_shared;
  for (; __stop_emulated_shared - at >= std::ptrdiff_t{sizeof(wide)}; at += sizeof(wide))
    *reinterpret_cast<volatile wide*>(at) = ~wide{0};
  for (; at != __stop_emulated_shared; ++at)
    *reinterpret_cast<volatile std::byte*>(at) = std::byte{0xff};
}

/// One turn for every thread that can go on; false when none can.
bool pass(std::size_t count) {
  auto& s = now();
  bool moved = false;
  for (std::size_t i = 0; i < count && s.fault.empty(); ++i) {
    const auto which = s.order == thread_order::ascending ? i : count - 1 - i;
    auto& t = *s.threads[which];
    if (t.done || (t.gate && *t.gate == t.seen)) continue;
    t.gate = nullptr;
    s.current = which;
    threadIdx = t.index;
    moved = true;
    switch_fiber(s.scheduler, t.where);
  }
  return moved;
}

void run_block(const extent& block, std::size_t shared_bytes) {
  auto& s = now();
  begin_block(block, shared_bytes);
  while (s.live != 0 && s.fault.empty())
    if (!pass(block.count()) && s.fault.empty()) s.fault = "threads wait for each other in different places";
  if (s.fault.empty()) return;
  // Threads that will never go on begin anew; kernels own nothing that would be lost.
  s.warps.clear();
  for (auto& t : s.threads)
    prepare(t->where, t->where.stack, t->where.bytes, thread_entry);
}

}  // namespace

void run_threads(thread_order order) {
  now().order = order;
}

std::string run_grid(const launch& how, const std::function<void()>& body) {
  auto& s = now();
  s.body = &body;
  s.fault.clear();
  s.early = how.early;
  fill_fixed_shared();
  gridDim = how.grid;
  blockDim = how.block;
  for (unsigned z = 0; z < how.grid.z; ++z)
    for (unsigned y = 0; y < how.grid.y; ++y)
      for (unsigned x = 0; x < how.grid.x && s.fault.empty(); ++x) {
        blockIdx = extent(x, y, z);
        run_block(how.block, how.shared_bytes);
      }
  return s.fault;
}

const lane_slot* meet(unsigned mask, meeting what, const void* value, std::size_t bytes) {
  auto& s = now();
  const auto warp = s.current / lanes_per_warp;
  const auto present = std::min(lanes_per_warp, blockDim.count() - warp * lanes_per_warp);
  if (present < lanes_per_warp) mask &= (1u << present) - 1;
  if (!(mask >> lane() & 1)) fault("a lane meets others under a mask that leaves it out");
  auto& circles = s.warps[warp];
  circle* c = nullptr;
  for (auto& known : circles)
    if (known.mask == mask) c = &known;
  if (!c) {
    c = &circles.emplace_back();
    c->mask = mask;
  }
  if (c->arrived != 0 && c->what != what) fault("lanes of a warp meet in different operations");
  c->what = what;
  const auto generation = c->generation;
  auto& slots = c->slots[generation & 1];
  if (bytes != 0) std::memcpy(slots[lane()].bytes, value, bytes);
  c->arrived |= 1u << lane();
  if (c->arrived == mask) {
    c->arrived = 0;
    ++c->generation;
  } else {
    wait_behind(c->generation, generation);
  }
  return slots.data();
}

void meet_block() {
  meet_block_any(false);
}

bool meet_block_any(bool value) {
  auto& s = now();
  s.any = s.any || value;
  const auto generation = s.generation;
  if (++s.arrived == s.live)
    open_block_gate();
  else
    wait_behind(s.generation, generation);
  return s.last_any;
}

std::byte* shared_memory() {
  return now().shared.data();
}

unsigned lane() {
  return static_cast<unsigned>(now().current % lanes_per_warp);
}

void waited_for_previous() {
  current().waited = true;
}

void copy_later(void* to, const void* from, std::size_t bytes, std::size_t zeros) {
  const auto& shared = now().shared;
  const auto* at = static_cast<const std::byte*>(to);
  if (at < shared.data() || at + bytes + zeros > shared.data() + shared.size())
    fault("an asynchronous copy leaves the shared memory");
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0)
    fault("an asynchronous copy is not on 16 bytes");
  const late_copy c{to, from, bytes, zeros};
  if (now().order == thread_order::descending) return run_copy(c);
  current().copies.back().push_back(c);
}

void commit_copies() {
  current().copies.emplace_back();
}

void wait_copies(std::size_t pending) {
  finish_copies(pending);
}

void fault(const char* text) {
  now().fault = text;
  static const std::uint64_t shut = 0;
  for (;;)
    wait_behind(shut, 0);
}

}  // namespace emulated_device
