#pragma once

#include <string>
#include <string_view>

#include "text/template_value.hpp"

namespace lorica::jinja {

/// Decimal digits of an int.
std::string text_of(integer i);

/// Python's `repr` of a float: the shortest digits that read back equal, `1e+20`, `1.0`, `inf`, `nan`.
std::string text_of(double d);

/// `str(v)`: what `{{ v }}` prints. Marks stay with the bytes they belong to.
template_text str_of(const datum& v, meter& use);

/// `repr(v)`: strings with quotes and escapes.
template_text repr_of(const datum& v, meter& use);

}  // namespace lorica::jinja
