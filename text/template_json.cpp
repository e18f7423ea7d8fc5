#include <algorithm>
#include <cmath>

#include "core/utf8.hpp"
#include "text/template_escape.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

std::string unicode_escape(char32_t c) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out += digits[(c >> shift) & 15];
  return out;
}

std::string json_escape(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\f': return "\\f";
    case '\b': return "\\b";
    default: break;
  }
  if (c < 0x20 || (ensure_ascii && c >= 0x7f && c < 0x10000)) return unicode_escape(c);
  if (ensure_ascii && c >= 0x10000)
    return unicode_escape(0xd800 + ((c - 0x10000) >> 10)) + unicode_escape(0xdc00 + ((c - 0x10000) & 0x3ff));
  return {};
}

class json_text {
 public:
  json_text(const json_style& style, meter& use) : style_(style), use_(use) {}

  void write(const datum& v) {
    use_.step();
    if (v.is_none()) return out.append("null");
    if (auto b = v.as_bool()) return out.append(*b ? "true" : "false");
    if (auto i = v.as_integer()) return out.append(text_of(*i));
    if (auto r = v.as_real()) return out.append(real(*r));
    if (auto t = v.as_text()) return string(*t);
    if (auto s = v.as_list()) return list(s->list);
    if (auto s = v.as_tuple()) return list(s->list);
    if (v.as_dict()) return dict(v);
    type_error("Object of type " + std::string(v.type_name()) + " is not JSON serializable");
  }

  template_text out;

 private:
  static std::string real(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return text_of(d);
  }

  void string(const template_text& t) {
    use_.make(t.text.size());
    out.append("\"");
    std::string_view text = t.text;
    std::size_t plain = 0;  // what is written already
    for (std::size_t i = 0; i < text.size();) {
      auto length = std::max<std::size_t>(1, utf8_length(text.substr(i, 4)));
      auto escape = json_escape(utf8_decode(text.substr(i, length)), style_.ensure_ascii);
      if (!escape.empty()) {
        out.append_part(t, plain, i);
        out.append(escape, t.marked(i, i + length));
        plain = i + length;
      }
      i += length;
    }
    out.append_part(t, plain, text.size());
    out.append("\"");
  }

  void line() {
    if (!style_.indent) return;
    out.append("\n");
    use_.make(level_ * style_.indent->text.size());
    for (std::size_t i = 0; i < level_; ++i)
      out.append(*style_.indent);
  }

  // With an indent, Python's default item separator has no space at the end of the line.
  void separate() {
    out.append(style_.item_separator);
    line();
  }

  void list(const items& list) {
    if (list.empty()) return out.append("[]");
    out.append("[");
    ++level_;
    line();
    for (auto& v : list) {
      if (&v != list.data()) separate();
      write(v);
    }
    --level_;
    line();
    out.append("]");
  }

  // Keys that are no strings are written as JSON writes their values, in quotes.
  void key(const datum& k) {
    if (auto t = k.as_text()) return string(*t);
    if (!k.is_none() && !k.is_number())
      type_error("keys must be str, int, float, bool or None, not " + std::string(k.type_name()));
    out.append("\"");
    write(k);
    out.append("\"");
  }

  void dict(const datum& v) {
    auto entries = v.as_dict()->entries;
    if (entries.empty()) return out.append("{}");
    if (style_.sort_keys)
      std::stable_sort(entries.begin(), entries.end(),
                       [](auto& a, auto& b) { return compared(a.first, b.first, "<") < 0; });
    out.append("{");
    ++level_;
    line();
    for (auto& [k, item] : entries) {
      if (&k != &entries.front().first) separate();
      key(k);
      out.append(style_.key_separator);
      write(item);
    }
    --level_;
    line();
    out.append("}");
  }

  const json_style& style_;
  meter& use_;
  std::size_t level_ = 0;
};

}  // namespace

template_text json_of(const datum& v, const json_style& style, meter& use) {
  json_text w(style, use);
  w.write(v);
  use.make(w.out.text.size());
  return std::move(w.out);
}

template_text html_escaped(const template_text& t, meter& use) {
  use.make(t.text.size());
  template_text out;
  for (std::size_t i = 0; i < t.text.size(); ++i) {
    auto marked = t.marked(i, i + 1);
    switch (t.text[i]) {
      case '&': out.append("&amp;", marked); break;
      case '<': out.append("&lt;", marked); break;
      case '>': out.append("&gt;", marked); break;
      case '\'': out.append("&#39;", marked); break;
      case '"': out.append("&#34;", marked); break;
      default: out.append_part(t, i, i + 1);
    }
  }
  return out;
}

template_text url_quoted(const template_text& t, bool in_query, meter& use) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  use.make(3 * t.text.size());
  template_text out;
  for (std::size_t i = 0; i < t.text.size(); ++i) {
    char c = t.text[i];
    auto byte = static_cast<unsigned char>(c);
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !in_query))
      out.append_part(t, i, i + 1);
    else if (c == ' ' && in_query)
      out.append("+", t.marked(i, i + 1));
    else
      out.append(std::string{'%', digits[byte >> 4], digits[byte & 15]}, t.marked(i, i + 1));
  }
  return out;
}

}  // namespace lorica::jinja
