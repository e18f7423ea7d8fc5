#include "bench/gpu/cases.hpp"

namespace lorica::bench {
namespace {

constexpr bench_case all[] = {
    {"G-1", "base decode", base_decode},
    {"G-2", "base prefill", base_prefill},
    {"G-3", "decode with adapters over decode without", adapted_decode},
    {"G-4", "adapters attached and none used", unused_adapters},
    {"G-5", "prefill with adapters over prefill without", adapted_prefill},
    {"G-6", "kernels of adapters by themselves", adapter_kernels},
    {"G-7", "an adapter that is not on the device yet", cold_adapters},
    {"G-8", "S-LoRA's traffic over many adapters", many_adapters},
    {"G-9", "more adapters than slots", slot_thrash},
    {"G-10", "chats of fixed lengths with adapters on q and v", chat_traffic},
};

}  // namespace

std::span<const bench_case> cases() {
  return all;
}

}  // namespace lorica::bench
