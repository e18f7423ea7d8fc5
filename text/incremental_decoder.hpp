#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/ids.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// Turns a stream of ids into a stream of whole UTF-8 text. Works on bytes: an incomplete character is held
/// back (at most 3 bytes), an invalid sequence becomes U+FFFD at once, by maximal subparts (Unicode 15, 3.9).
/// Invariant: the pieces concatenate to the text that one call over all ids would give. Owned by one session;
/// no locks.
class incremental_decoder {
 public:
  explicit incremental_decoder(std::shared_ptr<const tokenizer> vocabulary, bool skip_special_tokens);

  /// Text that became complete with this token; may be empty.
  std::string push(token_id id);

  /// What is still held back, as U+FFFD; call once at the end.
  std::string flush();

 private:
  std::string drain(bool final);

  std::shared_ptr<const tokenizer> vocabulary_;
  bool skip_special_;
  std::string held_;
};

}  // namespace lorica
