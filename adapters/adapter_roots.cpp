#include "adapters/adapter_roots.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "adapters/names.hpp"
#include "adapters/refusal.hpp"
#include "core/log.hpp"

namespace lorica {

/// An open root; `places` are the ways in which an absolute path may name it.
struct adapter_roots::root {
  root(int d, std::vector<std::string> p) : descriptor(d), places(std::move(p)) {}
  root(const root&) = delete;
  root& operator=(const root&) = delete;
  ~root() { ::close(descriptor); }

  int descriptor;
  std::vector<std::string> places;
};

namespace {

constexpr std::size_t most_entries = 100'000;
constexpr std::size_t longest_part = 255;

error not_allowed(std::string_view path, std::string_view why) {
  return refused(refusal::path_not_allowed, "the path " + quoted(path) + " " + std::string(why));
}

/// Parts that are names, nothing else.
bool plain(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return false;
  for (std::size_t from = 0; from <= path.size();) {
    auto end = std::min(path.find('/', from), path.size());
    auto part = path.substr(from, end - from);
    if (part.empty() || part == "." || part == ".." || part.size() > longest_part) return false;
    from = end + 1;
  }
  return true;
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  return path;
}

/// Names in a directory; `budget` falls with every entry that is looked at.
std::vector<std::string> names_in(int parent, const std::string& path, std::size_t& budget) {
  std::vector<std::string> out;
  int descriptor = ::openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return out;
  auto* directory = ::fdopendir(descriptor);
  if (directory == nullptr) {
    ::close(descriptor);
    return out;
  }
  while (budget > 0) {
    auto* entry = ::readdir(directory);
    if (entry == nullptr) break;
    --budget;
    bool candidate = entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;
    std::string name = entry->d_name;
    if (candidate && check_adapter_name(name)) out.push_back(std::move(name));
  }
  ::closedir(directory);
  std::ranges::sort(out);
  return out;
}

}  // namespace

result<adapter_roots> adapter_roots::open(const std::vector<std::string>& roots) {
  adapter_roots out;
  for (auto& given : roots) {
    std::error_code problem;
    auto canonical = std::filesystem::canonical(given, problem);
    int descriptor = problem ? -1 : ::open(canonical.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
      return fail(errc::bad_config,
                  "--adapter-root: '" + shown(given) + "' is no directory that can be read");
    std::vector<std::string> places{without_slashes(canonical.string())};
    auto absolute = std::filesystem::absolute(given, problem).lexically_normal().string();
    if (!problem) places.push_back(without_slashes(std::move(absolute)));
    out.roots_.push_back(std::make_shared<const root>(descriptor, std::move(places)));
  }
  return out;
}

result<adapter_directory> adapter_roots::open_directory(std::string_view path) const {
  while (path.size() > 1 && path.back() == '/')
    path.remove_suffix(1);
  if (roots_.empty()) return not_allowed(path, "is refused: the server has no --adapter-root");
  bool absolute = path.starts_with('/');
  if (!plain(absolute ? path.substr(1) : path)) return not_allowed(path, "holds parts that are no names");
  for (auto& r : roots_) {
    std::string_view below = path;
    if (absolute) {
      auto place = std::ranges::find_if(
          r->places, [&](auto& p) { return path.starts_with(p) && path.substr(p.size()).starts_with('/'); });
      if (place == r->places.end()) continue;
      below = path.substr(place->size() + 1);
    }
    auto found = adapter_directory::open_below(r->descriptor, std::string(below));
    bool missing = !found && found.error().reason == refusal::missing_file;
    if (!missing) return found;
    if (absolute) return found;
  }
  if (absolute) return not_allowed(path, "lies below no adapter root");
  return fail(errc::unknown_adapter, "No adapter found for " + shown(path),
              std::string(refusal::missing_file));
}

result<root_index> adapter_roots::scan(std::stop_token stop) const {
  std::map<std::string, std::string, std::less<>> places;
  std::size_t budget = most_entries;
  auto is_adapter = [](const adapter_roots::root& r, const std::string& path) {
    auto directory = adapter_directory::open_below(r.descriptor, path);
    return directory && directory->holds("adapter_config.json");
  };
  for (auto& r : roots_) {
    for (auto& name : names_in(r->descriptor, ".", budget)) {
      if (stop.stop_requested()) return fail(errc::cancelled, "the listing was cancelled");
      if (is_adapter(*r, name)) {
        places.emplace(name, name);
        continue;
      }
      for (auto& inner : names_in(r->descriptor, name, budget))
        if (auto path = name + "/" + inner; is_adapter(*r, path)) places.emplace(path, path);
    }
  }
  if (budget == 0)
    log_warn("the adapter roots hold more than {} entries; the rest is not found by name", most_entries);
  return root_index(std::move(places));
}

}  // namespace lorica
