#include "text/pattern.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace lorica {
namespace {

// What Oniguruma takes for a word character. Outside of classes it asks another table for characters below
// U+0100, which also holds superscript digits and fractions.
constexpr std::string_view word_members = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view more_word_members = "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}]";
constexpr std::array<std::string_view, 8> groups = {"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?-i:"};

bool is_punctuation(char c) {
  return std::ispunct(static_cast<unsigned char>(c)) != 0;
}
bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

// Walks the pattern once, front to back.
class translator {
 public:
  explicit translator(std::string_view pattern) : rest_(pattern) {}

  result<std::string> run() {
    while (!rest_.empty()) {
      auto ok = in_class_ ? class_item() : item();
      if (!ok) return ok.error();
    }
    if (in_class_) return refuse("a character class without end");
    return std::move(out_);
  }

 private:
  static error refuse(std::string_view what, std::string_view detail = {}) {
    std::string text = "pattern uses ";
    text += what;
    if (!detail.empty()) text.append(" '").append(detail).append("'");
    text += ", which is not supported";
    return fail(errc::bad_model, std::move(text));
  }

  bool at(std::string_view text) const { return rest_.starts_with(text); }

  void keep(std::size_t n) {
    out_ += rest_.substr(0, n);
    rest_.remove_prefix(n);
  }

  result<void> replace(std::size_t n, std::string_view text) {
    out_ += text;
    rest_.remove_prefix(n);
    return {};
  }

  result<void> item() {
    switch (rest_[0]) {
      case '\\': return escape();
      case '[': return open_class();
      case '(': return group();
      case '{': return interval();
      case '^': return replace(1, "(?m:^)");
      case '$': return replace(1, "(?m:$)");
      default: keep(1); return {};
    }
  }

  result<void> group() {
    auto inner = rest_.substr(1);
    if (inner.starts_with('*')) return refuse("'(*'");
    if (!inner.starts_with('?')) {
      keep(1);
      return {};
    }
    for (auto g : groups) {
      if (!inner.starts_with(g)) continue;
      keep(1 + g.size());
      return {};
    }
    return refuse("the group", rest_.substr(0, 3));
  }

  // Behind an interval, Ruby reads '+' and '?' otherwise than Perl does.
  result<void> interval() {
    auto end = rest_.find('}');
    if (end == std::string_view::npos) return refuse("'{' without '}'");
    auto body = rest_.substr(1, end - 1);
    bool numeric = !body.empty() && body[0] != ',' && std::all_of(body.begin(), body.end(), [](char c) {
      return c == ',' || (c >= '0' && c <= '9');
    });
    if (!numeric) return refuse("the interval", rest_.substr(0, end + 1));
    auto after = rest_.substr(end + 1);
    if (after.starts_with('+') || after.starts_with('?'))
      return refuse("behind an interval", after.substr(0, 1));
    keep(end + 1);
    return {};
  }

  result<void> open_class() {
    keep(at("[^") ? 2 : 1);
    if (at("]")) return refuse("']' as the first member of a class");
    in_class_ = true;
    return {};
  }

  result<void> class_item() {
    if (at("\\")) return escape();
    if (at("[")) return refuse("a class inside a class");
    if (at("&&")) return refuse("'&&' in a class");
    in_class_ = !at("]");
    keep(1);
    return {};
  }

  result<void> escape() {
    if (rest_.size() < 2) return refuse("a lone '\\' at the end");
    char c = rest_[1];
    switch (c) {
      case 's': return replace(2, "\\p{White_Space}");
      case 'S': return replace(2, "\\P{White_Space}");
      case 'd': return replace(2, "\\p{Nd}");
      case 'D': return replace(2, "\\P{Nd}");
      case 'w': return word();
      case 'W': return no_word();
      case 'p':
      case 'P': return property();
      case 'u': return code_unit();
      case 'x': return code_point();
      case 'r':
      case 'n':
      case 't':
      case 'f': keep(2); return {};
      default: break;
    }
    if (!is_punctuation(c)) return refuse("the escape", rest_.substr(0, 2));
    keep(2);
    return {};
  }

  result<void> word() {
    if (in_class_) return replace(2, word_members);
    return replace(2, std::string("[").append(word_members).append(more_word_members));
  }

  result<void> no_word() {
    if (in_class_) return refuse("'\\W' in a class");
    return replace(2, std::string("[^").append(word_members).append(more_word_members));
  }

  // General categories have one or two letters and mean the same. Longer names are scripts: by the property
  // Script, while PCRE2 alone would take Script_Extensions.
  result<void> property() {
    auto end = rest_.find('}');
    if (rest_.size() < 3 || rest_[2] != '{' || end == std::string_view::npos)
      return refuse("'\\p' without '{name}'");
    auto name = rest_.substr(3, end - 3);
    bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    if (!std::all_of(name.begin(), name.end(),
                     [](char c) { return c == '_' || std::isalpha(static_cast<unsigned char>(c)); }))
      return refuse("the property", name);
    std::string out(rest_.substr(0, 2));
    out.append(negated ? "{^" : "{").append(name.size() > 2 ? "sc:" : "").append(name) += '}';
    return replace(end + 1, out);
  }

  result<void> code_unit() {
    auto digits = rest_.substr(2, 4);
    if (digits.size() < 4 || !std::all_of(digits.begin(), digits.end(), is_hex))
      return refuse("'\\u' without four digits");
    return replace(6, std::string("\\x{").append(digits) + '}');
  }

  result<void> code_point() {
    auto end = rest_.find('}');
    if (rest_.size() < 3 || rest_[2] != '{' || end == std::string_view::npos)
      return refuse("'\\x' without '{…}'");
    keep(end + 1);
    return {};
  }

  std::string_view rest_;
  std::string out_;
  bool in_class_ = false;
};

}  // namespace

result<std::string> translate_pattern(std::string_view pattern) {
  return translator(pattern).run();
}

result<regex> compile_pattern(std::string_view pattern) {
  auto translated = translate_pattern(pattern);
  if (!translated) return std::move(translated).error();
  auto compiled = regex::compile(*translated);
  if (!compiled) return fail(errc::bad_model, "pattern is not supported: " + compiled.error().text);
  return compiled;
}

}  // namespace lorica
