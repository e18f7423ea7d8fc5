// What gpu/ is in a build without CUDA.
#include "gpu/device.hpp"
#include "gpu/executor.hpp"
#include "gpu/kv_cache.hpp"

namespace lorica::gpu {
namespace {

error without_cuda() {
  return fail(errc::bad_config,
              "this build has no CUDA; `cmake --preset cuda` makes one that has, see "
              "gpu/README.md");
}

}  // namespace

result<std::vector<device_properties>> list_devices() {
  return without_cuda();
}

gpu_memory gpu_memory_of(const model_weights&, const gpu_options&) {
  return {};
}
std::uint64_t gpu_kv_bytes_per_token(const model_config& m) noexcept {
  return kv_bytes_per_token(m);
}
result<std::unique_ptr<executor>> make_gpu_executor(std::shared_ptr<const model_weights>,
                                                    const gpu_options&) {
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
