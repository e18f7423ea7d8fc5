#include "text/bpe.hpp"

#include <algorithm>
#include <random>

#include "tests/catch.hpp"

namespace lorica {
namespace {

bpe::options bytes_only() {
  bpe::options out;
  for (unsigned byte = 0; byte < 256; ++byte)
    out.byte_ids[byte] = static_cast<token_id>(byte);
  return out;
}

// Random merges over a small alphabet; each makes a token of its own.
bpe::options random_merges(std::mt19937& random, std::size_t count) {
  auto out = bytes_only();
  std::vector<token_id> known{'a', 'b', 'c'};
  std::vector<std::pair<token_id, token_id>> pairs;
  while (out.merges.size() < count) {
    auto left = known[random() % known.size()];
    auto right = known[random() % known.size()];
    if (std::find(pairs.begin(), pairs.end(), std::pair{left, right}) != pairs.end()) continue;
    pairs.emplace_back(left, right);
    auto joined = static_cast<token_id>(1000 + out.merges.size());
    out.merges.push_back({left, right, joined, static_cast<std::uint32_t>(out.merges.size())});
    known.push_back(joined);
  }
  return out;
}

// The definition: as long as any two neighbours merge, merge the leftmost pair of the lowest rank.
std::vector<token_id> by_definition(const bpe::options& o, std::string_view text) {
  std::vector<token_id> out;
  for (char c : text)
    out.push_back(static_cast<unsigned char>(c));
  while (true) {
    std::size_t best_rank = o.merges.size();
    std::size_t best_at = 0;
    for (std::size_t i = 0; i + 1 < out.size(); ++i)
      for (std::size_t rank = 0; rank < best_rank; ++rank)
        if (o.merges[rank].left == out[i] && o.merges[rank].right == out[i + 1]) {
          best_rank = rank;
          best_at = i;
        }
    if (best_rank == o.merges.size()) return out;
    out[best_at] = o.merges[best_rank].joined;
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

std::vector<token_id> ids(std::span<const placed_token> tokens) {
  std::vector<token_id> out;
  for (auto& t : tokens)
    out.push_back(t.id);
  return out;
}

}  // namespace

TEST_CASE("merging with a heap gives what the definition gives") {
  auto seed = GENERATE(11u, 12u, 13u, 14u, 15u);
  std::mt19937 random(seed);
  INFO("seed " << seed);
  auto options = random_merges(random, 40);
  bpe model(options);
  bpe_run run(model);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (auto n = random() % 60; n > 0; --n)
      text += static_cast<char>('a' + random() % 3);
    auto tokens = run(text);
    REQUIRE(ids(tokens) == by_definition(options, text));
    std::uint32_t at = 0;
    for (auto& t : tokens) {
      REQUIRE(t.begin == at);
      at = t.end;
    }
    REQUIRE(at == text.size());
  }
}

TEST_CASE("a piece of a quarter million characters merges without quadratic time") {
  auto options = bytes_only();
  for (int level = 0; level < 12; ++level) {
    auto part = level == 0 ? 'a' : 1000 + level - 1;
    options.merges.push_back({part, part, 1000 + level, static_cast<std::uint32_t>(level)});
  }
  bpe model(std::move(options));
  bpe_run run(model);
  auto tokens = run(std::string(1 << 18, 'a'));
  CHECK(tokens.size() == (1u << 18) / 4096);
  CHECK(tokens.back().end == 1u << 18);
}

TEST_CASE("bytes without a token vanish, or are the unknown token, alone or fused") {
  auto encode = [](const bpe::options& o) {
    bpe model(o);
    bpe_run run(model);
    return ids(run("axxb"));
  };
  auto options = bytes_only();
  options.byte_ids['x'] = -1;
  CHECK(encode(options) == std::vector<token_id>{'a', 'b'});
  options.unknown = 7;
  CHECK(encode(options) == std::vector<token_id>{'a', 7, 7, 'b'});
  options.fuse_unknown = true;
  CHECK(encode(options) == std::vector<token_id>{'a', 7, 'b'});
}

TEST_CASE("characters without a token become bytes, or are unknown where a byte is missing") {
  bpe::options options;
  options.characters = {{U'a', 1}, {U'\u00e9', 2}, {U'\u65e5', 3}};
  options.unknown = 9;
  auto encode = [&](std::string_view text) {
    bpe model(options);
    bpe_run run(model);
    auto tokens = run(text);
    CHECK((tokens.empty() || tokens.back().end == text.size()));
    return ids(tokens);
  };
  CHECK(encode("a\u00e9\u65e5") == std::vector<token_id>{1, 2, 3});
  CHECK(encode("\u00e8\u00e8a") == std::vector<token_id>{9, 9, 1});
  options.fuse_unknown = true;
  CHECK(encode("\u00e8\u00e8a") == std::vector<token_id>{9, 1});
  options.byte_ids[0xc3] = 20;
  CHECK(encode("a\u00e8") == std::vector<token_id>{1, 9});
  options.byte_ids[0xa8] = 21;
  CHECK(encode("a\u00e8") == std::vector<token_id>{1, 20, 21});
  // The reference lets whole byte sequences pass an unknown character that waits for more of its kind.
  CHECK(encode("\u00e0\u00e8a") == std::vector<token_id>{20, 21, 9, 1});
  options.merges.push_back({20, 21, 30, 0});
  CHECK(encode("a\u00e8a") == std::vector<token_id>{1, 30, 1});
}

TEST_CASE("whole pieces come before merges") {
  auto options = bytes_only();
  options.merges.push_back({'a', 'b', 300, 0});
  options.whole_pieces.emplace("abc", 301);
  bpe model(options);
  bpe_run run(model);
  CHECK(ids(run("abc")) == std::vector<token_id>{301});
  CHECK(ids(run("abcd")) == std::vector<token_id>{300, 'c', 'd'});
}

}  // namespace lorica
