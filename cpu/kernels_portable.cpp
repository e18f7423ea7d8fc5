#define LORICA_ISA portable
#include "cpu/kernels_isa.inc"
