#pragma once

#include "core/generation.hpp"
#include "net/field_reader.hpp"

namespace lorica {

/// Reads the fields by which OpenAI's and vLLM's clients say which tokens may come: `presence_penalty`,
/// `min_p`, `min_tokens`, `logit_bias`, `allowed_token_ids`, `bad_words`, `stop_token_ids`. Refuses what is
/// out of range; whether an id is one of the vocabulary is found out where the vocabulary is.
void read_token_fields(field_reader& fields, generation_request& out);

}  // namespace lorica
