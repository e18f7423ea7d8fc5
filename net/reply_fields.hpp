#pragma once

#include <vector>

#include "core/generation.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// `x-adapter-id`, `x-adapter-version` and `x-adapter-tier`, each with a value per adapter in the order asked
/// for, separated by commas; nothing when the base answers.
std::vector<http_field> served_fields(const served_by& served);

/// The double that prints as the shortest decimal which reads back as this float: -0.4f gives -0.4.
double shortest(float number);

}  // namespace lorica
