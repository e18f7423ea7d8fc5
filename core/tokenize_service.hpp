#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace lorica {

/// A token and the piece of the input it covers.
struct token_span {
  token_id id = 0;
  std::string text;         ///< the input's own characters
  std::uint32_t start = 0;  ///< offsets in Unicode code points, end exclusive
  std::uint32_t stop = 0;
};

/// Text to tokens for `/tokenize`. Implemented by `actors/gateway`; thread-safe, never blocks.
class tokenize_service {
 public:
  virtual ~tokenize_service() = default;

  /// Encodes `text` and calls `done` once, from any thread.
  virtual void tokenize(std::string text, bool add_special_tokens,
                        std::function<void(result<std::vector<token_span>>)> done) = 0;
};

}  // namespace lorica
