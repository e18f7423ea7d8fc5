#pragma once

#include <vector>

#include "core/generation.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// `x-adapter-id`, `x-adapter-version` and `x-adapter-tier`, each with a value per adapter in the order asked
/// for, separated by commas; nothing when the base answers.
std::vector<http_field> served_fields(const served_by& served);

}  // namespace lorica
