#include <algorithm>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/files/gguf_mutator.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/model/sound_model.hpp"
#include "tests/model/tiny_gguf.hpp"

using namespace lorica;

namespace {

constexpr std::uint32_t seed = 20'240'613;
constexpr int rounds = 2'000;

// Counts how often a model opened, and looks at every one that did and at every refusal.
class judge {
 public:
  explicit judge(const scratch_directory& place) : place_(place.path().string()) {}

  void open(const std::string& path, int round) {
    auto model = open_model(path);
    if (!model) return refused(model.error(), round);
    ++accepted_;
    if (auto broken = broken_rule(**model); !broken.empty()) FAIL("round " << round << ": " << broken);
  }

  // Both ways were taken often enough to mean something.
  void check_both_ways() const {
    CHECK(accepted_ > rounds / 20);
    CHECK(accepted_ < rounds * 9 / 10);
  }

 private:
  void refused(const error& e, int round) const {
    const bool printable =
        std::all_of(e.text.begin(), e.text.end(), [](unsigned char c) { return c >= ' '; });
    if ((e.code != errc::bad_model && e.code != errc::io) || e.text.empty() || e.text.size() > 1'500 ||
        !printable || e.text.find(place_) != std::string::npos)
      FAIL("round " << round << ": " << e.text.substr(0, 2'000));
  }

  std::string place_;
  int accepted_ = 0;
};

// Words of the keys and values, and some that should not be there.
const std::vector<std::string> words = {"llama",
                                        "qwen2",
                                        "gemma2",
                                        "phi3",
                                        "linear",
                                        "yarn",
                                        "longrope",
                                        "none",
                                        "model",
                                        "adapter",
                                        "general.architecture",
                                        "general.type",
                                        "general.name",
                                        "general.alignment",
                                        "llama.block_count",
                                        "llama.vocab_size",
                                        "llama.expert_count",
                                        "llama.attention.key_length",
                                        "llama.attention.value_length",
                                        "llama.attention.head_count_kv",
                                        "llama.attention.sliding_window",
                                        "llama.rope.dimension_count",
                                        "llama.rope.freq_base",
                                        "llama.rope.scaling.type",
                                        "llama.rope.scaling.factor",
                                        "llama.rope.scaling.attn_factor",
                                        "llama.rope.scaling.original_context_length",
                                        "llama.rope.scale_linear",
                                        "tokenizer.ggml.eos_token_id",
                                        "tokenizer.ggml.eot_token_id",
                                        "split.no",
                                        "split.count",
                                        "split.tensors.count",
                                        "token_embd.weight",
                                        "output.weight",
                                        "output_norm.weight",
                                        "rope_freqs.weight",
                                        "rope_factors_long.weight",
                                        "blk.0.attn_q.weight",
                                        "blk.0.attn_qkv.weight",
                                        "blk.0.attn_output.bias",
                                        "blk.1.attn_norm.weight",
                                        "",
                                        "\n",
                                        std::string(1, '\0'),
                                        std::string(3'000, 'w')};

// A tiny model with biases, divisors and a head of its own, in as many of the types as its rows allow.
gguf_file rich_gguf(const std::string& arch) {
  auto file = tiny_gguf(arch);
  add_qkv_biases(file);
  file.add_f32_tensor("output.weight", {16, 10}, std::vector<float>(160, 7));
  if (arch == "llama") file.add_f32_tensor("rope_freqs.weight", {2}, {1, 8});
  file.add_f32(arch + ".rope.freq_base", 1e5f);
  file.add_u32(arch + ".rope.dimension_count", 4);
  file.add_u32(arch + ".attention.sliding_window", 128);
  file.add_array("tokenizer.ggml.tokens", 8, 2, gguf_file::text("a") + gguf_file::text("b"));
  return file;
}

}  // namespace

TEST_CASE("a mutated GGUF model is refused or sound") {
  INFO("seed " << seed);
  gguf_mutator random(seed + 4, words);
  scratch_directory scratch;
  judge verdict(scratch);
  const gguf_file files[] = {rich_gguf("llama"), rich_gguf("qwen2"), tiny_gguf("gemma"), tiny_gguf("llama")};
  for (int round = 0; round < rounds; ++round) {
    const auto& whole = files[static_cast<std::size_t>(round) % std::size(files)];
    verdict.open(scratch.write("m.gguf", random.mutate(whole).build()), round);
  }
  verdict.check_both_ways();
}

TEST_CASE("a mutated part of a GGUF model is refused or sound") {
  INFO("seed " << seed);
  gguf_mutator random(seed + 5, {"split.no", "split.count", "split.tensors.count", "token_embd.weight",
                                 "output_norm.weight", "general.alignment", ""});
  std::vector<gguf_file> parts(3);
  parts[0] = rich_gguf("llama");
  for (std::size_t i = 1; i < 3; ++i)
    for (int taken = 0; taken < 5; ++taken) {
      parts[i].tensors.push_back(parts[0].tensors.back());
      parts[0].tensors.pop_back();
    }
  const auto total = parts[0].tensors.size() + 10;
  for (std::size_t i = 0; i < 3; ++i) {
    parts[i].entries.push_back({"split.no", 2, raw(static_cast<std::uint16_t>(i))});
    parts[i].entries.push_back({"split.count", 2, raw(std::uint16_t{3})});
    parts[i].entries.push_back({"split.tensors.count", 5, raw(static_cast<std::int32_t>(total))});
  }
  scratch_directory scratch;
  judge verdict(scratch);
  auto write = [&](std::size_t i, const gguf_file& part) {
    return scratch.write("m-0000" + std::to_string(i + 1) + "-of-00003.gguf", part.build());
  };
  const auto first = write(0, parts[0]);
  write(1, parts[1]);
  write(2, parts[2]);
  REQUIRE(open_model(first));
  for (int round = 0; round < rounds; ++round) {
    const auto which = random.below(3);
    write(which, random.mutate(parts[which]));
    verdict.open(first, round);
    write(which, parts[which]);
  }
  verdict.check_both_ways();
}
