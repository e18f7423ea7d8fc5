#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actors/runtime.hpp"
#include "adapters/names.hpp"
#include "core/error.hpp"
#include "core/server_info.hpp"
#include "files/hub_cache.hpp"

namespace lorica {

/// Whether what the cache lacks is fetched from the Hub.
enum class hub_use : std::uint8_t { offline, online };

/// Looks up what `--lora-adapters` lists and the adapter that `--model-id` named, if any. Fails with the
/// first one that is not there, by name; with `skip_bad` that one keeps its error instead. What only the Hub
/// may have is fetched when it is loaded.
result<std::vector<startup_adapter>> find_adapters(std::vector<named_source> listed,
                                                   const std::optional<named_source>& of_model,
                                                   const hub_cache& cache, bool skip_bad,
                                                   hub_use from_hub = hub_use::offline);

/// Fails (`errc::bad_config`) when an adapter has a name that means the base: no request would reach it.
result<void> check_names(const std::vector<startup_adapter>& adapters, const server_info& info);

}  // namespace lorica
