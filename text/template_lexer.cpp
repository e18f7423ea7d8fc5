#include "text/template_lexer.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "text/template_number_text.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string with_plain_line_ends(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    out += source[i] == '\r' ? '\n' : source[i];
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class lexer {
 public:
  explicit lexer(std::string_view source) : source_(with_plain_line_ends(source)), text_(source_) {}

  std::vector<token> run() {
    while (at_ < text_.size())
      root();
    add(token_kind::end, "");
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw syntax_failure(line_, what); }

  void add(token_kind kind, std::string text, datum number = {}) {
    out_.push_back({kind, std::move(text), std::move(number), line_});
  }

  // Moves on, counting lines.
  void go(std::size_t to) {
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                   text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    if (to > at_) line_starting_ = text_[to - 1] == '\n';
    at_ = to;
  }

  std::size_t space_end(std::size_t at) const {
    while (at < text_.size() && is_python_space(utf8_decode(text_.substr(at))))
      at += utf8_length(text_.substr(at, 4));
    return at;
  }

  std::size_t space_begin(std::string_view s) const {
    auto end = s.size();
    while (end > 0) {
      auto last = utf8_last(s.substr(0, end));
      if (!is_python_space(utf8_decode(s.substr(last)))) break;
      end = last;
    }
    return end;
  }

  bool has(std::size_t at, std::string_view what) const { return text_.substr(at).starts_with(what); }

  char sign_at(std::size_t at) const {
    return at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : '\0';
  }

  // Text up to the tag at `tag` whose sign is `sign`; `strips` when the tag takes blanks in front of it.
  void data(std::size_t tag, char sign, bool strips) {
    auto text = text_.substr(at_, tag - at_);
    auto kept = text.size();
    if (sign == '-') {
      kept = space_begin(text);
    } else if (sign != '+' && strips) {
      auto line = text.rfind('\n') + 1;
      auto rest = text.substr(line);
      if ((line > 0 || line_starting_) && !rest.empty() && space_begin(rest) == 0) kept = line;
    }
    if (kept > 0) add(token_kind::data, std::string(text.substr(0, kept)));
    go(tag);
  }

  void root() {
    auto tag = at_;
    while (true) {
      tag = text_.find('{', tag);
      if (tag == std::string_view::npos) {
        add(token_kind::data, std::string(text_.substr(at_)));
        return go(text_.size());
      }
      if (has(tag, "{%") || has(tag, "{{") || has(tag, "{#")) break;
      ++tag;
    }
    char sign = sign_at(tag + 2);
    auto inner = tag + (sign ? 3 : 2);
    data(tag, sign, !has(tag, "{{"));
    if (has(tag, "{#")) return comment(inner);
    if (has(tag, "{{")) return expression(inner, token_kind::variable_begin, token_kind::variable_end, "}}");
    if (auto end = raw_begin(inner)) return raw(*end);
    expression(inner, token_kind::block_begin, token_kind::block_end, "%}");
  }

  // The end of `raw -%}` or `raw %}` at `at`, with the white space that goes.
  std::optional<std::size_t> raw_begin(std::size_t at) const {
    at = space_end(at);
    if (!has(at, "raw")) return std::nullopt;
    at = space_end(at + 3);
    if (has(at, "-%}")) return space_end(at + 3);
    if (has(at, "%}")) return at + 2;
    return std::nullopt;
  }

  // The end of a closing tag at `at`, the sign included; trims what follows as the sign says.
  std::optional<std::size_t> closing(std::size_t at, std::string_view close, bool trims) const {
    if (has(at, "-" + std::string(close))) return space_end(at + 1 + close.size());
    if (trims && has(at, "+" + std::string(close))) return at + 1 + close.size();
    if (!has(at, close)) return std::nullopt;
    at += close.size();
    return trims && at < text_.size() && text_[at] == '\n' ? at + 1 : at;
  }

  void comment(std::size_t inner) {
    for (auto at = inner; at < text_.size(); ++at)
      if (auto end = closing(at, "#}", true)) return go(*end);
    fail("Missing end of comment tag");
  }

  void raw(std::size_t begin) {
    go(begin);
    for (auto at = text_.find("{%", begin); at != std::string_view::npos; at = text_.find("{%", at + 1)) {
      char sign = sign_at(at + 2);
      auto word = space_end(at + (sign ? 3 : 2));
      if (!has(word, "endraw")) continue;
      auto end = closing(space_end(word + 6), "%}", true);
      if (!end) continue;
      data(at, sign, true);
      return go(*end);
    }
    fail("Missing end of raw directive");
  }

  void expression(std::size_t inner, token_kind begin, token_kind end, std::string_view close) {
    add(begin, "");
    go(inner);
    open_.clear();
    bool trims = end == token_kind::block_end;
    while (true) {
      if (open_.empty())
        if (auto stop = closing(at_, close, trims)) {
          add(end, "");
          return go(*stop);
        }
      if (at_ >= text_.size()) {
        return;  // the parser says what it waits for
      }
      if (auto space = space_end(at_); space > at_) {
        go(space);
        continue;
      }
      piece();
    }
  }

  void piece() {
    char c = text_[at_];
    if (is_ascii_digit(c)) return number();
    if (c == '\'' || c == '"') return string(c);
    auto point = utf8_decode(text_.substr(at_));
    if (begins_identifier(point)) return word();
    sign();
  }

  // Digits with single underscores between them.
  std::size_t digits_end(std::size_t at) const {
    while (at < text_.size() && (is_ascii_digit(text_[at]) || (text_[at] == '_' && at + 1 < text_.size() &&
                                                               is_ascii_digit(text_[at + 1]))))
      ++at;
    return at;
  }

  void number() {
    auto whole = digits_end(at_);
    auto end = whole;
    auto digit_at = [&](std::size_t i) { return i < text_.size() && is_ascii_digit(text_[i]); };
    bool after_dot = at_ > 0 && text_[at_ - 1] == '.';
    if (!after_dot && end < text_.size() && text_[end] == '.' && digit_at(end + 1)) end = digits_end(end + 1);
    if (!after_dot && end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      auto exponent = end + 1 + (sign_at(end + 1) ? 1 : 0);
      if (digit_at(exponent)) end = digits_end(exponent);
    }
    if (end > whole) {
      auto value = parsed_real(text_.substr(at_, end - at_));
      add(token_kind::real, "", datum::real(value.value_or(0)));
      return go(end);
    }
    integer_literal(whole);
  }

  void integer_literal(std::size_t whole) {
    auto letter = at_ + 1 < text_.size() ? text_[at_ + 1] | 0x20 : 0;
    if (text_[at_] == '0' && (letter == 'x' || letter == 'o' || letter == 'b')) {
      auto end = at_ + 2;
      auto fits = [&](char c) {
        return letter == 'b'   ? c == '0' || c == '1'
               : letter == 'o' ? c >= '0' && c <= '7'
                               : is_ascii_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
      };
      while (end < text_.size() &&
             (fits(text_[end]) || (text_[end] == '_' && end + 1 < text_.size() && fits(text_[end + 1]))))
        ++end;
      if (end > at_ + 2) return add_integer(end, 0);
    }
    // A number that begins with 0 is made of zeros; what follows is the next one.
    if (text_[at_] == '0') {
      whole = at_;
      while (whole < text_.size() &&
             (text_[whole] == '0' ||
              (text_[whole] == '_' && whole + 1 < text_.size() && text_[whole + 1] == '0')))
        ++whole;
    }
    add_integer(whole, 10);
  }

  void add_integer(std::size_t end, unsigned base) {
    try {
      auto value = parsed_integer(text_.substr(at_, end - at_), base);
      if (!value) fail("a number cannot be read");
      add(token_kind::integer, "", datum::number(*value));
    } catch (const failure& e) {
      fail(e.text());
    }
    go(end);
  }

  void string(char quote) {
    auto end = at_ + 1;
    while (end < text_.size() && text_[end] != quote)
      end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) fail("a string has no end");
    add(token_kind::string, unescaped(text_.substr(at_ + 1, end - at_ - 1), line_));
    go(end + 1);
  }

  void word() {
    auto end = at_;
    while (end < text_.size() && continues_identifier(utf8_decode(text_.substr(end))))
      end += utf8_length(text_.substr(end, 4));
    add(token_kind::name, std::string(text_.substr(at_, end - at_)));
    go(end);
  }

  void sign() {
    constexpr std::string_view signs[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                          "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                          ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    auto found = std::find_if(std::begin(signs), std::end(signs), [&](auto s) { return has(at_, s); });
    if (found == std::end(signs)) fail("unexpected character in an expression");
    balance((*found)[0], found->size());
    add(token_kind::sign, std::string(*found));
    go(at_ + found->size());
  }

  void balance(char c, std::size_t size) {
    if (size != 1) return;
    if (c == '(' || c == '[' || c == '{') open_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (open_.empty()) fail(std::string("unexpected '") + c + "'");
    if (open_.back() != c) fail(std::string("unexpected '") + c + "', expected '" + open_.back() + "'");
    open_.pop_back();
  }

  std::string source_;
  std::string_view text_;
  std::vector<token> out_;
  std::string open_;  // closing brackets that are waited for
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  bool line_starting_ = true;
};

}  // namespace

std::vector<token> tokens_of(std::string_view source) {
  return lexer(source).run();
}

}  // namespace lorica::jinja
