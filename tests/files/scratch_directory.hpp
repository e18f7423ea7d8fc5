#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace lorica {

/// A new directory that vanishes with the object.
class scratch_directory {
 public:
  scratch_directory() {
    auto pattern = (std::filesystem::temp_directory_path() / "lorica-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("no scratch directory");
    path_ = pattern;
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory() {
    std::error_code problem;
    std::filesystem::remove_all(path_, problem);
  }

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file, in place of one that is there (or of a link to it), and returns its path.
  std::string write(const std::string& name, const std::string& content) const {
    auto at = path_ / name;
    std::filesystem::create_directories(at.parent_path());
    // Writing over a file makes some file systems wait for the disk; a new one does not.
    std::filesystem::remove(at);
    std::ofstream(at, std::ios::binary) << content;
    return at.string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace lorica
