#include "bench/gpu/cases.hpp"

namespace lorica::bench {
namespace {

constexpr bench_case all[] = {
    {"G-1", "base decode", base_decode, 40, true},
    {"G-3", "decode with adapters over decode without", adapted_decode, 75, true},
    {"G-4", "adapters attached and none used", unused_adapters, 20, true},
    {"G-2", "base prefill", base_prefill, 20, true},
    {"G-5", "prefill with adapters over prefill without", adapted_prefill, 15, true},
    {"G-7", "an adapter that is not on the device yet", cold_adapters, 25},
    {"G-10", "chats of fixed lengths with adapters on q and v", chat_traffic, 50, true},
    {"G-6", "kernels of adapters by themselves", adapter_kernels, 60},
    {"G-9", "more adapters than slots", slot_thrash, 60},
    {"G-8", "S-LoRA's traffic over many adapters", many_adapters, 115},
};

}  // namespace

std::span<const bench_case> cases() {
  return all;
}

}  // namespace lorica::bench
