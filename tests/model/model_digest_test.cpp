#include "model/model_digest.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/model/handmade_model.hpp"

using namespace lorica;
using lorica::testing::handmade;
namespace fs = std::filesystem;

namespace {

const fs::path golden = fs::path(LORICA_TEST_DATA) / "golden" / "models";

std::array<std::uint8_t, 32> digest_of_file(const fs::path& path) {
  auto model = open_model(path.string());
  if (!model) FAIL(model.error().text);
  return model_digest(**model);
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("two models have two digests, the same model one, wherever it lies and whatever its name") {
  std::set<std::array<std::uint8_t, 32>> seen;
  const auto models = {"llama-tied-gqa", "llama-untied-bias-f16", "qwen3", "gemma", "phi3"};
  for (auto name : models)
    seen.insert(digest_of_file(golden / name));
  // Its norms are rewritten in memory; so are biases of permuted GGUF files.
  for (auto name : {"llama-gguf-f32", "llama-gguf-q8_0", "gemma-gguf-q8_0"})
    seen.insert(digest_of_file(golden / name / "model.gguf"));
  CHECK(seen.size() == 8);

  scratch_directory elsewhere;
  fs::copy(golden / "gemma", elsewhere.path() / "other-name");
  fs::last_write_time(elsewhere.path() / "other-name" / "model.safetensors", fs::file_time_type::min());
  CHECK(digest_of_file(elsewhere.path() / "other-name") == digest_of_file(golden / "gemma"));
  fs::copy_file(golden / "llama-gguf-f32" / "model.gguf", elsewhere.path() / "copy.gguf");
  CHECK(digest_of_file(elsewhere.path() / "copy.gguf") ==
        digest_of_file(golden / "llama-gguf-f32/model.gguf"));
}

TEST_CASE("one byte of a weight or one number of the config makes another model; an end token does not") {
  scratch_directory changed;
  fs::copy(golden / "llama-tied-gqa", changed.path() / "m");
  const auto before = digest_of_file(changed.path() / "m");
  auto weights = content(changed.path() / "m" / "model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  changed.write("m/model.safetensors", weights);
  CHECK(digest_of_file(changed.path() / "m") != before);
  weights.back() = static_cast<char>(weights.back() ^ 1);
  changed.write("m/model.safetensors", weights);
  CHECK(digest_of_file(changed.path() / "m") == before);

  auto config = content(changed.path() / "m" / "config.json");
  const std::string field = "\"rms_norm_eps\": ";
  auto at = config.find(field);
  REQUIRE(at != std::string::npos);
  auto turned = config;
  turned.insert(at + field.size(), 1, '9');
  changed.write("m/config.json", turned);
  CHECK(digest_of_file(changed.path() / "m") != before);
  changed.write("m/config.json", config);
  changed.write("m/generation_config.json", R"({"eos_token_id": [7]})");
  CHECK(digest_of_file(changed.path() / "m") == before);
}

TEST_CASE("every number of the config counts but the end tokens and the name") {
  using change = std::function<void(model_config&)>;
  const std::vector<change> changes = {[](auto& c) { c.arch = architecture::gemma; },
                                       [](auto& c) { c.layers = 2; },
                                       [](auto& c) { c.hidden = 1; },
                                       [](auto& c) { c.heads = 1; },
                                       [](auto& c) { c.kv_heads = 1; },
                                       [](auto& c) { c.head_dim = 1; },
                                       [](auto& c) { c.rotary_dim = 1; },
                                       [](auto& c) { c.ffn = 1; },
                                       [](auto& c) { c.vocab = 1; },
                                       [](auto& c) { c.max_positions = 1; },
                                       [](auto& c) { c.norm_epsilon = 1e-6f; },
                                       [](auto& c) { c.embedding_scale = 2; },
                                       [](auto& c) { c.attention_scale = 2; },
                                       [](auto& c) { c.attention_softcap = 2; },
                                       [](auto& c) { c.logit_softcap = 2; },
                                       [](auto& c) { c.activation = activation_kind::gelu; },
                                       [](auto& c) { c.tied_head = true; },
                                       [](auto& c) { c.qkv_bias = true; },
                                       [](auto& c) { c.o_bias = true; },
                                       [](auto& c) { c.mlp_bias = true; },
                                       [](auto& c) { c.qk_norm = true; },
                                       [](auto& c) { c.branch_norms = true; },
                                       [](auto& c) { c.fused = true; },
                                       [](auto& c) { c.windows = {0}; },
                                       [](auto& c) { c.windows = {4}; },
                                       [](auto& c) { c.rope.theta = 5; },
                                       [](auto& c) { c.rope.kind = rope_config::scaling::yarn; },
                                       [](auto& c) { c.rope.factor = 5; },
                                       [](auto& c) { c.rope.low_freq_factor = 5; },
                                       [](auto& c) { c.rope.high_freq_factor = 5; },
                                       [](auto& c) { c.rope.original_max_positions = 5; },
                                       [](auto& c) { c.rope.beta_fast = 5; },
                                       [](auto& c) { c.rope.beta_slow = 5; },
                                       [](auto& c) { c.rope.truncate = false; },
                                       [](auto& c) { c.rope.attention_factor = 5; },
                                       [](auto& c) { c.rope.short_factor = {1}; },
                                       [](auto& c) { c.rope.long_factor = {1}; },
                                       [](auto& c) { c.rope.divisors = {1}; }};
  std::set<std::array<std::uint8_t, 32>> seen = {model_digest(handmade())};
  for (auto& change : changes) {
    handmade model;
    change(model.config());
    seen.insert(model_digest(model));
  }
  CHECK(seen.size() == changes.size() + 1);
  handmade model;
  model.config().name = std::string("x");
  model.config().eos = {1, 2};
  CHECK(model_digest(model) == model_digest(handmade()));
}

TEST_CASE("every tensor counts at its ends and at seven places, and by type, shape and row order") {
  std::set<std::array<std::uint8_t, 32>> seen = {model_digest(handmade())};
  std::size_t changes = 1;
  constexpr auto bytes = handmade::bytes_each;
  std::vector<std::size_t> places = {0, 4095, bytes - 4096, bytes - 1};
  for (std::size_t part = 1; part < 8; ++part)
    places.push_back(bytes / 8 * part + 255);
  for (std::size_t i = 0; i < handmade().tensors.size(); ++i) {
    for (auto place : places) {
      handmade model;
      model.bytes[i][place] = std::byte{1};
      seen.insert(model_digest(model));
      ++changes;
    }
    for (auto change : std::vector<std::function<void(tensor_view&)>>{
             [](auto& t) { t.type = tensor_type::f16; }, [](auto& t) { t.rows = 127; },
             [](auto& t) { t.cols = 127; }, [](auto& t) { t.permuted_heads = 4; },
             [](auto& t) { t.bytes = t.bytes.first(16384); }, [](auto& t) { t = {}; }}) {
      handmade model;
      change(*model.tensors[i]);
      seen.insert(model_digest(model));
      ++changes;
    }
  }
  CHECK(seen.size() == changes);
  // What the header says is not noticed.
  handmade model;
  model.bytes[4][5000] = std::byte{1};
  CHECK(model_digest(model) == model_digest(handmade()));
  handmade small;
  small.tensors[4]->bytes = small.tensors[4]->bytes.first(16384);
  const auto before = model_digest(small);
  small.bytes[4][5000] = std::byte{1};
  CHECK(model_digest(small) != before);
}
