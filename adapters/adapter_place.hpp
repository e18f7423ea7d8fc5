#pragma once

#include <string>

#include "adapters/adapter_directory.hpp"
#include "adapters/adapter_roots.hpp"
#include "core/error.hpp"

namespace lorica {

/// An open directory with an adapter in it.
struct adapter_place {
  adapter_directory directory;
  std::string file;  ///< the `.gguf` file of it that is meant; empty: what the directory holds
};

/// Opens what `path` names: a directory, or a `.gguf` file by the directory that it lies in. Fails as
/// `adapter_directory::open`.
result<adapter_place> open_place(const std::string& path);

/// The same beneath a root; fails as `adapter_roots::open_directory`.
result<adapter_place> open_place(const adapter_roots& roots, const std::string& path);
result<adapter_place> open_place(const adapter_roots& roots, const rooted_path& path);

}  // namespace lorica
