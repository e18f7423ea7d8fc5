#define LORICA_ISA avx512
#include "cpu/kernels_isa.inc"
