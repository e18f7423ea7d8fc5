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
  check_refused({"header of 2^62 bytes", length(std::uint64_t{1} << 62, good), 2});
  check_refused({"an array", safetensors_file("[]", 0), 4});
  check_refused({"a string", safetensors_file("\"t\"", 0), 4});
  check_refused({"an array of an object", safetensors_file("[{}]", 0), 4});
  check_refused({"only spaces", safetensors_file("    ", 0), 4});
  check_refused({"a byte order mark", safetensors_file("\xef\xbb\xbf{}", 0), 4});
  check_refused({"a tab at the start", safetensors_file("\t{}", 0), 4});
  check_refused({"a tab at the end", safetensors_file("{} \t", 0), 4});
  check_refused({"a lone brace", safetensors_file("{", 0), 4});
  check_refused({"a missing value", safetensors_file("{\"t\":}", 0), 3});
  check_refused({"two documents", safetensors_file("{} {}", 0), 3});
  check_refused({"a zero at the end", safetensors_file(std::string("{}\0", 3), 0), 4});
  check_refused({"a newline at the end", safetensors_file("{}\n", 0), 4});
  check_refused({"a space at the start", safetensors_file(" {}", 0), 4});
  check_refused({"invalid UTF-8", safetensors_file("{\"\xff\":1}", 0), 3});
  check_refused({"an overlong slash", safetensors_file("{\"\xc0\xaf\":1}", 0), 3});
  check_refused({"half a surrogate pair", safetensors_file(R"({"__metadata__":{"\ud800":"a"}})", 0), 3});
  check_refused({"a comment", safetensors_file("{/**/}", 0), 3});
  check_refused({"a comma too many", safetensors_file(R"({"__metadata__":{},})", 0), 3});
  check_refused({"metadata twice", safetensors_file(R"({"__metadata__":{},"__metadata__":{}})", 0), 3});
  check_refused(
      {"a name twice, once escaped",
       safetensors_file(header_of({entry("t", "U8", "1", "0,1"), entry("\\u0074", "U8", "1", "1,2")}), 2),
       3});
  check_refused({"a field twice",
                 safetensors_file(R"({"t":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
                 3});
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
  check_refused({"no offsets", safetensors_file(R"({"t":{"dtype":"U8","shape":[1]}})", 1), 3});
  check_refused({"three offsets", safetensors_file(one("U8", "1", "0,1,1"), 1), 3});
  check_refused({"a dtype that is a number",
                 safetensors_file(R"({"t":{"dtype":1,"shape":[1],"data_offsets":[0,1]}})", 1), 3});
  check_refused({"a dtype that is null",
                 safetensors_file(R"({"t":{"dtype":null,"shape":[1],"data_offsets":[0,1]}})", 1), 3});
  check_refused({"a shape that is a number",
                 safetensors_file(R"({"t":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1), 3});
  check_refused({"a fraction as dimension", safetensors_file(one("U8", "1.0", "0,1"), 1), 3});
  check_refused({"an exponent as dimension", safetensors_file(one("U8", "1e0", "0,1"), 1), 3});
  check_refused({"a string as dimension", safetensors_file(one("U8", "\"1\"", "0,1"), 1), 3});
  check_refused({"a bool as dimension", safetensors_file(one("U8", "true", "0,1"), 1), 3});
  check_refused({"a list as dimension", safetensors_file(one("U8", "[1]", "0,1"), 1), 3});
  check_refused({"a dimension of 2^64", safetensors_file(one("U8", "18446744073709551616", "0,1"), 1), 3});
  check_refused({"a negative end", safetensors_file(one("U8", "1", "0,-1"), 1), 3});
  check_refused({"an end in the exponent form", safetensors_file(one("U8", "1", "0,1e0"), 1), 3});
  check_refused({"no number as offset", safetensors_file(one("U8", "1", "NaN,1"), 1), 3});
  check_refused({"an end of 2^64 - 1", safetensors_file(one("U8", "1", "0,18446744073709551615"), 1), 8});
  check_refused({"a range at the end of the numbers",
                 safetensors_file(one("U8", "1", "18446744073709551614,18446744073709551615"), 1), 6});
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
  check_refused({"an empty tensor within another one",
                 safetensors_file(header_of({entry("a", "U8", "2", "0,2"), entry("b", "U8", "0", "1,1")}), 2),
                 6});
  check_refused({"an empty tensor behind the end",
                 safetensors_file(header_of({entry("a", "U8", "2", "0,2"), entry("b", "U8", "0", "3,3")}), 2),
                 6});
  check_refused({"an overlap of all but one byte",
                 safetensors_file(header_of({entry("a", "U8", "3", "0,3"), entry("b", "U8", "3", "1,4")}), 4),
                 6});
  check_refused({"a last tensor that ends a byte after the data",
                 safetensors_file(header_of({entry("a", "U8", "1", "0,1"), entry("b", "U8", "2", "1,3")}), 2),
                 7});
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
  check_refused({"a shape that overflows with its dtype only",
                 safetensors_file(one("F64", "4611686018427387904", "0,0"), 0), 8});
  check_refused({"bits that end within a byte", safetensors_file(one("F6_E2M3", "2", "0,1"), 1), 8});
  check_refused({"a scalar of no bytes", safetensors_file(one("F32", "", "0,0"), 0), 8});
  check_refused({"a dtype in small letters", safetensors_file(one("f32", "1", "0,4"), 4), 8});
  check_refused({"an empty dtype", safetensors_file(one("", "1", "0,1"), 1), 8});
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

TEST_CASE("every dtype of the format has its width") {
  const std::pair<const char*, std::size_t> table[] = {
      {"BOOL", 8},        {"U8", 8},          {"I8", 8},    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F4", 4},    {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16},
      {"U16", 16},        {"F16", 16},        {"BF16", 16}, {"I32", 32},    {"U32", 32},    {"F32", 32},
      {"I64", 64},        {"U64", 64},        {"F64", 64},  {"C64", 64}};
  for (auto [dtype, bits] : table) {
    INFO(dtype);
    // Four elements of the narrowest dtype still end on a byte.
    const auto bytes = 4 * bits / 8;
    auto end = std::to_string(bytes);
    CHECK(parse(safetensors_file(one(dtype, "4", "0," + end), bytes)));
    check_refused({dtype, safetensors_file(one(dtype, "4", "0," + std::to_string(bytes + 1)), bytes + 1), 8});
  }
}

TEST_CASE("values are not looked at: no numbers, infinities and denormals are the reader's business") {
  auto file = safetensors_file(one("F32", "3", "0,12"), 0);
  for (std::uint32_t bits : {0x7fc00001u, 0xff800000u, 0x00000001u})
    file += raw(bits);
  CHECK(parse(file));
}

TEST_CASE("fields that nobody knows and names in any script are taken") {
  auto header = parse(safetensors_file(
      R"({"\u03b1 \ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"note":{"a":1}}})", 1));
  if (!header) FAIL(header.error().text);
  CHECK(header->tensors.front().name == "\u03b1 \U0001f600");
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
