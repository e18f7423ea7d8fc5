#pragma once

#include <string>

#include "core/error.hpp"

namespace lorica::bench {

/// Writes a document in place of what the file had, whole or not at all: whoever reads it, at any time, finds
/// the one before or this one. `errc::io` where that cannot be.
result<void> write_document(const std::string& path, const std::string& text);

}  // namespace lorica::bench
