#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// Turns a stream of ids into a stream of whole UTF-8 text. Works on bytes: an incomplete character is held
/// back (at most 3 bytes), an invalid sequence becomes U+FFFD at once, by maximal subparts (Unicode 15, 3.9).
/// Invariant: the pieces concatenate to the text that one call over all ids would give. Owned by one session;
/// no locks.
///
/// A text may go on behind tokens that are not decoded here, as a completion does behind its prompt. Its
/// first token then keeps the space it means, unless nothing visible stands before it.
class incremental_decoder {
 public:
  /// `before` holds the ids in front of the text; it is only looked at.
  explicit incremental_decoder(std::shared_ptr<const tokenizer> vocabulary, bool skip_special_tokens,
                               std::span<const token_id> before = {});

  /// Text that became complete with this token; may be empty.
  std::string push(token_id id);

  /// What is still held back, as U+FFFD; call once at the end.
  std::string flush();

 private:
  bool shown(token_id id) const;
  std::string drain(bool final);

  std::shared_ptr<const tokenizer> vocabulary_;
  bool skip_special_;
  bool begun_;  ///< some token stands before the next one
  std::string held_;
};

}  // namespace lorica
