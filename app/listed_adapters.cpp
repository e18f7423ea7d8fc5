#include "app/listed_adapters.hpp"

#include <algorithm>
#include <utility>

#include "adapters/refusal.hpp"
#include "adapters/source_directory.hpp"
#include "net/model_name.hpp"

namespace lorica {

result<std::vector<startup_adapter>> find_adapters(std::vector<named_source> listed,
                                                   const std::optional<named_source>& of_model,
                                                   const hub_cache& cache, bool skip_bad, hub_use from_hub) {
  if (of_model) {
    auto same = [&](auto& other) { return other.name == of_model->name; };
    if (std::any_of(listed.begin(), listed.end(), same))
      return fail(errc::bad_config, "LoRA adapter '" + of_model->name +
                                        "' is in --lora-adapters and is --model-id; give it once");
    listed.push_back(*of_model);
  }
  std::vector<startup_adapter> out;
  for (auto& adapter : listed) {
    auto directory = source_directory(adapter, cache);
    bool fetched =
        !directory && directory.error().reason == refusal::hub_not_found && from_hub == hub_use::online;
    if (!directory && !skip_bad && !fetched) {
      auto why = std::move(directory).error();
      why.text.insert(0, "adapter " + adapter.name + ": ");
      return why;
    }
    auto source = adapter.revision.empty() ? adapter.path : adapter.path + "@" + adapter.revision;
    startup_adapter found;
    found.name = std::move(adapter.name);
    found.source = std::move(source);
    if (fetched)
      found.origin = *choose_origin(found.source, {}).hub;
    else if (directory)
      found.origin = {adapter_origin::kind::path, *std::move(directory)};
    else
      found.missing = std::move(directory).error();
    out.push_back(std::move(found));
  }
  return out;
}

result<void> check_names(const std::vector<startup_adapter>& adapters, const server_info& info) {
  for (auto& adapter : adapters)
    if (means_base(adapter.name, info))
      return fail(errc::bad_config, "LoRA adapter '" + adapter.name +
                                        "' has a name that means the base model; give it another, or give "
                                        "the base one with --served-model-name");
  return {};
}

}  // namespace lorica
