#include "gpu/cuda_error.hpp"

#include <string>

namespace lorica::gpu {
namespace {

/// A failed call leaves its error behind for the next one that asks; broken devices say it again anyway.
void forget_last_error() {
  static_cast<void>(cudaGetLastError());
}

error failed(errc code, std::string_view what, const std::string& why) {
  return fail(code, std::string(what) + " failed: " + why);
}

}  // namespace

result<void> checked(cudaError_t code, std::string_view what) {
  if (code == cudaSuccess) return {};
  forget_last_error();
  switch (code) {
    case cudaErrorMemoryAllocation: return failed(errc::out_of_memory, what, "the device's memory is full");
    case cudaErrorNoDevice:
      return fail(errc::bad_config, "no CUDA device was found; one is needed, or --device cpu");
    case cudaErrorInsufficientDriver:
      return fail(
          errc::bad_config,
          "no CUDA device was found: no NVIDIA driver, or one that is older than CUDA 13; install one "
          "or use --device cpu");
    case cudaErrorInvalidDevice: return fail(errc::bad_config, "no CUDA device has this number");
    default:
      return failed(errc::generation_failed, what, "CUDA error " + std::to_string(static_cast<int>(code)));
  }
}

result<void> checked(cublasStatus_t code, std::string_view what) {
  if (code == CUBLAS_STATUS_SUCCESS) return {};
  if (code == CUBLAS_STATUS_ALLOC_FAILED) return failed(errc::out_of_memory, what, "memory is full");
  return failed(errc::generation_failed, what, "cuBLAS status " + std::to_string(static_cast<int>(code)));
}

}  // namespace lorica::gpu
