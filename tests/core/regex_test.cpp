#include "core/regex.hpp"

#include <string>

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("patterns see Unicode classes and report byte offsets") {
  auto r = regex::compile(R"(\p{L}+|\s+(?!\S))");
  REQUIRE(r);
  auto found = r->find("1é2");
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((**found).first == 1);
  CHECK((**found).second == 3);
  auto space = r->find("1\u3000");
  REQUIRE(space);
  CHECK(*space);
}

TEST_CASE("a full match must cover the text") {
  auto r = regex::compile(R"(a|ab)", regex::mode::full_match);
  REQUIRE(r);
  CHECK(**r->find("ab") == regex::span{0, 2});
  CHECK_FALSE(*r->find("abc"));
}

TEST_CASE("a pattern that explodes ends with an error") {
  auto r = regex::compile(R"(^(\w+\s?)*$)");
  REQUIRE(r);
  auto found = r->find("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
  CHECK_FALSE(found);
}

TEST_CASE("an invalid pattern is refused with its offset") {
  auto r = regex::compile("a(");
  REQUIRE_FALSE(r);
  CHECK(r.error().text.find("offset 2") != std::string::npos);
}
