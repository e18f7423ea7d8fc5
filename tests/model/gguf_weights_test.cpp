#include "model/weights.hpp"

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/model/tiny_gguf.hpp"

using namespace lorica;

namespace {

result<std::shared_ptr<const model_weights>> open(const gguf_file& file) {
  scratch_directory scratch;
  return open_model(scratch.write("tiny.gguf", file.build()));
}

std::shared_ptr<const model_weights> accept(const gguf_file& file) {
  auto out = open(file);
  if (!out) FAIL(out.error().text);
  return *out;
}

// The first element of every row, in the order that readers see.
std::vector<float> row_order(const tensor_view& t) {
  std::vector<float> all(static_cast<std::size_t>(t.rows * t.cols));
  t.read_rows(0, all);
  std::vector<float> out;
  for (std::size_t i = 0; i < all.size(); i += static_cast<std::size_t>(t.cols))
    out.push_back(all[i]);
  return out;
}

std::vector<float> elements(const tensor_view& t) {
  std::vector<float> out(static_cast<std::size_t>(t.cols));
  t.read_rows(0, out);
  return out;
}

// Heads of 4: stored pairs (0,1) (2,3) are halves (0,2) (1,3).
const std::vector<float> two_heads = {0, 2, 1, 3, 4, 6, 5, 7};
const std::vector<float> four_heads = {0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15};
const std::vector<float> in_order = {0, 1, 2, 3, 4, 5, 6, 7};

}  // namespace

TEST_CASE("q and k rows of a llama file, and their biases, are seen in Hugging Face order") {
  auto file = tiny_gguf("llama");
  add_qkv_biases(file);
  auto model = accept(file);
  auto& layer = model->layers().front();
  CHECK(row_order(layer.q) == four_heads);
  CHECK(row_order(layer.k) == two_heads);
  CHECK(row_order(layer.v) == in_order);
  CHECK(elements(layer.q_bias) == four_heads);
  CHECK(elements(layer.k_bias) == two_heads);
  CHECK(elements(layer.v_bias) == in_order);
}

TEST_CASE("single rows agree with their matrix, as bytes too") {
  auto model = accept(tiny_gguf("llama"));
  auto& q = model->layers().front().q;
  for (std::uint64_t row = 0; row < q.rows; ++row) {
    std::vector<float> one(16);
    q.read_rows(row, one);
    CHECK(one.front() == four_heads[static_cast<std::size_t>(row)]);
    CHECK(one.back() == one.front());
    float first = 0;
    std::memcpy(&first, q.row_bytes(row).data(), sizeof first);
    CHECK(first == one.front());
    CHECK(q.row_bytes(row).size() == 64);
  }
}

TEST_CASE("rows of a qwen2 file stay where they are") {
  auto file = tiny_gguf("qwen2");
  add_qkv_biases(file);
  auto model = accept(file);
  auto& layer = model->layers().front();
  CHECK(row_order(layer.k) == in_order);
  CHECK(elements(layer.k_bias) == in_order);
}

TEST_CASE("rope_freqs.weight becomes the divisors of the frequencies") {
  auto file = tiny_gguf("llama");
  file.add_f32_tensor("rope_freqs.weight", {2}, {1, 8});
  CHECK(accept(file)->config().rope.divisors == std::vector<float>{1, 8});
}

TEST_CASE("a file without a name is called after itself") {
  auto file = tiny_gguf("llama");
  file.entries.erase(file.entries.begin() + 1);
  CHECK(accept(file)->config().name == "tiny");
}

TEST_CASE("a name that no list could show is not taken") {
  for (auto name : {std::string("a\nb"), std::string("a\0b", 3), std::string(257, 'n'), std::string("\xff"),
                    std::string()}) {
    auto file = tiny_gguf("llama");
    file.entries[1].value = gguf_file::text(name);
    CHECK(accept(file)->config().name == "tiny");
  }
  auto file = tiny_gguf("llama");
  file.entries[1].value = gguf_file::text("Tiny \u03b1");
  CHECK(accept(file)->config().name == "Tiny \u03b1");
}

TEST_CASE("an untied head is found, a tied one is the embedding") {
  auto file = tiny_gguf("llama");
  auto tied = accept(file);
  CHECK(tied->head().bytes.data() == tied->embedding().bytes.data());
  file.add_f32_tensor("output.weight", {16, 10}, std::vector<float>(160, 7));
  auto untied = accept(file);
  CHECK_FALSE(untied->config().tied_head);
  CHECK(row_order(untied->head()) == std::vector<float>(10, 7));
}

TEST_CASE("tensors that are missing, misshaped or left over are refused by name") {
  struct refusal {
    std::function<void(gguf_file&)> change;
    const char* text;
  };
  const refusal table[] = {
      {[](auto& f) { f.tensors.erase(f.tensors.begin() + 4); },
       "tiny.gguf: tensor blk.0.attn_k.weight is missing"},
      {[](auto& f) {
         f.tensors[4].extent = {8, 16};
       },
       "tensor blk.0.attn_k.weight has the shape [16, 8], the config asks for [8, 16]"},
      {[](auto& f) {
         f.tensors[2].extent = {16, 1};
       },
       "tensor blk.0.attn_norm.weight has the shape [1, 16]"},
      {[](auto& f) {
         f.add_f32_tensor("blk.0.attn_q_norm.weight", {4}, {1, 1, 1, 1});
       },
       "tensor blk.0.attn_q_norm.weight is no part"},
      {[](auto& f) { f.add_f32_tensor("blk.1.attn_norm.weight", {1}, {1}); },
       "tensor blk.1.attn_norm.weight is no part"},
      {[](auto& f) { f.add_f32_tensor("blk.0.attn_q.bias", {16}, std::vector<float>(16)); },
       "tensor blk.0.attn_k.bias is missing"},
      {[](auto& f) {
         f.add_f32_tensor("rope_freqs.weight", {3}, {1, 1, 1});
       },
       "rope_freqs.weight has the shape [3]"},
      {[](auto& f) {
         f.add_f32_tensor("rope_freqs.weight", {2}, {1, 0});
       },
       "rope_freqs.weight holds"},
  };
  for (auto& r : table) {
    INFO(r.text);
    auto file = tiny_gguf("llama");
    r.change(file);
    auto out = open(file);
    REQUIRE_FALSE(out);
    INFO(out.error().text);
    CHECK(out.error().code == errc::bad_model);
    CHECK(out.error().text.find(r.text) != std::string::npos);
  }
}

TEST_CASE("a config that claims four thousand layers costs no more than the first missing one") {
  auto file = tiny_gguf("llama");
  file.entries[2].value = raw(4096u);
  auto out = open(file);
  REQUIRE_FALSE(out);
  CHECK(out.error().text == "tiny.gguf: tensor blk.1.attn_norm.weight is missing");
}

TEST_CASE("a path that is neither directory nor file, and a file that is no GGUF, are refused") {
  scratch_directory scratch;
  auto missing = open_model((scratch.path() / "none").string());
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::io);
  auto text = open_model(scratch.write("notes.gguf", "hello, this is text"));
  REQUIRE_FALSE(text);
  CHECK(text.error().code == errc::bad_model);
  CHECK(text.error().text == "notes.gguf: GGUF: the file does not begin with GGUF");
}
