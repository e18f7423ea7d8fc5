#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "files/hub_cache.hpp"

namespace lorica {

/// A Hugging Face cache in a directory, laid out as huggingface_hub does: content in `blobs/`, relative links
/// to it in `snapshots/<commit>/`, commits in `refs/`.
class fake_hub {
 public:
  explicit fake_hub(std::filesystem::path root) : root_(std::move(root)) {
    std::filesystem::create_directories(root_);
  }

  const std::filesystem::path& root() const { return root_; }
  hub_cache cache() const { return {root_.string(), "$HF_HOME/hub"}; }

  /// Forty digits that begin with `digit`.
  static std::string commit(char digit) { return std::string(40, digit); }

  std::filesystem::path repository(const std::string& id) const {
    auto folder = "models--" + id;
    if (auto slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
    return root_ / folder;
  }

  std::filesystem::path snapshot(const std::string& id, const std::string& commit) const {
    return repository(id) / "snapshots" / commit;
  }

  void reference(const std::string& id, const std::string& revision, std::string_view text) const {
    auto at = repository(id) / "refs" / revision;
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(at, std::ios::binary) << text;
  }

  /// Puts content under a name (with folders, if it has slashes) into a snapshot.
  void file(const std::string& id, const std::string& commit, const std::string& name,
            std::string_view content) const {
    auto blob = std::to_string(std::hash<std::string>()(name + std::string(content)));
    std::filesystem::create_directories(repository(id) / "blobs");
    std::ofstream(repository(id) / "blobs" / blob, std::ios::binary) << content;
    auto at = snapshot(id, commit) / name;
    std::filesystem::create_directories(at.parent_path());
    auto up = std::filesystem::relative(repository(id), at.parent_path());
    std::filesystem::create_symlink(up / "blobs" / blob, at);
  }

  /// Puts every file of a local directory into a snapshot, and lets `main` mean it.
  void add_directory(const std::string& id, const std::string& commit,
                     const std::filesystem::path& from) const {
    for (auto& entry : std::filesystem::directory_iterator(from)) {
      std::ifstream in(entry.path(), std::ios::binary);
      file(id, commit, entry.path().filename().string(), std::string(std::istreambuf_iterator<char>(in), {}));
    }
    reference(id, "main", commit);
  }

 private:
  std::filesystem::path root_;
};

}  // namespace lorica
