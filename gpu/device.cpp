#include "gpu/device.hpp"

#include "gpu/cuda_error.hpp"

namespace lorica::gpu {
namespace {

constexpr std::uint32_t oldest_major = 8;

result<device_properties> properties_of(int index) {
  cudaDeviceProp p{};
  if (auto ok = checked(cudaGetDeviceProperties(&p, index), "reading the device's properties"); !ok)
    return ok.error();
  device_properties out;
  out.index = index;
  out.name = p.name;
  out.memory_bytes = p.totalGlobalMem;
  out.multiprocessors = static_cast<std::uint32_t>(p.multiProcessorCount);
  out.major = static_cast<std::uint32_t>(p.major);
  out.minor = static_cast<std::uint32_t>(p.minor);
  out.shared_bytes = static_cast<std::uint32_t>(p.sharedMemPerBlockOptin);
  out.l2_bytes = static_cast<std::uint64_t>(p.l2CacheSize);
  return out;
}

}  // namespace

result<std::vector<device_properties>> list_devices() {
  int count = 0;
  if (auto ok = checked(cudaGetDeviceCount(&count), "counting devices"); !ok) return ok.error();
  if (auto ok = checked(count == 0 ? cudaErrorNoDevice : cudaSuccess, "counting devices"); !ok)
    return ok.error();
  std::vector<device_properties> out;
  for (int i = 0; i < count; ++i) {
    auto p = properties_of(i);
    if (!p) return p.error();
    out.push_back(*std::move(p));
  }
  return out;
}

result<device> device::open(int index) {
  auto all = list_devices();
  if (!all) return all.error();
  if (index < 0 || static_cast<std::size_t>(index) >= all->size())
    return fail(errc::bad_config, "CUDA device " + std::to_string(index) + " is not there; there are " +
                                      std::to_string(all->size()) + ", counted from 0");
  device out((*all)[static_cast<std::size_t>(index)]);
  auto& p = out.properties_;
  if (p.major < oldest_major)
    return fail(errc::bad_config, p.name + " has compute capability " + std::to_string(p.major) + "." +
                                      std::to_string(p.minor) + "; 8.0 or later is needed");
  if (auto ok = out.use(); !ok) return ok.error();
  return out;
}

result<void> device::use() const {
  return checked(cudaSetDevice(properties_.index), "choosing the device");
}

result<std::uint64_t> device::free_bytes() const {
  std::size_t free = 0, total = 0;
  if (auto ok = checked(cudaMemGetInfo(&free, &total), "asking for free device memory"); !ok)
    return ok.error();
  return static_cast<std::uint64_t>(free);
}

result<void> device::synchronise() const {
  return checked(cudaDeviceSynchronize(), "waiting for the device");
}

}  // namespace lorica::gpu
