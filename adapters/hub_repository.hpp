#pragma once

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "files/hub_cache.hpp"

namespace lorica {

/// One repository in the Hugging Face cache, for writing: the layout of huggingface_hub, which may be at work
/// in the same folder. Holds names only. Failures are `errc::io`, `cache_not_writable`; texts hold no paths.
class hub_repository {
 public:
  hub_repository(hub_cache cache, const std::string& id, bool links);

  /// Makes the folders that files of a commit need.
  result<void> prepare(const std::string& commit) const;

  std::string snapshot(const std::string& commit) const;
  std::string blob(const std::string& etag) const;
  /// Where a blob grows: `<etag>.<8 hexadecimal digits>.incomplete`. huggingface_hub takes random digits and
  /// never goes on with such a file; ours are the same for an etag, so that the next attempt finds it.
  std::string incomplete(const std::string& etag) const;
  std::string lock(const std::string& etag) const;

  /// True when the commit has that file, of `size` bytes, inside the cache.
  bool has(const std::string& commit, const std::string& name, std::uint64_t size) const;
  bool has(const std::string& commit, const std::string& name) const;

  /// Lets the commit's file be the blob; in place of what is there. Without links the blob becomes the file.
  result<void> link(const std::string& commit, const std::string& name, const std::string& etag) const;

  /// Lets a branch or tag mean the commit: temporary file and rename. Nothing for a revision that is a
  /// commit.
  result<void> refer(const std::string& revision, const std::string& commit) const;

  /// The failure of the last system call, for people.
  error not_writable() const;

 private:
  std::string root_;
  std::string place_;
  std::string folder_;
  bool links_;
};

}  // namespace lorica
