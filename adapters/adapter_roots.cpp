#include "adapters/adapter_roots.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "adapters/refusal.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

constexpr std::size_t longest_part = 255;
constexpr std::size_t longest_path = 4095;

error not_allowed(std::string_view written, std::string_view why) {
  return refused(refusal::path_not_allowed, "path " + quoted(written) + " " + std::string(why));
}

/// Why a relative path is not even looked up; null when it is.
const char* fault_of(std::string_view path) {
  if (path.size() > longest_path) return "is longer than 4095 bytes";
  if (path.find('\0') != std::string_view::npos) return "holds a zero byte";
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    if (part.empty()) return "has an empty part; write one '/' between parts and none at the end";
    if (part == "." || part == "..") return "has a part '.' or '..'; write the path without";
    if (part.size() > longest_part) return "has a part of more than 255 bytes";
    begin = end + 1;
  }
  return nullptr;
}

/// What follows `prefix/` in `path`.
std::optional<std::string_view> below(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix) || path.size() == prefix.size() || path[prefix.size()] != '/')
    return std::nullopt;
  return path.substr(prefix.size() + 1);
}

std::optional<std::string_view> below(std::string_view path, const root_directory& root) {
  if (auto rest = below(path, root.canonical())) return rest;
  if (!root.given().starts_with('/')) return std::nullopt;
  return below(path, root.given());
}

error open_failed(std::string_view written, int code) {
  switch (code) {
    case EXDEV:
      return not_allowed(written,
                         "goes through a link that leads out of the adapter root or is not relative");
    case ELOOP: return not_allowed(written, "goes through a link that is not followed");
    case ENAMETOOLONG: return not_allowed(written, "is too long");
    case EAGAIN:
      return refused(refusal::source_changed, "path " + quoted(written) + " is being moved; load it again");
    case EACCES:
    case EPERM:
      return refused(refusal::unreadable_file,
                     "path " + quoted(written) + " may not be read by this process");
    default:
      return fail(errc::io, "path " + quoted(written) + " could not be opened",
                  std::string(refusal::unreadable_file));
  }
}

}  // namespace

result<adapter_roots> adapter_roots::open(const std::vector<std::string>& roots, path_resolution how) {
  if (roots.size() > most_roots)
    return fail(errc::bad_config, "there are " + std::to_string(roots.size()) + " adapter roots; at most " +
                                      std::to_string(most_roots) + " are taken");
  adapter_roots out;
  for (auto& path : roots) {
    auto root = root_directory::open(path, how);
    if (!root) return root.error();
    out.roots_.push_back(*std::move(root));
  }
  return out;
}

result<adapter_directory> adapter_roots::open_first(const std::vector<rooted_path>& places,
                                                    std::string_view written) const {
  bool file = false;
  for (auto& place : places) {
    auto& root = roots_[place.root];
    int opened = root->open_beneath(place.path, O_DIRECTORY);
    if (opened >= 0) return adapter_directory(opened, root, place.path);
    if (opened != -ENOENT && opened != -ENOTDIR) return open_failed(written, -opened);
    file |= opened == -ENOTDIR;
  }
  if (file && is_pickle_name(written))
    return refused(refusal::pickle_refused, "path " + quoted(written) +
                                                " names a pickle, which can run code; give a directory with "
                                                "adapter_model.safetensors");
  const std::string advice =
      file ? "; give the directory that holds adapter_config.json and adapter_model.safetensors" : "";
  return fail(errc::unknown_adapter, "No adapter found for " + shown(written) + advice,
              std::string(refusal::missing_file));
}

result<adapter_directory> adapter_roots::open_directory(std::string_view path) const {
  if (roots_.empty())
    return not_allowed(path,
                       "is not allowed: there is no adapter root; start the server with --adapter-root");
  const bool absolute = path.starts_with('/');
  std::vector<rooted_path> places;
  const char* fault = nullptr;
  for (std::size_t i = 0; i < roots_.size(); ++i) {
    auto rest = absolute ? below(path, *roots_[i]) : path;
    if (!rest) continue;
    if (auto why = fault_of(*rest))
      fault = why;
    else
      places.push_back({i, std::string(*rest)});
  }
  if (places.empty()) return not_allowed(path, fault ? fault : "is not beneath an adapter root");
  return open_first(places, path);
}

result<adapter_directory> adapter_roots::open_directory(const rooted_path& path) const {
  if (path.root >= roots_.size()) return not_allowed(path.path, "is not beneath an adapter root");
  if (auto fault = fault_of(path.path)) return not_allowed(path.path, fault);
  return open_first({path}, path.path);
}

}  // namespace lorica
