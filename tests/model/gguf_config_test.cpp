#include "model/gguf_config.hpp"

#include <cmath>
#include <functional>
#include <string>

#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"
#include "tests/model/tiny_gguf.hpp"

using namespace lorica;

namespace {

result<model_config> read(const gguf_file& file) {
  const auto bytes = file.build();
  auto header = parse_gguf(bytes_of(bytes));
  if (!header) FAIL(header.error().text);
  return read_gguf_config(*header);
}

model_config accept(const gguf_file& file) {
  auto out = read(file);
  if (!out) FAIL(out.error().text);
  return *out;
}

void set(gguf_file& file, const std::string& key, std::uint32_t number) {
  for (auto& e : file.entries)
    if (e.key == key) e = {key, 4, raw(number)};
}

void set_array(gguf_file& file, const std::string& key, std::uint32_t first, std::uint32_t second) {
  for (auto& e : file.entries)
    if (e.key == key) e = {key, 9, raw(4u) + raw(std::uint64_t{2}) + raw(first) + raw(second)};
}

struct refusal {
  std::function<void(gguf_file&)> change;
  const char* text;
};

}  // namespace

TEST_CASE("keys of a llama file become the config") {
  auto c = accept(tiny_gguf("llama", 2));
  CHECK(c.arch == architecture::llama);
  CHECK(c.name == "Tiny");
  CHECK(c.layers == 2);
  CHECK(c.hidden == 16);
  CHECK(c.ffn == 8);
  CHECK(c.heads == 4);
  CHECK(c.kv_heads == 2);
  CHECK(c.head_dim == 4);
  CHECK(c.vocab == 10);
  CHECK(c.max_positions == 128);
  CHECK(c.norm_epsilon == 1e-5f);
  CHECK(c.tied_head);
  CHECK_FALSE(c.qkv_bias);
  CHECK(c.rope.theta == 10000);
  CHECK(c.rope.kind == rope_config::scaling::none);
  CHECK(c.eos == std::vector<token_id>{2});
}

TEST_CASE("optional keys of a file are taken") {
  auto file = tiny_gguf("qwen2");
  add_qkv_biases(file);
  file.add_f32("qwen2.rope.freq_base", 1e6f);
  file.add_text("qwen2.rope.scaling.type", "linear");
  file.add_f32("qwen2.rope.scaling.factor", 2);
  file.add_u32("qwen2.vocab_size", 10);
  file.add_u32("qwen2.expert_count", 0);
  file.add_u32("qwen2.attention.sliding_window", 128);
  file.add_u32("tokenizer.ggml.eot_token_id", 3);
  file.add_u32("tokenizer.ggml.eom_token_id", 2);
  set_array(file, "qwen2.attention.head_count", 4, 4);
  auto c = accept(file);
  CHECK(c.arch == architecture::qwen2);
  CHECK(c.heads == 4);
  CHECK(c.qkv_bias);
  CHECK_FALSE(c.o_bias);
  CHECK(c.rope.theta == 1e6);
  CHECK(c.rope.kind == rope_config::scaling::linear);
  CHECK(c.rope.factor == 2);
  CHECK(c.eos == std::vector<token_id>{2, 3});
}

TEST_CASE("a scaling of type none ignores its factor") {
  auto file = tiny_gguf("llama");
  file.add_text("llama.rope.scaling.type", "none");
  file.add_f32("llama.rope.scaling.factor", 2);
  CHECK(accept(file).rope.kind == rope_config::scaling::none);
}

TEST_CASE("a GGUF file that is not served, or wrong, is refused by key") {
  const refusal table[] = {
      {[](auto& f) { f.entries[0].value = gguf_file::text("gpt2"); }, "general.architecture \"gpt2\""},
      {[](auto& f) { f.entries.erase(f.entries.begin()); }, "general.architecture is missing"},
      {[](auto& f) { f.add_text("general.type", "adapter"); }, "general.type is \"adapter\""},
      {[](auto& f) { f.entries.erase(f.entries.begin() + 2); }, "llama.block_count is missing"},
      {[](auto& f) { set(f, "llama.attention.head_count", 0); }, "llama.attention.head_count is not"},
      {[](auto& f) { set(f, "llama.attention.head_count_kv", 3); }, "no multiple of 3"},
      {[](auto& f) { set_array(f, "llama.attention.head_count", 4, 2); },
       "llama.attention.head_count is not"},
      {[](auto& f) { f.add_u32("llama.expert_count", 8); }, "llama.expert_count is 8"},
      {[](auto& f) { f.add_u32("llama.attention.value_length", 8); }, "attention.value_length"},
      {[](auto& f) { f.add_u32("llama.rope.dimension_count", 2); }, "rope.dimension_count"},
      {[](auto& f) { f.add_f32("llama.rope.scaling.factor", 1e-40f); }, "below one millionth"},
      {[](auto& f) { f.add_text("llama.rope.scaling.type", "ntk"); }, "\"ntk\" is not served"},
      {[](auto& f) { f.add_f32("llama.rope.scaling.attn_factor", -1.5f); }, "attn_factor"},
      {[](auto& f) { f.add_f32("llama.rope.scaling.yarn_ext_factor", 0.5f); }, "yarn_ext_factor"},
      {[](auto& f) { f.add_u32("llama.attention.sliding_window_pattern", 2); }, "sliding_window_pattern"},
      {[](auto& f) { f.add_f32("llama.rope.freq_base", -1.0f); }, "llama.rope.freq_base"},
      {[](auto& f) { set(f, "tokenizer.ggml.eos_token_id", 10); }, "10 is outside the vocabulary of 10"},
      {[](auto& f) { f.tensors.erase(f.tensors.begin()); }, "token_embd.weight is missing"},
  };
  for (auto& r : table) {
    INFO(r.text);
    auto file = tiny_gguf("llama");
    r.change(file);
    auto out = read(file);
    REQUIRE_FALSE(out);
    INFO(out.error().text);
    CHECK(out.error().code == errc::bad_model);
    CHECK(out.error().text.find(r.text) != std::string::npos);
  }
}

TEST_CASE("families of GGUF files have their own parts") {
  using widths = std::vector<std::uint32_t>;
  auto llama = tiny_gguf("llama", 2);
  llama.add_u32("llama.attention.sliding_window", 64);
  CHECK(accept(llama).windows == widths{64, 64});
  auto qwen2 = tiny_gguf("qwen2");
  qwen2.add_u32("qwen2.attention.sliding_window", 64);
  auto refused = read(qwen2);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("do not say which layers") != std::string::npos);
  CHECK(accept(tiny_gguf("qwen3")).qk_norm);
  auto gemma = accept(tiny_gguf("gemma"));
  CHECK(gemma.activation == activation_kind::gelu_tanh);
  CHECK(gemma.embedding_scale == 4.0f);
  auto file = tiny_gguf("gemma2", 3);
  file.add_f32("gemma2.attn_logit_softcapping", 20);
  auto gemma2 = accept(file);
  CHECK(gemma2.branch_norms);
  CHECK(gemma2.attention_softcap == 20);
  CHECK(gemma2.logit_softcap == 30);
  CHECK(gemma2.windows == widths{4096, 0, 4096});
  CHECK(gemma2.attention_scale == 0.5f);
  for (auto [layers, width] : {std::pair(45u, 8.0f), {46u, 4.0f}}) {
    auto wide = tiny_gguf("gemma2", layers);
    wide.add_u32("gemma2.attention.key_length", 8);
    CHECK(accept(wide).attention_scale == 1.0f / std::sqrt(width));
  }
  auto phi3 = tiny_gguf("phi3");
  phi3.add_u32("phi3.rope.dimension_count", 2);
  phi3.add_f32("phi3.rope.scaling.attn_factor", 1.19f);
  phi3.add_u32("phi3.rope.scaling.original_context_length", 32);
  auto phi = accept(phi3);
  CHECK(phi.fused);
  CHECK(phi.rotary_dim == 2);
  CHECK(phi.rope.attention_factor == Approx(1.19));
  CHECK(phi.rope.original_max_positions == 32);
}

TEST_CASE("yarn in a GGUF file scales cos and sin as ggml does") {
  auto file = tiny_gguf("qwen2");
  file.add_text("qwen2.rope.scaling.type", "yarn");
  file.add_f32("qwen2.rope.scaling.factor", 4);
  file.add_u32("qwen2.rope.scaling.original_context_length", 64);
  file.add_f32("qwen2.rope.scaling.attn_factor", 0.5f);
  auto rope = accept(file).rope;
  CHECK(rope.kind == rope_config::scaling::yarn);
  CHECK(rope.factor == 4);
  CHECK(rope.original_max_positions == 64);
  CHECK(rope.attention_factor == Approx(0.5 * 1.138629436));
}
