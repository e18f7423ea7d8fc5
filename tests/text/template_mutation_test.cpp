#include <random>

#include "tests/text/template_cases.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t seed = 20'260'726;
constexpr int rounds = 3'000;

constexpr const char* families[] = {"llama3",  "qwen3", "mistral", "hermes",
                                    "granite", "tree",  "format",  "gpt_oss"};

// Words that mean something to the engine, put in where they do not belong.
constexpr const char* words[] = {"{%",
                                 "%}",
                                 "{{",
                                 "}}",
                                 "{#",
                                 "#}",
                                 "-",
                                 "+",
                                 "|",
                                 "(",
                                 ")",
                                 "[",
                                 "]",
                                 "{",
                                 "}",
                                 ":",
                                 ",",
                                 ".",
                                 "'",
                                 "\"",
                                 "\\",
                                 "*",
                                 "**",
                                 "~",
                                 "is",
                                 "not",
                                 "in",
                                 "if",
                                 "else",
                                 "for",
                                 "endfor",
                                 "set",
                                 "macro",
                                 "loop",
                                 "loop(messages)",
                                 "caller()",
                                 "recursive",
                                 "namespace(a=1)",
                                 "range(99999)",
                                 "messages",
                                 "0",
                                 "-1",
                                 "1e308",
                                 "none",
                                 "''",
                                 "|tojson",
                                 "|map('upper')",
                                 "|list",
                                 "|sort",
                                 "|groupby('role')",
                                 "|batch(2)",
                                 ".items()",
                                 ".format(messages)",
                                 "%",
                                 "//",
                                 "* 9999999",
                                 "|join",
                                 "|indent(99999)",
                                 "\xc3\xa9",
                                 "\xff",
                                 "{% raw %}",
                                 "{% break %}",
                                 "{% filter upper %}",
                                 "{% call f() %}",
                                 "|center(99999999)",
                                 "|round(-9)",
                                 "[::-1]",
                                 "[1:2]"};

class mangler {
 public:
  mangler() : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  std::string mutate(std::string text) {
    for (auto edits = 1 + below(6); edits > 0; --edits) {
      auto at = below(text.size() + 1);
      auto length = std::min(below(12), text.size() - at);
      switch (below(4)) {
        case 0: text.erase(at, length); break;
        case 1: text.insert(at, words[below(std::size(words))]); break;
        case 2: text.replace(at, length, words[below(std::size(words))]); break;
        default: text.insert(at, text.substr(below(text.size() + 1), below(80)));
      }
    }
    return text;
  }

  // A template of nothing but words.
  std::string gibberish() {
    std::string out;
    for (auto count = below(40); count > 0; --count)
      out += std::string(words[below(std::size(words))]) + " ";
    return out;
  }

 private:
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("mutated templates are refused, fail or render within their bounds") {
  constexpr std::size_t output_limit = 200'000;
  auto conversations = template_golden("conversations.json");
  auto& list = *conversations.as_array();
  std::vector<std::string> sources;
  for (auto family : families)
    sources.push_back(*template_golden(std::string(family) + ".json").find("template")->as_string());
  mangler random;
  std::size_t refused = 0, failed = 0, shown = 0;
  for (int round = 0; round < rounds; ++round) {
    auto source =
        random.below(5) == 0 ? random.gibberish() : random.mutate(sources[random.below(sources.size())]);
    INFO(source);
    auto parsed = chat_template::parse(source);
    if (!parsed) {
      CHECK(parsed.error().code == errc::bad_model);
      ++refused;
      continue;
    }
    auto& conversation = list[random.below(list.size())];
    template_input input;
    input.messages = conversation.find("messages");
    input.tools = conversation.find("tools");
    input.documents = conversation.find("documents");
    input.variables = conversation.find("variables");
    input.max_output_bytes = output_limit;
    auto out = (*parsed)->render(input);
    if (!out) {
      CHECK(out.error().code == errc::template_failed);
      ++failed;
      continue;
    }
    ++shown;
    CHECK(out->text.size() <= output_limit);
    std::size_t done = 0;
    for (auto& span : out->from_request) {
      CHECK(span.begin >= done);
      CHECK(span.begin < span.end);
      done = span.end + 1;
    }
    CHECK(done <= out->text.size() + 1);
  }
  CHECK(refused > 100);
  CHECK(failed > 50);
  CHECK(shown > 100);
}

}  // namespace lorica
