#include "model/hf_config.hpp"

#include <string>

#include "core/json.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

// Members of a llama config that is small and complete; `more` follows and must not repeat them.
std::string llama(const std::string& more) {
  return R"({"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,"vocab_size":320,)"
         R"("num_attention_heads":4)" +
         (more.empty() ? "" : "," + more) + "}";
}
std::string of(const std::string& family, const std::string& more) {
  auto text = llama(more);
  return text.replace(text.find("llama"), 5, family);
}
std::string qwen2(const std::string& more) {
  return of("qwen2", more);
}

result<model_config> read(const std::string& config, const std::string& generation = "") {
  auto parsed = parse_json(config);
  if (!parsed) FAIL(config << ": " << parsed.error().text);
  if (generation.empty()) return read_hf_config(*parsed, nullptr);
  auto more = parse_json(generation);
  REQUIRE(more);
  return read_hf_config(*parsed, &*more);
}

model_config accept(const std::string& config, const std::string& generation = "") {
  auto out = read(config, generation);
  if (!out) FAIL(config << ": " << out.error().text);
  return *out;
}

void check_refused(const std::string& config, const std::string& text) {
  INFO(config);
  auto out = read(config);
  REQUIRE_FALSE(out);
  INFO(out.error().text);
  CHECK(out.error().code == errc::bad_model);
  CHECK(out.error().text.starts_with("config.json: "));
  CHECK(out.error().text.find(text) != std::string::npos);
}

const std::string llama3_fields =
    R"("factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192)";

}  // namespace

TEST_CASE("absent fields of a llama config take transformers' defaults") {
  auto c = accept(llama(""));
  CHECK(c.arch == architecture::llama);
  CHECK(c.layers == 2);
  CHECK(c.hidden == 64);
  CHECK(c.ffn == 96);
  CHECK(c.vocab == 320);
  CHECK(c.heads == 4);
  CHECK(c.kv_heads == 4);
  CHECK(c.head_dim == 16);
  CHECK(c.max_positions == 2048);
  CHECK(c.norm_epsilon == 1e-6f);
  CHECK_FALSE(c.tied_head);
  CHECK_FALSE(c.qkv_bias);
  CHECK_FALSE(c.o_bias);
  CHECK_FALSE(c.mlp_bias);
  CHECK(c.rope.theta == 10000);
  CHECK(c.rope.kind == rope_config::scaling::none);
  CHECK(c.eos == std::vector<token_id>{2});
}

TEST_CASE("absent fields of a qwen2 config take its own defaults, biases included") {
  auto c = accept(qwen2(""));
  CHECK(c.arch == architecture::qwen2);
  CHECK(c.qkv_bias);
  CHECK_FALSE(c.o_bias);
  CHECK_FALSE(c.mlp_bias);
  CHECK(c.max_positions == 32768);
  CHECK(c.eos.empty());
  // Qwen2 has no such fields; a file that sets them changes nothing in transformers either.
  CHECK_FALSE(accept(qwen2(R"("attention_bias":true,"mlp_bias":true)")).o_bias);
}

TEST_CASE("given fields are taken, null counts as absent") {
  auto c = accept(
      llama(R"("num_key_value_heads":2,"head_dim":24,"rms_norm_eps":0.00001,"tie_word_embeddings":true,)"
            R"("attention_bias":true,"mlp_bias":true,"max_position_embeddings":100,"hidden_act":"silu")"));
  CHECK(c.kv_heads == 2);
  CHECK(c.head_dim == 24);
  CHECK(c.norm_epsilon == 1e-5f);
  CHECK(c.tied_head);
  CHECK(c.qkv_bias);
  CHECK(c.o_bias);
  CHECK(c.mlp_bias);
  CHECK(c.max_positions == 100);
  auto n = accept(
      llama(R"("num_key_value_heads":null,"head_dim":null,"rope_scaling":null,"sliding_window":null)"));
  CHECK(n.kv_heads == 4);
  CHECK(n.head_dim == 16);
}

TEST_CASE("rope parameters are read in the shapes of transformers 4 and 5") {
  auto shape = GENERATE(as<std::string>{}, R"("rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3",)",
                        R"("rope_theta":500000,"rope_scaling":{"type":"llama3",)",
                        R"("rope_parameters":{"rope_theta":500000.0,"rope_type":"llama3",)",
                        R"("rope_theta":500000.0,"rope_parameters":{"rope_type":"llama3",)");
  auto rope = accept(llama(shape + llama3_fields + "}")).rope;
  CHECK(rope.theta == 500000);
  CHECK(rope.kind == rope_config::scaling::llama3);
  CHECK(rope.factor == 8);
  CHECK(rope.low_freq_factor == 1);
  CHECK(rope.high_freq_factor == 4);
  CHECK(rope.original_max_positions == 8192);
}

TEST_CASE("rope_parameters win over the fields they replaced") {
  auto rope = accept(llama(R"("rope_theta":1.0,"rope_scaling":{"type":"yarn","factor":2.0},)"
                           R"("rope_parameters":{"rope_type":"linear","factor":4,"rope_theta":20000})"))
                  .rope;
  CHECK(rope.theta == 20000);
  CHECK(rope.kind == rope_config::scaling::linear);
  CHECK(rope.factor == 4);
}

TEST_CASE("end ids of config.json and generation_config.json are united") {
  CHECK(accept(llama(R"("eos_token_id":7)"), R"({"eos_token_id":[9,7,8]})").eos ==
        std::vector<token_id>{7, 9, 8});
  CHECK(accept(llama(R"("eos_token_id":[1,2])")).eos == std::vector<token_id>{1, 2});
  CHECK(accept(llama(""), R"({"eos_token_id":5})").eos == std::vector<token_id>{5});
  CHECK(accept(llama(R"("eos_token_id":null)")).eos.empty());
  auto bad = read(llama(""), R"({"eos_token_id":"</s>"})");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().text == "generation_config.json: eos_token_id is not a token id or a list of them");
}

TEST_CASE("windows that do nothing are ignored") {
  CHECK(read(qwen2(R"("use_sliding_window":false,"sliding_window":16)")));
  CHECK(accept(qwen2(R"("use_sliding_window":true,"sliding_window":16,"max_window_layers":2)"))
            .windows.empty());
  CHECK(accept(of("mistral", R"("sliding_window":null)")).windows.empty());
  CHECK(accept(of("phi3", "")).windows.empty());
  CHECK(read(llama(R"("sliding_window":4096)")));
  CHECK(read(qwen2(R"("layer_types":["full_attention","full_attention"])")));
}

TEST_CASE("windows are given to the layers that have them") {
  using widths = std::vector<std::uint32_t>;
  CHECK(accept(of("mistral", R"("sliding_window":16)")).windows == widths{16, 16});
  CHECK(accept(of("mistral", "")).windows == widths{4096, 4096});
  CHECK(accept(of("phi3", R"("sliding_window":2047)")).windows == widths{2047, 2047});
  CHECK(accept(of("gemma2", "")).windows == widths{4096, 0});
  CHECK(accept(of("gemma2", R"("sliding_window":8,"layer_types":["full_attention","sliding_attention"])"))
            .windows == widths{0, 8});
  const std::string used = R"("use_sliding_window":true,"sliding_window":16,)";
  CHECK(accept(qwen2(used + R"("max_window_layers":1)")).windows == widths{0, 16});
  CHECK(accept(of("qwen3", used + R"("max_window_layers":0)")).windows == widths{16, 16});
  CHECK(accept(qwen2(used + R"("layer_types":["sliding_attention","full_attention"])")).windows ==
        widths{16, 0});
}

TEST_CASE("each family has its own defaults and parts") {
  auto mistral = accept(of("mistral", ""));
  CHECK(mistral.max_positions == 131'072);
  CHECK_FALSE(accept(of("mistral", R"("attention_bias":true)")).qkv_bias);
  auto qwen3 = accept(of("qwen3", R"("attention_bias":true)"));
  CHECK(qwen3.qk_norm);
  CHECK(qwen3.head_dim == 128);
  CHECK(qwen3.qkv_bias);
  CHECK(qwen3.o_bias);
  CHECK(qwen3.eos.empty());
  auto phi3 = accept(of("phi3", ""));
  CHECK(phi3.fused);
  CHECK(phi3.norm_epsilon == 1e-5f);
  CHECK(phi3.eos.empty());  // 32000 is outside this vocabulary
  auto gemma = accept(of("gemma", ""));
  CHECK(gemma.head_dim == 256);
  CHECK(gemma.tied_head);
  CHECK(gemma.eos == std::vector<token_id>{1});
  CHECK(gemma.embedding_scale == 8.0f);
  CHECK(gemma.activation == activation_kind::gelu_tanh);
  CHECK_FALSE(gemma.branch_norms);
  CHECK(gemma.attention_softcap == 0);
  auto gemma2 = accept(of("gemma2", ""));
  CHECK(gemma2.branch_norms);
  CHECK(gemma2.attention_softcap == 50);
  CHECK(gemma2.logit_softcap == 30);
  CHECK(gemma2.attention_scale == 1.0f / 16);
  auto bare = accept(
      of("gemma2",
         R"("attn_logit_softcapping":null,"final_logit_softcapping":12.5,"query_pre_attn_scalar":64)"));
  CHECK(bare.attention_softcap == 0);
  CHECK(bare.logit_softcap == 12.5f);
  CHECK(bare.attention_scale == 0.125f);
}

TEST_CASE("activations are known by transformers' words") {
  auto kind = [](const std::string& text) { return accept(text).activation; };
  for (auto word : {"gelu_pytorch_tanh", "gelu_new", "gelu_fast"})
    CHECK(kind(llama(R"("hidden_act":")" + std::string(word) + "\"")) == activation_kind::gelu_tanh);
  CHECK(kind(llama(R"("hidden_act":"gelu")")) == activation_kind::gelu);
  CHECK(kind(of("gemma", R"("hidden_act":"gelu")")) == activation_kind::gelu_tanh);
  CHECK(kind(of("gemma2", R"("hidden_act":"silu","hidden_activation":"gelu")")) == activation_kind::gelu);
}

TEST_CASE("yarn and longrope are read with what transformers infers") {
  auto yarn = accept(qwen2(R"("rope_theta":1000000.0,"rope_scaling":{"type":"yarn","factor":4.0,)"
                           R"("original_max_position_embeddings":32768})"))
                  .rope;
  CHECK(yarn.kind == rope_config::scaling::yarn);
  CHECK(yarn.factor == 4);
  CHECK(yarn.original_max_positions == 32'768);
  CHECK(yarn.attention_factor == Approx(1.138629436));
  CHECK(accept(llama(R"("rope_scaling":{"rope_type":"yarn","factor":4,"attention_factor":0.5})"))
            .rope.attention_factor == 0.5);
  CHECK(accept(llama(R"("rope_scaling":{"rope_type":"yarn","factor":4,"mscale":2,"mscale_all_dim":2})"))
            .rope.attention_factor == 1);
  const std::string lists = R"("short_factor":[1,1,1,1,1,1,1,1],"long_factor":[2,2,2,2,2,2,2,3])";
  for (auto word : {"longrope", "su", "yarn"}) {
    INFO(word);
    auto rope =
        accept(of("phi3", R"("max_position_embeddings":131072,"original_max_position_embeddings":4096,)"
                          R"("rope_scaling":{"type":")" +
                              std::string(word) + "\"," + lists + "}"))
            .rope;
    CHECK(rope.kind == rope_config::scaling::longrope);
    CHECK(rope.attention_factor == Approx(1.190238).epsilon(1e-6));
    CHECK(rope.original_max_positions == 4096);
    CHECK(rope.long_factor.back() == 3);
  }
  check_refused(of("phi3", R"("rope_scaling":{"type":"longrope","short_factor":[1,1],"long_factor":[1,1]})"),
                "short_factor is not a list of 8 numbers");
  check_refused(of("phi3", R"("rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,1,1,1,0],)"
                           R"("long_factor":[1,1,1,1,1,1,1,1]})"),
                "numbers from 0.000001 on");
  CHECK(accept(of("phi3", R"("partial_rotary_factor":0.75)")).rotary_dim == 12);
  check_refused(of("phi3", R"("partial_rotary_factor":0.2)"), "leaves 3 dimensions");
}

TEST_CASE("what is not served is refused by name") {
  check_refused(R"({"model_type":"gpt2"})", "model_type \"gpt2\" is not served; these are: llama, mistral");
  check_refused(R"({"hidden_size":1})", "model_type is missing");
  check_refused("[]", "is not a JSON object");
  check_refused(llama(R"("architectures":["LlamaForSequenceClassification"])"),
                "LlamaForSequenceClassification");
  check_refused(llama(R"("hidden_act":"relu")"), "hidden_act \"relu\"");
  check_refused(of("gemma2", R"("hidden_activation":"quick_gelu")"), "hidden_activation \"quick_gelu\"");
  check_refused(of("gemma", R"("use_bidirectional_attention":true)"), "use_bidirectional_attention");
  check_refused(llama(R"("quantization_config":{"quant_method":"gptq"})"), "quantization_config");
  check_refused(llama(R"("partial_rotary_factor":0.5)"), "partial_rotary_factor");
  check_refused(llama(R"("rope_parameters":{"rope_theta":1e4,"partial_rotary_factor":0.5})"),
                "partial_rotary_factor");
  for (auto type : {"dynamic", "proportional", "mystery"})
    check_refused(llama(R"("rope_scaling":{"factor":2.0,"type":")" + std::string(type) + "\"}"),
                  "rope_type \"" + std::string(type) + "\"");
  check_refused(llama(R"("rope_parameters":{"full_attention":{"rope_type":"default"}})"), "per layer type");
  check_refused(llama(R"("sliding_window":16)"), "sliding_window 16 is active");
  check_refused(of("gemma", R"("sliding_window":16)"), "sliding_window 16 is active");
  check_refused(qwen2(R"("layer_types":["full_attention","sliding_attention"])"),
                "switched off by use_sliding_window");
  check_refused(qwen2(R"("use_sliding_window":true,"layer_types":["full_attention","sliding_attention"],)"
                      R"("sliding_window":null)"),
                "sliding_window is null");
  check_refused(qwen2(R"("layer_types":["full_attention"])"), "one kind per layer");
  check_refused(qwen2(R"("layer_types":["full_attention","chunked_attention"])"), "layer_types");
  check_refused(of("mistral", R"("sliding_window":0)"), "sliding_window is not a whole number");
}

TEST_CASE("wrong values are refused with the field's name") {
  check_refused(R"({"model_type":"llama","hidden_size":64})", "num_hidden_layers is missing");
  check_refused(llama(R"("num_key_value_heads":0)"), "num_key_value_heads is not a whole number");
  check_refused(llama(R"("num_key_value_heads":3)"), "no multiple of 3 key-value heads");
  check_refused(llama(R"("head_dim":15)"), "head dimension 15 is odd");
  check_refused(llama(R"("head_dim":-16)"), "head_dim");
  check_refused(llama(R"("max_position_embeddings":4294967296)"), "max_position_embeddings");
  check_refused(llama(R"("rms_norm_eps":"small")"), "rms_norm_eps");
  check_refused(llama(R"("tie_word_embeddings":1)"), "tie_word_embeddings is a number");
  check_refused(llama(R"("eos_token_id":-1)"), "eos_token_id");
  check_refused(llama(R"("eos_token_id":320)"), "320 is outside the vocabulary of 320");
  check_refused(llama(R"("rope_theta":0)"), "rope_theta");
  check_refused(llama(R"("rope_scaling":{"rope_type":"llama3"})"), "rope_scaling: factor is missing");
  check_refused(llama(R"("rope_scaling":"llama3")"), "rope_scaling: is a string");
  check_refused(
      llama(R"("rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4})"),
      "high_freq_factor");
}

TEST_CASE("numbers that leave the rotary parameters undefined are refused") {
  const std::string factors = R"("short_factor":[1,1,1,1,1,1,1,1],"long_factor":[1,1,1,1,1,1,1,1])";
  // The logarithm of an original length of 1 is the divisor of the attention factor.
  check_refused(of("phi3", R"("original_max_position_embeddings":1,"rope_scaling":{"type":"longrope",)" +
                               factors + "}"),
                "the attention factor of the rope scaling comes out as inf");
  // Times 16 this is 2^32 + 8, and 8 would be a sound number.
  check_refused(of("phi3", R"("partial_rotary_factor":268435456.5)"),
                "partial_rotary_factor is not a number in its range");
  check_refused(of("phi3", R"("rope_parameters":{"rope_theta":1e4,"partial_rotary_factor":1e12})"),
                "partial_rotary_factor is not a number in its range");
}

TEST_CASE("words of a file are shown cut and without control characters") {
  const std::string word = "a\\n\\u001b" + std::string(1'000'000, 'w');
  for (auto& config :
       {of(word, ""), llama(R"("hidden_act":")" + word + "\""), llama(R"("architectures":[")" + word + "\"]"),
        llama(R"("rope_scaling":{"type":")" + word + "\"}")}) {
    auto out = read(config);
    REQUIRE_FALSE(out);
    INFO(out.error().text);
    CHECK(out.error().text.size() < 400);
    CHECK(out.error().text.find("a??w") != std::string::npos);
  }
}

TEST_CASE("a generation_config.json that is no object is refused") {
  for (auto text : {"[]", "1", "\"eos_token_id\"", "[{\"eos_token_id\":1}]"}) {
    auto out = read(llama(""), text);
    REQUIRE_FALSE(out);
    CHECK(out.error().text == "generation_config.json: is not a JSON object");
  }
}
