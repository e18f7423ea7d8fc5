#include "adapters/module_match.hpp"

#include "tests/catch.hpp"

using namespace lorica;

namespace {

adapter_manifest manifest(const std::string& fields) {
  auto out = parse_manifest(R"({"peft_type":"LORA","r":8,"lora_alpha":16)" + fields + "}", 100'000);
  if (!out) FAIL(out.error().text);
  return *std::move(out);
}

module_match match(const std::string& fields) {
  auto out = module_match::compile(manifest(fields));
  if (!out) FAIL(out.error().text);
  return *std::move(out);
}

const std::string q3 = "model.layers.3.self_attn.q_proj";

}  // namespace

TEST_CASE("scalings are those of the LoRA and rsLoRA papers") {
  struct row {
    const char* fields;
    double plain;
    double rs;
  };
  for (auto [fields, plain, rs] :
       {row{R"("r":8,"lora_alpha":16)", 2, 5.656854}, row{R"("r":16,"lora_alpha":32)", 2, 8},
        row{R"("r":64,"lora_alpha":16)", 0.25, 2}, row{R"("r":3,"lora_alpha":-1.5)", -0.5, -0.8660254},
        row{R"("r":5,"lora_alpha":0)", 0, 0}}) {
    INFO(fields);
    auto text = std::string(R"({"peft_type":"LORA",)") + fields;
    auto one = module_match::compile(*parse_manifest(text + "}", 1000));
    auto two = module_match::compile(*parse_manifest(text + R"(,"use_rslora":true})", 1000));
    CHECK(one->scale(q3)->scaling == Approx(plain).epsilon(1e-6));
    CHECK(two->scale(q3)->scaling == Approx(rs).epsilon(1e-6));
  }
}

TEST_CASE("patterns match whole parts at the end of the path, and the first in the file wins") {
  struct row {
    const char* patterns;
    std::uint32_t rank;
  };
  for (auto [patterns, rank] : {
           row{R"({"q_proj":2})", 2},
           row{R"({"proj":2})", 8},
           row{R"({"q":2})", 8},
           row{R"({".*proj":2})", 2},
           row{R"({"self_attn":2})", 8},
           row{R"({"self_attn.q_proj":2})", 2},
           row{R"({"layers.3.self_attn.q_proj":2})", 2},
           row{R"({"layers.[0-2].*":2})", 8},
           row{R"({"layers.[3-5].*":2})", 2},
           row{R"({"model.layers.3.self_attn.q_proj":2})", 2},
           row{R"({"^model.layers.3.self_attn.q_proj":2})", 2},
           row{R"({"^layers.3.self_attn.q_proj":2})", 8},
           row{R"({"^q_proj":2})", 8},
           row{R"({"v_proj|q_proj":2})", 2},
           row{R"({"q_proj":2,"layers.3.self_attn.q_proj":4})", 2},
           row{R"({"layers.3.self_attn.q_proj":4,"q_proj":2})", 4},
           row{R"({"v_proj":2,".*":5,"q_proj":3})", 5},
       }) {
    INFO(patterns);
    CHECK(match(std::string(R"(,"rank_pattern":)") + patterns).scale(q3)->rank == rank);
    CHECK(match(std::string(R"(,"alpha_pattern":)") + patterns).scale(q3)->scaling ==
          (rank == 8 ? 2.0f : static_cast<float>(rank) / 8));
  }
}

TEST_CASE("rsLoRA uses rank and alpha of the module") {
  auto both = match(R"(,"use_rslora":true,"rank_pattern":{"q_proj":16},"alpha_pattern":{"q_proj":32})");
  CHECK(both.scale(q3)->scaling == 8.0f);
  CHECK(both.scale("model.layers.3.self_attn.v_proj")->scaling == Approx(5.656854));
}

TEST_CASE("targets are chosen as PEFT chooses them") {
  struct row {
    const char* fields;
    const char* path;
    std::uint32_t layer;
    bool wanted;
  };
  for (auto [fields, path, layer, wanted] : {
           row{R"(,"target_modules":["q_proj"])", q3.c_str(), 3, true},
           row{R"(,"target_modules":["proj"])", q3.c_str(), 3, false},
           row{R"(,"target_modules":["v_proj"])", q3.c_str(), 3, false},
           row{R"(,"target_modules":["self_attn.q_proj"])", q3.c_str(), 3, true},
           row{R"(,"target_modules":["model.layers.3.self_attn.q_proj"])", q3.c_str(), 3, true},
           row{R"(,"target_modules":"q_proj")", q3.c_str(), 3, false},
           row{R"(,"target_modules":".*q_proj")", q3.c_str(), 3, true},
           row{R"(,"target_modules":".*\\.layers\\.[0-3]\\..*(q|v)_proj")", q3.c_str(), 3, true},
           row{R"(,"target_modules":".*\\.layers\\.[0-2]\\..*(q|v)_proj")", q3.c_str(), 3, false},
           row{R"(,"target_modules":"model.*q_pro")", q3.c_str(), 3, false},
           row{R"(,"target_modules":"all-linear")", q3.c_str(), 3, true},
           row{R"(,"target_modules":"ALL-linear","exclude_modules":["q_proj"])", q3.c_str(), 3, false},
           row{R"(,"target_modules":["q_proj"],"exclude_modules":".*\\.3\\..*")", q3.c_str(), 3, false},
           row{R"(,"target_modules":["q_proj"],"exclude_modules":["k_proj"])", q3.c_str(), 3, true},
           row{R"(,"target_modules":["q_proj"],"layers_to_transform":[1,3])", q3.c_str(), 3, true},
           row{R"(,"target_modules":["q_proj"],"layers_to_transform":2)", q3.c_str(), 3, false},
           row{R"(,"target_modules":["q_proj"],"layers_to_transform":3,"layers_pattern":"layers")",
               q3.c_str(), 3, true},
           row{R"(,"target_modules":["q_proj"],"layers_to_transform":3,"layers_pattern":["h","layers"])",
               q3.c_str(), 3, true},
           row{R"(,"target_modules":["q_proj"],"layers_to_transform":3,"layers_pattern":"h")", q3.c_str(), 3,
               false},
           row{R"(,"target_modules":["model.layers.3.self_attn.q_proj"],"layers_to_transform":1)", q3.c_str(),
               3, true},
           row{R"(,"target_modules":["q_proj"],"layers_to_transform":0,"layers_pattern":"layers")",
               "layers.0.self_attn.q_proj", 0, true},
       }) {
    INFO(fields);
    auto said = match(fields).targets(path, layer);
    REQUIRE(said);
    CHECK(*said == wanted);
  }
  CHECK_FALSE(match("").selective());
  CHECK_FALSE(match(R"(,"target_modules":[])").selective());
}

TEST_CASE("lists in a config are bounded, and so are the warnings about it") {
  std::string patterns = R"(,"rank_pattern":{)";
  std::string unknown;
  for (int i = 0; i < 5000; ++i) {
    patterns += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":1";
    unknown += ",\"key" + std::to_string(i) + "\":1";
  }
  auto start = std::string(R"({"peft_type":"LORA","r":8,"lora_alpha":16)");
  auto many = parse_manifest(start + patterns + "}}", 1'000'000);
  REQUIRE_FALSE(many);
  CHECK_THAT(many.error().text, Catch::Contains("at most 4096"));
  auto warned = parse_manifest(start + unknown + "}", 1'000'000);
  REQUIRE(warned);
  CHECK(warned->warnings.size() == 17);
  CHECK(warned->warnings.back() == "adapter_config.json: 4984 more keys are ignored");
}
