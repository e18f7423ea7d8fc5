#pragma once

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulated_device {

/// A place where execution can go on: a stack and the registers that a call preserves.
struct fiber {
  void* stack = nullptr;  ///< lowest byte; null for the stack of the OS thread
  std::size_t bytes = 0;
#if defined(__x86_64__)
  void* pointer = nullptr;
#else
  ucontext_t registers;
#endif
  void* fake_stack = nullptr;  ///< the address sanitizer's
};

/// Makes `f` begin at `entry`, which never returns, on `bytes` of `stack`.
void prepare(fiber& f, void* stack, std::size_t bytes, void (*entry)());

/// Goes on in `to` and returns when something switches back to `from`.
void switch_fiber(fiber& from, fiber& to);

/// The first call of an entry: tells the sanitizer that the switch from `from` is over.
void arrived(fiber& from);

}  // namespace emulated_device
