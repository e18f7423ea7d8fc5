#pragma once

// The calls of the CUDA runtime that gpu/ uses, on the CPU. Work waits in its stream until somebody waits for
// it, and then only what that wait asks for is done: what was not ordered by an event or a stream is seen to
// be missing. Device memory can be touched by device work alone.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/emulated_device/grid.hpp"

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorNotSupported = 801,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureUnjoined = 904
};

struct CUstream_st;
struct CUevent_st;
struct CUgraph_st;
struct CUgraphExec_st;
using cudaStream_t = CUstream_st*;
using cudaEvent_t = CUevent_st*;
using cudaGraph_t = CUgraph_st*;
using cudaGraphExec_t = CUgraphExec_st*;

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr {
  cudaDevAttrClockRate = 13,
  cudaDevAttrMemoryClockRate = 36,
  cudaDevAttrComputeCapabilityMajor = 75
};
enum cudaLaunchAttributeID { cudaLaunchAttributeProgrammaticStreamSerialization = 6 };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2,
                          cudaHostAllocDefault = 0;

struct cudaLaunchAttribute {
  cudaLaunchAttributeID id;
  struct {
    int programmaticStreamSerializationAllowed;
  } val;
};

struct cudaLaunchConfig_t {
  emulated_device::extent gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};

struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int multiProcessorCount, major, minor;
  std::size_t sharedMemPerBlockOptin;
  int l2CacheSize;
};

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaGetLastError();

cudaError_t cudaMalloc(void** at, std::size_t bytes);
cudaError_t cudaFree(void* at);
cudaError_t cudaHostAlloc(void** at, std::size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* at);
/// Host memory must be pinned.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
/// Not ready when asked first; the device goes on meanwhile.
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to);

/// Captured work runs in the order in which it was issued, over all streams. While a stream captures, waits,
/// questions and allocations fail, whatever they are about: the driver calls them unsafe.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);

namespace emulated_device {

/// Every call begins here: an error that a test asked for, or one that stays.
cudaError_t enter();

/// Puts work into a stream; what it returns makes every later call fail.
cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> work);
cudaError_t enqueue_kernel(const cudaLaunchConfig_t& shape, const void* kernel, std::function<void()> body);
cudaError_t allow_shared(const void* kernel, int bytes);

// For tests. The device is one per process; one OS thread uses it at a time.

/// What the machine has; before anything is opened.
void set_devices(int count, std::size_t memory_bytes);

/// The compute capability of every device; 9.0 at first.
struct capability {
  int major = 9, minor = 0;
};
void set_capability(capability c);
capability capability_now();

/// The call after `calls` more fails with `error`, once; how many calls were made since it was set.
void fail_after(std::uint64_t calls, cudaError_t error);
std::uint64_t calls_made();

/// Every call fails from now on, as after a kernel that read what is not there; until `reset`.
void lose(cudaError_t error);

/// The device that the calling thread has chosen.
int chosen_device();

/// Copies of a kind that were done since the process began, recorded ones each time, and their bytes.
struct copies {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};
copies copies_done(cudaMemcpyKind kind);

/// What `cudaEventElapsedTime` tells next, in order; behind them 1. Times mean nothing here.
void script_times(std::vector<float> milliseconds);

/// Forgets errors and whatever waits in streams, as a new process would.
void reset();

/// What was allocated or created and not given back, and device bytes of it.
std::size_t things_alive();
std::size_t device_bytes();

/// Why the last kernel was ended; empty when none was.
const std::string& last_fault();

/// A look at device memory from outside: waits for everything, then runs `body` as the device would.
void peek(const std::function<void()>& body);

}  // namespace emulated_device

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute, int value) {
  return emulated_device::allow_shared(reinterpret_cast<const void*>(kernel), value);
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* shape, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  return emulated_device::enqueue_kernel(
      *shape, reinterpret_cast<const void*>(kernel),
      [kernel, held = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
        std::apply(kernel, held);
      });
}
