#include "model/weights.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "core/sha256.hpp"
#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"

using namespace lorica;

namespace {

// The last `rows` rows as float32, digested.
std::string digest(const tensor_view& t, std::uint64_t rows) {
  std::vector<float> values(static_cast<std::size_t>(rows * t.cols));
  t.read_rows(t.rows - rows, values);
  sha256 hash;
  hash.update(std::as_bytes(std::span(values)));
  return hex_of(hash.finish());
}

}  // namespace

TEST_CASE("the default model opens with its own sizes") {
  const std::string path = std::string(LORICA_SOURCE_DIR) + "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(path)) {
    WARN("models/SmolLM2-135M-Instruct.Q4_1.gguf is not there (tools/fetch_model gets it): not tested");
    return;
  }
  auto model = open_model(path);
  if (!model) FAIL(model.error().text);
  auto& config = (*model)->config();
  CHECK(config.name == "Smollm2 135M 8k Lc100K Mix1 Ep2");
  CHECK(config.arch == architecture::llama);
  CHECK(config.layers == 30);
  CHECK(config.hidden == 576);
  CHECK(config.heads == 9);
  CHECK(config.kv_heads == 3);
  CHECK(config.head_dim == 64);
  CHECK(config.ffn == 1536);
  CHECK(config.vocab == 49152);
  CHECK(config.max_positions == 8192);
  CHECK(config.norm_epsilon == 1e-5f);
  CHECK(config.rope.theta == 100000);
  CHECK(config.rope.kind == rope_config::scaling::none);
  CHECK(config.tied_head);
  CHECK_FALSE(config.qkv_bias);
  CHECK(config.eos == std::vector<token_id>{2});
  REQUIRE((*model)->layers().size() == 30);
  CHECK((*model)->layers()[29].down.type == tensor_type::q4_1);
  CHECK((*model)->layers()[0].q.permuted_heads == 9);
  CHECK((*model)->layers()[0].k.permuted_heads == 3);
  CHECK((*model)->layers()[0].v.permuted_heads == 0);
  CHECK((*model)->head().bytes.data() == (*model)->embedding().bytes.data());
  // What tools/gguf_reference.py hands to transformers: dequantised, in Hugging Face order.
  auto& last = (*model)->layers()[29];
  auto& q = (*model)->layers()[0].q;
  CHECK(digest(q, q.rows) == "54b377bbfa2deab945dfdba7fb59e0ca3eb74329358bd1b53b635b3ff37c1a56");
  CHECK(digest(last.k, last.k.rows) == "8e99b2450d5f3d53731f52790cc82f80b04341e533306bcfee6669ffa3c79921");
  CHECK(digest(last.down, last.down.rows) ==
        "c19605745425a11e704e305ce3d27b632c406195d39eb3377e9cfb140ac643d1");
  CHECK(digest((*model)->embedding(), 100) ==
        "8c02b58979845aab2e7b8ccf0881843557d263da1b3c8b2d988eee1c08e7fe77");
}
