#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <string_view>

#include "core/error.hpp"

namespace lorica::gpu {

/// The only way to make a call of the runtime: `what` names what was to be done ("copying the step's rows to
/// the device"). Out of memory is `errc::out_of_memory`, no device or too old a driver `errc::bad_config`,
/// all else `errc::generation_failed`; texts carry the number of the error, never a text of the library.
result<void> checked(cudaError_t code, std::string_view what);

/// The same for calls of cuBLASLt.
result<void> checked(cublasStatus_t code, std::string_view what);

}  // namespace lorica::gpu
