#pragma once

#include <set>
#include <string>
#include <string_view>

#include "core/value.hpp"

namespace lorica::testing {

/// The description as a server gives it, read once.
const value& described_api();

/// The schema at a JSON pointer of the description (`/components/schemas/Token`); fails the test when there
/// is none.
const value& schema_at(std::string_view pointer);

/// Names of the properties of a schema, through references and alternatives. Those marked `x-ignored` or
/// `x-late`, which no reader of a body looks into, are left out.
std::set<std::string> properties_of(const value& schema);

/// Every name of a property in the description.
std::set<std::string> all_property_names();

}  // namespace lorica::testing
