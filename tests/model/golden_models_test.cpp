#include <string>
#include <vector>

#include "model/rope.hpp"
#include "model/weights.hpp"
#include "tests/catch.hpp"
#include "tests/model/same_weights.hpp"

using namespace lorica;

namespace {

std::shared_ptr<const model_weights> open(const std::string& name) {
  auto model = open_model(std::string(LORICA_TEST_DATA) + "/golden/models/" + name);
  if (!model) FAIL(name << ": " << model.error().text);
  return *model;
}

}  // namespace

TEST_CASE("a GGUF file and a Hugging Face directory of one model show the same weights") {
  auto directory = open("llama-tied-gqa");
  auto file = open("llama-gguf-f32/model.gguf");
  CHECK(file->config().name == "llama-gguf-f32");
  CHECK(directory->config().name == "llama-tied-gqa");
  check_same_weights(*directory, *file);
  auto& a = directory->config();
  auto& b = file->config();
  CHECK(a.hidden == b.hidden);
  CHECK(a.head_dim == b.head_dim);
  CHECK(a.vocab == b.vocab);
  CHECK(a.tied_head == b.tied_head);
  CHECK(a.norm_epsilon == b.norm_epsilon);
  CHECK(a.rope.theta == b.rope.theta);
  CHECK(a.eos == b.eos);
}

TEST_CASE("quantised files are near the weights they were made of") {
  auto [name, type, tolerance] =
      GENERATE(table<std::string, tensor_type, double>({{"llama-gguf-q8_0", tensor_type::q8_0, 0.01},
                                                        {"llama-gguf-q4_1", tensor_type::q4_1, 0.15},
                                                        {"llama-gguf-q4_0", tensor_type::q4_0, 0.15}}));
  INFO(name);
  auto exact = open("llama-tied-gqa");
  auto stored = open(name + "/model.gguf");
  CHECK(stored->layers()[1].k.type == type);
  const auto a = values_of(exact->layers()[1].k);
  const auto b = values_of(stored->layers()[1].k);
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    size += a[i] * a[i];
  }
  CHECK(error > 0);
  CHECK(error < tolerance * tolerance * size);
}

TEST_CASE("shards and one file, a config of transformers 4 and one of 5, give one model") {
  auto v4 = open("llama-head-dim-llama3-v4");
  auto v5 = open("llama-head-dim-llama3-v5");
  check_same_weights(*v4, *v5);
  CHECK(v4->config().head_dim == 16);
  CHECK(v4->config().hidden == 40);
  CHECK(v4->config().rope.kind == rope_config::scaling::llama3);
  CHECK(v4->config().rope.original_max_positions == 64);
  CHECK(rope_frequencies(v4->config().rope, 16, 512) == rope_frequencies(v5->config().rope, 16, 512));
}

TEST_CASE("biases and stored types are those of the config") {
  auto llama = open("llama-untied-bias-f16");
  CHECK(llama->config().eos == std::vector<token_id>{1, 2});
  CHECK(llama->embedding().type == tensor_type::f16);
  CHECK(llama->head().bytes.data() != llama->embedding().bytes.data());
  auto& layer = llama->layers()[2];
  CHECK(layer.q_bias.cols == 48);
  CHECK(layer.k_bias.cols == 24);
  CHECK(layer.o_bias.cols == 48);
  CHECK(layer.gate_bias.cols == 80);
  CHECK(layer.down_bias.cols == 48);
  CHECK(layer.q_bias.rows == 1);

  auto qwen2 = open("qwen2-bf16");
  CHECK(qwen2->config().arch == architecture::qwen2);
  CHECK(qwen2->embedding().type == tensor_type::bf16);
  CHECK(qwen2->layers()[1].v_bias.cols == 16);
  CHECK_FALSE(qwen2->layers()[1].o_bias);
  CHECK_FALSE(qwen2->layers()[1].gate_bias);
}
