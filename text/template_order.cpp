#include <algorithm>
#include <cmath>
#include <string>

#include "text/template_value.hpp"

namespace lorica::jinja {
namespace {

bool equal_lists(const items& a, const items& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

bool equal_dicts(const dictionary& a, const dictionary& b) {
  if (a.entries.size() != b.entries.size()) return false;
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
    auto other = b.find(entry.first);
    return other && equal(entry.second, *other);
  });
}

// An int and a float compare by their exact values in Python.
int sign_of(integer a, double b) {
  if (b >= 0x1p126) return -1;
  if (b <= -0x1p126) return 1;
  auto whole = static_cast<integer>(b);
  if (a != whole) return a < whole ? -1 : 1;
  auto rest = b - std::trunc(b);
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

template <class T>
int sign_of(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

// Order of two numbers; nothing for NaN, which has none.
std::optional<int> number_order(const datum& a, const datum& b) {
  auto left = a.as_integer(), right = b.as_integer();
  if (left && right) return sign_of(*left, *right);
  auto l = a.as_real(), r = b.as_real();
  if ((l && std::isnan(*l)) || (r && std::isnan(*r))) return std::nullopt;
  if (l && r) return sign_of(*l, *r);
  return l ? -sign_of(*right, *l) : sign_of(*left, *r);
}

int list_order(const items& a, const items& b, std::string_view sign) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    if (!equal(a[i], b[i])) return compared(a[i], b[i], sign);
  return sign_of(a.size(), b.size());
}

}  // namespace

bool equal(const datum& a, const datum& b) {
  if (a.is_number() && b.is_number()) return number_order(a, b) == 0;
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (auto t = a.as_text()) return b.as_text() && t->text == b.as_text()->text;
  if (auto s = a.as_list()) return b.as_list() && equal_lists(s->list, b.as_list()->list);
  if (auto s = a.as_tuple()) return b.as_tuple() && equal_lists(s->list, b.as_tuple()->list);
  if (auto d = a.as_dict()) return b.as_dict() && equal_dicts(*d, *b.as_dict());
  auto o = a.as_object();
  return o && b.as_object() && o->equals(*b.as_object());
}

int compared(const datum& a, const datum& b, std::string_view sign) {
  if (a.is_undefined()) use_of_undefined(a);
  if (b.is_undefined()) use_of_undefined(b);
  if (a.is_number() && b.is_number()) {
    auto order = number_order(a, b);
    // NaN is neither below nor above: say what makes the asked comparison false.
    return order ? *order : sign.starts_with('<') ? 1 : -1;
  }
  if (a.as_text() && b.as_text()) return sign_of(a.as_text()->text, b.as_text()->text);
  if (a.as_list() && b.as_list()) return list_order(a.as_list()->list, b.as_list()->list, sign);
  if (a.as_tuple() && b.as_tuple()) return list_order(a.as_tuple()->list, b.as_tuple()->list, sign);
  type_error("'" + std::string(sign) + "' not supported between instances of '" + std::string(a.type_name()) +
             "' and '" + std::string(b.type_name()) + "'");
}

}  // namespace lorica::jinja
