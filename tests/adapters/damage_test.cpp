#include <iostream>
#include <random>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

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

}  // namespace

TEST_CASE("a damaged adapter is served as it then is, or refused with a word") {
  constexpr std::uint32_t seed = 20'250;
  constexpr int rounds = 250;
  std::cout << "damage: seed " << seed << "\n";
  std::mt19937 random(seed);
  auto adapter = good_adapter();
  adapter.config["rank_pattern"] = R"({"nowhere.*(a|b)+":3})";
  auto image = safetensors_image(adapter.tensors);
  auto hurt = [&](const std::string& name, const std::string& content, std::size_t last) {
    scratch_directory place;
    place.write(adapter);
    int refused = 0;
    for (int round = 0; round < rounds; ++round) {
      place.write(name, damaged(content, last, random));
      auto read = read_adapter(place.path(), fixture_base(), {}, {});
      if (read) continue;
      ++refused;
      INFO(name << " round " << round);
      CHECK(read.error().code == errc::bad_adapter);
      CHECK_FALSE(read.error().reason.empty());
      CHECK(read.error().text.size() < 2'000);
    }
    CHECK(refused > rounds / 2);
    CHECK(refused < rounds);
  };
  hurt("adapter_config.json", adapter.config_text(), adapter.config_text().size());
  hurt("adapter_model.safetensors", image, image.find("]}}") + 3);
}
