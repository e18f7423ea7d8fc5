#include "files/gguf.hpp"

#include <functional>
#include <string>

#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"

using namespace lorica;

namespace {

gguf_file small_file() {
  gguf_file file;
  file.add_text("general.architecture", "llama");
  file.add_u32("llama.block_count", 2);
  file.add_f32("llama.eps", 0.5f);
  file.add_bool("tokenizer.add", 1);
  file.add_array("tokens", 8, 2, gguf_file::text("ab") + gguf_file::text(""));
  file.add_array("types", 5, 3, raw<std::int32_t>(1) + raw<std::int32_t>(-2) + raw<std::int32_t>(3));
  file.add_array("scores", 6, 1, raw(1.5f));
  file.entries.push_back({"signed", 1, raw<std::int8_t>(-3)});
  file.entries.push_back({"wide", 10, raw(~std::uint64_t{0})});
  file.add_f32_tensor("a", {3, 2}, {1, 2, 3, 4, 5, 6});
  file.tensors.push_back({"b", {32, 2}, 2, std::string(36, 'x')});
  return file;
}

struct damage {
  const char* what;
  std::function<void(gguf_file&)> change;
  const char* text;  // part of the refusal
};

void check_refused(const std::string& bytes, const std::string& text) {
  auto header = parse_gguf(bytes_of(bytes));
  REQUIRE_FALSE(header);
  INFO(header.error().text);
  CHECK(header.error().reason == "bad_gguf");
  CHECK(header.error().text.find(text) != std::string::npos);
}

}  // namespace

TEST_CASE("metadata of every kind and the tensor table are read") {
  auto bytes = small_file().build();
  auto header = parse_gguf(bytes_of(bytes));
  if (!header) FAIL(header.error().text);
  CHECK(header->version == 3);
  CHECK(*header->find_string("general.architecture") == "llama");
  CHECK(header->find_unsigned("llama.block_count") == 2u);
  CHECK(header->find_unsigned("signed") == std::nullopt);
  CHECK(std::get<std::int64_t>(*header->find("signed")) == -3);
  CHECK(header->find_unsigned("wide") == ~std::uint64_t{0});
  CHECK(std::get<double>(*header->find("llama.eps")) == 0.5);
  CHECK(*header->find_bool("tokenizer.add"));
  CHECK(header->find("absent") == nullptr);
  CHECK(header->find_string("absent") == nullptr);
  CHECK(header->find_string("llama.block_count") == nullptr);
  CHECK(header->find_array("tokens")->strings() == std::vector<std::string_view>{"ab", ""});
  CHECK(header->find_array("types")->integers() == std::vector<std::int64_t>{1, -2, 3});
  CHECK(header->find_array("scores")->floats() == std::vector<double>{1.5});
  CHECK(header->find_array("scores")->integers() == std::nullopt);
  REQUIRE(header->tensors.size() == 2);
  auto& a = header->tensors[0];
  CHECK(a.name == "a");
  CHECK(a.type == tensor_type::f32);
  CHECK(a.extent == std::array<std::uint64_t, 4>{3, 2, 1, 1});
  CHECK(a.bytes == 24);
  CHECK(a.offset == header->data_start);
  auto& b = header->tensors[1];
  CHECK(b.type == tensor_type::q4_0);
  CHECK(b.bytes == 36);
  CHECK(bytes.substr(static_cast<std::size_t>(b.offset), 36) == std::string(36, 'x'));
}

TEST_CASE("version 2, other alignments and an unpadded end are read") {
  auto file = small_file();
  file.version = 2;
  file.alignment = 64;
  file.add_u32("general.alignment", 64);
  auto bytes = file.build();
  auto header = parse_gguf(bytes_of(bytes));
  if (!header) FAIL(header.error().text);
  CHECK(header->data_start % 64 == 0);
  CHECK(header->tensors[1].offset % 64 == 0);
  auto end = header->tensors[1].offset + header->tensors[1].bytes;
  CHECK(parse_gguf(bytes_of(bytes).first(static_cast<std::size_t>(end))));
}

TEST_CASE("a damaged GGUF file is refused") {
  const damage table[] = {
      {"version 0", [](auto& f) { f.version = 0; }, "version 0"},
      {"version 1", [](auto& f) { f.version = 1; }, "version 1"},
      {"version 4", [](auto& f) { f.version = 4; }, "version 4"},
      {"version of the other byte order", [](auto& f) { f.version = 0x03000000; }, "big-endian"},
      {"version 2 of the other byte order", [](auto& f) { f.version = 0x02000000; }, "big-endian"},
      {"version 2^32 - 1", [](auto& f) { f.version = ~0u; }, "version 4294967295"},
      {"65537 tensors", [](auto& f) { f.extra_tensors = 65'535; }, "65537 tensors; at most 65536"},
      {"65537 keys", [](auto& f) { f.extra_keys = 65'537 - f.entries.size(); }, "65537 keys; at most 65536"},
      {"-1 keys", [](auto& f) { f.extra_keys = ~std::uint64_t{0} - f.entries.size(); }, "keys; at most"},
      {"2^62 tensors", [](auto& f) { f.extra_tensors = std::uint64_t{1} << 62; }, "tensors; at most"},
      {"-1 tensors", [](auto& f) { f.extra_tensors = ~std::uint64_t{2}; }, "tensors; at most"},
      {"2^62 keys", [](auto& f) { f.extra_keys = std::uint64_t{1} << 62; }, "keys; at most"},
      {"one tensor too many", [](auto& f) { f.extra_tensors = 1; }, ""},
      {"one key too many", [](auto& f) { f.extra_keys = 1; }, ""},
      {"a key twice", [](auto& f) { f.add_u32("signed", 1); }, "the key signed is there twice"},
      {"an empty key", [](auto& f) { f.add_u32("", 1); }, "a key is not"},
      {"a key with a zero", [](auto& f) { f.add_u32(std::string("a\0b", 3), 1); }, "a key is not"},
      {"a key of 65536 bytes", [](auto& f) { f.add_u32(std::string(65'536, 'k'), 1); }, "a key is not"},
      {"a key with a space", [](auto& f) { f.add_u32("a b", 1); }, "a key is not"},
      {"a key in other letters", [](auto& f) { f.add_u32("caf\xc3\xa9", 1); }, "a key is not"},
      {"a key of 65535 bytes twice",
       [](auto& f) {
         f.add_u32(std::string(65'535, 'k'), 1);
         f.add_u32(std::string(65'535, 'k'), 1);
       },
       "kkk... is there twice"},
      {"a string of 2^62 bytes",
       [](auto& f) {
         f.entries.push_back({"s", 8, raw(std::uint64_t{1} << 62)});
       },
       "runs over the end"},
      {"a string in an array that runs over the end",
       [](auto& f) { f.add_array("n", 8, 2, gguf_file::text("x") + raw(std::uint64_t{1} << 20)); },
       "runs over the end"},
      {"an array of 2^64 - 1 bytes", [](auto& f) { f.add_array("n", 0, ~std::uint64_t{0}, ""); },
       "runs over the end"},
      {"an array of an unknown kind", [](auto& f) { f.add_array("n", 13, 1, ""); },
       "items of an unknown kind"},
      {"an alignment twice",
       [](auto& f) {
         f.add_u32("general.alignment", 32);
         f.add_u32("general.alignment", 32);
       },
       "general.alignment is there twice"},
      {"an alignment below zero",
       [](auto& f) {
         f.entries.push_back({"general.alignment", 5, raw(std::int32_t{-32})});
       },
       "general.alignment"},
      {"an alignment of 2^17", [](auto& f) { f.add_u32("general.alignment", 1u << 17); },
       "general.alignment"},
      {"an alignment that the data do not have", [](auto& f) { f.add_u32("general.alignment", 64); },
       "does not begin"},
      {"an unknown kind", [](auto& f) { f.entries[0].kind = 13; }, "unknown kind"},
      {"a bool of 2", [](auto& f) { f.add_bool("x", 2); }, "neither 0 nor 1"},
      {"a string longer than the file",
       [](auto& f) {
         f.entries.push_back({"s", 8, raw(std::uint64_t{1} << 40)});
       },
       "runs over the end"},
      {"a string of 2^64 - 1 bytes",
       [](auto& f) {
         f.entries.push_back({"s", 8, raw(~std::uint64_t{0})});
       },
       "runs over the end"},
      {"an array of arrays", [](auto& f) { f.add_array("n", 9, 1, ""); }, "items of an unknown kind"},
      {"an array of 2^61 numbers", [](auto& f) { f.add_array("n", 10, std::uint64_t{1} << 61, ""); },
       "runs over the end"},
      {"an array of 2^60 strings", [](auto& f) { f.add_array("n", 8, std::uint64_t{1} << 60, ""); },
       "runs over the end"},
      {"an alignment of 0", [](auto& f) { f.add_u32("general.alignment", 0); }, "general.alignment"},
      {"an alignment of 24", [](auto& f) { f.add_u32("general.alignment", 24); }, "general.alignment"},
      {"an alignment of 4", [](auto& f) { f.add_u32("general.alignment", 4); }, "general.alignment"},
      {"an alignment of 2^31", [](auto& f) { f.add_u32("general.alignment", 1u << 31); },
       "general.alignment"},
      {"an alignment in words", [](auto& f) { f.add_text("general.alignment", "32"); }, "general.alignment"},
      {"a tensor twice", [](auto& f) { f.tensors[1].name = std::string("a"); }, "tensor a is there twice"},
      {"a tensor's name of 64 bytes", [](auto& f) { f.tensors[0].name = std::string(64, 'n'); },
       "name is not"},
      {"an empty name", [](auto& f) { f.tensors[0].name.clear(); }, "name is not"},
      {"a name with a zero", [](auto& f) { f.tensors[0].name = std::string("a\0", 2); }, "name is not"},
      {"a name as long as a key may be", [](auto& f) { f.tensors[0].name = std::string(65'535, 'n'); },
       "name is not"},
      {"2^32 - 1 dimensions",
       [](auto& f) {
         f.tensors.clear();
         f.extra_tensors = 1;
         f.entries.push_back({"end", 0, std::string(1, '\0') + gguf_file::text("t") + raw(~0u)});
       },
       "4294967295 dimensions"},
      {"no dimensions", [](auto& f) { f.tensors[0].extent = {}; }, "0 dimensions"},
      {"five dimensions",
       [](auto& f) {
         f.tensors[0].extent = {1, 1, 1, 1, 6};
       },
       "5 dimensions"},
      {"a dimension of 0",
       [](auto& f) {
         f.tensors[0].extent = {0, 2};
       },
       "0 or negative"},
      {"a dimension of 0 in the last tensor",
       [](auto& f) {
         f.tensors[1].extent = {32, 0};
       },
       "0 or negative"},
      {"an absurd dimension before another tensor",
       [](auto& f) {
         f.tensors[0].extent = {3, 1'000'000};
       },
       "ends after the end of the file"},
      {"a dimension one too large before another tensor",
       [](auto& f) {
         f.tensors[0].extent = {3, 3};
       },
       "does not begin where the one before it ends"},
      {"a negative dimension",
       [](auto& f) {
         f.tensors[0].extent = {~std::uint64_t{0}, 2};
       },
       "0 or negative"},
      {"dimensions that overflow",
       [](auto& f) {
         f.tensors[1].extent = {std::uint64_t{1} << 40, std::uint64_t{1} << 40};
       },
       "overflows"},
      {"a last tensor that overflows in bytes only",
       [](auto& f) {
         f.tensors[1] = {"b", {std::uint64_t{1} << 31, std::uint64_t{1} << 31}, 0, ""};
       },
       "overflows"},
      {"a last tensor larger than the file", [](auto& f) { f.tensors[1].extent[1] = 1'000; },
       "the file is cut off"},
      {"a row that is no whole block",
       [](auto& f) {
         f.tensors[1].extent = {48, 2};
       },
       "no multiple of the block"},
      {"a row of 128 in blocks of 256",
       [](auto& f) {
         f.tensors[1] = {"b", {128, 2}, 12, std::string(144, 'x')};
       },
       "rows of tensor b have 128 elements, no multiple of the block of 256"},
      {"a first offset that is not 0", [](auto& f) { f.tensors[0].offset_error = 32; }, "does not begin"},
      {"an offset on the tensor before", [](auto& f) { f.tensors[1].offset_error = ~std::uint64_t{31}; },
       "does not begin"},
      {"an offset without alignment", [](auto& f) { f.tensors[1].offset_error = 1; }, "does not begin"},
  };
  for (auto& d : table) {
    INFO(d.what);
    auto file = small_file();
    d.change(file);
    check_refused(file.build(), d.text);
  }
}

TEST_CASE("the largest and smallest of what a file may say is read") {
  auto file = small_file();
  file.add_u32(std::string(65'535, 'k'), 7);
  file.add_array("nothing", 4, 0, "");
  file.add_array("no strings", 8, 0, "");
  file.entries.back().key = "no_strings";
  file.tensors[0].name = std::string(63, 'n');
  file.tensors.push_back({"c", {1, 1, 1, 2}, 1, std::string(4, '\0')});
  for (std::uint32_t alignment : {8u, 65'536u}) {
    file.alignment = alignment;
    file.add_u32("general.alignment", alignment);
    auto bytes = file.build();
    auto header = parse_gguf(bytes_of(bytes));
    if (!header) FAIL(header.error().text);
    CHECK(header->find_unsigned(std::string(65'535, 'k')) == 7u);
    CHECK(header->find_array("nothing")->integers() == std::vector<std::int64_t>{});
    CHECK(header->find_array("no_strings")->strings() == std::vector<std::string_view>{});
    CHECK(header->tensors[2].extent == std::array<std::uint64_t, 4>{1, 1, 1, 2});
    CHECK(header->tensors[2].offset % alignment == 0);
    file.entries.pop_back();
  }
}

TEST_CASE("a file without tensors or keys is read") {
  const auto empty = gguf_file().build();
  CHECK(parse_gguf(bytes_of(empty)));
  CHECK(parse_gguf(bytes_of(empty).first(24)));
  auto end = empty + std::string(32, '\0');
  CHECK_FALSE(parse_gguf(bytes_of(end)));
}

TEST_CASE("every served type is read by its number") {
  const std::pair<std::uint32_t, tensor_type> table[] = {
      {0, tensor_type::f32},   {1, tensor_type::f16},   {2, tensor_type::q4_0},  {3, tensor_type::q4_1},
      {6, tensor_type::q5_0},  {7, tensor_type::q5_1},  {8, tensor_type::q8_0},  {12, tensor_type::q4_k},
      {13, tensor_type::q5_k}, {14, tensor_type::q6_k}, {30, tensor_type::bf16},
  };
  REQUIRE(std::size(table) == tensor_layouts.size());
  for (auto [id, type] : table) {
    INFO(to_string(type));
    auto file = small_file();
    file.tensors[1] = {
        "b", {512, 3}, id, std::string(512 / block_elements(type) * block_bytes(type) * 3, 'x')};
    auto bytes = file.build();
    auto header = parse_gguf(bytes_of(bytes));
    if (!header) FAIL(header.error().text);
    CHECK(header->tensors[1].type == type);
    CHECK(header->tensors[1].bytes == file.tensors[1].data.size());
  }
}

TEST_CASE("types that are known but not served are refused by name, with what is served") {
  const std::pair<std::uint32_t, const char*> table[] = {
      {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
      {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
      {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
      {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},  {40, "NVFP4"}, {41, "Q1_0"},    {42, "Q2_0"},
  };
  for (auto [id, name] : table) {
    auto file = small_file();
    file.tensors[0].type = id;
    const auto bytes = file.build();
    auto header = parse_gguf(bytes_of(bytes));
    REQUIRE_FALSE(header);
    CHECK(header.error().code == errc::unsupported);
    CHECK(header.error().reason == "bad_gguf");
    CHECK(header.error().text ==
          "GGUF: tensor a is stored as " + std::string(name) +
              "; served are F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K");
  }
}

TEST_CASE("types that the format does not have, or has no longer, are refused by number") {
  for (std::uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 999u, 0xffffffffu}) {
    auto file = small_file();
    file.tensors[0].type = id;
    check_refused(file.build(), "GGUF: tensor a has the unknown type " + std::to_string(id));
  }
}

TEST_CASE("a file cut anywhere, or followed by more, is refused") {
  const auto bytes = small_file().build();
  auto header = parse_gguf(bytes_of(bytes));
  REQUIRE(header);
  const auto end = static_cast<std::size_t>(header->tensors[1].offset + header->tensors[1].bytes);
  for (std::size_t size = 0; size < end; ++size) {
    // A copy of its own, so that a sanitizer sees a read behind the end.
    const std::string cut = bytes.substr(0, size);
    if (parse_gguf(bytes_of(cut))) FAIL("accepted when cut to " << size << " bytes");
  }
  check_refused(bytes + "x", "bytes follow the last tensor");
  check_refused(bytes + std::string(32, '\0'), "bytes follow the last tensor");
  for (auto magic : {"GGML", "gguf", "FUGG", "GGUG"})
    check_refused(magic + bytes.substr(4), "does not begin with GGUF");
}
