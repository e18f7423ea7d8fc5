#include <algorithm>
#include <cmath>

#include "core/utf8.hpp"
#include "text/template_format.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

constexpr std::int64_t longest_precision = 1'000;

// One `%…` of a format.
struct conversion {
  bool left = false, plus = false, blank = false, alternative = false, zero = false;
  std::int64_t width = 0;
  std::optional<std::int64_t> precision;
  char type = 's';
};

class percent {
 public:
  percent(const datum& format, const datum& values, meter& use)
      : format_(*format.as_text()), text_(format_.text), values_(values), use_(use) {
    auto tuple = values.as_tuple();
    // Whatever has items but is no tuple or string may be asked by name, and need not be used up.
    mapping_ = values.as_dict() || values.as_list() || values.is_undefined();
    if (tuple)
      list_ = tuple->list;
    else
      list_ = {values};
  }

  template_text run() {
    std::size_t plain = 0;
    while (at_ < text_.size()) {
      if (text_[at_] != '%') {
        ++at_;
        continue;
      }
      out_.append_part(format_, plain, at_);
      ++at_;
      convert();
      plain = at_;
    }
    out_.append_part(format_, plain, text_.size());
    if (next_ < list_.size() && !mapping_) type_error("not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  char peek() const {
    if (at_ >= text_.size()) value_error("incomplete format");
    return text_[at_];
  }

  datum take() {
    if (next_ >= list_.size() || by_name_) {
      if (!by_name_) type_error("not enough arguments for format string");
      return *by_name_;
    }
    return list_[next_++];
  }

  std::int64_t number() {
    if (peek() == '*') {
      ++at_;
      auto v = take().as_integer();
      if (!v) type_error("* wants int");
      return clamped(*v);
    }
    std::int64_t n = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      n = n * 10 + (text_[at_] - '0');
      if (n > std::int64_t{1} << 40) value_error("width too big");
    }
    return n;
  }

  void name() {
    by_name_.reset();
    if (peek() != '(') return;
    auto d = values_.as_dict();
    if (!d) type_error("format requires a mapping");
    auto begin = ++at_;
    for (int open = 1; open > 0; ++at_) {
      if (at_ >= text_.size()) value_error("incomplete format key");
      if (text_[at_] == '(') ++open;
      if (text_[at_] == ')') --open;
    }
    auto found = d->find(text_.substr(begin, at_ - begin - 1));
    if (!found) throw failure(failure_kind::lookup, "a key of a format is not in the mapping");
    by_name_ = *found;
    mapping_ = true;
  }

  void convert() {
    name();
    conversion c;
    for (bool flags = true; flags;) {
      switch (peek()) {
        case '-': c.left = true; break;
        case '+': c.plus = true; break;
        case ' ': c.blank = true; break;
        case '#': c.alternative = true; break;
        case '0': c.zero = true; break;
        default: flags = false;
      }
      if (flags) ++at_;
    }
    c.width = number();
    if (c.width < 0) {
      c.left = true;
      c.width = -c.width;
    }
    if (peek() == '.') {
      ++at_;
      c.precision = std::max<std::int64_t>(0, number());
    }
    if (peek() == 'h' || peek() == 'l' || peek() == 'L') ++at_;
    c.type = peek();
    ++at_;
    if (c.type == '%') return out_.append("%");
    put(c, take());
  }

  void put(const conversion& c, const datum& v) {
    switch (c.type) {
      case 's': return field(c, cut(str_of(v, use_), c));
      case 'r':
      case 'a': return field(c, cut(repr_of(v, use_), c));
      case 'c': return field(c, character(v));
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': return whole(c, v);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': return real(c, v);
      default: value_error("unsupported format character in a format string");
    }
  }

  template_text cut(template_text t, const conversion& c) {
    if (!c.precision) return t;
    auto v =
        sliced(datum::string(std::move(t)), std::nullopt, datum::number(*c.precision), std::nullopt, use_);
    return *v.as_text();
  }

  template_text character(const datum& v) {
    if (auto t = v.as_text(); t && length_of(v) == 1) return *t;
    auto i = v.as_integer();
    if (!i) type_error("%c requires int or char");
    if (*i < 0 || *i > 0x10ffff || (*i >= 0xd800 && *i <= 0xdfff))
      throw failure(failure_kind::overflow, "%c arg not in range(0x110000)");
    template_text out;
    utf8_append(out.text, static_cast<char32_t>(*i));
    return out;
  }

  void whole(const conversion& c, const datum& v) {
    bool decimal = c.type == 'd' || c.type == 'i' || c.type == 'u';
    if (v.is_undefined()) use_of_undefined(v);
    auto i = v.as_integer();
    if (auto r = v.as_real(); r && decimal) {
      if (!std::isfinite(*r)) throw failure(failure_kind::overflow, "cannot convert float to integer");
      if (std::fabs(*r) > 1e37) limit_error("a whole number is larger than 128 bits");
      i = static_cast<integer>(*r);
    }
    if (!i)
      type_error(std::string("%") + c.type + (decimal ? " format: a real number" : " format: an integer") +
                 " is required, not " + std::string(v.type_name()));
    auto base = decimal ? 10u : c.type == 'o' ? 8u : 16u;
    auto digits = whole_digits(*i, base, c.type == 'X');
    auto precision = std::min(c.precision.value_or(0), longest_precision);
    if (static_cast<std::int64_t>(digits.size()) < precision)
      digits.insert(0, static_cast<std::size_t>(precision) - digits.size(), '0');
    std::string prefix;
    if (c.alternative && !decimal) prefix = {'0', c.type};
    number(c, *i < 0, prefix, digits);
  }

  void real(const conversion& c, const datum& v) {
    if (v.is_undefined()) use_of_undefined(v);
    if (!v.is_number()) type_error("must be real number, not " + std::string(v.type_name()));
    auto d = v.as_real() ? *v.as_real() : static_cast<double>(*v.as_integer());
    auto precision = std::min(c.precision.value_or(6), longest_precision);
    number(c, std::signbit(d), "", real_digits(d, c.type, static_cast<int>(precision), c.alternative));
  }

  void number(const conversion& c, bool negative, const std::string& prefix, const std::string& digits) {
    std::string sign = negative ? "-" : c.plus ? "+" : c.blank ? " " : "";
    auto length = static_cast<std::int64_t>(sign.size() + prefix.size() + digits.size());
    if (c.zero && !c.left && c.width > length) {
      auto zeros = static_cast<std::size_t>(c.width - length);
      use_.make(zeros);
      return out_.append(sign + prefix + std::string(zeros, '0') + digits);
    }
    field(c, template_text(sign + prefix + digits));
  }

  void field(const conversion& c, const template_text& t) {
    out_.append(padded(t, c.width, c.left ? '<' : '>', " ", use_));
  }

  const template_text& format_;
  std::string_view text_;
  const datum& values_;
  meter& use_;
  items list_;
  std::optional<datum> by_name_;
  std::size_t next_ = 0;
  std::size_t at_ = 0;
  bool mapping_ = false;
  template_text out_;
};

}  // namespace

datum percent_format(const datum& format, const datum& values, meter& use) {
  auto out = percent(format, values, use).run();
  use.make(out.text.size());
  return datum::string(std::move(out), format.is_markup());
}

}  // namespace lorica::jinja
