#include "adapters/gguf_lora.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "adapters/reader.hpp"
#include "model/weights.hpp"
#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"
#include "tests/files/gguf_mutator.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

const fs::path golden = fs::path(LORICA_TEST_DATA) / "golden";

/// A good file for `fixture_base()`: q and v of layer 0, the embedding and the head, rank 2, alpha 8.
gguf_file good_file() {
  gguf_file out;
  out.add_text("general.architecture", "llama");
  out.add_text("general.type", "adapter");
  out.add_text("adapter.type", "lora");
  out.add_f32("adapter.lora.alpha", 8);
  auto pair = [&](const std::string& tensor, std::uint64_t in, std::uint64_t outputs) {
    std::vector<float> a(2 * in), b(2 * outputs);
    for (std::size_t i = 0; i < a.size(); ++i)
      a[i] = static_cast<float>(i) / 64;
    for (std::size_t i = 0; i < b.size(); ++i)
      b[i] = -static_cast<float>(i) / 32;
    bool lookup = tensor == "token_embd";
    out.add_f32_tensor(tensor + ".weight.lora_a",
                       lookup ? std::vector<std::uint64_t>{2, in} : std::vector<std::uint64_t>{in, 2}, a);
    out.add_f32_tensor(tensor + ".weight.lora_b", {2, outputs}, b);
  };
  pair("blk.0.attn_q", 16, 16);
  pair("blk.0.attn_v", 16, 8);
  pair("token_embd", 32, 16);
  pair("output", 16, 32);
  return out;
}

result<loaded_adapter> read_file(const std::string& image, const reader_limits& limits = {}) {
  scratch_directory place;
  place.write("any name.gguf", image);
  return read_adapter(place.path(), fixture_base(), limits, {});
}

gguf_file::tensor& tensor_of(gguf_file& file, std::string_view part) {
  return *std::ranges::find_if(file.tensors, [&](auto& t) { return t.name.find(part) != std::string::npos; });
}

gguf_file::entry& entry_of(gguf_file& file, std::string_view key) {
  return *std::ranges::find(file.entries, key, &gguf_file::entry::key);
}

struct bad_file {
  const char* what;
  const char* reason;
  const char* says;
  std::function<void(gguf_file&)> spoil;
};

const bad_file bad_files[] = {
    {"a model", "bad_gguf", "general.type is \"model\"; the file of an adapter has \"adapter\"",
     [](auto& f) { entry_of(f, "general.type").value = gguf_file::text("model"); }},
    {"no type", "bad_gguf", "general.type is missing",
     [](auto& f) { entry_of(f, "general.type").key = "x"; }},
    {"another kind of adapter", "unsupported_peft_type", "adapter.type is \"control\"; only \"lora\"",
     [](auto& f) { entry_of(f, "adapter.type").value = gguf_file::text("control"); }},
    {"a type that is a number", "unsupported_peft_type", "adapter.type is no text",
     [](auto& f) {
       entry_of(f, "adapter.type") = {"adapter.type", 4, raw(1u)};
     }},
    {"another family", "base_mismatch", "general.architecture is \"qwen2\"; the base is of \"llama\"",
     [](auto& f) { entry_of(f, "general.architecture").value = gguf_file::text("qwen2"); }},
    {"activated LoRA", "unsupported_field", "adapter.alora.invocation_tokens",
     [](auto& f) { f.add_array("adapter.alora.invocation_tokens", 4, 1, raw(5u)); }},
    {"no alpha", "bad_gguf", "adapter.lora.alpha is missing",
     [](auto& f) { entry_of(f, "adapter.lora.alpha").key = "x"; }},
    {"an alpha of words", "bad_gguf", "adapter.lora.alpha is no finite number",
     [](auto& f) {
       entry_of(f, "adapter.lora.alpha") = {"adapter.lora.alpha", 8, gguf_file::text("8")};
     }},
    {"an infinite alpha", "bad_gguf", "no finite number",
     [](auto& f) { entry_of(f, "adapter.lora.alpha").value = raw(HUGE_VALF); }},
    {"an alpha whose scaling overflows", "bad_gguf", "overflows",
     [](auto& f) {
       entry_of(f, "adapter.lora.alpha") = {"adapter.lora.alpha", 12, raw(1e60)};
     }},
    {"no tensors", "missing_tensor", "any name.gguf holds no LoRA tensor",
     [](auto& f) { f.tensors.clear(); }},
    {"a tensor of another kind", "unknown_tensor", "tensor blk.0.attn_norm.weight is not known",
     [](auto& f) { f.add_f32_tensor("blk.0.attn_norm.weight", {16}, std::vector<float>(16)); }},
    {"an adapted norm", "unsupported_module", "tensor blk.0.attn_norm.weight.lora_a adapts",
     [](auto& f) { tensor_of(f, "attn_q.weight.lora_a").name = "blk.0.attn_norm.weight.lora_a"; }},
    {"a fused projection", "unsupported_module", "attn_qkv",
     [](auto& f) { tensor_of(f, "attn_q.weight.lora_a").name = "blk.0.attn_qkv.weight.lora_a"; }},
    {"a layer with another spelling", "unsupported_module", "blk.00.",
     [](auto& f) { tensor_of(f, "attn_q.weight.lora_a").name = "blk.00.attn_q.weight.lora_a"; }},
    {"a layer that the base lacks", "base_mismatch", "is for layer 2, the base has 2 layers",
     [](auto& f) { tensor_of(f, "attn_q.weight.lora_a").name = "blk.2.attn_q.weight.lora_a"; }},
    {"A without B", "unpaired_tensor", "lora_b of the same module is missing",
     [](auto& f) { std::erase_if(f.tensors, [](auto& t) { return t.name == "output.weight.lora_b"; }); }},
    {"B without A", "unpaired_tensor", "lora_a of the same module is missing",
     [](auto& f) {
       std::erase_if(f.tensors, [](auto& t) { return t.name == "blk.0.attn_v.weight.lora_a"; });
     }},
    {"a rank above the limit", "rank_too_large", "LoRA rank 16 is greater than max_lora_rank 8.",
     [](auto& f) {
       auto& b = tensor_of(f, "attn_v.weight.lora_b");
       b.extent = {16, 1};
     }},
    {"a rank that is not A's", "shape_mismatch", "lora_a has the shape [2, 16], expected [1, 16]",
     [](auto& f) {
       auto& b = tensor_of(f, "attn_v.weight.lora_b");
       b = {b.name, {1, 8}, 0, std::string(32, '\0')};
     }},
    {"outputs of another module", "shape_mismatch",
     "attn_v.weight.lora_b has the shape [16, 2], expected [8, 2]",
     [](auto& f) {
       auto& b = tensor_of(f, "attn_v.weight.lora_b");
       b = {b.name, {2, 16}, 0, std::string(128, '\0')};
     }},
    {"three dimensions", "shape_mismatch", "has the shape [2, 1, 16], expected [2, 16]",
     [](auto& f) {
       tensor_of(f, "attn_v.weight.lora_a").extent = {16, 1, 2};
     }},
    {"an embedding that is not transposed", "shape_mismatch",
     "token_embd.weight.lora_a has the shape [2, 32]",
     [](auto& f) {
       tensor_of(f, "token_embd.weight.lora_a").extent = {32, 2};
     }},
    {"NaN", "non_finite_weights", "output.weight.lora_b holds NaN at element 63",
     [](auto& f) { tensor_of(f, "output.weight.lora_b").data.replace(63 * 4, 4, raw(std::nanf(""))); }},
    {"a type that is not served", "bad_gguf", "stored as I32",
     [](auto& f) { tensor_of(f, "attn_v.weight.lora_a").type = 26; }},
    {"a tensor that is there twice", "bad_gguf", "is there twice",
     [](auto& f) { f.tensors.push_back(gguf_file::tensor(f.tensors.front())); }},
    {"a cut file", "bad_gguf", "cut off", [](auto& f) { f.tensors.back().data.resize(4); }},
    {"another version", "bad_gguf", "version 7", [](auto& f) { f.version = 7; }},
};

}  // namespace

TEST_CASE("a LoRA in GGUF is the adapter that it was made of, in Hugging Face order") {
  std::size_t files = 0;
  for (auto& entry : fs::recursive_directory_iterator(golden / "gguf_lora")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    auto model = entry.path().parent_path().filename().string();
    auto stem = entry.path().stem();  // variant.type
    auto variant = stem.stem().string(), type = stem.extension().string();
    INFO(model << ' ' << variant << ' ' << type);
    auto base = open_model((golden / "models" / model).string());
    REQUIRE(base);
    auto made = read_adapter(entry.path().string(), (*base)->config(), {}, {});
    if (!made) FAIL(made.error().text);
    auto from = read_adapter((golden / "adapters" / model / variant).string(), (*base)->config(), {}, {});
    REQUIRE(from);
    auto &sites = made->weights.sites, &wanted = from->weights.sites;
    REQUIRE(sites.size() == wanted.size());
    const double most = type == ".F32" ? 0 : type == ".Q8_0" ? 1e-2 : 5e-3;
    for (std::size_t i = 0; i < sites.size(); ++i) {
      CHECK(sites[i].where == wanted[i].where);
      CHECK(sites[i].layer == wanted[i].layer);
      CHECK(sites[i].scaling == wanted[i].scaling);
      for (auto [own, other] : {std::pair(&sites[i].a, &wanted[i].a), {&sites[i].b, &wanted[i].b}}) {
        REQUIRE(own->size() == other->size());
        double largest = 0, worst = 0;
        for (std::size_t k = 0; k < own->size(); ++k) {
          largest = std::max(largest, std::abs(static_cast<double>((*other)[k])));
          worst =
              std::max(worst, std::abs(static_cast<double>((*own)[k]) - static_cast<double>((*other)[k])));
        }
        CHECK(worst <= most * largest);
      }
    }
    // Equal numbers are the same version; PEFT's embedding brings a copy of the base along.
    if (type == ".F32" && from->weights.copies.empty()) CHECK(made->weights.version == from->weights.version);
  }
  CHECK(files >= 9);
}

TEST_CASE("beneath a root a GGUF adapter is named by its file, and nothing leads out") {
  auto image = good_file().build();
  scratch_directory place;
  std::filesystem::create_directories(place.path() + "/root/org");
  std::filesystem::create_directories(place.path() + "/outside");
  place.write("root/org/one.gguf", image);
  place.write("root/org/two.gguf", image);
  place.write("outside/secret.gguf", image);
  std::filesystem::create_symlink("../../outside/secret.gguf", place.path() + "/root/org/link.gguf");
  std::filesystem::create_directory_symlink("../outside", place.path() + "/root/away");
  auto roots = adapter_roots::open({place.path() + "/root"});
  REQUIRE(roots);
  auto read = [&](const auto& path) -> result<loaded_adapter> {
    auto found = open_place(*roots, path);
    if (!found) return found.error();
    return read_adapter(*found, fixture_base(), {}, {});
  };
  CHECK(read(std::string("org/one.gguf")));
  CHECK(read(place.path() + "/root/org/two.gguf"));
  CHECK(read(rooted_path{0, "org/one.gguf"}));
  CHECK(read(std::string("org/three.gguf")).error().reason == "missing_file");
  CHECK(read(std::string("org/one.gguf/one.gguf")).error().reason == "missing_file");
  for (auto path : {"org/link.gguf", "away/secret.gguf", "../outside/secret.gguf", "org/../org/one.gguf"}) {
    INFO(path);
    CHECK(read(std::string(path)).error().reason == "path_not_allowed");
  }
}

TEST_CASE("a GGUF adapter is found by its path or as the only one of a directory without PEFT's files") {
  auto image = good_file().build();
  scratch_directory place;
  place.write("one.gguf", image);
  place.write("README.md", "x");
  auto by_directory = read_adapter(place.path(), fixture_base(), {}, {});
  if (!by_directory) FAIL(by_directory.error().text);
  auto by_path = read_adapter(place.path() + "/one.gguf", fixture_base(), {}, {});
  if (!by_path) FAIL(by_path.error().text);
  CHECK(by_path->weights.version == by_directory->weights.version);
  CHECK(by_path->file_bytes == image.size());
  CHECK(by_path->coverage.modules.size() == 4);
  CHECK(by_path->warnings.empty());
  place.write("two.gguf", image);
  auto several = read_adapter(place.path(), fixture_base(), {}, {});
  REQUIRE_FALSE(several);
  CHECK(several.error().reason == "missing_file");
  CHECK_THAT(several.error().text, Catch::Contains("2 .gguf files; name one"));
  CHECK(read_adapter(place.path() + "/two.gguf", fixture_base(), {}, {}));
  auto absent = read_adapter(place.path() + "/three.gguf", fixture_base(), {}, {});
  REQUIRE_FALSE(absent);
  CHECK(absent.error().reason == "missing_file");
  CHECK(absent.error().text.find(place.path()) == std::string::npos);
  // PEFT's files go first.
  place.write(good_adapter());
  auto peft = read_adapter(place.path(), fixture_base(), {}, {});
  REQUIRE(peft);
  CHECK(peft->weights.version != by_path->weights.version);
}

TEST_CASE("the pairs of a GGUF file have their meaning: rows of heads in order, columns of tokens, scaling") {
  auto file = good_file();
  auto read = read_file(file.build());
  if (!read) FAIL(read.error().text);
  auto& sites = read->weights.sites;
  REQUIRE(sites.size() == 4);
  CHECK(sites[0].where == projection::q);
  CHECK(sites[0].scaling == 4.0f);
  // Heads of 4: rows 0 1 2 3 of the model lie at 0 2 1 3.
  CHECK(sites[0].b[2 * 1] == -2.0f * 2 / 32);
  CHECK(sites[0].b[2 * 2] == -2.0f * 1 / 32);
  CHECK(sites[0].b[2 * 5 + 1] == -(2.0f * 6 + 1) / 32);
  CHECK(sites[1].where == projection::v);
  CHECK(sites[1].b[2 * 1] == -2.0f * 1 / 32);
  CHECK(sites[2].where == projection::embed);
  CHECK(sites[2].a[32 * 1 + 5] == (2.0f * 5 + 1) / 64);
  CHECK(sites[3].where == projection::head);
  CHECK(sites[3].a[16 * 1 + 5] == (16.0f + 5) / 64);
  entry_of(file, "adapter.lora.alpha").value = raw(0.0f);
  file.add_text("adapter.lora.prompt_prefix", "x");
  auto plain = read_file(file.build());
  REQUIRE(plain);
  CHECK(plain->weights.sites[0].scaling == 1.0f);
  CHECK(plain->warnings == std::vector<std::string>{"any name.gguf: adapter.lora.prompt_prefix is ignored"});
}

TEST_CASE("every bad GGUF adapter is refused with its word and says what would work") {
  for (auto& bad : bad_files) {
    INFO(bad.what);
    auto file = good_file();
    bad.spoil(file);
    auto read = read_file(file.build(), {.max_rank = 8});
    REQUIRE_FALSE(read);
    INFO(read.error().text);
    CHECK(read.error().code == errc::bad_adapter);
    CHECK(read.error().reason == bad.reason);
    CHECK_THAT(read.error().text, Catch::Contains(bad.says));
  }
  auto large = read_file(good_file().build(), {.max_file_bytes = 100});
  REQUIRE_FALSE(large);
  CHECK(large.error().reason == "too_large");
  CHECK(read_file("not GGUF").error().reason == "bad_gguf");
  CHECK(read_file("").error().reason == "bad_gguf");
  std::stop_source stop;
  stop.request_stop();
  auto image = good_file().build();
  auto ended = parse_gguf_lora("x", bytes_of(image), fixture_base(), 8, stop.get_token());
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == errc::cancelled);
}

TEST_CASE("a GGUF adapter whose fields lie is served as it then is, or refused with a word") {
  constexpr std::uint32_t seed = 20'251;
  constexpr int rounds = 2'000;
  INFO("seed " << seed);
  gguf_mutator random(seed,
                      {"llama", "qwen2", "adapter", "model", "lora", "general.type", "adapter.type",
                       "general.architecture", "adapter.lora.alpha", "adapter.alora.invocation_tokens",
                       "adapter.lora.prompt_prefix", "general.alignment", "blk.0.attn_q.weight.lora_a",
                       "blk.0.attn_q.weight.lora_b", "blk.1.ffn_up.weight.lora_a", "output.weight.lora_b",
                       "token_embd.weight.lora_a", "blk.9.attn_k.weight.lora_a", "x\n\x1b[0m"});
  scratch_directory place;
  int served = 0;
  for (int round = 0; round < rounds; ++round) {
    place.write("a.gguf", random.mutate(good_file()).build());
    auto read = read_adapter(place.path(), fixture_base(), {}, {});
    INFO("round " << round);
    if (!read) {
      auto& e = read.error();
      REQUIRE(e.code == errc::bad_adapter);
      REQUIRE_FALSE(e.reason.empty());
      REQUIRE(e.text.size() < 2'000);
      REQUIRE(e.text.find(place.path()) == std::string::npos);
      REQUIRE(std::none_of(e.text.begin(), e.text.end(), [](char c) { return c >= 0 && c < ' '; }));
      continue;
    }
    ++served;
    for (auto& site : read->weights.sites) {
      REQUIRE(site.a.size() == std::size_t{site.rank} * site.in);
      REQUIRE(site.b.size() == std::size_t{site.rank} * site.out);
      REQUIRE(std::isfinite(site.scaling));
      for (auto* factor : {&site.a, &site.b})
        REQUIRE(std::all_of(factor->begin(), factor->end(), [](float x) { return std::isfinite(x); }));
    }
  }
  CHECK(served > rounds / 20);
  CHECK(served < rounds * 9 / 10);
}
