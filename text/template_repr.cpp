#include "text/template_repr.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/utf8.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

std::string hex(char32_t c, int width) {
  std::string out;
  for (int shift = (width - 1) * 4; shift >= 0; shift -= 4)
    out += digits[(c >> shift) & 15];
  return out;
}

std::string escaped(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  if (c == '\t') return "\\t";
  if (c < 0x100) return "\\x" + hex(c, 2);
  return c < 0x10000 ? "\\u" + hex(c, 4) : "\\U" + hex(c, 8);
}

class writer {
 public:
  explicit writer(meter& use) : use_(use) {}

  void repr(const datum& v) {
    use_.step();
    if (v.missing() || v.is_undefined()) return out.append("Undefined");
    if (v.is_none()) return out.append("None");
    if (auto b = v.as_bool()) return out.append(*b ? "True" : "False");
    if (auto i = v.as_integer()) return out.append(text_of(*i));
    if (auto r = v.as_real()) return out.append(text_of(*r));
    if (auto t = v.as_text()) return string(*t, v.is_markup());
    if (auto s = v.as_list()) return list(s->list, "[", "]");
    if (auto s = v.as_tuple()) return list(s->list, "(", s->list.size() == 1 ? ",)" : ")");
    if (auto d = v.as_dict()) return dict(*d);
    object(*v.as_object());
  }

  template_text out;

 private:
  void string(const template_text& t, bool markup) {
    use_.make(t.text.size());
    bool double_quotes = t.text.find('\'') != std::string::npos && t.text.find('"') == std::string::npos;
    char quote = double_quotes ? '"' : '\'';
    out.append(markup ? std::string("Markup(") + quote : std::string(1, quote));
    std::string_view text = t.text;
    for (std::size_t i = 0; i < text.size();) {
      auto length = std::max<std::size_t>(1, utf8_length(text.substr(i, 4)));
      auto c = utf8_decode(text.substr(i, length));
      bool plain = is_printable(c) && c != '\\' && c != static_cast<unsigned char>(quote);
      if (plain)
        out.append_part(t, i, i + length);
      else
        out.append(is_printable(c) ? std::string("\\").append(text.substr(i, length)) : escaped(c),
                   t.marked(i, i + length));
      i += length;
    }
    out.append(std::string(1, quote) + (markup ? ")" : ""));
  }

  void list(const items& list, std::string_view open, std::string_view close) {
    out.append(open);
    for (auto& v : list) {
      if (&v != list.data()) out.append(", ");
      repr(v);
    }
    out.append(close);
  }

  void dict(const dictionary& d) {
    out.append("{");
    for (auto& [key, v] : d.entries) {
      if (&key != &d.entries.front().first) out.append(", ");
      repr(key);
      out.append(": ");
      repr(v);
    }
    out.append("}");
  }

  void object(const jinja::object& o) {
    if (auto view = dynamic_cast<const view_object*>(&o)) {
      out.append(std::string(view->type_name()) + "([");
      for (std::size_t i = 0; i < view->dict->entries.size(); ++i) {
        if (i > 0) out.append(", ");
        repr(view->at(i));
      }
      return out.append("])");
    }
    auto space = dynamic_cast<const namespace_object*>(&o);
    if (!space) return out.append(o.repr());
    // A namespace may hold itself.
    if (++spaces_ > 20) limit_error("a namespace is printed within namespaces");
    out.append("<Namespace ");
    dict(space->attributes);
    out.append(">");
    --spaces_;
  }

  meter& use_;
  int spaces_ = 0;
};

}  // namespace

std::string text_of(integer i) {
  if (i == 0) return "0";
  std::string out;
  bool negative = i < 0;
  for (; i != 0; i /= 10) {
    auto digit = static_cast<int>(i % 10);
    out += static_cast<char>('0' + (digit < 0 ? -digit : digit));
  }
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

std::string text_of(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  std::array<char, 40> buffer{};
  auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), d, std::chars_format::scientific).ptr;
  std::string_view all(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  std::string out(d < 0 || (d == 0 && std::signbit(d)) ? "-" : "");
  if (!out.empty()) all.remove_prefix(1);
  auto e = all.find('e');
  int exponent = 0;
  auto written = all.substr(e + (all[e + 1] == '+' ? 2 : 1));
  std::from_chars(written.data(), written.data() + written.size(), exponent);
  std::string mantissa(all.substr(0, e));
  std::erase(mantissa, '.');
  auto count = static_cast<int>(mantissa.size());
  if (exponent < -4 || exponent >= 16) {
    out += mantissa[0];
    if (count > 1) out += "." + mantissa.substr(1);
    auto size = std::to_string(std::abs(exponent));
    return out + (exponent < 0 ? "e-" : "e+") + (size.size() < 2 ? "0" : "") + size;
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + mantissa;
  auto whole = static_cast<std::size_t>(exponent) + 1;
  if (count <= exponent + 1) return out + mantissa + std::string(whole - mantissa.size(), '0') + ".0";
  return out + mantissa.substr(0, whole) + "." + mantissa.substr(whole);
}

template_text repr_of(const datum& v, meter& use) {
  writer w(use);
  w.repr(v);
  return std::move(w.out);
}

template_text str_of(const datum& v, meter& use) {
  if (v.missing() || v.is_undefined()) return {};
  if (auto t = v.as_text()) {
    use.make(t->text.size());
    return *t;
  }
  return repr_of(v, use);
}

}  // namespace lorica::jinja
