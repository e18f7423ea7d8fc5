#include "actors/token_rule_maker.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "core/json.hpp"
#include "tests/actors/fake_tokenizer.hpp"
#include "tests/catch.hpp"
#include "text/tokenizer_json.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(std::string(LORICA_TEST_DATA) + "/golden/" + file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

result<shared_rules> make(const rule_wishes& wishes) {
  return make_token_rules(wishes, fake_tokenizer());
}

/// Refused with this field and these words.
void refused(const rule_wishes& wishes, const std::string& field, std::vector<std::string> words) {
  auto made = make(wishes);
  INFO(field);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == errc::invalid);
  CHECK(made.error().param == field);
  words.push_back(field);
  for (auto& word : words)
    CHECK_THAT(made.error().text, Catch::Contains(word));
}

}  // namespace

TEST_CASE("bad words come to the sequences that vLLM's rule gives with the tokenizers library") {
  auto root = parse_json(text_of("sampling/bad_words.json"));
  REQUIRE(root);
  std::string family;
  std::shared_ptr<const tokenizer> vocabulary;
  int two_ways = 0;
  for (auto& entry : *root->as_array()) {
    auto& word = *entry.find("word")->as_string();
    if (auto& name = *entry.find("tokenizer")->as_string(); name != family) {
      auto loaded = parse_tokenizer_json(text_of("tokenizers/" + name + ".tokenizer.json"));
      REQUIRE(loaded);
      vocabulary = *loaded;
      family = name;
    }
    INFO(family << ": '" << word << "'");
    std::vector<std::vector<token_id>> want;
    for (auto& one : *entry.find("sequences")->as_array()) {
      auto& ids = want.emplace_back();
      for (auto& id : *one.as_array())
        ids.push_back(static_cast<token_id>(*id.as_int()));
    }
    auto made = make_token_rules({.bad_words = {word}}, *vocabulary);
    REQUIRE(made);
    REQUIRE(*made);
    CHECK((*made)->bad_words == want);
    two_ways += want.size() > 1 ? 1 : 0;
  }
  CHECK(two_ways > 20);
}

TEST_CASE("wishes become sets; none are no rules") {
  CHECK_FALSE(*make({}));
  CHECK_FALSE(*make({.eos = {256}, .min_tokens = 0}));
  CHECK_FALSE(*make({.min_tokens = 3}));
  auto late = make({.stops = {9, 5, 9}, .eos = {256, 5}, .min_tokens = 3});
  REQUIRE(late);
  CHECK((*late)->stops == std::vector<token_id>{5, 9});
  CHECK((*late)->late == std::vector<token_id>{5, 9, 256});
  auto all = make({.biases = {{7, 1.0f}, {3, -100.0f}}, .allowed = {{8, 2, 8}}, .bad_words = {" ab"}});
  REQUIRE(all);
  CHECK((*all)->biases == std::vector<token_bias>{{3, -100.0f}, {7, 1.0f}});
  CHECK((*all)->allowed == std::vector<token_id>{2, 8});
  CHECK((*all)->bad_words == std::vector<std::vector<token_id>>{{'a', 'b'}});
  CHECK((*all)->late.empty());
}

TEST_CASE("ids outside the vocabulary are refused by field, id and size of the vocabulary") {
  for (token_id id : {-1, 257, 2147483647}) {
    auto shown = std::to_string(id);
    refused({.biases = {{id, 1}}}, "logit_bias", {shown, "257 tokens"});
    refused({.allowed = {{1, id}}}, "allowed_token_ids", {shown, "257 tokens"});
    refused({.stops = {2, id}}, "stop_token_ids", {shown, "257 tokens"});
  }
}

TEST_CASE("biases, counts and words beyond their bounds are refused, those at the bound are not") {
  refused({.biases = {{4, 100.5f}}}, "logit_bias", {"token id 4", "[-100, 100]", "100.5"});
  refused({.biases = {{4, std::nanf("")}}}, "logit_bias", {"[-100, 100]"});
  refused({.biases = {{4, 1}, {5, 1}, {4, 2}}}, "logit_bias", {"token id 4 twice"});
  rule_wishes wide;
  wide.biases.assign(1025, {1, 0});
  refused(wide, "logit_bias", {"at most 1024", "1025"});
  refused({.allowed = {std::vector<token_id>{}}}, "allowed_token_ids", {"empty"});
  refused({.stops = std::vector<token_id>(129, 1)}, "stop_token_ids", {"at most 128", "129"});
  CHECK(make({.stops = std::vector<token_id>(128, 1)}));
  refused({.bad_words = std::vector<std::string>(1025, "x")}, "bad_words", {"at most 1024", "1025"});
  refused({.bad_words = {std::string(65537, 'x')}}, "bad_words", {"65536 bytes", "65537"});
  CHECK(make({.bad_words = {std::string(65536, 'x')}}));
  for (auto word : {"", " ", " \n\t"})
    refused({.bad_words = {"x", word}}, "bad_words", {"without any characters"});
}

TEST_CASE("an allowed set that the other rules empty is refused") {
  refused({.allowed = {{'a', 256}}, .bad_words = {"a"}, .eos = {256}, .min_tokens = 1}, "allowed_token_ids",
          {"forbid"});
  CHECK(make({.allowed = {{'a', 256}}, .bad_words = {"a"}, .eos = {256}}));
  CHECK(make({.allowed = {{'a', 256}}, .bad_words = {"aa"}, .eos = {256}, .min_tokens = 1}));
}
