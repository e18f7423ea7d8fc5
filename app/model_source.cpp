#include "app/model_source.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "adapters/adapter_directory.hpp"
#include "adapters/manifest.hpp"
#include "files/read_file.hpp"

namespace lorica {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_manifest = std::size_t{1} << 20;

/// Where a name leads: something local, or a snapshot with its id.
struct found_place {
  std::string path;
  std::string id;  ///< empty: local
};

bool is_there(const fs::path& path) {
  std::error_code problem;
  return fs::exists(path, problem);
}

/// The error with the setting or field in front that it is about.
error about(std::string_view what, error why) {
  why.text.insert(0, std::string(what) + ": ");
  return why;
}

result<found_place> look_up(const std::string& name, const std::string& revision, const hub_cache& cache) {
  if (is_there(name)) return found_place{name, {}};
  // A path to somewhere: only its last part may be shown.
  if (!is_repository_id(name) || name.ends_with(".gguf"))
    return fail(
        errc::io,
        fmt::format("'{}' is not there; expected a directory in Hugging Face layout, a .gguf file, or "
                    "ORG/NAME as the Hugging Face cache has it",
                    file_name(name)));
  auto snapshot = find_snapshot(cache, {name, revision});
  if (snapshot) return found_place{*std::move(snapshot), name};
  auto why = std::move(snapshot).error();
  if (why.reason == "hub_not_found") why.text += "; nor is it a local path";
  return why;
}

/// Names of the GGUF files of a directory, sorted, as many as an error may list.
std::vector<std::string> gguf_names(const std::string& directory) {
  constexpr std::size_t most = 20;
  std::set<std::string> names;
  std::error_code problem;
  for (fs::directory_iterator at(directory, problem), end; !problem && at != end; at.increment(problem)) {
    auto name = at->path().filename().string();
    if (name.ends_with(".gguf")) names.insert(std::move(name));
    if (names.size() > most) names.erase(std::prev(names.end()));
  }
  return {names.begin(), names.end()};
}

/// A directory of GGUF files holds several models: which of them is meant, nobody can know.
result<void> check_base(const std::string& path) {
  const fs::path place(path);
  if (is_there(place / "model.safetensors") || is_there(place / "model.safetensors.index.json")) return {};
  std::string list;
  for (auto& name : gguf_names(path))
    list.append(list.empty() ? "" : ", ").append(name);
  if (list.empty()) return {};
  return fail(errc::bad_model,
              "there are no safetensors, but GGUF files; give the path of one of them: " + list);
}

bool is_adapter(const fs::path& path) {
  return is_there(path / "adapter_config.json") && !is_there(path / "config.json");
}

std::string directory_name(const std::string& path) {
  std::error_code problem;
  auto full = fs::absolute(path, problem).lexically_normal();
  return (full.has_filename() ? full : full.parent_path()).filename().string();
}

/// The adapter at `place` and the base that it names.
result<model_source> find_adapter_base(const found_place& place, const hub_cache& cache) {
  auto directory = adapter_directory::open(place.path);
  if (!directory) return about("--model-id", std::move(directory).error());
  auto manifest = read_manifest(*directory, largest_manifest);
  if (!manifest) return about("--model-id", std::move(manifest).error());
  constexpr std::string_view field = "--model-id is an adapter; adapter_config.json: base_model_name_or_path";
  constexpr const char* advice = "; give --model-id BASE --lora-adapters NAME=DIRECTORY instead";
  if (manifest->base_name.empty())
    return fail(errc::bad_adapter, std::string(field) + " is missing" + advice);
  auto revision = manifest->base_revision.empty() ? "main" : manifest->base_revision;
  auto base = look_up(manifest->base_name, revision, cache);
  if (!base) {
    auto why = std::move(base).error();
    why.text += advice;
    return about(field, std::move(why));
  }
  if (is_adapter(base->path))
    return fail(errc::bad_adapter, std::string(field) + " is an adapter too; a base model is needed");
  if (auto ok = check_base(base->path); !ok) return about(field, ok.error());
  auto name = place.id.empty() ? directory_name(place.path) : place.id;
  if (auto ok = check_adapter_name(name); !ok)
    return about("--model-id is an adapter", fail(errc::bad_config, ok.error().text + advice));
  return model_source{base->path, base->id, named_source{name, place.path, {}, false}};
}

}  // namespace

result<model_source> find_model(const std::string& model_id, const std::string& revision,
                                const hub_cache& cache) {
  if (!is_revision(revision))
    return fail(
        errc::bad_config,
        fmt::format("--revision: '{}' is not allowed; expected a branch, a tag or a commit", revision));
  auto place = look_up(model_id, revision, cache);
  if (!place) return about("--model-id", std::move(place).error());
  if (place->id.empty() && revision != "main")
    return fail(
        errc::bad_config,
        fmt::format("--revision: '{}' is not allowed; --model-id is a local path, which has none", revision));
  if (is_adapter(place->path)) return find_adapter_base(*place, cache);
  if (auto ok = check_base(place->path); !ok) return about("--model-id", ok.error());
  return model_source{place->path, place->id, std::nullopt};
}

}  // namespace lorica
