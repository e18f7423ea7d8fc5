#define LORICA_ISA avx2
#include "cpu/kernels_isa.inc"
