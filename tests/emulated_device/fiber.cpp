#include "tests/emulated_device/fiber.hpp"

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// The C library's switch asks the kernel for the signal mask each time, twenty times the cost of this one.
extern "C" void emulated_device_switch(void** from, void* to);
asm(R"(
.text
.globl emulated_device_switch
.type emulated_device_switch, @function
emulated_device_switch:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulated_device_switch, .-emulated_device_switch
)");
#endif

namespace emulated_device {

void prepare(fiber& f, void* stack, std::size_t bytes, void (*entry)()) {
  f.stack = stack;
  f.bytes = bytes;
  f.fake_stack = nullptr;
#if defined(__x86_64__)
  constexpr int saved = 6;
  auto* top = reinterpret_cast<std::uintptr_t*>(static_cast<std::byte*>(stack) + bytes);
  *--top = 0;
  *--top = reinterpret_cast<std::uintptr_t>(entry);
  for (int i = 0; i < saved; ++i)
    *--top = 0;
  f.pointer = top;
#else
  getcontext(&f.registers);
  f.registers.uc_stack.ss_sp = stack;
  f.registers.uc_stack.ss_size = bytes;
  f.registers.uc_link = nullptr;
  makecontext(&f.registers, entry, 0);
#endif
}

void switch_fiber(fiber& from, fiber& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack, to.bytes);
#endif
#if defined(__x86_64__)
  emulated_device_switch(&from.pointer, to.pointer);
#else
  swapcontext(&from.registers, &to.registers);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

void arrived([[maybe_unused]] fiber& from) {
#if defined(__SANITIZE_ADDRESS__)
  const void* stack = nullptr;
  __sanitizer_finish_switch_fiber(nullptr, &stack, &from.bytes);
  from.stack = const_cast<void*>(stack);
#endif
}

}  // namespace emulated_device
