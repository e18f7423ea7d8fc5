#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/conversation.hpp"
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

/// A conversation as the model gets it.
struct tokenized_chat {
  std::string text;  ///< what the base's chat template makes of it
  std::vector<token_span> tokens;
};

/// Text to tokens for `/tokenize` and `/chat_tokenize`. Implemented by `actors/gateway`; thread-safe, never
/// blocks. Every `done` is called once, from any thread.
class tokenize_service {
 public:
  template <class T>
  using answer = std::function<void(result<T>)>;

  virtual ~tokenize_service() = default;

  /// Encodes `text`.
  virtual void tokenize(std::string text, bool add_special_tokens, answer<std::vector<token_span>> done) = 0;

  /// Renders `what` and encodes that, nothing added.
  virtual void tokenize_chat(conversation_ptr what, answer<tokenized_chat> done) = 0;
};

}  // namespace lorica
