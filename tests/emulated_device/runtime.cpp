#include "tests/emulated_device/runtime.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace {

using work = std::function<cudaError_t()>;

/// One recording of an event.
struct mark {
  cudaStream_t stream = nullptr;
  bool done = false, asked = false;
};

struct step {
  work run;                     ///< or
  std::shared_ptr<mark> wait;   ///< goes on when it is done, or
  std::shared_ptr<mark> reach;  ///< is done now
};

struct capture {
  cudaStream_t origin = nullptr;
  std::vector<work> works;
  std::set<cudaStream_t> streams, not_joined;
  std::set<const mark*> marks;
};

}  // namespace

struct CUstream_st {
  std::deque<step> steps;
  std::shared_ptr<capture> capturing;
};
struct CUevent_st {
  std::shared_ptr<mark> last;
};
struct CUgraph_st {
  std::vector<work> works;
};
struct CUgraphExec_st {
  std::vector<work> works;
};

namespace {

constexpr std::size_t page = 4096;
constexpr int default_shared = 48 << 10, most_shared = 227 << 10;

struct device_state {
  int devices = 1;
  std::size_t memory = std::size_t{1} << 30;
  emulated_device::capability can;
  std::map<std::uintptr_t, std::size_t> device, pinned;  ///< from where, how many bytes
  std::set<cudaStream_t> streams;
  std::set<cudaEvent_t> events;
  std::size_t graphs = 0;
  std::map<const void*, int> shared;
  cudaError_t broken = cudaSuccess;
  std::string fault;
  std::uint64_t calls = 0, fail_at = 0;
  cudaError_t failure = cudaSuccess;
  unsigned depth = 0;  ///< of device work that runs
  std::map<cudaMemcpyKind, emulated_device::copies> copies;
  std::deque<float> times;
};

thread_local int chosen = 0;

device_state& now() {
  static device_state s;
  return s;
}

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + page - 1) / page * page;
}

/// While one lives, device memory can be touched.
class device_turn {
 public:
  device_turn() {
    if (now().depth++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  ~device_turn() {
    if (--now().depth == 0) protect(PROT_NONE);
  }
  device_turn(const device_turn&) = delete;
  device_turn& operator=(const device_turn&) = delete;

 private:
  static void protect(int how) {
    for (auto& [at, bytes] : now().device)
      mprotect(reinterpret_cast<void*>(at), whole_pages(bytes), how);
  }
};

/// Fresh memory: bytes 0xff, no numbers. Its pages come from one file that all of it begins as, so that what
/// nobody touches costs nothing. Null where there is none.
void* fresh_memory(std::size_t bytes) {
  constexpr std::size_t piece = std::size_t{16} << 20;
  static const int file = [] {
    const int f = memfd_create("emulated device", MFD_CLOEXEC);
    const std::vector<char> nothing(piece, '\xff');
    return f >= 0 && write(f, nothing.data(), piece) == static_cast<ssize_t>(piece) ? f : -1;
  }();
  if (file < 0) return nullptr;
  auto* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  for (std::size_t at = 0; at < bytes; at += piece)
    if (mmap(static_cast<std::byte*>(memory) + at, std::min(piece, bytes - at), PROT_NONE,
             MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, 0) == MAP_FAILED) {
      munmap(memory, bytes);
      return nullptr;
    }
  return memory;
}

bool inside(const std::map<std::uintptr_t, std::size_t>& regions, const void* from, std::size_t bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(from);
  auto next = regions.upper_bound(at);
  if (next == regions.begin()) return false;
  --next;
  return at - next->first <= next->second && bytes <= next->second - (at - next->first);
}

/// Does what is in the stream until `until` is done, or all of it.
void advance(cudaStream_t stream, const mark* until) {
  device_turn turn;
  while (!stream->steps.empty() && !(until && until->done)) {
    auto next = std::move(stream->steps.front());
    stream->steps.pop_front();
    if (next.wait && !next.wait->done) advance(next.wait->stream, next.wait.get());
    if (next.reach) next.reach->done = true;
    if (next.run && now().broken == cudaSuccess) now().broken = next.run();
  }
}

void advance_all() {
  for (auto* s : now().streams)
    advance(s, nullptr);
}

bool capturing_anywhere() {
  for (auto* s : now().streams)
    if (s->capturing) return true;
  return false;
}

cudaError_t put(cudaStream_t stream, work w) {
  if (!now().streams.contains(stream)) return cudaErrorInvalidValue;
  if (auto& c = stream->capturing) {
    c->works.push_back(std::move(w));
    if (stream != c->origin) c->not_joined.insert(stream);
  } else {
    stream->steps.push_back({std::move(w), {}, {}});
  }
  return cudaSuccess;
}

}  // namespace

namespace emulated_device {

cudaError_t enter() {
  auto& s = now();
  if (s.broken != cudaSuccess) return s.broken;
  ++s.calls;
  if (s.failure == cudaSuccess || s.calls != s.fail_at) return cudaSuccess;
  return std::exchange(s.failure, cudaSuccess);
}

}  // namespace emulated_device

using emulated_device::enter;

cudaError_t cudaGetDeviceCount(int* count) {
  if (auto e = enter()) return e;
  *count = now().devices;
  return now().devices == 0 ? cudaErrorNoDevice : cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (auto e = enter()) return e;
  if (device < 0 || device >= now().devices) return cudaErrorInvalidDevice;
  chosen = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  if (auto e = enter()) return e;
  *device = chosen;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (auto e = enter()) return e;
  if (device < 0 || device >= now().devices) return cudaErrorInvalidDevice;
  *p = {};
  std::strcpy(p->name, "emulated device");
  p->totalGlobalMem = now().memory;
  p->multiProcessorCount = 4;
  p->major = now().can.major;
  p->minor = now().can.minor;
  p->sharedMemPerBlockOptin = most_shared;
  p->l2CacheSize = 1 << 20;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int device) {
  if (auto e = enter()) return e;
  if (device < 0 || device >= now().devices) return cudaErrorInvalidDevice;
  if (what == cudaDevAttrComputeCapabilityMajor)
    *value = now().can.major;
  else
    *value = what == cudaDevAttrClockRate ? 1'000'000 : 2'000'000;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  if (auto e = enter()) return e;
  *version = 13010;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  if (auto e = enter()) return e;
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  if (auto e = enter()) return e;
  *total = now().memory;
  *free = now().memory - emulated_device::device_bytes();
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  if (auto e = enter()) return e;
  if (capturing_anywhere()) return cudaErrorStreamCaptureUnsupported;
  advance_all();
  return now().broken;
}

cudaError_t cudaGetLastError() {
  return now().broken;
}

cudaError_t cudaMalloc(void** at, std::size_t bytes) {
  if (auto e = enter()) return e;
  if (capturing_anywhere()) return cudaErrorStreamCaptureUnsupported;
  if (bytes > now().memory - emulated_device::device_bytes()) return cudaErrorMemoryAllocation;
  auto* memory = fresh_memory(whole_pages(bytes));
  if (!memory) return cudaErrorMemoryAllocation;
  now().device[reinterpret_cast<std::uintptr_t>(memory)] = bytes;
  *at = memory;
  return cudaSuccess;
}

cudaError_t cudaFree(void* at) {
  if (!at) return cudaSuccess;
  auto found = now().device.find(reinterpret_cast<std::uintptr_t>(at));
  if (found == now().device.end()) return cudaErrorInvalidValue;
  advance_all();
  munmap(at, whole_pages(found->second));
  now().device.erase(found);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** at, std::size_t bytes, unsigned) {
  if (auto e = enter()) return e;
  if (capturing_anywhere()) return cudaErrorStreamCaptureUnsupported;
  *at = std::aligned_alloc(page, whole_pages(bytes));
  if (!*at) return cudaErrorMemoryAllocation;
  std::memset(*at, 0xff, bytes);
  now().pinned[reinterpret_cast<std::uintptr_t>(*at)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* at) {
  if (!at) return cudaSuccess;
  advance_all();
  if (now().pinned.erase(reinterpret_cast<std::uintptr_t>(at)) == 0) return cudaErrorInvalidValue;
  std::free(at);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (auto e = enter()) return e;
  auto& s = now();
  const bool reads_host = kind == cudaMemcpyHostToDevice, writes_host = kind == cudaMemcpyDeviceToHost;
  if (!inside(reads_host ? s.pinned : s.device, from, bytes) ||
      !inside(writes_host ? s.pinned : s.device, to, bytes))
    return cudaErrorInvalidValue;
  return put(stream, [to, from, bytes, kind] {
    std::memmove(to, from, bytes);
    auto& done = now().copies[kind];
    ++done.count;
    done.bytes += bytes;
    return cudaSuccess;
  });
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  if (auto e = enter()) return e;
  if (!inside(now().device, to, bytes)) return cudaErrorInvalidValue;
  return put(stream, [to, value, bytes] {
    std::memset(to, value, bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (auto e = enter()) return e;
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  if (auto e = enter()) return e;
  *stream = new CUstream_st;
  now().streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!now().streams.contains(stream)) return cudaErrorInvalidValue;
  advance(stream, nullptr);
  now().streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (auto e = enter()) return e;
  if (!now().streams.contains(stream)) return cudaErrorInvalidValue;
  if (capturing_anywhere()) return cudaErrorStreamCaptureUnsupported;
  advance(stream, nullptr);
  return now().broken;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (auto e = enter()) return e;
  if (!now().streams.contains(stream) || !now().events.contains(event)) return cudaErrorInvalidValue;
  if (!event->last) return cudaSuccess;
  for (auto* other : now().streams) {
    auto c = other->capturing;
    if (!c || !c->marks.contains(event->last.get())) continue;
    stream->capturing = c;
    c->streams.insert(stream);
    if (stream == c->origin) c->not_joined.erase(event->last->stream);
    return cudaSuccess;
  }
  if (stream->capturing) return cudaErrorStreamCaptureUnsupported;
  stream->steps.push_back({{}, event->last, {}});
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  if (auto e = enter()) return e;
  *event = new CUevent_st;
  now().events.insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (now().events.erase(event) == 0) return cudaErrorInvalidValue;
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (auto e = enter()) return e;
  if (!now().streams.contains(stream) || !now().events.contains(event)) return cudaErrorInvalidValue;
  event->last = std::make_shared<mark>();
  event->last->stream = stream;
  if (stream->capturing)
    stream->capturing->marks.insert(event->last.get());
  else
    stream->steps.push_back({{}, {}, event->last});
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (auto e = enter()) return e;
  if (!now().events.contains(event)) return cudaErrorInvalidValue;
  if (capturing_anywhere()) return cudaErrorStreamCaptureUnsupported;
  if (event->last && !event->last->done) advance(event->last->stream, event->last.get());
  return now().broken;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (auto e = enter()) return e;
  if (!now().events.contains(event)) return cudaErrorInvalidValue;
  if (capturing_anywhere()) return cudaErrorStreamCaptureUnsupported;
  auto& last = event->last;
  if (!last || last->done) return cudaSuccess;
  if (std::exchange(last->asked, true)) advance(last->stream, last.get());
  return last->done ? now().broken : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  if (auto e = enter()) return e;
  if (!from->last || !to->last) return cudaErrorInvalidValue;
  if (!from->last->done || !to->last->done) return cudaErrorNotReady;
  auto& script = now().times;
  *milliseconds = script.empty() ? 1 : script.front();
  if (!script.empty()) script.pop_front();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (auto e = enter()) return e;
  if (!now().streams.contains(stream) || stream->capturing) return cudaErrorInvalidValue;
  stream->capturing = std::make_shared<capture>();
  stream->capturing->origin = stream;
  stream->capturing->streams.insert(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  auto failed = enter();
  if (!now().streams.contains(stream) || !stream->capturing) return cudaErrorInvalidValue;
  auto c = stream->capturing;
  for (auto* s : c->streams)
    if (now().streams.contains(s)) s->capturing = nullptr;
  *graph = nullptr;
  if (failed) return failed;
  if (!c->not_joined.empty()) return cudaErrorStreamCaptureUnjoined;
  *graph = new CUgraph_st{std::move(c->works)};
  ++now().graphs;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long) {
  if (auto e = enter()) return e;
  *out = new CUgraphExec_st{graph->works};
  ++now().graphs;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (auto e = enter()) return e;
  return put(stream, [works = graph->works] {
    for (auto& w : works)
      if (auto e = w()) return e;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  --now().graphs;
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  --now().graphs;
  delete graph;
  return cudaSuccess;
}

namespace emulated_device {

cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> w) {
  if (auto e = enter()) return e;
  return put(stream, std::move(w));
}

cudaError_t enqueue_kernel(const cudaLaunchConfig_t& shape, const void* kernel, std::function<void()> body) {
  if (auto e = enter()) return e;
  const auto grid = shape.gridDim, block = shape.blockDim;
  const auto bytes = shape.dynamicSmemBytes;
  auto allowed = now().shared.contains(kernel) ? now().shared[kernel] : default_shared;
  if (grid.count() == 0 || grid.y > 65535 || grid.z > 65535 || block.count() == 0 || block.count() > 1024 ||
      block.z > 64)
    return cudaErrorInvalidConfiguration;
  if (bytes > static_cast<std::size_t>(allowed)) return cudaErrorInvalidValue;
  const bool early = shape.numAttrs != 0;
  if (early && now().can.major < 9) return cudaErrorNotSupported;
  const launch how{grid, block, bytes, early};
  return put(shape.stream, [how, body = std::move(body)] {
    auto text = run_grid(how, body);
    if (text.empty()) return cudaSuccess;
    now().fault = text;
    return cudaErrorLaunchFailure;
  });
}

cudaError_t allow_shared(const void* kernel, int bytes) {
  if (auto e = enter()) return e;
  if (bytes > most_shared) return cudaErrorInvalidValue;
  now().shared[kernel] = bytes;
  return cudaSuccess;
}

void set_devices(int count, std::size_t memory_bytes) {
  now().devices = count;
  now().memory = memory_bytes;
}

void set_capability(capability c) {
  now().can = c;
}
capability capability_now() {
  return now().can;
}

void fail_after(std::uint64_t calls, cudaError_t error) {
  now().calls = 0;
  now().fail_at = calls + 1;
  now().failure = error;
}

void lose(cudaError_t error) {
  now().broken = error;
}

int chosen_device() {
  return chosen;
}

std::uint64_t calls_made() {
  return now().calls;
}

void script_times(std::vector<float> milliseconds) {
  now().times.assign(milliseconds.begin(), milliseconds.end());
}

copies copies_done(cudaMemcpyKind kind) {
  return now().copies[kind];
}

void reset() {
  auto& s = now();
  for (auto* stream : s.streams) {
    stream->steps.clear();
    stream->capturing = nullptr;
  }
  s.broken = s.failure = cudaSuccess;
  s.fault.clear();
}

std::size_t things_alive() {
  auto& s = now();
  return s.device.size() + s.pinned.size() + s.streams.size() + s.events.size() + s.graphs;
}

std::size_t device_bytes() {
  std::size_t sum = 0;
  for (auto& [at, bytes] : now().device)
    sum += bytes;
  return sum;
}

const std::string& last_fault() {
  return now().fault;
}

void peek(const std::function<void()>& body) {
  advance_all();
  device_turn turn;
  body();
}

}  // namespace emulated_device
