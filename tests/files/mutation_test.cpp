#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "files/dequantise.hpp"
#include "files/gguf.hpp"
#include "files/safetensors.hpp"
#include "tests/catch.hpp"
#include "tests/files/byte_mutator.hpp"
#include "tests/files/gguf_mutator.hpp"
#include "tests/files/json_mutator.hpp"

using namespace lorica;

namespace {

constexpr std::uint32_t seed = 20'240'611;
constexpr int rounds = 2'000;

// Reads every element, so that a sanitizer sees a range that leaves the file.
void read_all(std::span<const std::byte> bytes, tensor_type type) {
  std::vector<float> out(bytes.size() / block_bytes(type) * block_elements(type));
  dequantise(type, bytes, out);
}

std::string small_safetensors() {
  return safetensors_file(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
      R"("b":{"dtype":"BF16","shape":[5],"data_offsets":[24,34]}})",
      34);
}

gguf_file small_gguf() {
  gguf_file file;
  file.add_text("general.architecture", "llama");
  file.add_u32("general.alignment", 32);
  file.add_array("tokens", 8, 3, gguf_file::text("a") + gguf_file::text("bc") + gguf_file::text(""));
  file.add_array("types", 5, 2, raw<std::int32_t>(1) + raw<std::int32_t>(3));
  file.add_bool("flag", 1);
  file.add_f32_tensor("a", {3, 2}, {1, 2, 3, 4, 5, 6});
  file.tensors.push_back({"b", {32, 2}, 3, std::string(40, '\1')});
  return file;
}

// Bits of the dtypes that the tests write; the reader's own table is not asked.
std::optional<std::uint64_t> bits_of(const std::string& dtype) {
  if (dtype == "F4") return 4;
  if (dtype == "F6_E2M3") return 6;
  if (dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3") return 8;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16") return 16;
  if (dtype == "F32" || dtype == "U32") return 32;
  if (dtype == "F64" || dtype == "I64" || dtype == "C64") return 64;
  return std::nullopt;
}

// The rules that must hold for whatever is accepted.
bool holds(const safetensors_header& header, std::uint64_t file_bytes) {
  std::uint64_t total = 0;
  for (auto& t : header.tensors) {
    if (t.begin < header.data_start || t.begin > t.end || t.end > file_bytes) return false;
    total += t.end - t.begin;
    auto bits = bits_of(t.dtype);
    if (!bits) return false;
    for (auto size : t.shape)
      *bits *= size;
    if (*bits != 8 * (t.end - t.begin)) return false;
  }
  return total == file_bytes - header.data_start;
}

bool holds(const gguf_header& header, std::uint64_t file_bytes) {
  std::uint64_t end = header.data_start;
  for (auto& t : header.tensors) {
    const auto elements = t.extent[0] * t.extent[1] * t.extent[2] * t.extent[3];
    if (elements / block_elements(t.type) * block_bytes(t.type) != t.bytes) return false;
    if (t.offset < end || t.offset % header.alignment != 0 || t.offset + t.bytes > file_bytes) return false;
    end = t.offset + t.bytes;
  }
  return file_bytes < end + header.alignment;
}

// Counts how often a mutated file was taken, and looks at everything that was taken.
class judge {
 public:
  void safetensors(const std::string& file, int round) {
    auto header = parse_safetensors(bytes_of(file), file.size());
    if (!header) return refused(header.error(), "bad_safetensors", round);
    ++accepted_;
    if (!holds(*header, file.size())) FAIL("round " << round << " breaks a rule");
    for (auto& t : header->tensors)
      if (t.dtype == "F32" || t.dtype == "BF16" || t.dtype == "F16")
        read_all(bytes_of(file).subspan(static_cast<std::size_t>(t.begin),
                                        static_cast<std::size_t>(t.end - t.begin)),
                 t.dtype == "F32"    ? tensor_type::f32
                 : t.dtype == "BF16" ? tensor_type::bf16
                                     : tensor_type::f16);
  }

  void gguf(const std::string& file, int round) {
    auto header = parse_gguf(bytes_of(file));
    if (!header) return refused(header.error(), "bad_gguf", round);
    ++accepted_;
    if (!holds(*header, file.size())) FAIL("round " << round << " breaks a rule");
    for (auto& [key, v] : header->metadata)
      if (auto array = std::get_if<gguf_array>(&v)) {
        const auto strings = array->strings();
        const auto integers = array->integers();
        const auto floats = array->floats();
        if (strings && strings->size() != array->count) FAIL("round " << round << ": strings are lost");
        if (integers && integers->size() != array->count) FAIL("round " << round << ": integers are lost");
        if (floats && floats->size() != array->count) FAIL("round " << round << ": floats are lost");
      }
    for (auto& t : header->tensors)
      read_all(bytes_of(file).subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.bytes)),
               t.type);
  }

  // Both ways were taken often enough to mean something.
  void check_both_ways() const {
    CHECK(accepted_ > rounds / 50);
    CHECK(accepted_ < rounds * 3 / 5);
  }

 private:
  static void refused(const error& e, const std::string& reason, int round) {
    const bool printable =
        std::all_of(e.text.begin(), e.text.end(), [](unsigned char c) { return c >= ' '; });
    if (e.reason != reason || e.text.empty() || e.text.size() > 1'500 || !printable)
      FAIL("round " << round << ": " << e.text);
  }

  int accepted_ = 0;
};

/// The header of a safetensors file as fields, so that every one of them can lie.
struct safetensors_fields {
  struct tensor {
    std::string name;
    std::string dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::vector<tensor> tensors = {{"a", "F32", {2, 3}, 0, 24},
                                 {"b", "BF16", {5}, 24, 34},
                                 {"e", "F16", {0, 4}, 34, 34},
                                 {"s", "U8", {}, 34, 35},
                                 {"f", "F4", {2, 3}, 35, 38}};
  std::uint64_t data_bytes = 38;
  std::uint64_t length_error = 0;  ///< added to the length of the header
  std::string before, after;       ///< the header

  std::string build() const {
    std::string header = before + R"({"__metadata__":{"format":"pt"})";
    for (auto& t : tensors) {
      header.append(",\"").append(t.name).append(R"(":{"dtype":")").append(t.dtype).append(R"(","shape":[)");
      for (std::size_t i = 0; i < t.shape.size(); ++i)
        header.append(i > 0 ? "," : "").append(std::to_string(t.shape[i]));
      header.append(R"(],"data_offsets":[)").append(std::to_string(t.begin)).append(",");
      header.append(std::to_string(t.end)).append("]}");
    }
    header.append("}").append(after);
    return raw<std::uint64_t>(header.size() + length_error) + header +
           std::string(static_cast<std::size_t>(data_bytes), '\1');
  }
};

class safetensors_mutator {
 public:
  explicit safetensors_mutator(std::uint32_t start) : random_(start) {}

  safetensors_fields mutate(safetensors_fields file) {
    for (auto changes = 1 + random_.below(2); changes > 0; --changes)
      change(file);
    return file;
  }

 private:
  safetensors_fields::tensor& any(safetensors_fields& file) {
    return file.tensors[random_.below(file.tensors.size())];
  }

  void change(safetensors_fields& file) {
    if (file.tensors.empty()) return;
    auto& t = any(file);
    switch (random_.below(14)) {
      case 0: {
        static constexpr std::array dtypes = {"F32", "F16", "BF16", "F64", "I64", "U8",      "BOOL",
                                              "F4",  "I16", "C64",  "f32", "",    "F6_E2M3", "F8_E4M3"};
        t.dtype = dtypes[random_.below(dtypes.size())];
        return;
      }
      case 1:
        if (!t.shape.empty()) t.shape[random_.below(t.shape.size())] = random_.number();
        return;
      case 2: t.shape.push_back(random_.below(3)); return;
      case 3: t.shape.insert(t.shape.begin(), 1); return;
      case 4: (random_.below(2) == 0 ? t.begin : t.end) = random_.number(); return;
      case 5: (random_.below(2) == 0 ? t.begin : t.end) += random_.below(3) - 1; return;
      case 6: {
        auto& other = any(file);
        std::swap(t.begin, other.begin);
        std::swap(t.end, other.end);
        return;
      }
      case 7: std::swap(t.name, any(file).name); return;
      case 8: t.name = any(file).name; return;
      case 9: file.tensors.push_back(safetensors_fields::tensor(t)); return;
      case 10: std::swap(t, file.tensors.back()), file.tensors.pop_back(); return;
      case 11: resize(file, t); return;
      case 12: file.data_bytes += random_.below(3) - 1; return;
      default:
        file.length_error = random_.below(3) == 0 ? random_.number() : 0;
        file.before = random_.below(4) == 0 ? " " : "";
        file.after = random_.below(2) == 0 ? "     " : "\n";
        return;
    }
  }

  // One more row, and everything behind it moved: sound again.
  static void resize(safetensors_fields& file, safetensors_fields::tensor& t) {
    if (t.shape.empty() || t.shape.front() == 0 || t.shape.front() > 9 || t.end < t.begin) return;
    const auto row = (t.end - t.begin) / t.shape.front();
    const auto from = t.end;
    ++t.shape.front();
    t.end += row;
    for (auto& other : file.tensors)
      if (&other != &t && other.begin >= from) {
        other.begin += row;
        other.end += row;
      }
    if (row < 1'000) file.data_bytes += row;
  }

  byte_mutator random_;
};

}  // namespace

TEST_CASE("a damaged safetensors file is refused or keeps every rule") {
  INFO("seed " << seed);
  byte_mutator random(seed);
  const auto file = small_safetensors();
  std::vector<std::size_t> fields = {0, 4};
  // Digits of the header: a one-digit change keeps the JSON whole.
  for (std::size_t i = 8; i < file.size() - 34; ++i)
    if (file[i] >= '0' && file[i] <= '9') fields.push_back(i);
  judge verdict;
  for (int round = 0; round < rounds; ++round) {
    auto mutated = random.below(4) == 0 ? file : random.mutate(file, fields);
    if (mutated == file)
      mutated[fields[2 + random.below(fields.size() - 2)]] = static_cast<char>('0' + random.below(10));
    verdict.safetensors(mutated, round);
  }
  verdict.check_both_ways();
}

TEST_CASE("a safetensors file whose fields lie is refused or keeps every rule") {
  INFO("seed " << seed);
  safetensors_mutator random(seed + 2);
  REQUIRE(parse_safetensors(bytes_of(safetensors_fields().build()), safetensors_fields().build().size()));
  judge verdict;
  for (int round = 0; round < rounds; ++round)
    verdict.safetensors(random.mutate({}).build(), round);
  verdict.check_both_ways();
}

TEST_CASE("a safetensors header that is other JSON is refused or keeps every rule") {
  INFO("seed " << seed);
  const auto file = safetensors_fields().build();
  const auto data_bytes = safetensors_fields().data_bytes;
  const auto header = file.substr(8, file.size() - 8 - data_bytes);
  const std::vector<std::string> words = {"__metadata__",
                                          "dtype",
                                          "shape",
                                          "data_offsets",
                                          "F32",
                                          "F16",
                                          "F64",
                                          "BF16",
                                          "a",
                                          "e",
                                          "format",
                                          "",
                                          "\n",
                                          std::string(1, '\0'),
                                          "\xf0\x9f\x98\x80",
                                          std::string(2'000, 'n')};
  json_mutator random(seed + 3);
  judge verdict;
  for (int round = 0; round < rounds; ++round)
    verdict.safetensors(safetensors_file(random.mutate(header, words), data_bytes), round);
  verdict.check_both_ways();
}

TEST_CASE("a damaged GGUF file is refused or keeps every rule") {
  INFO("seed " << seed);
  byte_mutator random(seed + 1);
  const auto file = small_gguf().build();
  auto whole = parse_gguf(bytes_of(file));
  REQUIRE(whole);
  std::vector<std::size_t> fields;
  for (std::size_t i = 4; i + 8 < whole->data_start; ++i)
    fields.push_back(i);
  judge verdict;
  for (int round = 0; round < rounds; ++round)
    verdict.gguf(random.mutate(file, fields), round);
  verdict.check_both_ways();
}

TEST_CASE("a GGUF file whose fields lie is refused or keeps every rule") {
  INFO("seed " << seed);
  auto file = small_gguf();
  file.tensors.push_back({"k", {256, 2, 1}, 14, std::string(420, '\2')});
  file.entries.push_back({"wide", 12, raw(0.5)});
  file.add_array("numbers", 10, 2, raw(~std::uint64_t{0}) + raw(std::uint64_t{1}));
  gguf_mutator random(seed + 4, {"general.alignment", "a", "b", "k", "tokens", "", "\n", std::string(1, '\0'),
                                 std::string(64, 'n'), std::string(70'000, 'k')});
  judge verdict;
  for (int round = 0; round < rounds; ++round)
    verdict.gguf(random.mutate(file).build(), round);
  verdict.check_both_ways();
}
