#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "adapters/reader.hpp"
#include "adapters/tensor_names.hpp"
#include "core/json.hpp"
#include "model/weights.hpp"
#include "tests/catch.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

const fs::path golden = fs::path(LORICA_TEST_DATA) / "golden";

model_config base_of(const std::string& model) {
  auto gguf = golden / "models" / model / "model.gguf";
  auto opened = open_model(fs::exists(gguf) ? gguf.string() : (golden / "models" / model).string());
  if (!opened) FAIL(opened.error().text);
  return (*opened)->config();
}

value parsed(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  auto out = parse_json(text);
  if (!out) FAIL(path << ": " << out.error().text);
  return *std::move(out);
}

loaded_adapter load(const fs::path& path, const model_config& base) {
  auto out = read_adapter(path.string(), base, {}, {});
  if (!out) FAIL(path << ": " << out.error().text);
  return *std::move(out);
}

// The 135M model that the examples were trained on.
model_config example_base() {
  model_config base;
  base.name = "Smollm2 135M 8k Lc100K Mix1 Ep2";  // as its converter called it
  base.layers = 30;
  base.hidden = 576;
  base.heads = 9;
  base.kv_heads = 3;
  base.head_dim = 64;
  base.ffn = 1536;
  base.vocab = 49152;
  return base;
}

}  // namespace

TEST_CASE("every adapter that PEFT wrote loads with PEFT's ranks and scalings") {
  auto expected = parsed(golden / "adapter_modules.json");
  REQUIRE(expected.as_object());
  CHECK(expected.as_object()->size() >= 40);
  for (auto& [name, modules] : *expected.as_object()) {
    INFO(name);
    auto read = load(golden / "adapters" / name, base_of(name.substr(0, name.find('/'))));
    REQUIRE(read.weights.sites.size() == modules.as_object()->size());
    for (auto& found : read.coverage.modules) {
      auto path = module_path(found.where == projection::head ? "" : "model.", found.layer, found.where);
      INFO(path);
      auto said = modules.find(path);
      REQUIRE(said);
      CHECK(found.rank == said->find("rank")->number());
      CHECK(found.scaling == static_cast<float>(said->find("scaling")->number()));
      CHECK(found.norm_a == Approx(said->find("norm_a")->number()).epsilon(1e-6));
      CHECK(found.norm_b == Approx(said->find("norm_b")->number()).epsilon(1e-6));
      auto size = std::abs(double{found.scaling}) * found.norm_a * found.norm_b;
      CHECK(found.norm_update ==
            Approx(said->find("norm_update")->number()).epsilon(1e-5).margin(1e-6 * size));
      auto bias = said->find("norm_bias"), magnitude = said->find("norm_magnitude");
      CHECK(found.norm_bias == Approx(bias ? bias->number() : 0).epsilon(1e-9));
      CHECK(found.norm_magnitude == Approx(magnitude ? magnitude->number() : 0).epsilon(1e-9));
      CHECK(found.dora == (magnitude != nullptr));
      CHECK(found.zero_effect() == (name.find("zero-b") != std::string::npos));
    }
  }
}

TEST_CASE("golden adapters have a version each, and loading one again finds the same") {
  std::set<adapter_version> versions;
  std::size_t adapters = 0;
  auto base = base_of("llama-tied-gqa");
  for (auto& entry : fs::directory_iterator(golden / "adapters" / "llama-tied-gqa")) {
    auto first = load(entry.path(), base);
    CHECK(load(entry.path(), base).weights.version == first.weights.version);
    versions.insert(first.weights.version);
    ++adapters;
  }
  CHECK(adapters >= 14);
  CHECK(versions.size() == adapters);
}

TEST_CASE("a version is the hash that the documents describe") {
  // Computed from the files by another program.
  auto base = base_of("llama-tied-gqa");
  auto version = [&](const char* adapter) {
    return load(golden / "adapters" / "llama-tied-gqa" / adapter, base).weights.version.hex();
  };
  CHECK(version("r8-q-v") == "3489c20c94688b69f069237a6ffba61ca0f3060db46dc26adf6a9f8b27522be3");
  CHECK(version("saved-head") == "946b52145c94054944435626a8ad930104335ccfb40d048f553ea196af766d5d");
  CHECK(version("dora") == "d76e06c6208968445e4c007f685265f64d738c00ef794f2dc453ed0097f86dbb");
  CHECK(version("lora-bias") == "bb714d3f748ef957afeac7eb9c9adc10e77f31291494168a52715e2270721d70");
}

TEST_CASE("an adapter for another model is refused") {
  auto read = read_adapter((golden / "adapters" / "llama-tied-gqa" / "all-linear").string(),
                           base_of("llama-head-dim-llama3-v4"), {}, {});
  REQUIRE_FALSE(read);
  CHECK(read.error().reason == "shape_mismatch");
}

TEST_CASE("the example adapters load for the default model without a warning") {
  std::size_t adapters = 0;
  for (auto& entry : fs::directory_iterator(fs::path(LORICA_SOURCE_DIR) / "examples" / "adapters")) {
    if (!entry.is_directory()) continue;
    INFO(entry.path().filename());
    auto config = parsed(entry.path() / "adapter_config.json");
    auto read = load(entry.path(), example_base());
    ++adapters;
    CHECK(read.warnings.empty());
    CHECK(read.coverage.zero_effect_modules == 0);
    auto rank = config.find("r")->number();
    auto root = *config.find("use_rslora")->as_bool() ? std::sqrt(rank) : rank;
    for (auto& module : read.coverage.modules) {
      CHECK(module.rank == rank);
      CHECK(module.scaling == static_cast<float>(config.find("lora_alpha")->number() / root));
    }
  }
  CHECK(adapters >= 1);
}
