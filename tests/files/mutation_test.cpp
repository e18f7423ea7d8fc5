#include <array>
#include <random>
#include <string>
#include <vector>

#include "files/dequantise.hpp"
#include "files/gguf.hpp"
#include "files/safetensors.hpp"
#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"
#include "tests/files/json_mutator.hpp"

using namespace lorica;

namespace {

constexpr std::uint32_t seed = 20'240'611;
constexpr int rounds = 2'000;

/// Changes a file the way damage and attackers do: bits, whole numbers, lengths, pieces.
class mutator {
 public:
  explicit mutator(std::uint32_t start) : random_(start) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  std::string mutate(std::string file, const std::vector<std::size_t>& fields) {
    const std::size_t changes = 1 + below(3);
    for (std::size_t i = 0; i < changes && !file.empty(); ++i)
      change(file, fields);
    return file;
  }

 private:
  void change(std::string& file, const std::vector<std::size_t>& fields) {
    switch (below(6)) {
      case 0: file[below(file.size())] = static_cast<char>(below(256)); return;
      case 1: file[below(file.size())] ^= static_cast<char>(1 << below(8)); return;
      case 2: file.resize(below(file.size() + 1)); return;
      case 3:
        file.insert(below(file.size() + 1), std::string(1 + below(40), static_cast<char>(below(256))));
        return;
      case 4: file.erase(below(file.size()), 1 + below(16)); return;
      default: write_number(file, fields); return;
    }
  }

  // An interesting number where the format has one.
  void write_number(std::string& file, const std::vector<std::size_t>& fields) {
    static constexpr std::array<std::uint64_t, 12> numbers = {0,
                                                              1,
                                                              2,
                                                              31,
                                                              33,
                                                              255,
                                                              0x7fffffff,
                                                              0xffffffff,
                                                              std::uint64_t{1} << 32,
                                                              std::uint64_t{1} << 62,
                                                              std::uint64_t{1} << 63,
                                                              ~std::uint64_t{0}};
    const auto number = raw(numbers[below(numbers.size())]);
    const std::size_t at = fields[below(fields.size())];
    const std::size_t width = below(2) == 0 ? 4 : 8;
    if (at + width <= file.size()) file.replace(at, width, number.substr(0, width));
  }

  std::mt19937 random_;
};

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

// The rules that must hold for whatever is accepted.
bool holds(const safetensors_header& header, std::uint64_t file_bytes) {
  std::uint64_t total = 0;
  for (auto& t : header.tensors) {
    if (t.begin < header.data_start || t.begin > t.end || t.end > file_bytes) return false;
    total += t.end - t.begin;
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

}  // namespace

TEST_CASE("a mutated safetensors file is refused or keeps every rule") {
  INFO("seed " << seed);
  mutator random(seed);
  const auto file = small_safetensors();
  std::vector<std::size_t> fields = {0, 4};
  // Digits of the header: a one-digit change keeps the JSON whole.
  for (std::size_t i = 8; i < file.size() - 34; ++i)
    if (file[i] >= '0' && file[i] <= '9') fields.push_back(i);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    auto mutated = random.below(4) == 0 ? file : random.mutate(file, fields);
    if (mutated == file)
      mutated[fields[2 + random.below(fields.size() - 2)]] = static_cast<char>('0' + random.below(10));
    auto header = parse_safetensors(bytes_of(mutated), mutated.size());
    if (!header) {
      if (header.error().reason != "bad_safetensors") FAIL("round " << round << ": " << header.error().text);
      continue;
    }
    ++accepted;
    if (!holds(*header, mutated.size())) FAIL("round " << round << " breaks a rule");
    for (auto& t : header->tensors)
      if (t.dtype == "F32" || t.dtype == "BF16")
        read_all(bytes_of(mutated).subspan(static_cast<std::size_t>(t.begin),
                                           static_cast<std::size_t>(t.end - t.begin)),
                 t.dtype == "F32" ? tensor_type::f32 : tensor_type::bf16);
  }
  // Both ways were taken often enough to mean something.
  CHECK(accepted > rounds / 50);
  CHECK(accepted < rounds / 2);
}

TEST_CASE("a safetensors header with changed fields is refused or keeps every rule") {
  INFO("seed " << seed);
  json_mutator random(seed + 2);
  const auto file = small_safetensors();
  const auto header_text = file.substr(8, file.size() - 8 - 34);
  const std::vector<std::string> words = {"a",     "b",     "F32",          "BF16",         "F4",
                                          "dtype", "shape", "data_offsets", "__metadata__", "\n"};
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto mutated = safetensors_file(random.mutate(header_text, words), 34);
    auto header = parse_safetensors(bytes_of(mutated), mutated.size());
    if (!header) {
      if (header.error().reason != "bad_safetensors") FAIL("round " << round << ": " << header.error().text);
      continue;
    }
    ++accepted;
    if (!holds(*header, mutated.size())) FAIL("round " << round << " breaks a rule: " << mutated);
  }
  CHECK(accepted > rounds / 50);
  CHECK(accepted < rounds / 2);
}

TEST_CASE("a GGUF file with changed fields is refused or keeps every rule") {
  INFO("seed " << seed);
  mutator random(seed + 3);
  static constexpr std::array<std::uint64_t, 12> numbers = {0,
                                                            1,
                                                            2,
                                                            32,
                                                            0x7fffffff,
                                                            std::uint64_t{1} << 31,
                                                            std::uint64_t{1} << 32,
                                                            std::uint64_t{1} << 53,
                                                            std::uint64_t{1} << 62,
                                                            std::uint64_t{1} << 63,
                                                            ~std::uint64_t{0},
                                                            ~std::uint64_t{0} - 31};
  auto number = [&] { return numbers[random.below(numbers.size())]; };
  auto change = [&](gguf_file& file) {
    auto& entry = file.entries[random.below(file.entries.size())];
    auto& other_entry = file.entries[random.below(file.entries.size())];
    auto& tensor = file.tensors[random.below(file.tensors.size())];
    auto& other = file.tensors[random.below(file.tensors.size())];
    switch (random.below(16)) {
      case 0: entry.kind = static_cast<std::uint32_t>(random.below(15)); return;
      case 1: entry.key = other_entry.key; return;
      case 2: std::swap(entry.value, other_entry.value); return;
      case 3: entry = {entry.key, 10, raw(number())}; return;
      case 4: entry.value.resize(random.below(entry.value.size() + 3)); return;
      case 5:
        file.add_array("more", static_cast<std::uint32_t>(random.below(14)), number(), "12345678");
        return;
      case 6: tensor.type = static_cast<std::uint32_t>(random.below(44)); return;
      case 7: tensor.extent[random.below(tensor.extent.size())] = number(); return;
      case 8: tensor.extent.push_back(random.below(3) == 0 ? number() : 1); return;
      case 9: std::swap(tensor.extent, other.extent); return;
      case 10: tensor.offset_error = number(); return;
      case 11: tensor.name = random.below(2) == 0 ? other.name : std::string(random.below(70), 'n'); return;
      case 12: tensor.data.resize(random.below(tensor.data.size() + 70)); return;
      case 13: file.extra_tensors = number(); return;
      case 14: file.extra_keys = number(); return;
      default: std::swap(tensor, other); return;
    }
  };
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    auto file = small_gguf();
    for (auto changes = 1 + random.below(2); changes > 0; --changes)
      change(file);
    const auto mutated = file.build();
    auto header = parse_gguf(bytes_of(mutated));
    if (!header) {
      if (header.error().reason != "bad_gguf" || header.error().text.empty())
        FAIL("round " << round << ": " << header.error().text);
      continue;
    }
    ++accepted;
    if (!holds(*header, mutated.size())) FAIL("round " << round << " breaks a rule");
    for (auto& t : header->tensors)
      read_all(
          bytes_of(mutated).subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.bytes)),
          t.type);
  }
  CHECK(accepted > rounds / 50);
  CHECK(accepted < rounds / 2);
}

TEST_CASE("a mutated GGUF file is refused or keeps every rule") {
  INFO("seed " << seed);
  mutator random(seed + 1);
  const auto file = small_gguf().build();
  auto whole = parse_gguf(bytes_of(file));
  REQUIRE(whole);
  std::vector<std::size_t> fields;
  for (std::size_t i = 4; i + 8 < whole->data_start; ++i)
    fields.push_back(i);
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto mutated = random.mutate(file, fields);
    auto header = parse_gguf(bytes_of(mutated));
    if (!header) {
      if (header.error().reason != "bad_gguf") FAIL("round " << round << ": " << header.error().text);
      continue;
    }
    ++accepted;
    if (!holds(*header, mutated.size())) FAIL("round " << round << " breaks a rule");
    for (auto& [key, v] : header->metadata)
      if (auto array = std::get_if<gguf_array>(&v)) {
        const auto strings = array->strings();
        const auto integers = array->integers();
        if (strings && strings->size() != array->count) FAIL("round " << round << ": strings are lost");
        if (integers && integers->size() != array->count) FAIL("round " << round << ": integers are lost");
      }
    for (auto& t : header->tensors)
      read_all(
          bytes_of(mutated).subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.bytes)),
          t.type);
  }
  CHECK(accepted > rounds / 50);
  CHECK(accepted < rounds / 2);
}
