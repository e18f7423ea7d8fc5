#include "text/stop_matcher.hpp"

#include <random>

#include "tests/catch.hpp"

namespace lorica {
namespace {

struct outcome {
  std::string text;
  bool stopped = false;

  bool operator==(const outcome&) const = default;
};

outcome run(const std::vector<std::string>& stops, bool include, const std::vector<std::string>& pieces) {
  stop_matcher matcher(stops, include);
  outcome out;
  for (auto& piece : pieces) {
    auto step = matcher.push(piece);
    out.text += step.text;
    if (step.stopped) break;
  }
  out.text += matcher.flush();
  out.stopped = matcher.stopped();
  return out;
}

// The rule read literally: the first place where a stop string begins, there the shortest.
outcome naive(const std::vector<std::string>& stops, bool include, const std::string& text) {
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    std::size_t length = 0;
    for (auto& stop : stops)
      if (!stop.empty() && text.compare(begin, stop.size(), stop) == 0)
        length = length == 0 ? stop.size() : std::min(length, stop.size());
    if (length > 0) return {text.substr(0, begin + (include ? length : 0)), true};
  }
  return {text, false};
}

}  // namespace

TEST_CASE("text that may begin a stop string is held back and shown when it does not") {
  stop_matcher matcher({"<end>"}, false);
  CHECK(matcher.push("one <e").text == "one ");
  CHECK(matcher.push("n").text.empty());
  CHECK(matcher.push("x").text == "<enx");
  auto step = matcher.push("y<end>dropped");
  CHECK(step.text == "y");
  CHECK(step.stopped);
  CHECK(matcher.flush().empty());
}

TEST_CASE("a match that ends in a piece that passes is text, one that ends behind it counts") {
  using enum stop_matcher::matching;
  stop_matcher matcher({"abab"}, false);
  CHECK(matcher.push("xabab", passes).text == "xab");
  CHECK_FALSE(matcher.stopped());
  auto step = matcher.push("ab", counts);
  CHECK(step.stopped);
  CHECK(step.text.empty());
  CHECK(matcher.matched() == "abab");
  stop_matcher other({"aa", "b"}, false);
  CHECK(other.push("aaba", passes).text == "aab");
  CHECK(other.push("c").text == "ac");
  CHECK(other.push("b").stopped);
  CHECK(other.matched() == "b");
}

TEST_CASE("what is held back comes out at the end") {
  stop_matcher matcher({"stop"}, false);
  CHECK(matcher.push("don't sto").text == "don't ");
  CHECK(matcher.flush() == "sto");
  CHECK_FALSE(matcher.stopped());
}

TEST_CASE("the stop string is kept when asked for, and the rest of its piece dropped") {
  stop_matcher matcher({"\n\n"}, true);
  CHECK(matcher.push("a\n").text == "a");
  auto step = matcher.push("\nb");
  CHECK(step.text == "\n\n");
  CHECK(step.stopped);
}

TEST_CASE("a match waits for a stop string that began before it") {
  CHECK(run({"abcd", "bc"}, false, {"xabc", "d"}) == outcome{"x", true});
  CHECK(run({"abcd", "bc"}, false, {"xabc", "e"}) == outcome{"xa", true});
  CHECK(run({"abcd", "bc"}, true, {"xabc"}) == outcome{"xabc", true});
  CHECK(run({"abcd", "abc"}, true, {"xabcd"}) == outcome{"xabc", true});
}

TEST_CASE("nothing to stop at lets everything through at once") {
  stop_matcher matcher({"", ""}, false);
  CHECK(matcher.push("all").text == "all");
}

TEST_CASE("random texts in random pieces stop where a search over the whole text says") {
  auto seed = GENERATE(1u, 2u, 3u, 4u);
  std::mt19937 random(seed);
  INFO("seed " << seed);
  auto word = [&](std::size_t longest) {
    std::string out;
    for (auto n = random() % (longest + 1); n > 0; --n)
      out += static_cast<char>('a' + random() % 2);
    return out;
  };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> stops;
    for (auto n = random() % 5; n > 0; --n)
      stops.push_back(word(7));
    bool include = random() % 2 == 0;
    std::vector<std::string> pieces;
    std::string text;
    for (auto n = random() % 8; n > 0; --n)
      text += pieces.emplace_back(word(6));
    REQUIRE(run(stops, include, pieces) == naive(stops, include, text));
  }
}

}  // namespace lorica
