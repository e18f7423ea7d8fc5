#pragma once

// LORICA_EACH_ISA before a function: it is compiled once for each set of instructions, and the loader picks
// the one that fits the processor. For plain loops beside the kernels, which have files of their own for
// that. Sanitizers run before the loader could pick, so they see one compilation.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LORICA_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LORICA_EACH_ISA
#endif
