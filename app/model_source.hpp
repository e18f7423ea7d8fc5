#pragma once

#include <optional>
#include <string>

#include "adapters/names.hpp"
#include "core/error.hpp"
#include "files/hub_cache.hpp"

namespace lorica {

/// What `--model-id` stands for, once it was looked up.
struct model_source {
  std::string path;                     ///< directory or .gguf file of the base model
  std::string name;                     ///< id on the Hub; empty: the model's files have a name
  std::optional<named_source> adapter;  ///< what was named is an adapter; served beside its base
};

/// Looks up `--model-id` and `--revision`: a local path when there is something at it, else the Hugging Face
/// cache. A directory with `adapter_config.json` and no `config.json` is an adapter; its
/// `base_model_name_or_path` is looked up in the same way and must be a base model. Nothing is downloaded.
/// Fails with `errc::bad_config` when the two settings contradict each other or the name of the adapter is
/// none, else with what `find_snapshot` or `parse_manifest` found; texts name the setting or the field.
result<model_source> find_model(const std::string& model_id, const std::string& revision,
                                const hub_cache& cache);

}  // namespace lorica
