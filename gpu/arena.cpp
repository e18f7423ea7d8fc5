#include "gpu/arena.hpp"

#include "gpu/cuda_error.hpp"

namespace lorica::gpu {

void arena::give_back::operator()(std::byte* at) const noexcept {
  static_cast<void>(cudaFree(at));
}

result<arena> arena::allocate(std::uint64_t bytes) {
  std::size_t free = 0, total = 0;
  if (auto ok = checked(cudaMemGetInfo(&free, &total), "asking for free device memory"); !ok)
    return ok.error();
  void* base = nullptr;
  const auto code = cudaMalloc(&base, bytes);
  if (auto ok = checked(code, "allocating device memory"); !ok) {
    if (ok.error().code != errc::out_of_memory) return ok.error();
    return fail(errc::out_of_memory, "the device needs " + std::to_string(bytes) + " bytes of memory; " +
                                         std::to_string(free) + " of " + std::to_string(total) + " are free");
  }
  return arena(static_cast<std::byte*>(base), bytes);
}

result<std::byte*> arena::take(memory_part part, std::string name, std::uint64_t bytes) {
  const auto left = size_ - used_;
  // The first comparison keeps the rounding below from wrapping.
  if (bytes > left || charged(bytes) > left)
    return fail(errc::out_of_memory, std::string(to_string(part)) + ": '" + name + "' needs " +
                                         std::to_string(bytes) + " bytes of device memory; " +
                                         std::to_string(left) + " of " + std::to_string(size_) + " are left");
  auto* at = base_.get() + used_;
  used_ += charged(bytes);
  pieces_.push_back({part, std::move(name), charged(bytes)});
  return at;
}

std::uint64_t arena::used(memory_part part) const noexcept {
  std::uint64_t sum = 0;
  for (auto& p : pieces_)
    if (p.part == part) sum += p.bytes;
  return sum;
}

}  // namespace lorica::gpu
