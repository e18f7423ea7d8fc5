// What gpu/ is in a build without CUDA.
#include "gpu/device.hpp"

namespace lorica::gpu {
namespace {

error without_cuda() {
  return fail(errc::bad_config, "this build has no CUDA; the preset cuda has");
}

}  // namespace

result<std::vector<device_properties>> list_devices() {
  return without_cuda();
}

result<device> device::open(int) {
  return without_cuda();
}
result<void> device::use() const {
  return without_cuda();
}
result<std::uint64_t> device::free_bytes() const {
  return without_cuda();
}
result<void> device::synchronise() const {
  return without_cuda();
}

}  // namespace lorica::gpu
