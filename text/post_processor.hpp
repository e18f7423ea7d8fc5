#pragma once

#include <variant>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// ByteLevel as a post-processor: spaces at the ends of a token leave its offsets.
struct trim_offsets {
  bool add_prefix_space = false;  ///< the first token's leading space was never in the text
};

/// TemplateProcessing for one text: ids around it, when special tokens are asked for.
struct surround {
  std::vector<token_id> before;
  std::vector<token_id> after;
};

/// Steps in order.
using post_processor = std::vector<std::variant<trim_offsets, surround>>;

}  // namespace lorica
