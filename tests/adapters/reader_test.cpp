#include "adapters/reader.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "adapters/base_name.hpp"
#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

std::vector<float> numbers(const fixture_tensor& tensor) {
  std::vector<float> out(tensor.bytes.size() / sizeof(float));
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

// The upper halves of float32 numbers: what bfloat16 is.
fixture_tensor as_bfloat(fixture_tensor tensor) {
  std::string out;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += 4)
    out.append(tensor.bytes, at + 2, 2);
  tensor.dtype = "BF16";
  tensor.bytes = out;
  return tensor;
}

fixture_tensor widened(fixture_tensor tensor) {
  std::string out;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += 2)
    out.append(2, '\0').append(tensor.bytes, at, 2);
  tensor.dtype = "F32";
  tensor.bytes = out;
  return tensor;
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  auto at = text.find(from);
  if (at == std::string::npos) return text;
  std::string out(text, 0, at);
  out.append(to).append(text, at + from.size());
  return out;
}

fixture_adapter renamed(fixture_adapter adapter, const std::string& from, const std::string& to) {
  for (auto& tensor : adapter.tensors)
    tensor.name = replaced(tensor.name, from, to);
  return adapter;
}

}  // namespace

TEST_CASE("a base with fused projections takes them by their names and no others") {
  auto base = fixture_base();
  base.fused = true;
  scratch_directory apart, fused;
  apart.write(good_adapter());
  auto refused = read_adapter(apart.path(), base, {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == "unsupported_module");
  CHECK(refused.error().text.find("served are o_proj, down_proj, qkv_proj, gate_up_proj") !=
        std::string::npos);
  fixture_adapter adapter = good_adapter();
  adapter.tensors.clear();
  adapter.config["target_modules"] = R"(["qkv_proj","gate_up_proj"])";
  for (std::uint32_t layer = 0; layer < 2; ++layer) {
    auto at = "model.layers." + std::to_string(layer);
    add_module(adapter, at + ".self_attn.qkv_proj", 4, 16, 16 + 2 * 8, layer);
    add_module(adapter, at + ".mlp.gate_up_proj", 4, 16, 2 * 24, layer + 2);
  }
  fused.write(adapter);
  auto read = read_adapter(fused.path(), base, {}, {});
  if (!read) FAIL(read.error().text);
  REQUIRE(read->weights.sites.size() == 4);
  CHECK(read->weights.sites[0].where == projection::qkv);
  CHECK(read->weights.sites[0].out == 32);
  CHECK(read->weights.sites[1].where == projection::gate_up);
  CHECK(read->weights.sites[1].out == 48);
}

TEST_CASE("a good adapter is read as it was written, in canonical order") {
  auto adapter = good_adapter();
  auto read = read_back(adapter);
  REQUIRE(read);
  auto& sites = read->weights.sites;
  REQUIRE(sites.size() == 4);
  CHECK(sites[0].layer == 0);
  CHECK(sites[0].where == projection::q);
  CHECK(sites[1].where == projection::v);
  CHECK(sites[2].layer == 1);
  CHECK(sites[0].rank == 4);
  CHECK(sites[0].in == 16);
  CHECK(sites[0].out == 16);
  CHECK(sites[1].out == 8);
  CHECK(sites[0].scaling == 2.0f);
  CHECK(sites[0].a == numbers(adapter.tensor("layers.0.self_attn.q_proj.lora_A")));
  CHECK(sites[0].b == numbers(adapter.tensor("layers.0.self_attn.q_proj.lora_B")));
  CHECK(sites[3].b == numbers(adapter.tensor("layers.1.self_attn.v_proj.lora_B")));
  CHECK(read->warnings.empty());
  CHECK(read->file_bytes == safetensors_image(adapter.tensors).size());
}

TEST_CASE("all seven projections have the shapes of the base") {
  auto adapter = good_adapter();
  adapter.tensors.clear();
  adapter.config["target_modules"] = "\"all-linear\"";
  for (std::uint32_t layer : {0u, 1u}) {
    auto path = "model.layers." + std::to_string(layer);
    add_module(adapter, path + ".self_attn.q_proj", 4, 16, 16, 1);
    add_module(adapter, path + ".self_attn.k_proj", 4, 16, 8, 2);
    add_module(adapter, path + ".self_attn.v_proj", 4, 16, 8, 3);
    add_module(adapter, path + ".self_attn.o_proj", 4, 16, 16, 4);
    add_module(adapter, path + ".mlp.gate_proj", 4, 16, 24, 5);
    add_module(adapter, path + ".mlp.up_proj", 4, 16, 24, 6);
    add_module(adapter, path + ".mlp.down_proj", 4, 24, 16, 7);
  }
  auto read = read_back(adapter);
  REQUIRE(read);
  CHECK(read->weights.sites.size() == 14);
  CHECK(read->weights.sites[6].where == projection::down);
  CHECK(read->weights.sites[6].in == 24);
}

TEST_CASE("half and bfloat16 are widened exactly") {
  auto adapter = good_adapter();
  auto& half = adapter.tensor("layers.0.self_attn.q_proj.lora_A");
  half.dtype = "F16";
  half.bytes.assign(4 * 16 * 2, '\0');
  half.bytes[1] = '\x3c';  // 1
  half.bytes[2] = '\x01';  // the smallest subnormal
  half.bytes[5] = '\xc0';  // -2
  auto& bfloat = adapter.tensor("layers.0.self_attn.q_proj.lora_B");
  bfloat = as_bfloat(bfloat);
  auto read = read_back(adapter);
  REQUIRE(read);
  auto& site = read->weights.sites[0];
  CHECK(site.a[0] == 1.0f);
  CHECK(site.a[1] == 0x1p-24f);
  CHECK(site.a[2] == -2.0f);
  CHECK(site.a[3] == 0.0f);
  CHECK(site.b == numbers(widened(bfloat)));
}

TEST_CASE("biases of lora_B are read with their modules and are a part of the version and the coverage") {
  auto adapter = good_adapter();
  add_biases(adapter);
  auto read = read_back(adapter);
  if (!read) FAIL(read.error().text);
  auto& sites = read->weights.sites;
  CHECK(sites[0].bias == numbers(adapter.tensor("layers.0.self_attn.q_proj.lora_B.bias")));
  CHECK(sites[3].bias == numbers(adapter.tensor("layers.1.self_attn.v_proj.lora_B.bias")));
  CHECK(read->coverage.parameters == read_back(good_adapter())->coverage.parameters + 2 * (16 + 8));
  CHECK(read->weights.version != read_back(good_adapter())->weights.version);
  auto named = read_back(renamed(adapter, ".lora_B.bias", ".lora_B.default.bias"));
  REQUIRE(named);
  CHECK(named->weights.version == read->weights.version);
  auto touched = adapter;
  touched.tensors.back().bytes.back() = static_cast<char>(touched.tensors.back().bytes.back() ^ 1);
  CHECK(read_back(touched)->weights.version != read->weights.version);
  // A bias alone has an effect.
  auto& b = adapter.tensor("layers.0.self_attn.q_proj.lora_B.weight");
  b = filled_tensor(b.name, b.shape, 0);
  CHECK(read_back(adapter)->coverage.zero_effect_modules == 0);
  adapter.config["lora_alpha"] = "0";
  CHECK(read_back(adapter)->coverage.zero_effect_modules == 4);
}

TEST_CASE("magnitudes are read in all their spellings and are a part of the version and the coverage") {
  auto adapter = good_adapter();
  add_magnitudes(adapter);
  auto read = read_back(adapter);
  if (!read) FAIL(read.error().text);
  CHECK(read->weights.sites[1].magnitude ==
        numbers(adapter.tensor("layers.0.self_attn.v_proj.lora_magnitude_vector")));
  CHECK(read->weights.sites[1].bias.empty());
  CHECK(read->coverage.parameters == read_back(good_adapter())->coverage.parameters + 2 * (16 + 8));
  CHECK(read->weights.version != read_back(good_adapter())->weights.version);
  for (auto spelling : {"lora_magnitude_vector.weight", "lora_magnitude_vector.default",
                        "lora_magnitude_vector.default.weight"}) {
    auto other = read_back(renamed(adapter, "lora_magnitude_vector", spelling));
    if (!other) FAIL(other.error().text);
    CHECK(other->weights.version == read->weights.version);
  }
  // A magnitude is no bias of the same numbers, and it has an effect beside a B of zeros.
  auto biased = renamed(adapter, "lora_magnitude_vector", "lora_B.bias");
  biased.config["use_dora"] = "false";
  biased.config["lora_bias"] = "true";
  CHECK(read_back(biased)->weights.version != read->weights.version);
  auto& b = adapter.tensor("layers.0.self_attn.q_proj.lora_B.weight");
  b = filled_tensor(b.name, b.shape, 0);
  CHECK(read_back(adapter)->coverage.zero_effect_modules == 0);
}

TEST_CASE("the embedding and the head are read as modules outside the layers") {
  auto adapter = good_adapter();
  add_outer(adapter);
  auto read = read_back(adapter);
  if (!read) FAIL(read.error().text);
  auto& sites = read->weights.sites;
  REQUIRE(sites.size() == 6);
  auto of = [&](projection where) { return *std::ranges::find(sites, where, &lora_site::where); };
  auto embed = of(projection::embed), head = of(projection::head);
  CHECK(embed.a == numbers(adapter.tensor("lora_embedding_A")));
  CHECK(embed.b == numbers(adapter.tensor("lora_embedding_B")));
  CHECK(embed.in == 32);
  CHECK(embed.out == 16);
  CHECK(embed.scaling == 2.0f);
  CHECK(head.rank == 3);
  CHECK(head.in == 16);
  CHECK(head.out == 32);
  CHECK(read->coverage.layers == 2);
  CHECK(read->coverage.modules.size() == 6);
  CHECK(read->coverage.parameters == read_back(good_adapter())->coverage.parameters + 4 * 48 + 3 * 48);
  CHECK(read->warnings.empty());
  for (auto [from, to] : {std::pair{"base_model.model.", ""},
                          {"lora_embedding_A", "lora_embedding_A.default"},
                          {"base_model.model.lm_head", "base_model.model._orig_mod.lm_head"}}) {
    auto other = read_back(renamed(adapter, from, to));
    if (!other) FAIL(other.error().text);
    CHECK(other->weights.version == read->weights.version);
  }
  auto vision = renamed(renamed(adapter, "model.model.layers", "model.language_model.model.layers"),
                        "model.lm_head", "model.language_model.lm_head");
  vision = renamed(vision, "model.model.embed", "model.language_model.model.embed");
  auto other = read_back(vision);
  if (!other) FAIL(other.error().text);
  CHECK(other->weights.version == read->weights.version);
  // "all-linear" means neither, and layers_to_transform only what is named in full.
  adapter.config["target_modules"] = "\"all-linear\"";
  CHECK(read_back(adapter).error().reason == "unknown_tensor");
  adapter.config["target_modules"] = R"(["v_proj","q_proj","model.embed_tokens","lm_head"])";
  adapter.config["layers_to_transform"] = "[0,1]";
  CHECK(read_back(adapter));
  adapter.config["target_modules"] = R"(["v_proj","q_proj","embed_tokens","lm_head"])";
  CHECK(read_back(adapter).error().reason == "unknown_tensor");
}

namespace {

// Keeps what it is given, but for the second.
struct kept_packing final : adapter_packing {
  explicit kept_packing(std::map<std::size_t, lora_site>& sites) : sites_(sites) {}
  result<void> put(std::size_t number, const lora_site& site) override {
    std::lock_guard lock(mutex_);
    if (number == 1) return fail(errc::out_of_memory, "no room");
    sites_.emplace(number, site);
    return {};
  }
  result<std::shared_ptr<const packed_adapter>> finish(const adapter_version&) override {
    return fail(errc::internal, "not packed");
  }

  std::mutex mutex_;
  std::map<std::size_t, lora_site>& sites_;
};

struct kept_packer final : adapter_packer {
  result<std::unique_ptr<adapter_packing>> begin(std::span<const site_shape> sites,
                                                 std::span<const module_copy> copies,
                                                 std::stop_token) const override {
    shapes.assign(sites.begin(), sites.end());
    copies_seen = copies.size();
    return std::unique_ptr<adapter_packing>(std::make_unique<kept_packing>(kept));
  }
  std::uint64_t packed_bytes(const adapter_weights&) const override { return 0; }

  mutable std::vector<site_shape> shapes;
  mutable std::map<std::size_t, lora_site> kept;
  mutable std::size_t copies_seen = 0;
};

}  // namespace

TEST_CASE("a packer gets the shapes and the copies first, then sites as they are, and its refusal counts") {
  auto adapter = good_adapter();
  add_biases(adapter);
  add_copies(adapter);
  auto read = read_back(adapter);
  REQUIRE(read);
  scratch_directory directory;
  directory.write("adapter_config.json", adapter.config_text());
  directory.write("adapter_model.safetensors", safetensors_image(adapter.tensors));
  auto place = open_place(directory.path());
  REQUIRE(place);
  kept_packer packer;
  auto packed = read_adapter(*place, fixture_base(), {}, {.into = &packer});
  REQUIRE_FALSE(packed);
  CHECK(packed.error().code == errc::out_of_memory);
  CHECK(packer.shapes == shapes_of(read->weights));
  CHECK(packer.copies_seen == 2);
  REQUIRE(packer.kept.contains(0));
  for (auto& [number, site] : packer.kept) {
    auto& same = read->weights.sites[number];
    CHECK(shape_of(site) == packer.shapes[number]);
    CHECK(site.a == same.a);
    CHECK(site.b == same.b);
    CHECK(site.bias == same.bias);
  }
}

TEST_CASE("full copies are read whole, and a part of the version and the coverage") {
  auto adapter = good_adapter();
  add_copies(adapter);
  auto read = read_back(adapter);
  if (!read) FAIL(read.error().text);
  auto& copies = read->weights.copies;
  REQUIRE(copies.size() == 2);
  CHECK(copies[0].where == projection::embed);
  CHECK(copies[0].weight == numbers(adapter.tensor("embed_tokens.weight")));
  CHECK(copies[1].where == projection::head);
  CHECK(copies[1].weight == numbers(adapter.tensor("lm_head.weight")));
  CHECK(read->coverage.copies.size() == 2);
  CHECK(read->coverage.copies[1].norm > 0);
  CHECK(read->coverage.parameters == read_back(good_adapter())->coverage.parameters + 2 * 32 * 16);
  CHECK(read->weights.version != read_back(good_adapter())->weights.version);
  auto touched = adapter;
  touched.tensors.back().bytes.back() = static_cast<char>(touched.tensors.back().bytes.back() ^ 1);
  CHECK(read_back(touched)->weights.version != read->weights.version);
  // Exchanged, the same numbers are another adapter.
  auto exchanged = renamed(renamed(renamed(adapter, "lm_head", "x"), "model.embed_tokens", "lm_head"), "x",
                           "model.embed_tokens");
  CHECK(read_back(exchanged)->weights.version != read->weights.version);
  adapter.config["lora_alpha"] = "0";
  CHECK(read_back(adapter)->warnings.empty());
}

TEST_CASE("the base's matrix beside an adapted one stands for it, on a tied base for both") {
  auto adapter = good_adapter();
  add_outer(adapter);
  adapter.tensors.push_back(
      random_tensor("base_model.model.model.embed_tokens.base_layer.weight", {32, 16}, 77));
  auto apart = read_back(adapter);
  if (!apart) FAIL(apart.error().text);
  REQUIRE(apart->weights.copies.size() == 1);
  CHECK(apart->weights.copies[0].where == projection::embed);
  auto base = fixture_base();
  base.tied_head = true;
  scratch_directory place;
  place.write(adapter);
  auto tied = read_adapter(place.path(), base, {}, {});
  if (!tied) FAIL(tied.error().text);
  REQUIRE(tied->weights.copies.size() == 2);
  CHECK(tied->weights.copies[0].weight == tied->weights.copies[1].weight);
}

TEST_CASE("keys in the spellings of other tools mean the same modules and give the same version") {
  auto plain = read_back(good_adapter());
  REQUIRE(plain);
  struct row {
    const char* from;
    const char* to;
  };
  for (auto [from, to] :
       {row{"base_model.model.", ""}, row{"base_model.model.model.", "base_model.model."},
        row{"base_model.model.model.", ""}, row{".weight", ".default.weight"},
        row{".weight", ".my_adapter.weight"}, row{"base_model.model.", "base_model.model._orig_mod."},
        row{"base_model.model.", "_orig_mod.base_model.model."}, row{".self_attn", "._orig_mod.self_attn"},
        row{"model.model.layers", "model.language_model.model.layers"},
        row{"model.model.layers", "model.model.language_model.layers"},
        row{"model.model.layers", "model.language_model.layers"}}) {
    INFO(from << " -> " << to);
    auto other = renamed(good_adapter(), from, to);
    REQUIRE(other.tensors[0].name != good_adapter().tensors[0].name);
    auto read = read_back(other);
    if (!read) FAIL(read.error().text);
    CHECK(read->weights.version == plain->weights.version);
    CHECK(read->weights.sites[0].a == plain->weights.sites[0].a);
  }
}

TEST_CASE("the version is what the adapter computes, not how it is stored") {
  auto first = good_adapter();
  for (auto& tensor : first.tensors)
    tensor = as_bfloat(tensor);
  auto version = read_back(first)->weights.version;
  CHECK(read_back(first)->weights.version == version);

  auto wide = first;
  for (auto& tensor : wide.tensors)
    tensor = widened(tensor);
  std::reverse(wide.tensors.begin(), wide.tensors.end());
  wide.config["lora_dropout"] = "0.1";
  wide.config["base_model_name_or_path"] = "\"somewhere/else\"";
  CHECK(read_back(wide)->weights.version == version);

  // The same scaling spelled otherwise is the same adapter; another scaling or number is not.
  auto respelled = first;
  respelled.config["lora_alpha"] = "4.0";
  respelled.config["use_rslora"] = "true";
  CHECK(read_back(respelled)->weights.version == version);
  auto scaled = first;
  scaled.config["lora_alpha"] = "9";
  CHECK(read_back(scaled)->weights.version != version);
  auto touched = first;
  touched.tensors.back().bytes.back() = static_cast<char>(touched.tensors.back().bytes.back() ^ 1);
  CHECK(read_back(touched)->weights.version != version);
  // A and B of one module exchanged with another's: same bytes, other places.
  auto moved = renamed(renamed(renamed(first, "layers.0", "layers.x"), "layers.1", "layers.0"), "layers.x",
                       "layers.1");
  CHECK(read_back(moved)->weights.version != version);
}

TEST_CASE("rank and alpha patterns give every module its own scaling") {
  auto adapter = good_adapter();
  adapter.tensors.clear();
  add_module(adapter, "model.layers.0.self_attn.q_proj", 2, 16, 16, 1);
  add_module(adapter, "model.layers.0.self_attn.v_proj", 4, 16, 8, 2);
  add_module(adapter, "model.layers.1.self_attn.q_proj", 8, 16, 16, 3);
  add_module(adapter, "model.layers.1.self_attn.v_proj", 1, 16, 8, 4);
  adapter.config["rank_pattern"] =
      R"({"layers.0.self_attn.q_proj":2,"^model.layers.1.self_attn.v_proj":1,"q_proj":8})";
  adapter.config["alpha_pattern"] = R"({"layers.1.*q_proj":-4,"proj":100,"v_proj":0.5})";
  auto read = read_back(adapter);
  if (!read) FAIL(read.error().text);
  auto& sites = read->weights.sites;
  CHECK(sites[0].rank == 2);
  CHECK(sites[0].scaling == 4.0f);
  CHECK(sites[1].scaling == 0.125f);
  CHECK(sites[2].rank == 8);
  CHECK(sites[2].scaling == -0.5f);
  CHECK(sites[3].scaling == 0.5f);
  CHECK(read->coverage.ranks == std::vector<std::uint32_t>{1, 2, 4, 8});
}

TEST_CASE("coverage tells what is touched and what has no effect") {
  auto adapter = good_adapter();
  auto& b = adapter.tensor("layers.0.self_attn.q_proj.lora_B");
  b = filled_tensor(b.name, b.shape, 0);
  auto& a = adapter.tensor("layers.0.self_attn.v_proj.lora_A");
  a = filled_tensor(a.name, a.shape, 0.5f);
  auto read = read_back(adapter);
  REQUIRE(read);
  auto& coverage = read->coverage;
  CHECK(coverage.zero_effect_modules == 1);
  CHECK(coverage.modules[0].zero_effect());
  CHECK(coverage.layers == 2);
  CHECK(coverage.parameters == 2 * (64 + 64 + 64 + 32));
  CHECK(coverage.modules[1].norm_a == Approx(4.0));  // sqrt(64 * 0.25)
  // All columns of A are alike: the product is the sum of B's columns, halved, in each of the 16.
  const auto& v = read->weights.sites[1];
  double square = 0;
  for (std::uint32_t row = 0; row < v.out; ++row) {
    double sum = 0;
    for (std::uint32_t i = 0; i < v.rank; ++i)
      sum += double{v.b[row * v.rank + i]};
    square += sum * sum;
  }
  CHECK(coverage.modules[1].norm_update == Approx(2 * 0.5 * std::sqrt(16 * square)).epsilon(1e-5));
  CHECK(read->warnings.empty());

  adapter.config["lora_alpha"] = "0";
  auto nothing = read_back(adapter);
  REQUIRE(nothing);
  CHECK(nothing->coverage.zero_effect_modules == 4);
  REQUIRE(nothing->warnings.size() == 1);
  CHECK_THAT(nothing->warnings[0], Catch::Contains("changes nothing"));
}

TEST_CASE("what looks odd but changes nothing is a warning") {
  auto adapter = good_adapter();
  adapter.config["base_model_name_or_path"] = "\"/root/models/other-7b\"";
  adapter.config["from_the_future"] = "3";
  adapter.config["target_modules"] = R"(["q_proj","v_proj","c_attn"])";
  auto read = read_back(adapter);
  REQUIRE(read);
  REQUIRE(read->warnings.size() == 3);
  CHECK(read->warnings[0] == "adapter_config.json: from_the_future is ignored");
  CHECK(read->warnings[1] == "adapter_config.json: c_attn of target_modules means no adapted module");
  CHECK(read->warnings[2] == "adapter_config.json: base_model_name_or_path is other-7b, the base is tiny");

  auto same = good_adapter();
  same.config["base_model_name_or_path"] = "\"org/Tiny-Instruct\"";
  CHECK(read_back(same)->warnings.empty());
  auto huge = good_adapter();
  huge.config["lora_alpha"] = "1e9";
  CHECK_THAT(read_back(huge)->warnings.at(0), Catch::Contains("larger than 1000000"));
  auto silent = good_adapter();
  silent.config.erase("target_modules");
  CHECK_THAT(read_back(silent)->warnings.at(0), Catch::Contains("target_modules is missing"));
}

TEST_CASE("a read tells how many bytes of the weights it has") {
  scratch_directory place;
  place.write(good_adapter());
  auto opened = open_place(place.path());
  REQUIRE(opened);
  byte_progress told;
  auto read = read_adapter(*opened, fixture_base(), {}, {.told = &told});
  REQUIRE(read);
  CHECK(told.total == read->file_bytes);
  CHECK(told.bytes == read->file_bytes);
  // A read that fails on the way tells of what it has read before.
  auto adapter = good_adapter();
  auto& last = adapter.tensors.back();
  last = filled_tensor(last.name, last.shape, std::numeric_limits<float>::infinity());
  place.write(adapter);
  auto again = open_place(place.path());
  REQUIRE(again);
  REQUIRE_FALSE(read_adapter(*again, fixture_base(), {}, {.told = &told}));
  CHECK(told.bytes > 0);
  CHECK(told.bytes < told.total);
}

TEST_CASE("a load that nobody wants any more ends with cancelled") {
  scratch_directory place;
  place.write(good_adapter());
  std::stop_source stop;
  REQUIRE(read_adapter(place.path(), fixture_base(), {}, stop.get_token()));
  stop.request_stop();
  auto read = read_adapter(place.path(), fixture_base(), {}, stop.get_token());
  REQUIRE_FALSE(read);
  CHECK(read.error().code == errc::cancelled);
}

TEST_CASE("names of a base are compared with the freedom that converters take") {
  struct row {
    const char* trained;
    const char* served;
    bool same;
  };
  for (auto [trained, served, same] : {
           row{"HuggingFaceTB/SmolLM2-135M-Instruct", "Smollm2 135M 8k Lc100K Mix1 Ep2", true},
           row{"meta-llama/Llama-3.2-1B", "Meta Llama 3.2 1B Instruct", true},
           row{"/data/models/qwen2", "Qwen2", true},
           row{"HuggingFaceTB/SmolLM2-360M", "Smollm2 135M", false},
           row{"Qwen/Qwen2-7B", "Llama 2 7b", true},
           row{"mistralai/Mistral-7B-v0.1", "Llama 2 13B", false},
           row{"gpt2", "tiny", false},
           row{"", "tiny", true},
           row{"x", "", true},
       }) {
    INFO(trained << " | " << served);
    CHECK(may_be_same_base(trained, served) == same);
  }
}
