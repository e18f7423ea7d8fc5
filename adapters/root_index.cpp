#include "adapters/root_index.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "adapters/names.hpp"

namespace lorica {
namespace {

struct directory_closer {
  void operator()(DIR* open) const noexcept { ::closedir(open); }
};
using open_directory = std::unique_ptr<DIR, directory_closer>;

bool may_be_directory(const dirent& entry) noexcept {
  return entry.d_type == DT_DIR || entry.d_type == DT_LNK || entry.d_type == DT_UNKNOWN;
}

}  // namespace

/// One scan: what was found and what it cost so far.
class root_scan {
 public:
  root_scan(const std::stop_token& stop, const root_index_limits& limits) : stop_(stop), limits_(limits) {}

  result<root_index> run(const adapter_roots& roots) {
    for (std::size_t i = 0; i < roots.roots().size(); ++i) {
      root_ = roots.roots()[i].get();
      number_ = i;
      add_root();
    }
    if (stopped_) return fail(errc::cancelled, "the scan of the adapter roots was cancelled");
    warn();
    return std::move(out_);
  }

 private:
  void add_root() {
    auto top = open(".");
    if (!top) {
      ++unreadable_;
      return;
    }
    for (auto& name : list(*top).directories) {
      auto below = done() ? nullptr : open(name);
      if (!below) continue;
      auto held = list(*below);
      if (has_config(*below) || held.ggufs == 1) add(name);
      for (auto& part : held.directories) {
        auto path = name + "/" + part;
        auto inner = done() ? nullptr : open(path);
        if (inner && (has_config(*inner) || list(*inner).ggufs == 1)) add(path);
      }
    }
  }

  open_directory open(const std::string& path) {
    int opened = root_->open_beneath(path, O_DIRECTORY);
    if (opened == -EACCES || opened == -EPERM || opened == -EMFILE || opened == -ENFILE) ++unreadable_;
    if (opened < 0) return nullptr;
    open_directory out(::fdopendir(opened));
    if (!out) ::close(opened);
    return out;
  }

  struct listing {
    /// What may be directories and could be a part of an adapter's name. Sorted, so that the names which are
    /// kept do not hang on the order of the disk.
    std::vector<std::string> directories;
    std::size_t ggufs = 0;
  };

  listing list(DIR& directory) {
    listing out;
    while (!done()) {
      auto entry = ::readdir(&directory);
      if (!entry) break;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (++looked_at_ > limits_.max_entries) break;
      if (name.ends_with(".gguf")) ++out.ggufs;
      if (may_be_directory(*entry) && check_adapter_name(name)) out.directories.emplace_back(name);
    }
    std::sort(out.directories.begin(), out.directories.end());
    return out;
  }

  static bool has_config(DIR& directory) {
    return ::faccessat(::dirfd(&directory), "adapter_config.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  }

  void add(const std::string& name) {
    if (out_.roots_.size() == limits_.max_names && !out_.roots_.contains(name))
      full_ = true;
    else
      out_.roots_.emplace(name, number_);
  }

  bool done() {
    stopped_ |= stop_.stop_requested();
    return stopped_ || full_;
  }

  void warn() {
    if (full_)
      out_.warnings_.push_back("the adapter roots hold more than " + std::to_string(limits_.max_names) +
                               " adapters; the others are not found by their names");
    if (looked_at_ > limits_.max_entries)
      out_.warnings_.push_back("the adapter roots hold more than " + std::to_string(limits_.max_entries) +
                               " entries; what lies in the others is not found by its name");
    if (unreadable_ > 0)
      out_.warnings_.push_back(std::to_string(unreadable_) +
                               " directories beneath the adapter roots could not be opened");
  }

  const std::stop_token& stop_;
  const root_index_limits& limits_;
  const root_directory* root_ = nullptr;
  std::size_t number_ = 0;
  root_index out_;
  std::size_t looked_at_ = 0;
  std::size_t unreadable_ = 0;
  bool full_ = false;
  bool stopped_ = false;
};

result<root_index> root_index::scan(const adapter_roots& roots, const std::stop_token& stop,
                                    const root_index_limits& limits) {
  return root_scan(stop, limits).run(roots);
}

std::optional<rooted_path> root_index::find(std::string_view name) const {
  auto found = roots_.find(name);
  if (found == roots_.end()) return std::nullopt;
  return rooted_path{found->second, found->first};
}

}  // namespace lorica
