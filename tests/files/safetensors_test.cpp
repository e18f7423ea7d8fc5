#include "files/safetensors.hpp"

#include <algorithm>
#include <string>

#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"

using namespace lorica;

namespace {

result<safetensors_header> parse(const std::string& file) {
  return parse_safetensors(bytes_of(file), file.size());
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
         offsets + "]}";
}

// A header of these members. Appended piece by piece: g++ 12 sees an overlap in "{" + temporary.
std::string header_of(std::initializer_list<std::string> members) {
  std::string out(1, '{');
  for (auto& member : members) {
    if (out.size() > 1) out += ',';
    out += member;
  }
  return out += '}';
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return header_of({entry("t", dtype, shape, offsets)});
}

struct damage {
  const char* what;
  std::string file;
  int rule;
};

void check_refused(const damage& d) {
  INFO(d.what);
  auto header = parse(d.file);
  REQUIRE_FALSE(header);
  INFO(header.error().text);
  CHECK(header.error().code == errc::malformed);
  CHECK(header.error().reason == "bad_safetensors");
  CHECK(header.error().text.starts_with("safetensors rule " + std::to_string(d.rule) + ":"));
  auto control = [](char c) { return c >= 0 && c < ' '; };
  CHECK(std::none_of(header.error().text.begin(), header.error().text.end(), control));
}

}  // namespace

TEST_CASE("the smallest file of one tensor is read") {
  auto file = safetensors_file(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  )", 8);
  REQUIRE(file.size() == 72);
  CHECK(file.substr(0, 8) == std::string("\x38\0\0\0\0\0\0\0", 8));
  auto header = parse(file);
  REQUIRE(header);
  CHECK(header->data_start == 64);
  auto t = header->find("t");
  REQUIRE(t);
  CHECK(t->dtype == "F32");
  CHECK(t->shape == std::vector<std::uint64_t>{2});
  CHECK(t->begin == 64);
  CHECK(t->end == 72);
  CHECK(header->find("s") == nullptr);
}

TEST_CASE("tensors in any order, scalars, empty tensors and metadata are read") {
  auto header =
      parse(safetensors_file(header_of({entry("z", "F16", "3", "4,10"), R"("__metadata__":{"format":"pt"})",
                                        entry("a", "F32", "", "0,4"), entry("e", "BF16", "0,7", "10,10"),
                                        entry("f", "F4", "2", "10,11")}),
                             11));
  if (!header) FAIL(header.error().text);
  REQUIRE(header->tensors.size() == 4);
  CHECK(header->tensors.front().name == "a");
  CHECK(header->find("a")->shape.empty());
  CHECK(header->find("e")->begin == header->find("e")->end);
  REQUIRE(header->metadata.size() == 1);
  CHECK(header->metadata.front().second == "pt");
}

TEST_CASE("a header alone is enough, and its length is told by the first bytes") {
  auto file = safetensors_file(one("F32", "2", "0,8"), 8);
  auto bytes = bytes_of(file);
  auto need = safetensors_head_bytes(bytes.first(8), file.size());
  REQUIRE(need);
  CHECK(*need == file.size() - 8);
  CHECK(parse_safetensors(bytes.first(static_cast<std::size_t>(*need)), file.size()));
  CHECK_FALSE(parse_safetensors(bytes.first(static_cast<std::size_t>(*need) - 1), file.size()));
}

TEST_CASE("a damaged safetensors file is refused with the broken rule") {
  const std::string good = one("F32", "2", "0,8");
  auto length = [](std::uint64_t n, const std::string& rest) { return raw(n) + rest; };
  check_refused({"empty", "", 1});
  check_refused({"7 bytes", std::string(7, '\0'), 1});
  check_refused({"no header", std::string(8, '\0'), 4});
  check_refused({"header of 2^63 bytes", length(std::uint64_t{1} << 63, good), 2});
  check_refused({"header of 2^64 - 1 bytes", length(~std::uint64_t{0}, good), 2});
  check_refused({"header longer than the file", length(good.size() + 1, good), 2});
  check_refused({"header of 100,000,001 bytes", length(100'000'001, std::string(100, ' ')), 2});
  check_refused({"an array", safetensors_file("[]", 0), 4});
  check_refused({"a lone brace", safetensors_file("{", 0), 4});
  check_refused({"a missing value", safetensors_file("{\"t\":}", 0), 3});
  check_refused({"two documents", safetensors_file("{} {}", 0), 3});
  check_refused({"a zero at the end", safetensors_file(std::string("{}\0", 3), 0), 4});
  check_refused({"a newline at the end", safetensors_file("{}\n", 0), 4});
  check_refused({"a space at the start", safetensors_file(" {}", 0), 4});
  check_refused({"invalid UTF-8", safetensors_file("{\"\xff\":1}", 0), 3});
  check_refused({"a name twice",
                 safetensors_file(header_of({entry("t", "U8", "1", "0,1"), entry("t", "U8", "1", "1,2")}), 2),
                 3});
  check_refused(
      {"a name with a zero", safetensors_file(header_of({entry("\\u0000", "U8", "1", "0,1")}), 1), 3});
  check_refused({"a name of 1 MB",
                 safetensors_file(header_of({entry(std::string(1'000'000, 'n'), "U8", "1", "0,1")}), 1), 3});
  check_refused({"no object", safetensors_file("{\"t\":[]}", 0), 3});
  check_refused({"no dtype", safetensors_file(R"({"t":{"shape":[1],"data_offsets":[0,1]}})", 1), 3});
  check_refused({"no shape", safetensors_file(R"({"t":{"dtype":"U8","data_offsets":[0,1]}})", 1), 3});
  check_refused({"one offset", safetensors_file(one("U8", "1", "0"), 1), 3});
  check_refused({"a negative offset", safetensors_file(one("U8", "1", "-1,0"), 1), 3});
  check_refused({"a fraction as offset", safetensors_file(one("U8", "1", "0,1.0"), 1), 3});
  check_refused({"a string as offset", safetensors_file(one("U8", "1", "0,\"1\""), 1), 3});
  check_refused({"an offset of 2^64", safetensors_file(one("U8", "1", "0,18446744073709551616"), 1), 3});
  check_refused({"a negative dimension", safetensors_file(one("U8", "-1", "0,1"), 1), 3});
  check_refused({"nine dimensions", safetensors_file(one("U8", "1,1,1,1,1,1,1,1,1", "0,1"), 1), 3});
  check_refused({"a number in the metadata", safetensors_file(R"({"__metadata__":{"a":1}})", 0), 5});
  check_refused({"metadata that is a list", safetensors_file(R"({"__metadata__":[]})", 0), 5});
  check_refused({"a deep nest in the metadata",
                 safetensors_file(
                     "{\"__metadata__\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0),
                 3});
  check_refused({"begin after end", safetensors_file(one("U8", "1", "1,0"), 1), 6});
  check_refused({"a hole at the start", safetensors_file(one("U8", "1", "1,2"), 2), 6});
  check_refused({"a hole of one byte",
                 safetensors_file(header_of({entry("a", "U8", "1", "0,1"), entry("b", "U8", "1", "2,3")}), 3),
                 6});
  check_refused({"an overlap of one byte",
                 safetensors_file(header_of({entry("a", "U8", "2", "0,2"), entry("b", "U8", "2", "1,3")}), 3),
                 6});
  check_refused({"two tensors on one range",
                 safetensors_file(header_of({entry("a", "U8", "1", "0,1"), entry("b", "U8", "1", "0,1")}), 1),
                 6});
  check_refused({"a byte behind the last tensor", safetensors_file(good, 9), 7});
  check_refused({"a byte too few", safetensors_file(good, 7), 7});
  check_refused({"a file appended", safetensors_file(good, 8) + "PK\3\4 and more", 7});
  check_refused({"data without tensors", safetensors_file("{}", 1), 7});
  check_refused({"more bytes than elements", safetensors_file(one("F32", "2", "0,9"), 9), 8});
  check_refused({"fewer bytes than elements", safetensors_file(one("F32", "2", "0,7"), 7), 8});
  check_refused(
      {"a shape that overflows", safetensors_file(one("U8", "4294967296,4294967296,2", "0,0"), 0), 8});
  check_refused({"a shape that overflows before its zero",
                 safetensors_file(one("U8", "4294967296,4294967296,0", "0,0"), 0), 8});
  check_refused({"half a byte", safetensors_file(one("F4", "3", "0,2"), 2), 8});
  check_refused({"a dtype of control characters", safetensors_file(one("a\\n\\u001b", "1", "0,1"), 1), 8});
  check_refused({"a shape of 2^64", safetensors_file(one("U8", "18446744073709551616", "0,1"), 1), 3});
  check_refused({"a number in words", safetensors_file(one("U8", "\"1\"", "0,1"), 1), 3});
  check_refused({"six bits that end within a byte", safetensors_file(one("F6_E2M3", "3", "0,2"), 2), 8});
  check_refused({"three offsets", safetensors_file(one("U8", "1", "0,1,1"), 1), 3});
  check_refused({"an overlap at the start",
                 safetensors_file(header_of({entry("a", "U8", "2", "0,2"), entry("b", "U8", "1", "0,1")}), 2),
                 6});
  check_refused({"offsets far behind the file",
                 safetensors_file(one("U8", "0", "18446744073709551615,18446744073709551615"), 0), 6});
  check_refused({"an unknown dtype", safetensors_file(one("F128", "1", "0,16"), 16), 8});
}

TEST_CASE("a header of hundreds of thousands of tensors is refused by their number") {
  std::string header = "{";
  header += entry("first", "U8", "0", "0,0");
  for (int i = 0; i < 1'000'000 && header.size() < 15'000'000; ++i)
    header.append(",").append(entry(std::to_string(i), "U8", "0", "0,0"));
  check_refused({"too many values", safetensors_file(header + "}", 0), 3});
}

TEST_CASE("the bounds of a caller hold") {
  auto file = safetensors_file(header_of({entry("a", "U8", "1", "0,1"), entry("b", "U8", "1", "1,2")}), 2);
  CHECK(parse_safetensors(bytes_of(file), file.size(), {.max_tensors = 2}));
  auto refused = parse_safetensors(bytes_of(file), file.size(), {.max_tensors = 1});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text == "safetensors rule 2: more than 1 tensors");
  CHECK_FALSE(parse_safetensors(bytes_of(file), file.size(), {.max_header_bytes = file.size() - 11}));
  CHECK(parse_safetensors(bytes_of(file), file.size(), {.max_header_bytes = file.size() - 10}));
}
