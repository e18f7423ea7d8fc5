#include <filesystem>
#include <vector>

#include "model/weights.hpp"
#include "tests/catch.hpp"

using namespace lorica;

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
}
