#include "gpu/stream.hpp"

#include "gpu/cuda_error.hpp"
#include "gpu/event.hpp"

namespace lorica::gpu {
namespace {

constexpr int first_early_major = 9;  // CUDA programming guide, programmatic dependent launch

}  // namespace

void stream::destroy::operator()(CUstream_st* s) const noexcept {
  static_cast<void>(cudaStreamDestroy(s));
}

result<stream> stream::create(stream_priority priority) {
  int least = 0, greatest = 0;
  if (auto ok = checked(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities"); !ok)
    return ok.error();
  int device = 0, major = 0;
  if (auto ok = checked(cudaGetDevice(&device), "asking for the device in use"); !ok) return ok.error();
  if (auto ok = checked(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                        "asking for the compute capability");
      !ok)
    return ok.error();
  cudaStream_t s = nullptr;
  const auto chosen = priority == stream_priority::high ? greatest : least;
  if (auto ok = checked(cudaStreamCreateWithPriority(&s, cudaStreamNonBlocking, chosen), "creating a stream");
      !ok)
    return ok.error();
  return stream(s, major >= first_early_major);
}

result<void> stream::wait_for(const event& e) const {
  return checked(cudaStreamWaitEvent(native(), e.native(), 0), "letting a stream wait for an event");
}

result<void> stream::synchronise() const {
  return checked(cudaStreamSynchronize(native()), "waiting for a stream");
}

result<void> stream::to_device(void* to, const void* from_pinned, std::size_t bytes) const {
  if (bytes == 0) return {};
  return checked(cudaMemcpyAsync(to, from_pinned, bytes, cudaMemcpyHostToDevice, native()),
                 "copying to the device");
}

result<void> stream::to_host(void* to_pinned, const void* from, std::size_t bytes) const {
  if (bytes == 0) return {};
  return checked(cudaMemcpyAsync(to_pinned, from, bytes, cudaMemcpyDeviceToHost, native()),
                 "copying from the device");
}

result<void> stream::copy(void* to, const void* from, std::size_t bytes) const {
  if (bytes == 0) return {};
  return checked(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, native()),
                 "copying on the device");
}

result<void> stream::fill(void* to, std::byte value, std::size_t bytes) const {
  if (bytes == 0) return {};
  return checked(cudaMemsetAsync(to, std::to_integer<int>(value), bytes, native()), "filling device memory");
}

}  // namespace lorica::gpu
