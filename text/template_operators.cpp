#include "text/template_operators.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/utf8.hpp"
#include "text/template_escape.hpp"
#include "text/template_format.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

constexpr std::string_view signs[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};

[[noreturn]] void too_large() {
  limit_error("a whole number is larger than 128 bits");
}
[[noreturn]] void by_zero(std::string text) {
  throw failure(failure_kind::division, std::move(text));
}

double real_of(const datum& v) {
  if (auto r = v.as_real()) return *r;
  return static_cast<double>(*v.as_integer());
}

integer floor_quotient(integer a, integer b) {
  if (b == -1 && a == std::numeric_limits<integer>::min()) too_large();
  auto quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

integer whole_power(integer base, integer exponent) {
  integer out = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(out, base, &out)) too_large();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) too_large();
  }
  return out;
}

datum whole(binary_operator op, integer a, integer b) {
  integer out = 0;
  switch (op) {
    case binary_operator::add:
      if (__builtin_add_overflow(a, b, &out)) too_large();
      return datum::number(out);
    case binary_operator::subtract:
      if (__builtin_sub_overflow(a, b, &out)) too_large();
      return datum::number(out);
    case binary_operator::multiply:
      if (__builtin_mul_overflow(a, b, &out)) too_large();
      return datum::number(out);
    case binary_operator::divide:
      if (b == 0) by_zero("division by zero");
      return datum::real(static_cast<double>(a) / static_cast<double>(b));
    case binary_operator::floor_divide:
      if (b == 0) by_zero("integer division or modulo by zero");
      return datum::number(floor_quotient(a, b));
    case binary_operator::modulo:
      if (b == 0) by_zero("integer modulo by zero");
      if (b == -1) return datum::number(0);
      return datum::number(a - floor_quotient(a, b) * b);
    default:
      if (b >= 0)
        return datum::number(a == 1 || a == 0 || a == -1 ? whole_power(a, b == 0 ? 0 : 2 - (b & 1))
                                                         : whole_power(a, b));
      if (a == 0) by_zero("0.0 cannot be raised to a negative power");
      return datum::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
}

// Python's float_divmod: the remainder has the sign of the divisor, the quotient is exact to the unit.
std::pair<double, double> divmod(double a, double b) {
  auto remainder = std::fmod(a, b);
  auto quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), remainder};
  auto floor = std::floor(quotient);
  if (quotient - floor > 0.5) floor += 1;
  return {floor, remainder};
}

datum reals(binary_operator op, double a, double b) {
  switch (op) {
    case binary_operator::add: return datum::real(a + b);
    case binary_operator::subtract: return datum::real(a - b);
    case binary_operator::multiply: return datum::real(a * b);
    case binary_operator::divide:
      if (b == 0) by_zero("float division by zero");
      return datum::real(a / b);
    case binary_operator::floor_divide:
      if (b == 0) by_zero("float floor division by zero");
      return datum::real(divmod(a, b).first);
    case binary_operator::modulo:
      if (b == 0) by_zero("float modulo");
      return datum::real(divmod(a, b).second);
    default: break;
  }
  if (a == 0 && b < 0) by_zero("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b))
    throw failure(failure_kind::unsupported, "complex numbers are not supported");
  auto out = std::pow(a, b);
  if (std::isinf(out) && std::isfinite(a) && std::isfinite(b))
    throw failure(failure_kind::overflow, "(34, 'Numerical result out of range')");
  return datum::real(out);
}

datum joined(const datum& a, const datum& b, meter& use) {
  // Markup takes what is added to it for text to escape.
  bool markup = a.is_markup() || b.is_markup();
  auto left = markup && !a.is_markup() ? html_escaped(*a.as_text(), use) : *a.as_text();
  auto right = markup && !b.is_markup() ? html_escaped(*b.as_text(), use) : *b.as_text();
  use.make(left.text.size() + right.text.size());
  left.append(right);
  return datum::string(std::move(left), markup);
}

items both(const items& a, const items& b, meter& use) {
  use.step(a.size() + b.size());
  auto out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

std::size_t copies(integer count, std::size_t size) {
  if (count <= 0 || size == 0) return 0;
  // More than any limit allows; multiplied without wrapping.
  auto most = static_cast<integer>((std::size_t{1} << 40) / size);
  return static_cast<std::size_t>(std::min(count, most));
}

datum repeated(const datum& v, integer count, meter& use) {
  if (auto t = v.as_text()) {
    auto n = copies(count, t->text.size());
    use.make(n * t->text.size());
    use.step(n >> 4);
    template_text out;
    for (std::size_t i = 0; i < n; ++i)
      out.append(*t);
    return datum::string(std::move(out), v.is_markup());
  }
  auto& list = v.as_list() ? v.as_list()->list : v.as_tuple()->list;
  auto n = copies(count, list.size());
  use.step(n * list.size());
  items out;
  out.reserve(n * list.size());
  for (std::size_t i = 0; i < n; ++i)
    out.insert(out.end(), list.begin(), list.end());
  return v.as_list() ? datum::list(std::move(out)) : datum::tuple(std::move(out));
}

bool is_sequence(const datum& v) {
  return v.as_text() || v.as_list() || v.as_tuple();
}

}  // namespace

datum operate(binary_operator op, const datum& a, const datum& b, meter& use) {
  if (op == binary_operator::modulo && a.as_text()) return percent_format(a, b, use);
  if (a.is_undefined()) use_of_undefined(a);
  if (b.is_undefined()) use_of_undefined(b);
  auto left = a.as_integer(), right = b.as_integer();
  if (left && right) return whole(op, *left, *right);
  if (a.is_number() && b.is_number()) return reals(op, real_of(a), real_of(b));
  if (op == binary_operator::add) {
    if (a.as_text() && b.as_text()) return joined(a, b, use);
    if (a.as_list() && b.as_list()) return datum::list(both(a.as_list()->list, b.as_list()->list, use));
    if (a.as_tuple() && b.as_tuple()) return datum::tuple(both(a.as_tuple()->list, b.as_tuple()->list, use));
  }
  if (op == binary_operator::multiply) {
    if (is_sequence(a) && right) return repeated(a, *right, use);
    if (is_sequence(b) && left) return repeated(b, *left, use);
  }
  type_error("unsupported operand type(s) for " + std::string(signs[static_cast<std::size_t>(op)]) + ": '" +
             std::string(a.type_name()) + "' and '" + std::string(b.type_name()) + "'");
}

datum negated(const datum& v) {
  if (v.is_undefined()) use_of_undefined(v);
  if (auto r = v.as_real()) return datum::real(-*r);
  if (auto i = v.as_integer()) return whole(binary_operator::subtract, 0, *i);
  type_error("bad operand type for unary -: '" + std::string(v.type_name()) + "'");
}

datum positive(const datum& v) {
  if (v.is_undefined()) use_of_undefined(v);
  if (v.as_real()) return v;
  if (auto i = v.as_integer()) return datum::number(*i);
  type_error("bad operand type for unary +: '" + std::string(v.type_name()) + "'");
}

bool contains(const datum& container, const datum& needle, meter& use) {
  if (auto t = container.as_text()) {
    auto part = needle.as_text();
    if (!part)
      type_error("'in <string>' requires string as left operand, not " + std::string(needle.type_name()));
    use.step(t->text.size() >> 8);
    return t->text.find(part->text) != std::string::npos;
  }
  if (auto d = container.as_dict()) {
    if (!hashable(needle)) type_error("unhashable type: '" + std::string(needle.type_name()) + "'");
    return d->find(needle) != nullptr;
  }
  if (!iterable(container))
    type_error("argument of type '" + std::string(container.type_name()) + "' is not iterable");
  auto steps = walk(container);
  while (auto next = steps->next()) {
    use.step();
    if (equal(*next, needle)) return true;
  }
  return false;
}

std::int64_t clamped(integer i) {
  using limits = std::numeric_limits<std::int64_t>;
  return static_cast<std::int64_t>(std::clamp<integer>(i, limits::min(), limits::max()));
}

std::optional<std::size_t> index_within(integer index, std::size_t size) {
  auto count = static_cast<integer>(size);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return std::nullopt;
  return static_cast<std::size_t>(index);
}

std::pair<std::size_t, std::size_t> character_at(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  auto next = [&](std::size_t from) {
    do
      ++from;
    while (from < text.size() && utf8_is_tail(text[from]));
    return from;
  };
  while (index-- > 0)
    at = next(at);
  return {at, next(at)};
}

}  // namespace lorica::jinja
