#pragma once

#include <cstddef>
#include <memory>

#include "core/value.hpp"

namespace lorica {

/// A conversation as a client gives it, to be made a prompt by a chat template. The values are as they came:
/// what is wrong in them is found when they are rendered.
struct conversation {
  value messages;        ///< an array of objects
  value tools = {};      ///< an array of objects; null: none
  value documents = {};  ///< an array of objects; null: none
  value variables = {};  ///< an object of further variables (`chat_template_kwargs`); null: none
  bool add_generation_prompt = true;
  bool continue_final_message = false;  ///< the answer goes on behind the last message
  std::size_t bytes = 0;                ///< about how long it is, to share out work
};

using conversation_ptr = std::shared_ptr<const conversation>;

}  // namespace lorica
