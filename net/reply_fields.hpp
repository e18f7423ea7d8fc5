#pragma once

#include <vector>

#include "core/generation.hpp"
#include "core/json.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// `x-adapter-id`, `x-adapter-version`, `x-adapter-tier` and `x-adapter-source`, each with a value per
/// adapter in the order asked for, separated by commas; nothing when the base answers, but
/// `x-adapter-fallback` where it does for a name that no adapter has.
std::vector<http_field> served_fields(const served_by& served);

/// What a stream's head says once the prompt is known: the above and `x-prompt-tokens`.
std::vector<http_field> started_fields(const generation_started& facts);

/// The same as members of an event, for a stream whose head went out without: `adapter` with `id`, `version`
/// and `tier`, of several `adapters`, a list of such objects; `adapter_fallback` where the base answers in an
/// adapter's place.
void write_served(json_writer& w, const served_by& served);

}  // namespace lorica
