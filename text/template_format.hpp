#pragma once

#include <string_view>

#include "text/template_arguments.hpp"
#include "text/template_value.hpp"

namespace lorica::jinja {

/// `format % values` as Python's strings do it.
datum percent_format(const datum& format, const datum& values, meter& use);

/// `format.format(…)` under the sandbox, and `format_map`.
datum brace_format(const datum& format, const call_arguments& given, meter& use);

/// One value under a format specification (`>10`, `.2f`, `#x`).
template_text formatted(const datum& v, std::string_view specification, meter& use);

/// A number under a conversion of C (`e`, `f`, `g` and their capitals); `alternative` keeps the point.
std::string real_digits(double d, char conversion, int precision, bool alternative);
/// A magnitude to a base of 2, 8, 10 or 16.
std::string whole_digits(integer i, unsigned base, bool capitals);

/// `text` in a field of `width` characters: `align` is `<`, `>`, `^`.
template_text padded(const template_text& text, std::int64_t width, char align, std::string_view fill,
                     meter& use);

}  // namespace lorica::jinja
