#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "gpu/cuda_error.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Shared memory that a kernel may have without being asked for it.
inline constexpr std::size_t plain_shared_bytes = std::size_t{48} << 10;

/// How a kernel is started.
struct launch_shape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  ///< dynamic; above 48 KiB the kernel is told so first
  /// May begin before the launch in front of it in the stream has ended; the kernel calls `wait_for_previous`
  /// before it reads anything of that. Nothing else on devices before compute capability 9.0.
  bool early = false;
};

/// Starts `kernel`; the only way to do so. `what` names it in errors. An empty grid is nothing to do.
template <class... Parameters, class... Arguments>
result<void> launch(std::string_view what, const stream& s, const launch_shape& shape,
                    void (*kernel)(Parameters...), Arguments&&... arguments) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return {};
  if (shape.shared_bytes > plain_shared_bytes) {
    const auto bytes = static_cast<int>(shape.shared_bytes);
    if (auto ok =
            checked(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), what);
        !ok)
      return ok;
  }
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = s.native();
  config.attrs = &early;
  config.numAttrs = shape.early && s.begins_early() ? 1 : 0;
  return checked(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), what);
}

}  // namespace lorica::gpu
