#pragma once

#include <vector>

#include "core/value.hpp"

namespace lorica::testing {

/// tests/golden/serve.json: what numpy and vLLM's tool say.
const value& serve_golden();

/// Member of an object that has it.
const value& in(const value& object, std::string_view name);

/// A list of numbers.
std::vector<double> numbers(const value& list);

/// A number; "inf" is infinity.
double number(const value& v);

}  // namespace lorica::testing
