#pragma once

#include <memory>
#include <string>

#include "core/error.hpp"
#include "text/chat_prompt.hpp"

namespace lorica {

/// The chat templates of the model at `model_path`; with a `template_file` that one instead, which must be a
/// template (`errc::bad_config`). Templates of the model that do not work are logged: the server starts, and
/// chats are refused with the reason.
result<std::shared_ptr<const chat_format>> find_chat_format(const std::string& model_path,
                                                            const std::string& template_file);

}  // namespace lorica
