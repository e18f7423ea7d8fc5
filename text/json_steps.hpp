#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_part.hpp"
#include "text/pre_tokenizer.hpp"
#include "text/text_pattern.hpp"

namespace lorica {

/// What several kinds of steps in a `tokenizer.json` have in common.

/// Steps of a part that may be a Sequence, in order; sequences may hold sequences (the reader bounds the
/// depth). `list` is the field of a Sequence that holds them. Nothing for an absent part.
std::vector<json_part> flattened(const json_part& part, std::string_view list);

/// Notes that a step's type is not supported, and which ones are.
void refuse_type(const json_part& step, std::string_view supported);

/// The `pattern` of a Split or Replace: `{"String": …}` or `{"Regex": …}`.
pattern_source read_pattern(const json_part& step);

/// A Metaspace, which is a pre-tokenizer and a decoder with the same fields.
struct metaspace {
  std::string symbol;
  space_prefix prefix = space_prefix::always;
  bool split = true;
};

/// Files older than `prepend_scheme` say `add_prefix_space` instead.
metaspace read_metaspace(json_part step);

/// One character, such as U+2581; empty after a problem was noted.
std::string read_character(const json_part& step, std::string_view field);

}  // namespace lorica
