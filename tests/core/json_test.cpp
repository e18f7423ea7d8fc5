#include "core/json.hpp"

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
