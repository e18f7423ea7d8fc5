#include "core/utf8.hpp"
#include "text/template_lexer.hpp"

namespace lorica::jinja {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// A character that is no ASCII as Python's `backslashreplace` writes it, without the backslash.
std::string replaced_character(char32_t c) {
  static constexpr std::string_view digits = "0123456789abcdef";
  int width = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  std::string out(1, width == 2 ? 'x' : width == 4 ? 'u' : 'U');
  for (int shift = (width - 1) * 4; shift >= 0; shift -= 4)
    out += digits[(c >> shift) & 15];
  return out;
}

class literal_reader {
 public:
  literal_reader(std::string_view text, std::uint32_t line) : text_(text), line_(line) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (text_[at_] == '\\')
        escape();
      else
        out_ += text_[at_++];
    }
    return std::move(out_);
  }

 private:
  void escape() {
    char c = text_[++at_];  // the lexer took no lone backslash at the end
    if (static_cast<unsigned char>(c) >= 0x80) {
      // Jinja escapes what is no ASCII before it reads escapes: two backslashes meet.
      out_ += "\\" + replaced_character(utf8_decode(text_.substr(at_)));
      at_ += utf8_length(text_.substr(at_, 4));
      return;
    }
    ++at_;
    switch (c) {
      case '\n': return;
      case '\\':
      case '\'':
      case '"': out_ += c; return;
      case 'a': out_ += '\a'; return;
      case 'b': out_ += '\b'; return;
      case 'f': out_ += '\f'; return;
      case 'n': out_ += '\n'; return;
      case 'r': out_ += '\r'; return;
      case 't': out_ += '\t'; return;
      case 'v': out_ += '\v'; return;
      case 'x': return code(2);
      case 'u': return code(4);
      case 'U': return code(8);
      case 'N': throw syntax_failure(line_, "character names (\\N{…}) in strings are not supported");
      default: break;
    }
    if (c >= '0' && c <= '7') return octal(c);
    out_ += '\\';
    out_ += c;
  }

  void code(std::size_t width) {
    char32_t c = 0;
    for (std::size_t i = 0; i < width; ++i, ++at_) {
      auto digit = at_ < text_.size() ? hex_value(text_[at_]) : -1;
      if (digit < 0) throw syntax_failure(line_, "a string holds a truncated escape");
      c = c << 4 | static_cast<char32_t>(digit);
    }
    if (c > 0x10ffff) throw syntax_failure(line_, "a string holds an illegal Unicode character");
    if (c >= 0xd800 && c <= 0xdfff) throw syntax_failure(line_, "surrogates in strings are not supported");
    utf8_append(out_, c);
  }

  void octal(char first) {
    auto c = static_cast<char32_t>(first - '0');
    for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i, ++at_)
      c = c << 3 | static_cast<char32_t>(text_[at_] - '0');
    utf8_append(out_, c);
  }

  std::string_view text_;
  std::uint32_t line_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string unescaped(std::string_view literal, std::uint32_t line) {
  return literal_reader(literal, line).run();
}

}  // namespace lorica::jinja
