#pragma once

#include <string>

#include "actors/payloads.hpp"

namespace lorica {

/// The gauges of vLLM that routers choose a server by, in Prometheus text: requests running and waiting,
/// share of the KV cache in use, and `vllm:lora_requests_info`, whose labels name the adapters that run and
/// wait and whose value is the time, in seconds since the epoch. Lorica has no slots: `max_lora` is how many
/// adapters of the size of those in memory would fit.
std::string vllm_series(const scheduler_facts& scheduler, const adapters_facts& adapters);

}  // namespace lorica
