#include "gpu/pinned.hpp"

#include "gpu/cuda_error.hpp"

namespace lorica::gpu {

void pinned_buffer::give_back::operator()(std::byte* at) const noexcept {
  static_cast<void>(cudaFreeHost(at));
}

result<pinned_buffer> pinned_buffer::allocate(std::size_t bytes) {
  void* at = nullptr;
  const auto code = cudaHostAlloc(&at, bytes, cudaHostAllocDefault);
  if (code == cudaErrorMemoryAllocation)
    return fail(errc::out_of_memory,
                "pinning " + std::to_string(bytes) + " bytes of host memory failed: there are not as many");
  if (auto ok = checked(code, "pinning host memory"); !ok) return ok.error();
  return pinned_buffer(static_cast<std::byte*>(at), bytes);
}

}  // namespace lorica::gpu
