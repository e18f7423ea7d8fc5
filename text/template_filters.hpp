#pragma once

#include <string>
#include <string_view>

#include "text/template_arguments.hpp"
#include "text/template_value.hpp"

namespace lorica::jinja {

/// A filter: its value, its other arguments, the meter.
using filter = datum (*)(const datum&, const call_arguments&, meter&);

/// A filter by name; null for names that are not served.
filter find_filter(std::string_view name);
/// True for filters of Jinja that are left out on purpose.
bool is_refused_filter(std::string_view name);

/// Filters by kind, each a table of names.
filter find_string_filter(std::string_view name);
filter find_list_filter(std::string_view name);
filter find_lazy_filter(std::string_view name);
filter find_number_filter(std::string_view name);

/// A test: `v is name(…)`.
using test = bool (*)(const datum&, const call_arguments&, meter&);
test find_test(std::string_view name);

/// A filter or test that a template names by a value (`map("upper")`); fails for unknown names.
datum call_filter(const datum& name, const datum& v, const call_arguments& given, meter& use);
bool call_test(const datum& name, const datum& v, const call_arguments& given, meter& use);

/// The value that `attribute="a.b.0"` names in an item; `fallback` stands for what is undefined on the way.
datum attribute_path(const datum& v, const datum& path, const datum* fallback, meter& use);

/// A string in lower case for comparisons that ignore case; other values as they are.
datum ignoring_case(const datum& v, bool ignore, meter& use);

/// A string as it is, Markup too; other values as `str` has them.
datum soft_string(const datum& v, meter& use);

}  // namespace lorica::jinja
