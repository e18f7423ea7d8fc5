#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr const char* q0 = "base_model.model.model.layers.0.self_attn.q_proj.";

struct row {
  const char* what;
  const char* reason;
  const char* says;
  std::function<void(fixture_adapter&)> spoil;
};

std::function<void(fixture_adapter&)> field(std::string key, std::string text) {
  return [=](fixture_adapter& adapter) { adapter.config[key] = text; };
}

std::function<void(fixture_adapter&)> extra(std::string name, std::vector<std::uint64_t> shape) {
  return [=](fixture_adapter& adapter) { adapter.tensors.push_back(filled_tensor(name, shape, 1)); };
}

std::function<void(fixture_adapter&)> poison(std::string tensor, std::size_t element, float number) {
  return [=](fixture_adapter& adapter) {
    std::memcpy(adapter.tensor(tensor).bytes.data() + 4 * element, &number, sizeof number);
  };
}

std::function<void(fixture_adapter&)> shape(std::string tensor, std::vector<std::uint64_t> sizes) {
  return [=](fixture_adapter& adapter) {
    auto& t = adapter.tensor(tensor);
    t = filled_tensor(t.name, sizes, 1);
  };
}

std::function<void(fixture_adapter&)> stored_as(std::string dtype, std::size_t width) {
  return [=](fixture_adapter& adapter) {
    auto& t = adapter.tensors.front();
    t.dtype = dtype;
    t.bytes.assign(4 * 16 * width, '\0');
  };
}

std::function<void(fixture_adapter&)> without(std::string tensor) {
  return [=](fixture_adapter& adapter) {
    std::erase_if(adapter.tensors, [&](auto& t) { return t.name.find(tensor) != std::string::npos; });
  };
}

const row bad_adapters[] =
    {
        // What kind of adapter it is.
        {"another method", "unsupported_peft_type", "peft_type is \"ADALORA\"; only \"LORA\"",
         field("peft_type", "\"ADALORA\"")},
        {"a method that is no string", "unsupported_peft_type", "peft_type is 3", field("peft_type", "3")},
        {"no method", "bad_config", "peft_type is missing", field("peft_type", "null")},
        {"another task", "unsupported_task_type", "task_type is \"SEQ_CLS\"",
         field("task_type", "\"SEQ_CLS\"")},
        {"all biases", "unsupported_bias", "bias is \"all\"", field("bias", "\"all\"")},
        {"biases of adapted modules", "unsupported_bias", "bias is \"lora_only\"",
         field("bias", "\"lora_only\"")},
        {"biases of lora_B that are promised only", "missing_tensor",
         "lora_bias of adapter_config.json is true, but the module of tensor "
         "base_model.model.model.layers.0.self_attn.q_proj",
         field("lora_bias", "true")},
        {"a lora_bias that is a word", "bad_config", "lora_bias is \"all\"; it must be true or false",
         field("lora_bias", "\"all\"")},
        {"magnitudes that are promised only", "missing_tensor",
         "use_dora of adapter_config.json is true, but the module of tensor "
         "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight has no lora_magnitude_vector",
         field("use_dora", "true")},
        {"a use_dora that is a number", "bad_config", "use_dora is 1; it must be true or false",
         field("use_dora", "1")},
        {"biases beside DoRA", "unsupported_bias", "lora_bias is true beside use_dora",
         [](fixture_adapter& adapter) {
           add_biases(adapter);
           add_magnitudes(adapter);
         }},
        {"full modules that are not there", "missing_tensor",
         "saves model.embed_tokens, but the file has no copy",
         field("modules_to_save", R"(["lm_head","embed_tokens"])")},
        {"full modules of layers", "unsupported_modules_to_save",
         "modules_to_save is [lm_head, input_layernorm]; full copies are served of embed_tokens and lm_head "
         "only",
         field("modules_to_save", R"(["lm_head","input_layernorm"])")},
        {"full modules as a word", "bad_config", "modules_to_save is \"lm_head\"",
         field("modules_to_save", "\"lm_head\"")},
        {"tied adapters", "unsupported_field",
         "ensure_weight_tying is true and model.embed_tokens is adapted",
         [](fixture_adapter& adapter) {
           add_outer(adapter);
           adapter.config["ensure_weight_tying"] = "true";
         }},
        {"biases of an embedding", "unsupported_bias", "which embed_tokens cannot have",
         [](fixture_adapter& adapter) {
           add_outer(adapter);
           add_biases(adapter);
         }},
        {"DoRA on an embedding", "unsupported_dora", "leave embed_tokens out",
         [](fixture_adapter& adapter) {
           add_outer(adapter);
           add_magnitudes(adapter);
         }},
        {"modules that are both", "bad_config", "module model.embed_tokens is both adapted and a full copy",
         [](fixture_adapter& adapter) {
           add_outer(adapter);
           add_copies(adapter);
         }},
        {"a copy of the base beside nothing", "unsupported_modules_to_save", "which is not adapted",
         extra("base_model.model.lm_head.base_layer.weight", {32, 16})},
        {"a copy of other rows", "shape_mismatch", "lm_head.weight has the shape [33, 16], expected [32, 16]",
         [](fixture_adapter& adapter) {
           add_copies(adapter);
           shape("lm_head.weight", {33, 16})(adapter);
         }},
        {"a copy of base rows that were added", "shape_mismatch",
         "expected [32, 16] (tokens and width of the base)",
         [](fixture_adapter& adapter) {
           add_outer(adapter);
           extra("base_model.model.lm_head.base_layer.weight", {40, 16})(adapter);
         }},
        {"NaN in a copy", "non_finite_weights", "embed_tokens.weight holds NaN at element 511",
         [](fixture_adapter& adapter) {
           add_copies(adapter);
           poison("embed_tokens.weight", 511, std::nanf(""))(adapter);
         }},
        {"a head that is targeted only", "missing_tensor", "targets lm_head",
         field("target_modules", R"(["q_proj","v_proj","lm_head"])")},
        {"an embedding that is targeted only", "missing_tensor", "targets model.embed_tokens",
         field("target_modules", R"x(".*(q_proj|v_proj|embed_tokens)")x")},
        {"an embedding of more tokens", "shape_mismatch",
         "lora_embedding_A has the shape [4, 33], expected [4, 32]",
         [](fixture_adapter& adapter) {
           add_outer(adapter);
           shape("lora_embedding_A", {4, 33})(adapter);
         }},
        {"matrices of a linear map for an embedding", "unsupported_module",
         "module model.embed_tokens is adapted",
         extra("base_model.model.model.embed_tokens.lora_A.weight", {4, 32})},
        {"matrices of an embedding for a head", "unsupported_module", "module lm_head is adapted",
         extra("base_model.model.lm_head.lora_embedding_A", {4, 16})},
        {"an embedding elsewhere", "unsupported_module", "vision.embed_tokens",
         extra("base_model.model.vision.embed_tokens.lora_embedding_A", {4, 32})},
        {"pissa", "unsupported_init", "init_lora_weights is \"pissa_niter_16\"",
         field("init_lora_weights", "\"pissa_niter_16\"")},
        {"olora", "unsupported_init", "\"OLoRA\"", field("init_lora_weights", "\"OLoRA\"")},
        {"corda", "unsupported_init", "\"corda\"", field("init_lora_weights", "\"corda\"")},
        {"loftq", "unsupported_init", "\"loftq\"", field("init_lora_weights", "\"loftq\"")},
        {"lora_ga", "unsupported_init", "\"lora_ga\"", field("init_lora_weights", "\"lora_ga\"")},
        {"an unknown initialiser", "unsupported_init", "\"mica\"", field("init_lora_weights", "\"mica\"")},
        {"layer replication", "unsupported_field", "layer_replication",
         field("layer_replication", "[[0,1],[0,2]]")},
        {"trainable tokens", "unsupported_field", "trainable_token_indices",
         field("trainable_token_indices", "[1,2]")},
        {"parameters of experts", "unsupported_field", "target_parameters",
         field("target_parameters", R"(["mlp.w"])")},
        {"activated LoRA", "unsupported_field", "alora_invocation_tokens",
         field("alora_invocation_tokens", "[5]")},
        {"QALoRA", "unsupported_field", "use_qalora is true", field("use_qalora", "true")},
        {"block-diagonal LoRA", "unsupported_field", "use_bdlora", field("use_bdlora", R"({"nblocks":2})")},
        {"arrow", "unsupported_field", "arrow_config", field("arrow_config", R"({"top_k":1})")},
        {"KaSA", "unsupported_field", "kasa_config", field("kasa_config", R"({"beta":1})")},
        {"Megatron", "unsupported_field", "megatron_config", field("megatron_config", R"({"x":1})")},
        {"a variant from the future", "unsupported_field", "use_newlora is true",
         field("use_newlora", "true")},

        // The numbers and patterns of the config.
        {"no rank", "bad_config", "r is missing", field("r", "null")},
        {"rank 0", "bad_config", "r is 0; it must be a whole number >= 1", field("r", "0")},
        {"a negative rank", "bad_config", "r is -4", field("r", "-4")},
        {"a broken rank", "bad_config", "r is number", field("r", "4.5")},
        {"a rank of words", "bad_config", "r is \"4\"", field("r", "\"4\"")},
        {"a rank beyond 32 bits", "bad_config", "r is 4294967300", field("r", "4294967300")},
        {"no alpha", "bad_config", "lora_alpha is missing", field("lora_alpha", "null")},
        {"an alpha of words", "bad_config", "lora_alpha is \"8\"", field("lora_alpha", "\"8\"")},
        {"a scaling that overflows", "bad_config", "overflows", field("lora_alpha", "1e60")},
        {"rsLoRA as a word", "bad_config", "use_rslora is \"yes\"", field("use_rslora", "\"yes\"")},
        {"targets that are a number", "bad_config", "target_modules is 7", field("target_modules", "7")},
        {"a target that is a number", "bad_config", "target_modules is 7",
         field("target_modules", "[\"q_proj\",7]")},
        {"targets that do not compile", "bad_config", "target_modules holds \"(q_proj\"",
         field("target_modules", "\"(q_proj\"")},
        {"exclusions that do not compile", "bad_config", "exclude_modules holds \"[\"",
         field("exclude_modules", "\"[\"")},
        {"a rank pattern that does not compile", "bad_config", "rank_pattern holds \"*q\"",
         field("rank_pattern", R"({"*q":4})")},
        {"an alpha pattern that does not compile", "bad_config", "alpha_pattern holds \"q(\"",
         field("alpha_pattern", R"({"q(":4})")},
        {"a rank pattern without an object", "bad_config", "rank_pattern is [number]",
         field("rank_pattern", "[3]")},
        {"rank 0 by pattern", "bad_config", "rank_pattern[q_proj] is 0",
         field("rank_pattern", R"({"q_proj":0})")},
        {"an alpha by pattern that is null", "bad_config", "alpha_pattern[q_proj] is null",
         field("alpha_pattern", R"({"q_proj":null})")},
        {"a pattern that never ends", "bad_config", "needs too many steps",
         field("target_modules", R"x("([a-z0-9._]+)*[!-]")x")},
        {"layers beside a pattern", "bad_config", "layers_to_transform is set beside",
         [](fixture_adapter& adapter) {
           adapter.config["target_modules"] = "\".*_proj\"";
           adapter.config["layers_to_transform"] = "[0]";
         }},
        {"a negative layer", "bad_config", "layers_to_transform is -1", field("layers_to_transform", "[-1]")},
        {"a layers pattern that does not compile", "bad_config", "layers_pattern holds \"(\"",
         [](fixture_adapter& adapter) {
           adapter.config["layers_to_transform"] = "[0]";
           adapter.config["layers_pattern"] = "\"(\"";
         }},

        // Names.
        {"an unknown name", "unknown_tensor", "tensor foo.bar is not known", extra("foo.bar", {1})},
        {"an MLX name", "unknown_tensor", "as MLX does",
         extra("model.layers.0.self_attn.q_proj.lora_a", {16, 4})},
        {"a suffix that is not known", "unknown_tensor", "lora_A.extra.part.weight",
         extra(std::string(q0) + "lora_A.extra.part.weight", {4, 16})},
        {"a module outside the targets", "unknown_tensor", "target_modules, exclude_modules",
         [](fixture_adapter& adapter) {
           add_module(adapter, "model.layers.0.self_attn.k_proj", 4, 16, 8, 1);
         }},
        {"an excluded module", "unknown_tensor", "do not select", field("exclude_modules", R"(["v_proj"])")},
        {"a layer outside the layers", "unknown_tensor", "layers.1.self_attn.q_proj",
         field("layers_to_transform", "0")},
        {"a head outside the targets", "unknown_tensor",
         "lm_head.lora_A.weight is for a module that target_modules",
         [](fixture_adapter& adapter) { add_module(adapter, "lm_head", 4, 16, 32, 1); }},
        {"half of an embedding", "unpaired_tensor", "lora_B of model.embed_tokens is missing",
         extra("base_model.model.model.embed_tokens.lora_embedding_A", {4, 32})},
        {"a fused projection", "unsupported_module", "qkv_proj",
         [](fixture_adapter& adapter) {
           add_module(adapter, "model.layers.0.self_attn.qkv_proj", 4, 16, 32, 1);
         }},
        {"a projection in the wrong block", "unsupported_module", "mlp.q_proj",
         [](fixture_adapter& adapter) { add_module(adapter, "model.layers.0.mlp.q_proj", 4, 16, 16, 1); }},
        {"a vision tower", "unsupported_module", "vision_tower",
         [](fixture_adapter& adapter) {
           add_module(adapter, "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", 4, 16, 16, 1);
         }},
        {"DoRA's magnitudes", "unsupported_dora",
         "lora_magnitude_vector is there, but use_dora of adapter_config.json is not true",
         extra(std::string(q0) + "lora_magnitude_vector", {16})},
        {"a bias of lora_B in the file", "unsupported_bias",
         "lora_B.bias is there, but lora_bias of adapter_config.json is not true",
         extra(std::string(q0) + "lora_B.bias", {16})},
        {"a magnitude of more parts", "unknown_tensor", "lora_magnitude_vector.default.bias",
         extra(std::string(q0) + "lora_magnitude_vector.default.bias", {16})},
        {"magnitudes of inputs", "shape_mismatch",
         "lora_magnitude_vector has the shape [16, 1], expected [16]",
         [](fixture_adapter& adapter) {
           add_magnitudes(adapter);
           shape("0.self_attn.q_proj.lora_magnitude_vector", {16, 1})(adapter);
         }},
        {"an infinite magnitude", "non_finite_weights",
         "v_proj.lora_magnitude_vector holds infinity at element 7",
         [](fixture_adapter& adapter) {
           add_magnitudes(adapter);
           poison("1.self_attn.v_proj.lora_magnitude_vector", 7, HUGE_VALF)(adapter);
         }},
        {"two spellings of one magnitude", "duplicate_tensor", "the same factor",
         [](fixture_adapter& adapter) {
           add_magnitudes(adapter);
           extra(std::string(q0) + "lora_magnitude_vector.default.weight", {16})(adapter);
         }},
        {"a bias of lora_A", "unsupported_bias", "lora_A.bias is a bias of lora_A, which no LoRA has",
         extra(std::string(q0) + "lora_A.bias", {4})},
        {"biases of another length", "shape_mismatch", "v_proj.lora_B.bias has the shape [9], expected [8]",
         [](fixture_adapter& adapter) {
           add_biases(adapter);
           shape("1.self_attn.v_proj.lora_B.bias", {9})(adapter);
         }},
        {"NaN in a bias", "non_finite_weights", "q_proj.lora_B.bias holds NaN at element 15",
         [](fixture_adapter& adapter) {
           add_biases(adapter);
           poison("0.self_attn.q_proj.lora_B.bias", 15, std::nanf(""))(adapter);
         }},
        {"one bias that is missing", "missing_tensor",
         "layers.1.self_attn.v_proj.lora_A.weight has no lora_B.bias",
         [](fixture_adapter& adapter) {
           add_biases(adapter);
           without("1.self_attn.v_proj.lora_B.bias")(adapter);
         }},
        {"a bias in the file", "unsupported_bias", "is a bias", extra(std::string(q0) + "bias", {16})},
        {"a bias under the base layer", "unsupported_bias", "is a bias",
         extra(std::string(q0) + "base_layer.bias", {16})},
        {"a full module in the file", "unsupported_modules_to_save",
         "that modules_to_save of adapter_config.json does not name",
         extra("base_model.model.lm_head.weight", {32, 16})},
        {"a full module of a layer", "unsupported_modules_to_save", "served of embed_tokens and lm_head only",
         extra("base_model.model.model.layers.0.input_layernorm.weight", {16})},
        {"trained tokens in the file", "unsupported_field", "trainable_token_indices",
         extra("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", {2, 16})},
        {"KaSA's diagonal in the file", "unsupported_field", "kasa_config",
         extra(std::string(q0) + "lora_diag", {4})},
        {"a layer that the base lacks", "base_mismatch", "is for layer 2, the base has 2 layers",
         [](fixture_adapter& adapter) {
           add_module(adapter, "model.layers.2.self_attn.q_proj", 4, 16, 16, 1);
         }},
        {"a layer with two spellings", "unsupported_module", "layers.01.",
         [](fixture_adapter& adapter) {
           add_module(adapter, "model.layers.01.self_attn.q_proj", 4, 16, 16, 1);
         }},
        {"two spellings of one tensor", "duplicate_tensor", "the same factor",
         extra("model.layers.0.self_attn.q_proj.lora_A.weight", {4, 16})},
        {"B without A", "unpaired_tensor", "lora_A of model.layers.1.self_attn.v_proj is missing",
         without("layers.1.self_attn.v_proj.lora_A")},
        {"A without B", "unpaired_tensor", "lora_B of model.layers.0.self_attn.q_proj is missing",
         without("layers.0.self_attn.q_proj.lora_B")},
        {"a target without tensors", "missing_tensor", "targets model.layers.1.self_attn.v_proj",
         without("layers.1.self_attn.v_proj")},
        {"no tensors", "missing_tensor", "no LoRA tensor", without("")},

        // Shapes, types and numbers.
        {"too many inputs", "shape_mismatch", "q_proj.lora_A.weight has the shape [4, 17], expected [4, 16]",
         shape("0.self_attn.q_proj.lora_A", {4, 17})},
        {"a transposed A", "shape_mismatch", "expected [4, 16]", shape("0.self_attn.q_proj.lora_A", {16, 4})},
        {"outputs of another module", "shape_mismatch",
         "v_proj.lora_B.weight has the shape [16, 4], expected [8, 4]",
         shape("0.self_attn.v_proj.lora_B", {16, 4})},
        {"a rank of B that is not A's", "shape_mismatch", "[16, 3], expected [16, 4]",
         shape("0.self_attn.q_proj.lora_B", {16, 3})},
        {"a rank that is not the config's", "shape_mismatch", "the rank that adapter_config.json gives",
         field("r", "5")},
        {"a rank that is not the pattern's", "shape_mismatch", "expected [2, 16]",
         field("rank_pattern", R"({"v_proj":2})")},
        {"rank 0 in the file", "shape_mismatch", "[0, 16], expected [4, 16]",
         shape("0.self_attn.q_proj.lora_A", {0, 16})},
        {"one dimension", "shape_mismatch", "[64], expected [4, 16]",
         shape("0.self_attn.q_proj.lora_A", {64})},
        {"three dimensions", "shape_mismatch", "[1, 4, 16], expected [4, 16]",
         shape("0.self_attn.q_proj.lora_A", {1, 4, 16})},
        {"a rank above the limit", "rank_too_large", "LoRA rank 9 is greater than max_lora_rank 8.",
         [](fixture_adapter& adapter) {
           adapter.tensors.clear();
           adapter.config["r"] = "9";
           add_module(adapter, "model.layers.0.self_attn.q_proj", 9, 16, 16, 1);
         }},
        {"float64", "unsupported_dtype", "stored as F64; served are F32, F16 and BF16", stored_as("F64", 8)},
        {"float8", "unsupported_dtype", "stored as F8_E4M3", stored_as("F8_E4M3", 1)},
        {"integers", "unsupported_dtype", "stored as I32", stored_as("I32", 4)},
        {"NaN in the last element", "non_finite_weights",
         "1.self_attn.v_proj.lora_B.weight holds NaN at element 31",
         poison("1.self_attn.v_proj.lora_B", 31, std::nanf(""))},
        {"infinity in A", "non_finite_weights", "holds infinity at element 0",
         poison("0.self_attn.q_proj.lora_A", 0, -HUGE_VALF)},
        {"infinity in A beside a B of zeros", "non_finite_weights", "holds infinity",
         [](fixture_adapter& adapter) {
           shape("0.self_attn.q_proj.lora_B", {16, 4})(adapter);
           auto& b = adapter.tensor("0.self_attn.q_proj.lora_B");
           b.bytes.assign(b.bytes.size(), '\0');
           poison("0.self_attn.q_proj.lora_A", 3, HUGE_VALF)(adapter);
         }},
        {"a float16 infinity", "non_finite_weights", "holds infinity at element 1",
         [](fixture_adapter& adapter) {
           stored_as("F16", 2)(adapter);
           adapter.tensors.front().bytes[3] = '\x7c';
         }},
};

}  // namespace

TEST_CASE("every bad adapter is refused with its word and says what would work") {
  for (const auto& bad : bad_adapters) {
    INFO(bad.what);
    auto adapter = good_adapter();
    bad.spoil(adapter);
    auto read = read_back(adapter, {.max_rank = 8});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::bad_adapter);
    CHECK(read.error().reason == bad.reason);
    CHECK_THAT(read.error().text, Catch::Contains(bad.says));
    CHECK(read.error().text.find("/tmp") == std::string::npos);
  }
}

TEST_CASE("settings that are off are not refused") {
  for (auto [key, text] : {std::pair{"use_dora", "false"},
                           {"use_dora", "null"},
                           {"modules_to_save", "[]"},
                           {"layer_replication", "null"},
                           {"trainable_token_indices", "{}"},
                           {"use_bdlora", "null"},
                           {"use_newlora", "false"},
                           {"rank_pattern", "{}"},
                           {"exclude_modules", "[]"},
                           {"layers_to_transform", "[]"},
                           {"layers_pattern", "\"\""},
                           {"bias", "null"},
                           {"task_type", "null"},
                           {"init_lora_weights", "false"},
                           {"init_lora_weights", "\"gaussian\""},
                           {"init_lora_weights", "\"EVA\""},
                           {"qalora_group_size", "16"},
                           {"megatron_core", "\"megatron.core\""},
                           {"fan_in_fan_out", "true"},
                           {"lora_alpha", "0"},
                           {"lora_alpha", "-3.5"},
                           {"loftq_config", "{}"}}) {
    INFO(key << " " << text);
    auto adapter = good_adapter();
    adapter.config[key] = text;
    auto read = read_back(adapter);
    if (!read) FAIL(read.error().text);
  }
}

TEST_CASE("files that are not what they should be are refused") {
  scratch_directory place;
  auto adapter = good_adapter();
  auto image = safetensors_image(adapter.tensors);
  auto reason = [&](std::string_view config, std::string_view weights) {
    place.write("adapter_config.json", config);
    place.write("adapter_model.safetensors", weights);
    auto read = read_adapter(place.path(), fixture_base(), {}, {});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::bad_adapter);
    return read.error().reason;
  };
  auto config = adapter.config_text();
  CHECK(reason("", image) == "bad_config");
  CHECK(reason("{", image) == "bad_config");
  CHECK(reason("[]", image) == "bad_config");
  CHECK(reason(config + "x", image) == "bad_config");
  CHECK(reason(R"({"r":1,"r":2})", image) == "bad_config");
  CHECK(reason("\xef\xbb\xbf" + config.substr(0, 5), image) == "bad_config");
  CHECK(reason(std::string(100'000, '['), image) == "bad_config");
  CHECK(reason(config, "") == "bad_safetensors");
  CHECK(reason(config, image.substr(0, 7)) == "bad_safetensors");
  CHECK(reason(config, image.substr(0, image.size() - 1)) == "bad_safetensors");
  CHECK(reason(config, image + '\0') == "bad_safetensors");
  CHECK(reason(config, std::string(8, '\xff')) == "bad_safetensors");
  CHECK(reason(config, "GGUF" + std::string(100, '\0')) == "bad_safetensors");
  CHECK(reason(config, std::string("PK\x03\x04\x14\0\0\0\0\0\0\0", 12)) == "pickle_refused");
  CHECK(reason(config, std::string("\x80\x02}q\0X\x04\0\0\0", 10)) == "pickle_refused");
  CHECK(reason(config, "\x80\x04N.") == "pickle_refused");
}

TEST_CASE("a header whose length looks like a pickle is still read") {
  // 640 is 80 02 as a length; the brace after it tells.
  auto adapter = good_adapter();
  auto image = safetensors_image(adapter.tensors);
  auto length = static_cast<unsigned char>(image[0]) + 256u * static_cast<unsigned char>(image[1]);
  std::uint64_t wanted = 640;
  while (wanted < length)
    wanted += 65'536;
  auto head = image.substr(8, length);
  head.resize(wanted, ' ');
  std::string padded(8, '\0');
  std::memcpy(padded.data(), &wanted, sizeof wanted);
  REQUIRE(padded.substr(0, 2) == "\x80\x02");
  scratch_directory place;
  place.write("adapter_config.json", adapter.config_text());
  place.write("adapter_model.safetensors", padded + head + image.substr(8 + length));
  CHECK(read_adapter(place.path(), fixture_base(), {}, {}));
}

TEST_CASE("every word of refusal is explained in the documents") {
  auto content = [](const std::string& path) {
    std::ifstream file(std::string(LORICA_SOURCE_DIR) + path);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  auto header = content("/adapters/refusal.hpp");
  auto document = content("/docs/adapters.md");
  std::size_t words = 0;
  for (auto at = header.find("= \""); at != std::string::npos; at = header.find("= \"", at + 1)) {
    auto word = header.substr(at + 3, header.find('"', at + 3) - at - 3);
    INFO(word);
    CHECK(document.find("`" + word + "`") != std::string::npos);
    ++words;
  }
  CHECK(words >= 24);
}
