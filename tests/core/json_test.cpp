#include "core/json.hpp"

#include <limits>

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("a document keeps values, kinds and the order of its keys") {
  auto v = parse_json(R"({"b":[1,-2,18446744073709551615,1.5,true,null,"é"],"a":{}})");
  REQUIRE(v);
  auto object = v->as_object();
  REQUIRE(object);
  REQUIRE(object->size() == 2);
  CHECK((*object)[0].first == "b");
  CHECK((*object)[1].first == "a");
  auto& list = *v->find("b")->as_array();
  CHECK(*list[0].as_int() == 1);
  CHECK(*list[1].as_int() == -2);
  CHECK(*list[2].as_uint() == 18446744073709551615u);
  CHECK(list[3].number() == 1.5);
  CHECK(*list[4].as_bool());
  CHECK(list[5].is_null());
  CHECK(*list[6].as_string() == "é");
}

TEST_CASE("null members count as absent") {
  auto v = parse_json(R"({"a":null})");
  REQUIRE(v);
  CHECK(v->find("a") == nullptr);
}

TEST_CASE("broken documents are refused") {
  auto text = GENERATE(as<std::string>{}, "", " ", "{", "[1,]", "{\"a\":1}x", "nul", "{\"a\":1,\"a\":2}",
                       "\"\xff\"", "[NaN]", "01", "\"\n\"", "{} {}", "[1e999]");
  auto v = parse_json(text);
  CHECK_FALSE(v);
  if (!v) CHECK(v.error().code == errc::malformed);
}

TEST_CASE("whole numbers beyond 64 bits are numbers, only not integers of ours") {
  auto v = parse_json(
      R"({"a\"1":[-191339208358179718722356399570944],"b":"99999999999999999999","c":18446744073709551616,)"
      R"("d":-9223372036854775809,"e":18446744073709551615,"f":-9223372036854775808,"g":1e-999})");
  REQUIRE(v);
  auto& list = *v->find("a\"1")->as_array();
  CHECK_FALSE(list[0].is_integer());
  CHECK(list[0].number() == -191339208358179718722356399570944.0);
  CHECK(*v->find("b")->as_string() == "99999999999999999999");
  CHECK(v->find("c")->number() == 18446744073709551616.0);
  CHECK_FALSE(v->find("c")->is_integer());
  CHECK_FALSE(v->find("d")->is_integer());
  CHECK(*v->find("e")->as_uint() == 18446744073709551615u);
  CHECK(*v->find("f")->as_int() == std::numeric_limits<std::int64_t>::min());
  CHECK(v->find("g")->number() == 0);
}

TEST_CASE("a number beyond double precision is refused with the member it belongs to") {
  struct expectation {
    std::string text, member;
  };
  const expectation table[] = {{R"({"a":1,"b":1e999})", "b"},
                               {R"({"a":{"c":2},"b":[1,-1e999]})", "b"},
                               {R"({"a":{"c":2}, "b" : 1e400})", "b"},
                               {"[1e999]", ""},
                               {R"([{"a":1},1e999])", ""},
                               {R"({"1e999":"2e999","x":3e999})", "x"}};
  for (auto& row : table) {
    INFO(row.text);
    auto v = parse_json(row.text);
    REQUIRE_FALSE(v);
    CHECK(v.error().code == errc::malformed);
    CHECK(v.error().param == row.member);
  }
  for (auto text : {"[01]", "[1.]", "[-]", "[1e]", "[+1]", R"({"a":1e5e5})", R"(["\)", "\"", "1\"\\"})
    CHECK_FALSE(parse_json(text));
}

TEST_CASE("limits of size, depth, count and number length hold") {
  CHECK_FALSE(parse_json("[1,2,3]", {.max_bytes = 6}));
  CHECK_FALSE(parse_json(std::string(100, '[') + std::string(100, ']'), {.max_depth = 64}));
  CHECK(parse_json(std::string(60, '[') + std::string(60, ']'), {.max_depth = 64}));
  CHECK_FALSE(parse_json("[1,2,3]", {.max_values = 3}));
  CHECK(parse_json("[1,2,3]", {.max_values = 4}));
  CHECK_FALSE(parse_json("[" + std::string(65, '1') + "]"));
  CHECK(parse_json("[\"" + std::string(65, '1') + "\"]"));
}

TEST_CASE("strings leave as one line that every reader of event streams understands") {
  std::string out;
  append_json_string(out, "a\"\\\n\r\t\x01\x7f\xc2\x85\xe2\x80\xa8\xe2\x80\xa9é");
  CHECK(out == "\"a\\\"\\\\\\n\\r\\t\\u0001\\u007f\\u0085\\u2028\\u2029é\"");
}

TEST_CASE("invalid UTF-8 leaves as U+FFFD") {
  std::string out;
  append_json_string(out,
                     "a\xff"
                     "b\xe2\x82");
  CHECK(out ==
        "\"a\xef\xbf\xbd"
        "b\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("numbers read back equal and non-finite ones become null") {
  std::string out;
  append_json_number(out, 0.1);
  CHECK(out == "0.1");
  out.clear();
  append_json_number(out, 1.0 / 0.0);
  CHECK(out == "null");
}

TEST_CASE("the writer places commas") {
  json_writer w;
  w.begin_object().key("a").begin_array().integer(1).null().boolean(true).end_array().key("b").string("x");
  w.key("c").begin_object().end_object().key("d").number(0.5).end_object();
  CHECK(w.take() == R"({"a":[1,null,true],"b":"x","c":{},"d":0.5})");
}
