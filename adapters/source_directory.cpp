#include "adapters/source_directory.hpp"

#include <filesystem>
#include <utility>

#include "adapters/refusal.hpp"

namespace lorica {

result<std::string> source_directory(const named_source& source, const hub_cache& cache) {
  std::error_code problem;
  if (!source.only_on_hub && std::filesystem::exists(source.path, problem)) return source.path;
  if (!is_repository_id(source.path)) return source.path;
  hub_source wanted{source.path, source.revision.empty() ? "main" : source.revision};
  auto found = find_snapshot(cache, wanted);
  if (found) return found;
  auto why = std::move(found).error();
  if (why.reason == refusal::path_not_allowed) return refused(refusal::path_not_allowed, std::move(why.text));
  if (!source.only_on_hub) why.text += "; nor is it a local directory";
  return fail(errc::unknown_adapter, std::move(why.text), std::string(refusal::hub_not_found));
}

}  // namespace lorica
