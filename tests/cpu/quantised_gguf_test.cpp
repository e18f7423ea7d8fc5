// A model of quantised blocks is the model of the float32 numbers that the blocks stand for: the same weights
// and, in exact mode, the same answers to the last bit.
#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "files/dequantise.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"
#include "tests/files/file_bytes.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/model/same_weights.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr std::uint32_t width = 256;  // whole blocks of every type
constexpr std::uint32_t vocab = 40;
constexpr std::uint32_t heads = 4;
constexpr std::uint32_t kv_heads = 2;

/// How blocks of a type are made: where their halves are, and how far a quantised number may stretch one.
struct block_form {
  tensor_type type;
  std::uint32_t id;  ///< in the file
  std::vector<std::size_t> halves;
  int reach;  ///< power of two above the largest multiple of a half
};

const block_form forms[] = {
    {tensor_type::q4_0, 2, {0}, 3},      {tensor_type::q4_1, 3, {0, 2}, 4},
    {tensor_type::q5_0, 6, {0}, 4},      {tensor_type::q5_1, 7, {0, 2}, 5},
    {tensor_type::q8_0, 8, {0}, 7},      {tensor_type::q4_k, 12, {0, 2}, 10},
    {tensor_type::q5_k, 13, {0, 2}, 11}, {tensor_type::q6_k, 14, {208}, 12},
};

// Random in every bit, but the halves are normal numbers that keep the elements below one half.
std::string random_blocks(const block_form& form, std::uint64_t elements, std::mt19937& random) {
  const std::size_t size = block_bytes(form.type);
  std::string out(static_cast<std::size_t>(elements / block_elements(form.type)) * size, '\0');
  for (auto& byte : out)
    byte = static_cast<char>(random());
  for (std::size_t block = 0; block < out.size(); block += size)
    for (auto at : form.halves) {
      // Two to the power of exponent - 15.
      const auto exponent = static_cast<std::uint32_t>(13 - form.reach);
      const auto bits = (random() & 0x8000u) | exponent << 10 | (random() & 0x3ffu);
      out.replace(block + at, 2, raw(static_cast<std::uint16_t>(bits)));
    }
  return out;
}

std::string as_floats(tensor_type type, const std::string& blocks) {
  std::vector<float> values(blocks.size() / block_bytes(type) * block_elements(type));
  dequantise(type, bytes_of(blocks), values);
  std::string out(values.size() * sizeof(float), '\0');
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

/// A llama model of one layer whose matrices are blocks, and its twin in float32.
struct twins {
  gguf_file quantised, plain;
};

twins make_twins(const block_form& form) {
  std::mt19937 random(20'260 + form.id);
  twins out;
  auto& file = out.quantised;
  file.add_text("general.architecture", "llama");
  file.add_text("general.name", "Tiny");
  file.add_u32("llama.block_count", 1);
  file.add_u32("llama.context_length", 64);
  file.add_u32("llama.embedding_length", width);
  file.add_u32("llama.feed_forward_length", width);
  file.add_u32("llama.attention.head_count", heads);
  file.add_u32("llama.attention.head_count_kv", kv_heads);
  file.add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  file.add_u32("tokenizer.ggml.eos_token_id", vocab - 1);
  out.plain = file;
  auto norm = [&](const std::string& name) {
    std::vector<float> values;
    for (std::uint64_t i = 0; i < width; ++i)
      values.push_back(0.5f + static_cast<float>(random() % 1'024) / 1'024.0f);
    for (auto* f : {&out.quantised, &out.plain})
      f->add_f32_tensor(name, {width}, values);
  };
  auto matrix = [&](const std::string& name, std::uint64_t rows) {
    auto blocks = random_blocks(form, rows * width, random);
    out.plain.tensors.push_back({name, {width, rows}, 0, as_floats(form.type, blocks)});
    out.quantised.tensors.push_back({name, {width, rows}, form.id, std::move(blocks)});
  };
  matrix("token_embd.weight", vocab);
  norm("output_norm.weight");
  matrix("output.weight", vocab);
  norm("blk.0.attn_norm.weight");
  matrix("blk.0.attn_q.weight", width);
  matrix("blk.0.attn_k.weight", width / heads * kv_heads);
  matrix("blk.0.attn_v.weight", width / heads * kv_heads);
  matrix("blk.0.attn_output.weight", width);
  norm("blk.0.ffn_norm.weight");
  matrix("blk.0.ffn_gate.weight", width);
  matrix("blk.0.ffn_up.weight", width);
  matrix("blk.0.ffn_down.weight", width);
  return out;
}

std::shared_ptr<const model_weights> open(const scratch_directory& scratch, const gguf_file& file) {
  auto out = open_model(scratch.write("tiny.gguf", file.build()));
  if (!out) FAIL(out.error().text);
  return *out;
}

// Unlike ==, this tells zero from minus zero.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Whether a head of rows differs from what lies in the file, as llama's q and k must.
bool is_reordered(const tensor_view& t) {
  return std::memcmp(t.row_bytes(1).data(), t.bytes.data() + t.row_bytes(1).size(), t.row_bytes(1).size()) !=
         0;
}

}  // namespace

TEST_CASE("a quantised GGUF model has the weights and the answers of its float32 twin, bit for bit") {
  const auto& form = GENERATE(from_range(std::begin(forms), std::end(forms)));
  INFO(to_string(form.type));
  const auto [quantised_file, plain_file] = make_twins(form);
  scratch_directory first, second;
  auto quantised = open(first, quantised_file);
  auto plain = open(second, plain_file);
  const auto left = tensors_of(*quantised);
  const auto right = tensors_of(*plain);
  REQUIRE(left.size() == right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    INFO("tensor " << i);
    REQUIRE(left[i].rows == right[i].rows);
    REQUIRE(left[i].cols == right[i].cols);
    CHECK(left[i].type == (left[i].rows > 1 ? form.type : tensor_type::f32));
    CHECK(right[i].type == tensor_type::f32);
    CHECK(same_bits(values_of(left[i]), values_of(right[i])));
    for (std::uint64_t row = 0; row < left[i].rows; row += 7) {
      std::vector<float> a(static_cast<std::size_t>(left[i].cols)), b(a.size());
      left[i].read_rows(row, a);
      right[i].read_rows(row, b);
      CHECK(same_bits(a, b));
    }
  }
  CHECK(is_reordered(quantised->layers()[0].q));
  CHECK(is_reordered(quantised->layers()[0].k));
  CHECK_FALSE(is_reordered(quantised->layers()[0].v));

  std::vector<golden_case> cases;
  for (token_id start = 0; start < 6; ++start)
    cases.push_back({"",
                     {},
                     combination::sum,
                     {start, 5, static_cast<token_id>(start * 6 + 1)},
                     std::vector<token_id>(8),
                     {}});
  const auto expected = run_all(plain, "", cases, {}).answers;
  const auto answers = run_all(quantised, "", cases, {}).answers;
  REQUIRE(answers.size() == expected.size());
  std::set<token_id> seen;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    INFO("case " << i);
    REQUIRE_FALSE(expected[i].tokens.empty());
    CHECK(answers[i].tokens == expected[i].tokens);
    CHECK(same_bits(answers[i].logprobs, expected[i].logprobs));
    for (auto logprob : expected[i].logprobs)
      CHECK(std::isfinite(logprob));
    seen.insert(expected[i].tokens.begin(), expected[i].tokens.end());
  }
  // The models say enough for a wrong row to be noticed.
  CHECK(seen.size() > 4);
}
