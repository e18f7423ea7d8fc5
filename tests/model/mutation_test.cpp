#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "files/read_file.hpp"
#include "model/hf_config.hpp"
#include "model/rope.hpp"
#include "model/weights.hpp"
#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"
#include "tests/files/json_mutator.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/model/same_weights.hpp"

using namespace lorica;

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t seed = 20'261'124;
constexpr std::size_t rounds = 2'000;

fs::path golden(const std::string& name) {
  return fs::path(LORICA_TEST_DATA) / "golden" / "models" / name;
}

std::string content(const fs::path& path) {
  auto text = read_file(path.string(), 1 << 20);
  if (!text) FAIL(text.error().text);
  return *text;
}

void check_refusal(const error& refusal, const std::string& input) {
  if (refusal.code != errc::bad_model && refusal.code != errc::io)
    FAIL("refused with another code: " << refusal.text << "\n" << input);
  if (refusal.text.empty() || refusal.text.size() > 1'000)
    FAIL("a text of " << refusal.text.size() << " bytes\n" << refusal.text.substr(0, 200));
  if (std::any_of(refusal.text.begin(), refusal.text.end(), [](char c) { return c >= 0 && c < ' '; }))
    FAIL("control characters in " << refusal.text);
}

// What the executor may take for granted.
void check_sound(const model_config& m, const std::string& input) {
  INFO(input);
  REQUIRE(m.heads % m.kv_heads == 0);
  REQUIRE(m.rotary_dim <= m.head_dim);
  REQUIRE(m.rotary_dim % 2 == 0);
  REQUIRE((m.windows.empty() || m.windows.size() == m.layers));
  REQUIRE(std::isfinite(m.attention_scale));
  REQUIRE(std::isfinite(m.norm_epsilon));
  REQUIRE(std::isfinite(m.rope.attention_factor));
  REQUIRE(m.rope.attention_factor > 0);
  for (auto positions : {std::uint32_t{1}, m.max_positions})
    for (auto frequency : rope_frequencies(m.rope, m.rotary_dim, positions))
      if (!std::isfinite(frequency)) FAIL("a rotary frequency is not finite");
  for (auto id : m.eos)
    REQUIRE((id >= 0 && static_cast<std::uint32_t>(id) < m.vocab));
}

const std::vector<std::string> words = {"llama",
                                        "phi3",
                                        "gemma2",
                                        "yarn",
                                        "longrope",
                                        "llama3",
                                        "dynamic",
                                        "rope_type",
                                        "factor",
                                        "head_dim",
                                        "partial_rotary_factor",
                                        "attention_factor",
                                        "mscale",
                                        "original_max_position_embeddings",
                                        "sliding_window",
                                        "layer_types",
                                        "quantization_config",
                                        "a\nb\x1b[0m",
                                        std::string(5'000, 'w')};

}  // namespace

TEST_CASE("a mutated config.json or generation_config.json is refused or means something") {
  INFO("seed " << seed);
  json_mutator random(seed);
  const char* models[] = {"llama-head-dim-llama3-v4", "phi3-longrope", "gemma2", "qwen2-window-yarn",
                          "qwen3-bias-layer-types"};
  std::size_t accepted = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto place = golden(models[round % std::size(models)]);
    auto config = content(place / "config.json");
    auto generation = content(place / "generation_config.json");
    if (random.below(4) == 0)
      generation = random.mutate(generation, words);
    else
      config = random.mutate(config, words);
    INFO("round " << round);
    auto parsed = parse_json(config);
    auto more = parse_json(generation);
    if (!parsed || !more) continue;
    auto read = read_hf_config(*parsed, &*more);
    if (!read) {
      check_refusal(read.error(), config + generation);
      continue;
    }
    ++accepted;
    check_sound(*read, config);
  }
  CHECK(accepted > rounds / 20);
  CHECK(accepted < rounds / 2);
}

TEST_CASE("a mutated model.safetensors.index.json is refused or gives the same weights") {
  INFO("seed " << seed);
  json_mutator random(seed + 1);
  const std::string index = "model.safetensors.index.json";
  scratch_directory scratch;
  fs::copy(golden("llama-head-dim-llama3-v4"), scratch.path() / "model");
  const auto path = (scratch.path() / "model").string();
  auto whole = open_model(path);
  REQUIRE(whole);
  std::vector<std::vector<float>> expected;
  for (auto& t : tensors_of(**whole))
    expected.push_back(values_of(t));
  const auto text = content(golden("llama-head-dim-llama3-v4") / index);
  const std::vector<std::string> names = {"../model-00001-of-00002.safetensors",
                                          "/etc/passwd",
                                          "model-00001-of-00002.safetensors",
                                          "model-00002-of-00002.safetensors",
                                          "weight_map",
                                          "lm_head.weight",
                                          "config.json",
                                          ".safetensors",
                                          "a\\b.safetensors",
                                          "a\nb.safetensors",
                                          std::string(300, 'n') + ".safetensors",
                                          std::string(5'000, 'w')};
  std::size_t accepted = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto mutated = random.mutate(text, names);
    scratch.write("model/" + index, mutated);
    INFO("round " << round);
    auto model = open_model(path);
    if (!model) {
      check_refusal(model.error(), mutated);
      if (model.error().text.find(scratch.path().string()) != std::string::npos)
        FAIL("a directory in " << model.error().text);
      continue;
    }
    ++accepted;
    const auto tensors = tensors_of(**model);
    REQUIRE(tensors.size() == expected.size());
    for (std::size_t i = 0; i < tensors.size(); ++i)
      if (values_of(tensors[i]) != expected[i]) FAIL("tensor " << i << " is another\n" << mutated);
  }
  CHECK(accepted > rounds / 100);
  CHECK(accepted < rounds / 2);
}
