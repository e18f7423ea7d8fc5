#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "text/template_filters.hpp"
#include "text/template_format.hpp"
#include "text/template_number_text.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

constexpr double integer_limit = 0x1p126;

datum whole_of(double d) {
  if (std::isnan(d)) value_error("cannot convert float NaN to integer");
  if (std::isinf(d)) throw failure(failure_kind::overflow, "cannot convert float infinity to integer");
  if (std::fabs(d) >= integer_limit) limit_error("a whole number is larger than 128 bits");
  return datum::number(static_cast<integer>(d));
}

// `int(x)` of a value that is no string; nothing for a TypeError or ValueError.
std::optional<datum> integer_of(const datum& v) {
  if (v.is_undefined()) use_of_undefined(v);
  if (auto i = v.as_integer()) return datum::number(*i);
  auto r = v.as_real();
  if (!r || std::isnan(*r)) return std::nullopt;
  return whole_of(*r);
}

datum to_int(const datum& v, const call_arguments& given, meter&) {
  bound_arguments a(given, "int", {"default", "base"});
  auto fallback = a.value(0, datum::number(0));
  auto t = v.as_text();
  if (!t) return integer_of(v).value_or(fallback);
  auto base = a.whole(1, std::int64_t{10});
  bool known = base == 0 || (base >= 2 && base <= 36);
  if (auto i = known ? parsed_integer(t->text, static_cast<unsigned>(base)) : std::nullopt)
    return datum::number(*i);
  auto r = parsed_real(t->text);
  return r && std::isfinite(*r) ? whole_of(*r) : fallback;
}

datum to_float(const datum& v, const call_arguments& given, meter&) {
  bound_arguments a(given, "float", {"default"});
  auto fallback = a.value(0, datum::real(0));
  if (v.is_undefined()) use_of_undefined(v);
  if (v.as_real()) return v;
  if (auto i = v.as_integer()) return datum::real(static_cast<double>(*i));
  auto r = v.as_text() ? parsed_real(v.as_text()->text) : std::nullopt;
  return r ? datum::real(*r) : fallback;
}

datum absolute(const datum& v, const call_arguments& given, meter&) {
  bound_arguments none(given, "abs", {});
  if (auto r = v.as_real()) return datum::real(std::fabs(*r));
  auto i = v.as_integer();
  if (!i) type_error("bad operand type for abs(): '" + std::string(v.type_name()) + "'");
  return *i < 0 ? negated(v) : datum::number(*i);
}

// Python rounds the exact value, halves to even, to so many digits behind the point.
datum round_real(double d, std::int64_t digits) {
  if (!std::isfinite(d) || digits > 400) return datum::real(d);
  if (digits < -400) return datum::real(std::copysign(0.0, d));
  if (digits >= 0) {
    auto text = real_digits(d, 'f', static_cast<int>(digits), false);
    return datum::real(std::copysign(std::stod(text), d));
  }
  auto unit = std::pow(10.0, static_cast<double>(-digits));
  return datum::real(std::nearbyint(d / unit) * unit);
}

datum round_whole(integer i, std::int64_t digits) {
  if (digits >= 0) return datum::number(i);
  if (digits < -37) return datum::number(0);
  integer unit = 1;
  for (; digits < 0; ++digits)
    unit *= 10;
  auto rest = i % unit;
  if (rest < 0) rest += unit;
  auto below = i - rest;
  bool up = rest * 2 > unit || (rest * 2 == unit && (below / unit) % 2 != 0);
  return datum::number(up ? below + unit : below);
}

datum round(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "round", {"precision", "method"});
  auto method = a.given(1) ? str_of(a.at(1), use).text : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    throw failure(failure_kind::filter, "method must be common, ceil or floor");
  if (!v.is_number()) {
    if (v.is_undefined() && method != "common") use_of_undefined(v);
    type_error("type " + std::string(v.type_name()) + " doesn't define __round__ method");
  }
  if (method == "common") {
    if (a.given(0) && a.at(0).is_none())
      return v.as_real() ? whole_of(std::nearbyint(*v.as_real())) : datum::number(*v.as_integer());
    auto digits = a.whole(0, std::int64_t{0});
    return v.as_real() ? round_real(*v.as_real(), digits) : round_whole(*v.as_integer(), digits);
  }
  auto unit = operate(binary_operator::power, datum::number(10), a.value(0, datum::number(0)), use);
  auto scaled = operate(binary_operator::multiply, v, unit, use);
  if (auto r = scaled.as_real()) scaled = whole_of(method == "ceil" ? std::ceil(*r) : std::floor(*r));
  return operate(binary_operator::divide, scaled, unit, use);
}

datum file_size(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "filesizeformat", {"binary"});
  auto parsed = v.as_text() ? parsed_real(v.as_text()->text) : std::nullopt;
  if (v.as_text() && !parsed) value_error("could not convert string to float");
  auto bytes = parsed ? *parsed : *to_float(v, {}, use).as_real();
  if (!v.as_text() && !v.is_number()) type_error("filesizeformat wants a number");
  bool binary = a.truth(0, false);
  double base = binary ? 1024 : 1000;
  if (bytes == 1) return datum::string("1 Byte");
  if (bytes < base) return datum::string(text_of(*whole_of(bytes).as_integer()) + " Bytes");
  constexpr std::string_view letters = "kMGTPEZY";
  double unit = base;
  std::size_t i = 0;
  for (; i + 1 < letters.size() && bytes >= unit * base; ++i)
    unit *= base;
  auto letter = binary && i == 0 ? 'K' : letters[i];
  return datum::string(real_digits(base * bytes / (unit * base), 'f', 1, false) + " " + letter +
                       (binary ? "iB" : "B"));
}

}  // namespace

filter find_number_filter(std::string_view name) {
  static const std::map<std::string_view, filter> table = {
      {"abs", absolute}, {"filesizeformat", file_size}, {"float", to_float}, {"int", to_int},
      {"round", round},
  };
  auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace lorica::jinja
