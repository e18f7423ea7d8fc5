#include "app/adapter_sources.hpp"

#include <cstdlib>
#include <stop_token>
#include <utility>

#include "adapters/source_directory.hpp"
#include "core/log.hpp"
#include "model/model_digest.hpp"

namespace lorica {
namespace {

std::string variable(const char* name, const char* older = nullptr) {
  const char* text = std::getenv(name);
  if (!text && older) text = std::getenv(older);
  return std::string(text ? text : "");
}

/// Opens what an origin means.
result<adapter_place> place_of(const adapter_origin& origin, const adapter_roots& roots,
                               const hub_cache& cache) {
  using enum adapter_origin::kind;
  if (origin.where == path) return open_place(origin.text);
  if (origin.where == root) return open_place(roots, origin.text);
  if (origin.where == found) {
    auto colon = origin.text.find(':');
    return open_place(roots, rooted_path{std::stoul(origin.text), origin.text.substr(colon + 1)});
  }
  auto at = origin.text.find('@');
  auto snapshot = source_directory({{}, origin.text.substr(0, at), origin.text.substr(at + 1), true}, cache);
  if (!snapshot) return std::move(snapshot).error();
  return open_place(*snapshot);
}

}  // namespace

hub_cache cache_of(const serve_settings& s) {
  return find_hub_cache(
      {s.huggingface_hub_cache, variable("HF_HOME"), variable("XDG_CACHE_HOME"), variable("HOME")});
}

result<hub_options> hub_options_of(const hub_cache& cache) {
  hub_values values;
  values.endpoint = variable("HF_ENDPOINT");
  values.token = variable("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN");
  values.token_path = variable("HF_TOKEN_PATH");
  values.hf_home = variable("HF_HOME");
  values.xdg_cache_home = variable("XDG_CACHE_HOME");
  values.home = variable("HOME");
  values.offline = variable("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE");
  values.disable_implicit_token = variable("HF_HUB_DISABLE_IMPLICIT_TOKEN");
  values.disable_symlinks = variable("HF_HUB_DISABLE_SYMLINKS");
  values.etag_timeout = variable("HF_HUB_ETAG_TIMEOUT");
  values.download_timeout = variable("HF_HUB_DOWNLOAD_TIMEOUT");
  return make_hub_options(values, cache);
}

result<std::unique_ptr<hub_client>> open_hub(const hub_cache& cache, const clock_source& clock) {
  auto options = hub_options_of(cache);
  if (!options) return std::move(options).error();
  if (options->offline || options->cache.root.empty()) return std::unique_ptr<hub_client>();
  return hub_client::make(*std::move(options), clock);
}

adapter_source reader_of(const model_config& model, std::uint32_t max_rank,
                         std::shared_ptr<const adapter_roots> roots, hub_cache cache) {
  reader_limits limits;
  limits.max_rank = max_rank;
  return [model, limits, roots = std::move(roots), cache = std::move(cache)](
             const adapter_origin& origin, const reading_options& how) -> result<loaded_adapter> {
    auto place = place_of(origin, *roots, cache);
    if (!place) return std::move(place).error();
    return read_adapter(*place, model, limits, how);
  };
}

result<root_index> list_roots(const adapter_roots& roots) {
  auto index = root_index::scan(roots, {});
  if (!index) return index;
  for (auto& warning : index->warnings())
    log_warn("{}", warning);
  return index;
}

result<void> open_catalogue(const serve_settings& s, const model_weights& weights, runtime_parts& out) {
  if (s.data_dir.empty()) return {};
  auto store = catalogue_store::open(s.data_dir, model_digest(weights));
  if (!store) return std::move(store).error();
  auto kept = store->load();
  if (!kept) return std::move(kept).error();
  out.kept = *std::move(kept);
  out.store = std::make_unique<catalogue_store>(*std::move(store));
  return {};
}

}  // namespace lorica
