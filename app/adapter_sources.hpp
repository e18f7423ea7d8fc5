#pragma once

#include <memory>

#include "actors/runtime.hpp"
#include "adapters/adapter_roots.hpp"
#include "adapters/hub_client.hpp"
#include "config/settings.hpp"
#include "core/clock.hpp"
#include "files/hub_cache.hpp"
#include "model/weights.hpp"

namespace lorica {

/// The Hugging Face cache, by settings and environment.
hub_cache cache_of(const serve_settings& s);

/// How the Hub is asked, by the environment of huggingface_hub.
result<hub_options> hub_options_of(const hub_cache& cache);

/// The downloader; null when the environment says offline, or there is no cache.
result<std::unique_ptr<hub_client>> open_hub(const hub_cache& cache, const clock_source& clock);

/// Reads adapters from wherever an origin says.
adapter_source reader_of(const model_config& model, std::uint32_t max_rank,
                         std::shared_ptr<const adapter_roots> roots, hub_cache cache);

/// Lists the roots anew.
result<root_index> list_roots(const adapter_roots& roots);

/// The catalogue of this base, as the last life of the process left it, into the parts of the runtime.
result<void> open_catalogue(const serve_settings& s, const model_weights& weights, runtime_parts& out);

}  // namespace lorica
