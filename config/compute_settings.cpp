#include "config/setting_groups.hpp"

namespace lorica {
namespace {

using enum setting_kind;

constexpr std::int64_t tebi = std::int64_t{1} << 40;

constexpr setting rows[] = {
    {.flag = "device",
     .environment = "LORICA_DEVICE",
     .kind = choice,
     .fallback = "auto",
     .text = "What computes: cuda needs a build with CUDA and an NVIDIA GPU; auto takes it where both are "
             "there and the settings ask for nothing that only the CPU has.",
     .choices = "auto|cpu|cuda"},
    {.flag = "cuda-memory-fraction",
     .environment = "CUDA_MEMORY_FRACTION",
     .fallback = "1",
     .text = "Share of all memory of a CUDA device that this server may take, above 0 and at most 1; never "
             "more than is free. Weights, keys and values, adapters and workspace keep within 92 % of it, "
             "the rest is for the driver. A CPU has no use for it."},
    {.flag = "cuda-graphs",
     .environment = "CUDA_GRAPHS",
     .kind = numbers,
     .text = "Numbers of sequences, separated by commas, for which a CUDA device records the steps that only "
             "generate; a step takes the next larger number, and one that is larger than all is not "
             "recorded. 0 records nothing, for debugging. Default: 1, 2, 4, 8, 16 and every further 16 up to "
             "max-batch-size, at most 256. A CPU has no use for it.",
     .least = 1,
     .most = 4096},
    {.flag = "deterministic",
     .environment = "LORICA_DETERMINISTIC",
     .kind = flag,
     .fallback = "false",
     .text =
         "On a CUDA device: a request gets the same bits whatever runs beside it, at some cost of speed. "
         "Without it only products of the base depend on how many rows a step has. A CPU always does so."},
    {.flag = "dtype",
     .environment = "DTYPE",
     .kind = choice,
     .fallback = "auto",
     .text = "How the engine computes: float32 is the exact mode; bfloat16 weights with float32 sums; int8 "
             "keeps weights of 4 and 8 bits as the file has them and computes with inputs of 8 bits. auto is "
             "int8 for quantised files and bfloat16 for others. A CUDA device computes in bfloat16, or, from "
             "compute capability 8.9 on, in fp8: weights and inputs of the layers' linear maps are codes of "
             "8 bits (e4m3) there, at half the memory and some cost in quality.",
     .choices = "auto|float32|bfloat16|int8|fp8|float16"},
    {.flag = "adapter-dtype",
     .environment = "LORICA_ADAPTER_DTYPE",
     .kind = choice,
     .fallback = "auto",
     .text = "How adapters are kept: int8 (only with --dtype int8) or as --dtype computes; auto is the "
             "former where it can be.",
     .choices = "auto|float32|bfloat16|int8"},
    {.flag = "kv-cache-dtype",
     .environment = "KV_CACHE_DTYPE",
     .kind = choice,
     .fallback = "auto",
     .text = "How keys and values are kept: as --dtype computes (auto), or as int8, codes of 8 bits that "
             "take little more than half of bfloat16 and cost some quality; not with --dtype float32.",
     .choices = "auto|float32|bfloat16|int8"},
    {.flag = "isa",
     .environment = "LORICA_ISA",
     .kind = choice,
     .fallback = "auto",
     .text = "Instructions of the processor to use; auto takes the widest that it has.",
     .choices = "auto|avx512|avx_vnni|avx2|portable"},
    {.flag = "threads",
     .environment = "LORICA_THREADS",
     .kind = integer,
     .text = "Compute threads. Default: the cores this process may use.",
     .least = 1,
     .most = 256},
    {.flag = "kv-memory",
     .environment = "LORICA_KV_MEMORY",
     .kind = bytes,
     .text = "Bytes for the KV cache, with K, M or G after the number. Default: a quarter of the available "
             "memory, or what is left on a CUDA device, at most what the limits can use.",
     .least = 1 << 20,
     .most = 64 * tebi},
};

}  // namespace

std::span<const setting> compute_settings() {
  return rows;
}

}  // namespace lorica
