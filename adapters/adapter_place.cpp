#include "adapters/adapter_place.hpp"

#include <utility>

#include "adapters/refusal.hpp"

namespace lorica {
namespace {

template <class Open>
result<adapter_place> open_with(const std::string& path, const Open& open) {
  auto directory = open(path);
  if (directory) return adapter_place{*std::move(directory), {}};
  auto slash = path.rfind('/');
  bool file = path.ends_with(".gguf") && directory.error().reason == refusal::missing_file;
  if (!file || slash == std::string::npos) return std::move(directory).error();
  auto parent = open(path.substr(0, slash == 0 ? 1 : slash));
  if (!parent) return std::move(directory).error();
  return adapter_place{*std::move(parent), path.substr(slash + 1)};
}

}  // namespace

result<adapter_place> open_place(const std::string& path) {
  if (path.find('/') == std::string::npos && path.ends_with(".gguf")) return open_place("./" + path);
  return open_with(path, [](const std::string& directory) { return adapter_directory::open(directory); });
}

result<adapter_place> open_place(const adapter_roots& roots, const std::string& path) {
  return open_with(path, [&](const std::string& directory) { return roots.open_directory(directory); });
}

result<adapter_place> open_place(const adapter_roots& roots, const rooted_path& path) {
  return open_with(path.path, [&](const std::string& directory) {
    return roots.open_directory(rooted_path{path.root, directory});
  });
}

}  // namespace lorica
