#pragma once

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/value.hpp"

namespace lorica {

/// What a template makes of the two forms a message's `content` may have, and which form it wants the
/// `arguments` of tool calls in. Found by rendering probes.
struct content_style {
  bool takes_text = true;
  bool takes_parts = false;
  bool arguments_as_text = false;
};

/// Bounds of a conversation; more is refused.
inline constexpr std::size_t most_messages = 4'096;
inline constexpr std::size_t most_parts = 4'096;  ///< of one message
inline constexpr std::size_t most_tools = 1'024;

/// Roles that are the API's words, not the caller's.
const std::vector<std::string>& known_roles();

/// Checks the messages of a request and brings them into the form that a template wants:
///
/// - an array of 1 to 4096 objects with a `role`; `content` is a text, null, or an array of parts of type
///   `text`; members that are null are left out, as transformers does;
/// - parts are joined with newlines for templates that take texts only, texts become a part for those that
///   take parts only;
/// - `arguments` of tool calls that are texts are parsed, for templates that want the text of it objects are
///   written out;
/// - reasoning is found under `reasoning_content` and `thinking` whichever of `reasoning_content`, `thinking`
///   and `reasoning` the caller used, as in transformers.
///
/// Fails with `errc::invalid` and names the field.
result<value> prepared_messages(const value& messages, const content_style& style);

/// `tools` and `documents`: an array of objects, null when absent or empty.
result<value> prepared_objects(const value* list, const std::string& field);

}  // namespace lorica
