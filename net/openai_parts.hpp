#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/generation.hpp"
#include "core/json.hpp"

namespace lorica {

/// What stays the same in every object of one answer.
struct openai_identity {
  std::string id;
  std::int64_t created = 0;  ///< seconds since the epoch
  std::string model;         ///< as asked for
  std::string fingerprint;   ///< `system_fingerprint`
};

/// The members that every object begins with; `kind` is its `object`.
void write_identity(json_writer& w, const openai_identity& identity, std::string_view kind);

/// `finish_reason`, and vLLM's `stop_reason` behind it: what ended the choice, where it was no end token of
/// the model. Null where `end` is: the choice goes on.
void write_end(json_writer& w, const generation_finish* end);

void write_usage(json_writer& w, std::uint64_t prompt_tokens, std::uint64_t generated_tokens);

/// vLLM's lists of ids.
void write_ids(json_writer& w, std::string_view name, std::span<const generated_token> tokens);

}  // namespace lorica
