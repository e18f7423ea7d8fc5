#include "files/hub_cache.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>

#include "files/read_file.hpp"

namespace lorica {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_part = 96;
constexpr std::size_t longest_revision = 255;
constexpr std::size_t commit_digits = 40;
constexpr std::size_t most_shown = 10;

// Own tests instead of <cctype>: a locale must not change what a name is.
constexpr bool word_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool good_part(std::string_view part) noexcept {
  if (part.empty() || part.size() > longest_part) return false;
  return word_character(part.front()) && word_character(part.back()) &&
         std::all_of(part.begin(), part.end(),
                     [](char c) { return word_character(c) || c == '.' || c == '-'; });
}

std::optional<fs::path> real_path(const fs::path& path) {
  std::error_code problem;
  auto out = fs::canonical(path, problem);
  if (problem) return std::nullopt;
  return out;
}

bool is_inside(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

bool is_folder(const fs::path& path) {
  std::error_code problem;
  return fs::is_directory(path, problem);
}

/// A file's name as an error text may show it.
std::string shown(const std::string& name) {
  bool plain = name.size() <= 100 &&
               std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return plain ? name : "a file";
}

std::string download_command(const hub_source& wanted) {
  auto out = "`hf download " + wanted.id;
  if (wanted.revision != "main") out += " --revision " + wanted.revision;
  return out + "`";
}

/// One look for one source; every failure says what would help.
class search {
 public:
  search(const hub_cache& cache, const hub_source& wanted) : cache_(cache), wanted_(wanted) {}

  result<std::string> run() {
    if (cache_.root.empty())
      return not_found("'" + wanted_.id +
                       "' is looked up in the Hugging Face cache, and there is none; set HF_HOME");
    auto root = real_path(cache_.root);
    if (root) root_ = *root;
    repository_ = root_ / hub_folder(wanted_.id);
    if (!root || !is_folder(repository_))
      return not_found("'" + wanted_.id + "' is not in the Hugging Face cache (" + cache_.place + "); " +
                       download_command(wanted_) + " puts it there");
    auto commit = is_commit(wanted_.revision) ? result<std::string>(wanted_.revision) : read_reference();
    if (!commit) return commit;
    auto snapshot = repository_ / "snapshots" / *commit;
    if (!is_folder(snapshot)) return incomplete("its snapshot is not there");
    auto inside = real_path(snapshot);
    if (!inside || !is_inside(*inside, root_)) return leads_out("its snapshot");
    if (auto ok = check_entries(*inside); !ok) return ok.error();
    return inside->string();
  }

 private:
  static error not_found(std::string text) { return fail(errc::io, std::move(text), "hub_not_found"); }

  std::string in_cache() const {
    return "'" + wanted_.id + "' in the Hugging Face cache (" + cache_.place + ")";
  }

  error incomplete(const std::string& why) const {
    return not_found(in_cache() + " is incomplete: " + why + "; " + download_command(wanted_) +
                     " completes it");
  }

  error leads_out(const std::string& what) const {
    return fail(errc::malformed,
                in_cache() + ": " + what + " leads out of the cache; give a local path instead",
                "path_not_allowed");
  }

  result<std::string> read_reference() const {
    auto path = real_path(repository_ / "refs" / wanted_.revision);
    if (!path || is_folder(*path))
      return not_found(in_cache() + " has no revision '" + wanted_.revision + "'" + other_revisions() + "; " +
                       download_command(wanted_) + " brings it");
    if (!is_inside(*path, root_)) return leads_out("its revision '" + wanted_.revision + "'");
    constexpr std::size_t longest_reference = 1024;
    auto text = read_file(path->string(), longest_reference);
    std::string_view commit = text ? std::string_view(*text) : std::string_view();
    auto end = commit.find_last_not_of(" \t\r\n");
    commit = commit.substr(0, end == std::string_view::npos ? 0 : end + 1);
    if (!is_commit(commit)) return incomplete("its revision '" + wanted_.revision + "' holds no commit");
    return std::string(commit);
  }

  /// Names of `refs/`, sorted, as far as they can be shown.
  std::string other_revisions() const {
    std::set<std::string> names;
    std::error_code problem;
    for (fs::directory_iterator at(repository_ / "refs", problem), end; !problem && at != end;
         at.increment(problem)) {
      auto name = at->path().filename().string();
      if (is_revision(name) && at->is_regular_file(problem)) names.insert(std::move(name));
      if (names.size() > most_shown) names.erase(std::prev(names.end()));
    }
    std::string out;
    for (auto& name : names)
      out += (out.empty() ? ", only " : ", ") + name;
    return out;
  }

  result<void> check_entries(const fs::path& snapshot) const {
    std::error_code problem;
    for (fs::directory_iterator at(snapshot, problem), end; !problem && at != end; at.increment(problem)) {
      auto name = at->path().filename().string();
      auto target = real_path(at->path());
      if (!target) return incomplete(shown(name) + " is a link to a file that is not there");
      if (!is_inside(*target, root_)) return leads_out(shown(name));
    }
    if (problem) return incomplete("its snapshot cannot be read");
    return {};
  }

  const hub_cache& cache_;
  const hub_source& wanted_;
  fs::path root_;
  fs::path repository_;
};

}  // namespace

hub_cache find_hub_cache(const hub_environment& environment) {
  auto at = [&](const std::string& path, std::string place, const char* below) -> hub_cache {
    auto root = path.starts_with("~/") ? environment.home + path.substr(1) : path;
    return {root + below, std::move(place)};
  };
  if (!environment.chosen.empty())
    return at(environment.chosen, "--huggingface-hub-cache or $HF_HUB_CACHE", "");
  if (!environment.hf_home.empty()) return at(environment.hf_home, "$HF_HOME/hub", "/hub");
  if (!environment.xdg_cache_home.empty())
    return at(environment.xdg_cache_home, "$XDG_CACHE_HOME/huggingface/hub", "/huggingface/hub");
  if (environment.home.empty()) return {};
  return at(environment.home, "~/.cache/huggingface/hub", "/.cache/huggingface/hub");
}

std::string hub_folder(std::string_view id) {
  std::string out = "models--";
  for (char c : id)
    out += c == '/' ? std::string("--") : std::string(1, c);
  return out;
}

bool is_commit(std::string_view text) noexcept {
  return text.size() == commit_digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_repository_id(std::string_view text) noexcept {
  auto slash = text.find('/');
  bool good = slash == std::string_view::npos
                  ? good_part(text)
                  : good_part(text.substr(0, slash)) && good_part(text.substr(slash + 1));
  auto holds = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
  return good && !holds("--") && !holds("..") && !text.ends_with(".git") && !text.ends_with(".ipynb");
}

bool is_revision(std::string_view text) noexcept {
  constexpr std::string_view others = "._-/+@=#";
  if (text.empty() || text.size() > longest_revision) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find('/', begin), text.size());
    auto part = text.substr(begin, end - begin);
    if (part.empty() || part.front() == '.' || part.front() == '-') return false;
    begin = end + 1;
  }
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return word_character(c) || others.find(c) != std::string_view::npos; });
}

result<std::string> find_snapshot(const hub_cache& cache, const hub_source& wanted) {
  if (!is_repository_id(wanted.id))
    return fail(errc::invalid, "a repository id is ORG/NAME of letters, digits, '.', '_' and '-'");
  if (!is_revision(wanted.revision))
    return fail(errc::invalid, "a revision is a branch, a tag or a commit of 40 hexadecimal digits");
  return search(cache, wanted).run();
}

}  // namespace lorica
