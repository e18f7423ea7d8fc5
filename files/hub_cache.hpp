#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// What says where the Hugging Face cache is; empty: not said.
struct hub_environment {
  std::string chosen;          ///< the cache itself: `HF_HUB_CACHE` or what stands for it
  std::string hf_home;         ///< `HF_HOME`
  std::string xdg_cache_home;  ///< `XDG_CACHE_HOME`
  std::string home;            ///< `HOME`
};

/// A cache as huggingface_hub lays it out: `models--ORG--NAME/{blobs,refs,snapshots}`.
struct hub_cache {
  std::string root;   ///< empty: there is none
  std::string place;  ///< the same for error texts, in terms of the environment: `$HF_HOME/hub`
};

/// `chosen`, else `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`. A
/// leading `~/` of a variable is the home directory.
hub_cache find_hub_cache(const hub_environment& environment);

/// A repository of the Hub at a branch, tag or commit.
struct hub_source {
  std::string id;  ///< `ORG/NAME` or `NAME`
  std::string revision = "main";
};

/// True for `[ORG/]NAME`, parts of 1 to 96 letters, digits, `_`, `.` and `-` that begin and end with one of
/// the first three kinds, without `--`, `..` and the endings `.git` and `.ipynb`.
bool is_repository_id(std::string_view text) noexcept;

/// True for what may name a branch, tag or commit; never a way out of the cache.
bool is_revision(std::string_view text) noexcept;

/// True for a commit: 40 lower-case hexadecimal digits.
bool is_commit(std::string_view text) noexcept;

/// The repository's folder in a cache: `models--ORG--NAME`.
std::string hub_folder(std::string_view id);

/// Directory of the snapshot that the cache has of `wanted`; nothing is downloaded. What lies in it directly
/// was checked to be there and inside the cache, also behind links. Fails with
/// - `errc::invalid`: not an id or not a revision;
/// - `errc::io`, reason `hub_not_found`: not in the cache, wholly or in part; the text tells what would bring
/// it;
/// - `errc::malformed`, reason `path_not_allowed`: a link leads out of the cache.
/// Texts hold no paths.
result<std::string> find_snapshot(const hub_cache& cache, const hub_source& wanted);

}  // namespace lorica
