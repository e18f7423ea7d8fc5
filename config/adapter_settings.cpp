#include "config/setting_groups.hpp"

namespace lorica {
namespace {

using enum setting_kind;

constexpr std::int64_t tebi = std::int64_t{1} << 40;

constexpr setting rows[] = {
    {.flag = "lora-adapters",
     .environment = "LORA_ADAPTERS",
     .kind = list,
     .text = "Adapters to load at start: name=path or [name=]ORG/NAME[@revision] of the Hub, separated by "
             "commas."},
    {.flag = "adapter-root",
     .environment = "LORICA_ADAPTER_ROOT",
     .kind = list,
     .text = "Directories below which adapters may be loaded while the server runs, separated by commas."},
    {.flag = "dynamic-adapters",
     .environment = "LORICA_DYNAMIC_ADAPTERS",
     .kind = choice,
     .fallback = "root",
     .text =
         "What happens when a request names an adapter that nobody loaded: root loads it if an adapter-root "
         "has it; hub also fetches it from an organisation of dynamic-hub-allow; off answers 404.",
     .choices = "off|root|hub"},
    {.flag = "dynamic-hub-allow",
     .environment = "LORICA_DYNAMIC_HUB_ALLOW",
     .kind = list,
     .text = "Organisations on the Hub whose adapters requests may name, separated by commas."},
    {.flag = "unknown-adapter",
     .environment = "LORICA_UNKNOWN_ADAPTER",
     .kind = choice,
     .fallback = "refuse",
     .text = "What a request gets that names an adapter which nobody has: refuse answers 404; base lets the "
             "base model answer, as TGI does, with x-adapter-fallback: base among the reply's headers.",
     .choices = "refuse|base"},
    {.flag = "adapter-host-memory",
     .environment = "LORICA_ADAPTER_HOST_MEMORY",
     .kind = bytes,
     .fallback = "4294967296",
     .text = "Bytes for adapters in memory, with K, M or G after the number; others are read again when they "
             "are asked for.",
     .least = 1 << 12,
     .most = 64 * tebi},
    {.flag = "adapter-device-memory",
     .environment = "LORICA_ADAPTER_DEVICE_MEMORY",
     .kind = bytes,
     .fallback = "0",
     .text = "Bytes for adapters on the device, with K, M or G after the number; 0: as many as in memory. "
             "Every adapter that is in use is in both, so the smaller of the two limits counts; on a CUDA "
             "device at most a quarter of its free memory.",
     .least = 0,
     .most = 64 * tebi},
    {.flag = "adapter-eviction",
     .environment = "LORICA_ADAPTER_EVICTION",
     .kind = choice,
     .fallback = "gdsf",
     .text =
         "Which adapters leave memory first: gdsf weighs use, cost of reading and size, lru the last use.",
     .choices = "gdsf|lru"},
    {.flag = "adapter-wait",
     .environment = "LORICA_ADAPTER_WAIT",
     .kind = integer,
     .fallback = "60",
     .text = "Seconds that a request waits for its adapter to be loaded.",
     .least = 1,
     .most = 3600},
    {.flag = "adapter-drain-after",
     .environment = "LORICA_ADAPTER_DRAIN_AFTER",
     .kind = integer,
     .fallback = "3",
     .text =
         "Seconds that an adapter waits for room while all others are in use; then the one with the least "
         "work left takes no new requests until it has made room. 0: it waits until one falls idle.",
     .least = 0,
     .most = 3600},
    {.flag = "skip-bad-adapters",
     .environment = "SKIP_BAD_ADAPTERS",
     .kind = flag,
     .fallback = "false",
     .text = "Start without the adapters that are refused, instead of stopping."},
};

}  // namespace

std::span<const setting> adapter_settings() {
  return rows;
}

}  // namespace lorica
