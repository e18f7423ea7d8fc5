#include "text/pre_tokenizer.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "tests/text/golden_files.hpp"
#include "text/pattern.hpp"

namespace lorica {
namespace {

result<pre_tokenizer> compiled(const value& config) {
  first_problem problem;
  tokenizer_parts parts;
  read_pre_tokenizer(json_part(&config, "pre_tokenizer", problem), parts);
  if (problem.get()) return *problem.get();
  return pre_tokenizer::compile(parts.pre);
}

// Offsets of the pieces in characters of the text they came from, as the library counts.
std::vector<token_id> offsets(std::string_view text, const traced_text& cut,
                              const std::vector<text_piece>& pieces) {
  auto characters = [&](std::size_t bytes) {
    auto head = text.substr(0, bytes);
    return static_cast<token_id>(
        std::count_if(head.begin(), head.end(), [](char c) { return !utf8_is_tail(c); }));
  };
  std::vector<token_id> out;
  for (auto& p : pieces) {
    auto [begin, end] = cut.origin(p.begin, p.end);
    out.push_back(characters(begin));
    out.push_back(characters(end));
  }
  return out;
}

}  // namespace

TEST_CASE("every way to split gives the pieces of the reference library") {
  auto rows = golden_value("splits.json");
  REQUIRE(rows.as_array()->size() > 70);
  for (auto& row : *rows.as_array()) {
    auto& fields = *row.as_array();
    auto pre = compiled(fields[0]);
    INFO(*fields[0].find("type")->as_string() << (pre ? "" : ": " + pre.error().text));
    REQUIRE(pre);
    for (auto& sample : *fields[1].as_array()) {
      auto& text = *(*sample.as_array())[0].as_string();
      auto behaviour = fields[0].find("behavior");
      INFO("text '" << text << "' behaviour " << (behaviour ? *behaviour->as_string() : "none"));
      traced_text traced(text, 0);
      auto pieces = pre->split(traced);
      REQUIRE(pieces);
      CHECK(offsets(text, traced, *pieces) == ids_of((*sample.as_array())[1]));
    }
  }
}

TEST_CASE("patterns keep their meaning when they are translated") {
  CHECK(*translate_pattern(R"( ?[^\s\p{L}]+[\r\n]*)") == R"( ?[^\p{White_Space}\p{L}]+[\r\n]*)");
  CHECK(*translate_pattern(R"((?i:'s|'t)|\p{N}{1,3}|\s+(?!\S))") ==
        R"((?i:'s|'t)|\p{N}{1,3}|\p{White_Space}+(?!\P{White_Space}))");
  CHECK(*translate_pattern(R"(\p{Han}++|\u4e00)") == R"(\p{sc:Han}++|\x{4e00})");
  CHECK(*translate_pattern("^a$") == "(?m:^)a(?m:$)");
  auto space = compile_pattern(R"(^\s$)");
  REQUIRE(space);
  CHECK(*space->find("\xc2\x85"));
  CHECK(*space->find("\xe3\x80\x80"));
  CHECK_FALSE(*space->find("\xe1\xa0\x8e"));  // U+180E was a space until Unicode 6.3
}

TEST_CASE("patterns that mean something else to Ruby are refused by name") {
  using row = std::pair<const char*, const char*>;
  auto [pattern, named] =
      GENERATE(row{R"(\h+)", "\\h"}, row{R"(\R)", "\\R"}, row{R"((a)\1)", "\\1"}, row{R"(\bfoo)", "\\b"},
               row{R"(\v)", "\\v"}, row{R"(\p{N}{1,3}+)", "'+'"}, row{R"(a{2}?)", "'?'"},
               row{"a{,3}", "{,3}"}, row{"(?m:.)", "(?m"}, row{"(?i)a", "(?i"}, row{"(?<n>a)", "(?<"},
               row{"(*UCP)a", "(*"}, row{"[[:alpha:]]", "a class inside a class"}, row{"[a&&b]", "&&"},
               row{"[]a]", "first member"}, row{"[a", "without end"}, row{"a\\", "lone"},
               row{R"([^\W])", "\\W"}, row{R"(\p{N)", "{name}"}, row{R"(\x41)", "\\x"}, row{"{", "'{'"},
               row{R"(\p{Nonsense})", "not valid"}, row{"(a", "not valid"}, row{"*", "not valid"});
  auto compiled_pattern = compile_pattern(pattern);
  INFO(pattern);
  REQUIRE_FALSE(compiled_pattern);
  CHECK(compiled_pattern.error().code == errc::bad_model);
  CHECK_THAT(compiled_pattern.error().text, Catch::Matchers::Contains(named));
}

}  // namespace lorica
