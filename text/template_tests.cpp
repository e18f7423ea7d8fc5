#include <map>

#include "text/template_filters.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"
#include "text/template_strings.hpp"

namespace lorica::jinja {
namespace {

// A test without arguments of its own.
template <bool (*Is)(const datum&)>
bool plain(const datum& v, const call_arguments& given, meter&) {
  bound_arguments none(given, "a test", {});
  return Is(v);
}

bool is_defined(const datum& v) {
  return !v.is_undefined();
}
bool is_undefined(const datum& v) {
  return v.is_undefined();
}
bool is_none(const datum& v) {
  return v.is_none();
}
bool is_boolean(const datum& v) {
  return v.as_bool() != nullptr;
}
bool is_true(const datum& v) {
  return v.as_bool() && *v.as_bool();
}
bool is_false(const datum& v) {
  return v.as_bool() && !*v.as_bool();
}
bool is_integer(const datum& v) {
  return v.is_int();
}
bool is_float(const datum& v) {
  return v.as_real() != nullptr;
}
bool is_number(const datum& v) {
  return v.is_number();
}
bool is_string(const datum& v) {
  return v.as_text() != nullptr;
}
bool is_mapping(const datum& v) {
  return v.as_dict() != nullptr;
}
bool is_sequence(const datum& v) {
  return v.is_undefined() || v.as_text() || v.as_list() || v.as_tuple() || v.as_dict() ||
         dynamic_cast<range_object*>(v.as_object());
}
bool is_callable(const datum& v) {
  return v.is_undefined() || (v.as_object() && v.as_object()->callable());
}
bool is_escaped(const datum& v) {
  return v.is_markup();
}

template <letter_case Wanted>
bool is_case(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "a test", {});
  return has_case(str_of(v, use).text, Wanted);
}

bool remainder_is(const datum& v, const datum& by, integer wanted, meter& use) {
  return equal(operate(binary_operator::modulo, v, by, use), datum::number(wanted));
}
bool is_odd(const datum& v, const call_arguments&, meter& use) {
  return remainder_is(v, datum::number(2), 1, use);
}
bool is_even(const datum& v, const call_arguments&, meter& use) {
  return remainder_is(v, datum::number(2), 0, use);
}
bool is_divisible(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "divisibleby", {"num"}, 1);
  return remainder_is(v, a.at(0), 0, use);
}

bool is_same(const datum& v, const call_arguments& given, meter&) {
  bound_arguments a(given, "sameas", {"other"}, 1);
  auto& other = a.at(0);
  if (v.address() || other.address()) return v.address() == other.address();
  return v.type_name() == other.type_name() && equal(v, other);
}

bool is_in(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "in", {"seq"}, 1);
  return contains(a.at(0), v, use);
}

bool names_filter(const datum& v, const call_arguments&, meter&) {
  return v.as_text() && find_filter(v.as_text()->text);
}
bool names_test(const datum& v, const call_arguments&, meter&) {
  return v.as_text() && find_test(v.as_text()->text);
}

const datum& other_of(const call_arguments& given) {
  if (given.positional.size() != 1 || !given.named.empty()) type_error("a comparing test takes one argument");
  return given.positional[0];
}

bool is_equal(const datum& v, const call_arguments& given, meter&) {
  return equal(v, other_of(given));
}
bool is_unequal(const datum& v, const call_arguments& given, meter&) {
  return !equal(v, other_of(given));
}
bool is_above(const datum& v, const call_arguments& given, meter&) {
  return compared(v, other_of(given), ">") > 0;
}
bool is_below(const datum& v, const call_arguments& given, meter&) {
  return compared(v, other_of(given), "<") < 0;
}
bool is_at_least(const datum& v, const call_arguments& given, meter&) {
  return compared(v, other_of(given), ">=") >= 0;
}
bool is_at_most(const datum& v, const call_arguments& given, meter&) {
  return compared(v, other_of(given), "<=") <= 0;
}

}  // namespace

test find_test(std::string_view name) {
  static const std::map<std::string_view, test> table = {
      {"!=", is_unequal},
      {"<", is_below},
      {"<=", is_at_most},
      {"==", is_equal},
      {">", is_above},
      {">=", is_at_least},
      {"boolean", plain<is_boolean>},
      {"callable", plain<is_callable>},
      {"defined", plain<is_defined>},
      {"divisibleby", is_divisible},
      {"eq", is_equal},
      {"equalto", is_equal},
      {"escaped", plain<is_escaped>},
      {"even", is_even},
      {"false", plain<is_false>},
      {"filter", names_filter},
      {"float", plain<is_float>},
      {"ge", is_at_least},
      {"greaterthan", is_above},
      {"gt", is_above},
      {"in", is_in},
      {"integer", plain<is_integer>},
      {"iterable", plain<iterable>},
      {"le", is_at_most},
      {"lessthan", is_below},
      {"lower", is_case<letter_case::lower>},
      {"lt", is_below},
      {"mapping", plain<is_mapping>},
      {"ne", is_unequal},
      {"none", plain<is_none>},
      {"number", plain<is_number>},
      {"odd", is_odd},
      {"sameas", is_same},
      {"sequence", plain<is_sequence>},
      {"string", plain<is_string>},
      {"test", names_test},
      {"true", plain<is_true>},
      {"undefined", plain<is_undefined>},
      {"upper", is_case<letter_case::upper>},
  };
  auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace lorica::jinja
