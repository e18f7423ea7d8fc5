#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"
#include "tests/files/json_mutator.hpp"

using namespace lorica;

namespace {

// One to four random edits: a byte changed, a stretch removed, or a stretch repeated.
std::string damaged(std::string text, std::size_t last, std::mt19937& random) {
  for (auto edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
    auto end = std::min(last, text.size());
    auto at = random() % end;
    auto length = std::min<std::size_t>(1 + random() % 8, text.size() - at);
    switch (random() % 4) {
      case 0: text.erase(at, length); break;
      case 1: text.insert(at, text.substr(at, length)); break;
      case 2: text[at] = "0123456789\"{}[],:-"[random() % 18]; break;
      default: text[at] = static_cast<char>(random()); break;
    }
  }
  return text;
}

const std::vector<std::string> words = {
    "r",
    "F16",
    "I64",
    "F8_E4M3",
    "dtype",
    "shape",
    "data_offsets",
    "__metadata__",
    "rank_pattern",
    "alpha_pattern",
    "target_modules",
    "use_dora",
    "lora_bias",
    "use_rslora",
    "modules_to_save",
    "q_proj",
    "(a+)+$",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
    "base_model.model.model.embed_tokens.lora_embedding_A",
    "base_model.model.lm_head.base_layer.weight",
    "base_model.model.lm_head.weight",
    "lm_head",
    "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight",
    "a\nb\x1b[0m",
    std::string(5'000, 'w')};

// The length, a changed header, the data.
std::string with_changed_header(const std::string& image, json_mutator& random) {
  std::uint64_t length = 0;
  std::memcpy(&length, image.data(), sizeof length);
  const auto size = static_cast<std::size_t>(length);
  auto header = random.mutate(image.substr(sizeof length, size), words);
  length = header.size();
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  return out.append(header).append(image, sizeof length + size);
}

void check_refusal(const error& refusal, const std::string& place) {
  INFO(refusal.text);
  REQUIRE((refusal.code == errc::bad_adapter || refusal.code == errc::unknown_adapter ||
           refusal.code == errc::io));
  REQUIRE_FALSE(refusal.reason.empty());
  REQUIRE_FALSE(refusal.text.empty());
  REQUIRE(refusal.text.size() < 2'000);
  REQUIRE(refusal.text.find(place) == std::string::npos);
  REQUIRE(std::none_of(refusal.text.begin(), refusal.text.end(), [](char c) { return c >= 0 && c < ' '; }));
}

void check_sound(const loaded_adapter& adapter) {
  const auto base = fixture_base();
  REQUIRE_FALSE(adapter.weights.sites.empty());
  for (auto& site : adapter.weights.sites) {
    REQUIRE(site.layer < base.layers);
    REQUIRE(site.rank > 0);
    REQUIRE(site.a.size() == std::size_t{site.rank} * site.in);
    REQUIRE(site.b.size() == std::size_t{site.rank} * site.out);
    REQUIRE(std::isfinite(site.scaling));
    REQUIRE((in_layer(site.where) || site.layer == 0));
    REQUIRE((site.bias.empty() || site.bias.size() == site.out));
    REQUIRE((site.magnitude.empty() || site.magnitude.size() == site.out));
    for (auto* factor : {&site.a, &site.b, &site.bias, &site.magnitude})
      REQUIRE(std::all_of(factor->begin(), factor->end(), [](float x) { return std::isfinite(x); }));
  }
}

void check_copies(const loaded_adapter& adapter) {
  const auto base = fixture_base();
  REQUIRE(adapter.weights.copies.size() <= 2);
  for (auto& copy : adapter.weights.copies) {
    REQUIRE(copy.weight.size() == std::size_t{base.vocab} * base.hidden);
    REQUIRE(std::all_of(copy.weight.begin(), copy.weight.end(), [](float x) { return std::isfinite(x); }));
  }
}

constexpr std::uint32_t seed = 20'250;
constexpr int rounds = 2'000;

// Biases and magnitudes exclude each other.
enum class beside { biases, magnitudes, outer, copies };

fixture_adapter usual_adapter(beside more) {
  auto out = good_adapter();
  out.config["rank_pattern"] = R"({"nowhere.*(a|b)+":3,"lm_head":3})";
  out.config["alpha_pattern"] = R"({"q_proj":16})";
  out.config["use_rslora"] = "true";
  switch (more) {
    case beside::biases: add_biases(out); break;
    case beside::magnitudes: add_magnitudes(out); break;
    case beside::outer: add_outer(out); break;
    case beside::copies: add_copies(out); break;
  }
  return out;
}

void hurt(const fixture_adapter& adapter, const std::string& name,
          const std::function<std::string()>& change) {
  scratch_directory place;
  place.write(adapter);
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    place.write(name, change());
    INFO(name << " round " << round);
    auto read = read_adapter(place.path(), fixture_base(), {}, {});
    if (read) {
      check_sound(*read);
      check_copies(*read);
      continue;
    }
    ++refused;
    check_refusal(read.error(), place.path());
  }
  CHECK(refused > rounds / 2);
  CHECK(refused < rounds);
}

}  // namespace

TEST_CASE("an adapter_config.json that is damaged is served as it then is, or refused with a word") {
  INFO("seed " << seed);
  const auto adapter =
      usual_adapter(GENERATE(beside::biases, beside::magnitudes, beside::outer, beside::copies));
  const auto text = adapter.config_text();
  std::mt19937 bytes(seed);
  json_mutator fields(seed + 1);
  int round = 0;
  hurt(adapter, "adapter_config.json",
       [&] { return ++round % 4 == 0 ? damaged(text, text.size(), bytes) : fields.mutate(text, words); });
}

TEST_CASE("an adapter_model.safetensors that is damaged is served as it then is, or refused with a word") {
  INFO("seed " << seed);
  const auto adapter =
      usual_adapter(GENERATE(beside::biases, beside::magnitudes, beside::outer, beside::copies));
  const auto image = safetensors_image(adapter.tensors);
  std::mt19937 bytes(seed + 2);
  json_mutator fields(seed + 3);
  int round = 0;
  hurt(adapter, "adapter_model.safetensors", [&] {
    return ++round % 4 == 0 ? damaged(image, image.find("]}}") + 3, bytes)
                            : with_changed_header(image, fields);
  });
}

TEST_CASE("a directory whose files are lost, cut, swapped or of another kind is served or refused") {
  namespace fs = std::filesystem;
  INFO("seed " << seed);
  std::mt19937 random(seed + 4);
  const auto adapter = usual_adapter(beside::magnitudes);
  const std::string names[] = {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin",
                               "README.md"};
  int served = 0;
  for (int round = 0; round < rounds; ++round) {
    scratch_directory place;
    place.write(adapter);
    place.write(names[2], "\x80\x02");
    for (auto changes = 1 + random() % 2; changes > 0; --changes) {
      std::error_code ignored;
      const auto name = fs::path(place.path()) / names[random() % std::size(names)];
      const auto other = fs::path(place.path()) / names[random() % std::size(names)];
      const auto what = random() % 7;
      if (what == 0 && fs::is_regular_file(name))
        fs::resize_file(name, random() % (fs::file_size(name) + 9), ignored);
      else if (what == 1)
        fs::rename(name, other, ignored);
      else if (what == 2 && name != other)
        fs::copy_file(name, other, fs::copy_options::overwrite_existing, ignored);
      else
        fs::remove(name, ignored);
      if (what == 3) fs::create_directory(name, ignored);
      if (what == 4) fs::create_symlink(other.filename(), name, ignored);
      if (what == 5) REQUIRE(::mkfifo(name.c_str(), 0600) == 0);
    }
    INFO("round " << round);
    auto read = read_adapter(place.path(), fixture_base(), {}, {});
    if (!read) {
      check_refusal(read.error(), place.path());
      continue;
    }
    ++served;
    check_sound(*read);
  }
  CHECK(served > rounds / 20);
  CHECK(served < rounds / 2);
}
