#include "core/json_numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "core/shown.hpp"

namespace lorica {
namespace {

bool is_numeric(char c) noexcept {
  return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '-' || c == '+';
}

bool fits_64_bits(std::string_view digits) noexcept {
  auto fits = [&](auto into) {
    return std::from_chars(digits.data(), digits.data() + digits.size(), into).ec == std::errc();
  };
  return digits.starts_with('-') ? fits(std::int64_t{}) : fits(std::uint64_t{});
}

error beyond(std::string_view member) {
  auto named = shown(member);
  auto which = named.empty() ? std::string("a number") : fmt::format("`{}`", named);
  return fail(errc::malformed, "JSON holds a number beyond double precision: " + which, {}, std::move(named));
}

/// Goes over a text that need not be right: whoever parses the result finds what is wrong with it.
class rewriter {
 public:
  explicit rewriter(std::string_view text) : text_(text) {}

  result<std::string> run() {
    out_.reserve(text_.size() + 16);
    while (at_ < text_.size())
      if (auto why = step()) return *std::move(why);
    return std::move(out_);
  }

 private:
  std::optional<error> step() {
    auto from = at_;
    if (text_[at_] == '"') {
      string();
    } else if (is_numeric(text_[at_])) {
      return number();
    } else {
      if (text_[at_] == ':') member_ = last_string_;
      // What follows an object or a member of it belongs to another one.
      if (text_[at_] == '{' || text_[at_] == '}') member_ = {};
      ++at_;
    }
    out_.append(text_.substr(from, at_ - from));
    return std::nullopt;
  }

  void string() {
    auto from = ++at_;
    while (at_ < text_.size() && text_[at_] != '"')
      at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_, text_.size());
    last_string_ = text_.substr(from, at_ - from);
    if (at_ < text_.size()) ++at_;
  }

  std::optional<error> number() {
    auto from = at_;
    while (at_ < text_.size() && is_numeric(text_[at_]))
      ++at_;
    auto written = text_.substr(from, at_ - from);
    if (std::isinf(std::strtod(std::string(written).c_str(), nullptr))) return beyond(member_);
    out_.append(written);
    bool whole = written.find_first_of(".eE") == std::string_view::npos;
    if (whole && !fits_64_bits(written)) out_.append(".0");
    return std::nullopt;
  }

  std::string_view text_;
  std::string_view last_string_, member_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

result<std::string> with_wide_integers(std::string_view text) {
  return rewriter(text).run();
}

}  // namespace lorica
