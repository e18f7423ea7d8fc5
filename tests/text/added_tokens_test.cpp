#include "text/added_tokens.hpp"

#include "tests/catch.hpp"

namespace lorica {
namespace {

std::vector<std::string> cut(const added_token_matcher& matcher, std::string_view text) {
  std::vector<std::string> out;
  for (auto& s : matcher.cut(text)) {
    std::string shown(text.substr(s.begin, s.end - s.begin));
    out.push_back(s.token ? std::to_string(*s.token) + ":" + shown : shown);
  }
  return out;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("the leftmost token wins, then the longest, and of equal ones the first") {
  added_token_matcher matcher({{.id = 1, .content = "ab"},
                               {.id = 2, .content = "abcd"},
                               {.id = 3, .content = "bcd"},
                               {.id = 4, .content = "ab"},
                               {.id = 5, .content = ""}});
  CHECK(cut(matcher, "") == list{});
  CHECK(cut(matcher, "xyz") == list{"xyz"});
  CHECK(cut(matcher, "abc") == list{"1:ab", "c"});
  CHECK(cut(matcher, "xabcdbcd") == list{"x", "2:abcd", "3:bcd"});
}

TEST_CASE("white space goes to the token that strips it, once") {
  added_token_matcher matcher({{.id = 1, .content = "<l>", .lstrip = true},
                               {.id = 2, .content = "<r>", .rstrip = true},
                               {.id = 3, .content = "<n>"}});
  CHECK(cut(matcher, "a \n<l> b") == list{"a", "1: \n<l>", " b"});
  CHECK(cut(matcher, "<r>\xe3\x80\x80 b") == list{"2:<r>\xe3\x80\x80 ", "b"});
  CHECK(cut(matcher, "<r>  <l>") == list{"2:<r>  ", "1:<l>"});
  CHECK(cut(matcher, "<n>  <l>") == list{"3:<n>", "1:  <l>"});
  CHECK(cut(matcher, "a\xe1\xa0\x8e<l>") == list{"a\xe1\xa0\x8e", "1:<l>"});  // U+180E is no white space
}

TEST_CASE("a token of white space is found again in what another one swallowed, unless it strips as well") {
  auto matcher = [](bool lstrip, bool rstrip) {
    return added_token_matcher({{.id = 1, .content = "<r>", .rstrip = true},
                                {.id = 2, .content = "\n\n", .lstrip = lstrip, .rstrip = rstrip}});
  };
  CHECK(cut(matcher(false, false), "<r>\n\n b") == list{"1:<r>\n\n ", "2:\n\n", " b"});
  CHECK(cut(matcher(false, true), "\n\n\n\n") == list{"2:\n\n\n\n", "2:\n\n"});
  CHECK(cut(matcher(true, true), "<r>\n\n b") == list{"1:<r>\n\n ", "b"});
  CHECK(cut(matcher(true, true), "\n\n\n\n") == list{"2:\n\n\n\n"});
}

TEST_CASE("a single-word token matches between non-word characters only") {
  added_token_matcher matcher({{.id = 1, .content = "tok", .single_word = true}, {.id = 2, .content = "ok"}});
  CHECK(cut(matcher, "tok") == list{"1:tok"});
  CHECK(cut(matcher, "a tok, b") == list{"a ", "1:tok", ", b"});
  CHECK(cut(matcher, "atok") == list{"atok"});  // refused, and yet no other token gets its characters
  CHECK(cut(matcher, "tok_") == list{"tok_"});
  CHECK(cut(matcher, "tok\xcc\x81") == list{"tok\xcc\x81"});
}

}  // namespace lorica
