#include <algorithm>
#include <cmath>

#include "core/utf8.hpp"
#include "text/template_attributes.hpp"
#include "text/template_format.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

constexpr std::int64_t longest_precision = 1'000;

// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct specification {
  std::string fill = " ";
  char align = 0, sign = '-', grouping = 0, type = 0;
  bool alternative = false, zero = false;
  std::int64_t width = 0;
  std::optional<std::int64_t> precision;
};

bool is_align(char c) {
  return c == '<' || c == '>' || c == '=' || c == '^';
}

std::int64_t number_in(std::string_view text, std::size_t& at) {
  std::int64_t n = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    n = n * 10 + (text[at] - '0');
    if (n > std::int64_t{1} << 40) value_error("Too many decimal digits in format string");
  }
  return n;
}

specification parsed(std::string_view text) {
  specification s;
  std::size_t at = 0;
  auto is = [&](char c) { return at < text.size() && text[at] == c; };
  auto fill = utf8_length(text.substr(0, 4));
  if (fill > 0 && fill < text.size() && is_align(text[fill])) {
    s.fill = std::string(text.substr(0, fill));
    s.align = text[fill];
    at = fill + 1;
  } else if (!text.empty() && is_align(text[0])) {
    s.align = text[at++];
  }
  if (is('+') || is('-') || is(' ')) s.sign = text[at++];
  if (is('#')) s.alternative = text[at++] == '#';
  if (is('0') && s.align == 0) s.zero = true;
  if (is('0') && (s.fill == " ")) s.fill = "0";
  s.width = number_in(text, at);
  if (is(',') || is('_')) s.grouping = text[at++];
  if (is('.')) {
    ++at;
    if (at >= text.size() || text[at] < '0' || text[at] > '9')
      value_error("Format specifier missing precision");
    s.precision = std::min(number_in(text, at), std::int64_t{1} << 31);
  }
  if (at < text.size()) s.type = text[at++];
  if (at != text.size()) value_error("Invalid format specifier");
  return s;
}

[[noreturn]] void unknown_code(char type, const datum& v) {
  value_error(std::string("Unknown format code '") + (type >= ' ' && type <= '~' ? type : '?') +
              "' for object of type '" + std::string(v.type_name()) + "'");
}

std::string grouped(const std::string& digits, char separator, std::size_t every) {
  auto whole = digits.find_first_not_of("0123456789abcdefABCDEF");
  auto count = whole == std::string::npos ? digits.size() : whole;
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0 && (count - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(count);
}

template_text number_field(const specification& s, bool negative, const std::string& prefix,
                           std::string digits, meter& use) {
  std::string sign = negative ? "-" : s.sign == '-' ? "" : std::string(1, s.sign);
  if (s.grouping != 0) {
    bool by_four = s.type == 'x' || s.type == 'X' || s.type == 'b' || s.type == 'o';
    auto every = by_four ? std::size_t{4} : std::size_t{3};
    if (s.zero) {
      // Zeros are grouped with the digits they stand before.
      auto room = s.width - static_cast<std::int64_t>(sign.size() + prefix.size());
      use.make(static_cast<std::size_t>(std::max<std::int64_t>(room, 0)));
      while (static_cast<std::int64_t>(grouped(digits, s.grouping, every).size()) <
             std::min<std::int64_t>(room, 10'000))
        digits.insert(0, 1, '0');
    }
    digits = grouped(digits, s.grouping, every);
  }
  auto align = s.align == 0 ? (s.zero ? '=' : '>') : s.align;
  if (align != '=') return padded(template_text(sign + prefix + digits), s.width, align, s.fill, use);
  auto room = s.width - static_cast<std::int64_t>(sign.size() + prefix.size());
  template_text out(sign + prefix);
  out.append(padded(template_text(digits), room, '>', s.fill, use));
  return out;
}

template_text real_field(const specification& s, double d, meter& use) {
  auto type = s.type;
  auto precision = static_cast<int>(std::min(s.precision.value_or(6), longest_precision));
  std::string digits, tail;
  if (type == '%') {
    d *= 100;
    tail = "%";
  }
  if (type == 0 && !s.precision) {
    digits = text_of(std::fabs(d));
  } else if (type == 0) {
    digits = real_digits(d, 'g', std::max(precision, 1), false);
    // Python keeps a digit behind the point here.
    if (std::isfinite(d) && digits.find_first_of(".e") == std::string::npos) digits += ".0";
  } else {
    char conversion = type == '%' || type == 'n' ? (type == '%' ? 'f' : 'g') : type;
    bool general = conversion == 'g' || conversion == 'G';
    digits = real_digits(d, conversion, general ? std::max(precision, 1) : precision, s.alternative);
  }
  return number_field(s, std::signbit(d) && !std::isnan(d), "", digits + tail, use);
}

template_text whole_field(const specification& s, const datum& v, meter& use) {
  auto i = *v.as_integer();
  switch (s.type) {
    case 0:
    case 'd':
    case 'n': break;
    case 'b':
    case 'o':
    case 'x':
    case 'X': {
      auto base = s.type == 'b' ? 2u : s.type == 'o' ? 8u : 16u;
      std::string prefix = s.alternative ? std::string{'0', s.type} : "";
      return number_field(s, i < 0, prefix, whole_digits(i, base, s.type == 'X'), use);
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%': return real_field(s, static_cast<double>(i), use);
    case 'c': throw failure(failure_kind::unsupported, "the format code 'c' is not supported");
    default: unknown_code(s.type, v);
  }
  if (s.precision) value_error("Precision not allowed in integer format specifier");
  return number_field(s, i < 0, "", whole_digits(i, 10, false), use);
}

template_text text_field(const specification& s, const datum& v, meter& use) {
  if (s.type != 0 && s.type != 's') unknown_code(s.type, v);
  if (s.align == '=') value_error("'=' alignment not allowed in string format specifier");
  if (s.sign != '-' || s.alternative || s.grouping != 0)
    value_error("Sign not allowed in string format specifier");
  auto t = *v.as_text();
  if (s.precision) t = *sliced(v, std::nullopt, datum::number(*s.precision), std::nullopt, use).as_text();
  return padded(t, s.width, s.align == 0 ? '<' : s.align, s.fill, use);
}

class braces {
 public:
  braces(const call_arguments& given, meter& use) : given_(given), use_(use) {}

  template_text run(const template_text& format, int depth) {
    if (depth < 0) value_error("Max string recursion exceeded");
    std::string_view text = format.text;
    template_text out;
    for (std::size_t at = 0; at < text.size();) {
      char c = text[at];
      bool twice = at + 1 < text.size() && text[at + 1] == c;
      if (c != '{' && c != '}') {
        out.append_part(format, at, at + 1);
        ++at;
      } else if (twice) {
        out.append_part(format, at, at + 1);
        at += 2;
      } else if (c == '}') {
        value_error("Single '}' encountered in format string");
      } else {
        auto end = closing(text, at);
        out.append(field(format.part(at + 1, end), depth));
        at = end + 1;
      }
    }
    use_.make(out.text.size());
    return out;
  }

 private:
  static std::size_t closing(std::string_view text, std::size_t at) {
    int open = 0;
    bool in_index = false;
    for (; at < text.size(); ++at) {
      if (in_index) {
        in_index = text[at] != ']';
        continue;
      }
      if (text[at] == '[' && open == 1) in_index = true;
      if (text[at] == '{') ++open;
      if (text[at] == '}' && --open == 0) return at;
    }
    value_error("expected '}' before end of string");
  }

  template_text field(const template_text& inner, int depth) {
    std::string_view text = inner.text;
    bool in_index = false;
    std::size_t end = 0;
    for (; end < text.size() && (in_index || (text[end] != ':' && text[end] != '!')); ++end) {
      if (text[end] == '[') in_index = true;
      if (text[end] == ']') in_index = false;
    }
    auto v = value_of(text.substr(0, end));
    if (end < text.size() && text[end] == '!') {
      if (end + 1 >= text.size()) value_error("end of string while looking for conversion specifier");
      v = converted(v, text[end + 1]);
      end += 2;
      if (end < text.size() && text[end] != ':') value_error("expected ':' after conversion specifier");
    }
    auto rest = end < text.size() ? run(inner.part(end + 1, text.size()), depth - 1) : template_text();
    return formatted(v, rest.text, use_);
  }

  datum converted(const datum& v, char how) {
    if (how == 's') return datum::string(str_of(v, use_));
    if (how == 'r' || how == 'a') return datum::string(repr_of(v, use_));
    value_error("Unknown conversion specifier");
  }

  datum first(std::string_view name) {
    bool number =
        !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (name.empty() ? manual_ : number && automatic_)
      value_error("cannot switch between manual field specification and automatic field numbering");
    std::size_t index = 0;
    if (name.empty()) {
      automatic_ = true;
      index = next_++;
    } else if (number) {
      manual_ = true;
      std::size_t at = 0;
      index = static_cast<std::size_t>(number_in(name, at));
    } else {
      if (auto found = given_.find(name)) return *found;
      throw failure(failure_kind::lookup, "a name of a format is not among its arguments");
    }
    if (index >= given_.positional.size())
      throw failure(failure_kind::lookup, "Replacement index out of range for positional args tuple");
    return given_.positional[index];
  }

  datum value_of(std::string_view name) {
    auto end = std::min(name.find_first_of(".["), name.size());
    auto v = first(name.substr(0, end));
    while (end < name.size()) {
      if (name[end] == '.') {
        auto stop = std::min(name.find_first_of(".[", end + 1), name.size());
        if (stop == end + 1) value_error("Empty attribute in format string");
        v = attribute(v, std::string(name.substr(end + 1, stop - end - 1)), use_);
        end = stop;
        continue;
      }
      if (name[end] != '[') value_error("Only '.' or '[' may follow ']' in format field specifier");
      auto stop = name.find(']', end);
      if (stop == std::string_view::npos) value_error("Missing ']' in format string");
      auto key = name.substr(end + 1, stop - end - 1);
      if (key.empty()) value_error("Empty attribute in format string");
      std::size_t at = 0;
      bool number = std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
      v = item(v, number ? datum::number(number_in(key, at)) : datum::string(key), use_);
      end = stop + 1;
    }
    return v;
  }

  const call_arguments& given_;
  meter& use_;
  std::size_t next_ = 0;
  bool automatic_ = false, manual_ = false;
};

}  // namespace

template_text formatted(const datum& v, std::string_view text, meter& use) {
  if (text.empty()) return str_of(v, use);
  if (v.as_text()) return text_field(parsed(text), v, use);
  if (v.as_integer()) return whole_field(parsed(text), v, use);
  if (auto d = v.as_real()) {
    auto s = parsed(text);
    if (s.type != 0 && std::string_view("eEfFgGn%").find(s.type) == std::string_view::npos)
      unknown_code(s.type, v);
    return real_field(s, *d, use);
  }
  type_error("unsupported format string passed to " + std::string(v.type_name()) + ".__format__");
}

datum brace_format(const datum& format, const call_arguments& given, meter& use) {
  return datum::string(braces(given, use).run(*format.as_text(), 2), format.is_markup());
}

}  // namespace lorica::jinja
