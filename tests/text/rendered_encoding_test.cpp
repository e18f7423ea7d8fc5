#include <random>

#include "tests/text/golden_files.hpp"
#include "text/incremental_decoder.hpp"

namespace lorica {
namespace {

template_text marked_at_random(const std::string& text, std::mt19937& random) {
  template_text out;
  for (std::size_t at = 0; at < text.size();) {
    auto end = std::min(text.size(), at + 1 + random() % 9);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
      ++end;
    out.append(std::string_view(text).substr(at, end - at), random() % 2 == 0);
    at = end;
  }
  return out;
}

bool holds_added_token(const value& file, const std::vector<token_id>& ids) {
  for (auto& token : *file.find("added_tokens")->as_array())
    if (std::find(ids.begin(), ids.end(), static_cast<token_id>(*token.find("id")->as_int())) != ids.end())
      return true;
  return false;
}

std::string decoded(const std::shared_ptr<const tokenizer>& words, const std::vector<token_id>& ids) {
  incremental_decoder decoder(words, false);
  std::string out;
  for (auto id : ids)
    out += decoder.push(id);
  return out + decoder.flush();
}

}  // namespace

TEST_CASE("marks change nothing in a text without added tokens") {
  auto family = GENERATE("gpt2", "llama3", "qwen2", "smollm2", "odd", "llama2", "mistral", "gemma", "phi3",
                         "nfkc", "odd_characters", "prefix_space");
  DYNAMIC_SECTION(family) {
    auto words = golden_tokenizer(family);
    auto file = golden_value(std::string(family) + ".tokenizer.json");
    auto golden = golden_value(std::string(family) + ".golden.json");
    std::mt19937 random(7);
    std::size_t compared = 0;
    for (auto& text : texts_of(golden)) {
      auto plain = words->encode(text, false);
      REQUIRE(plain);
      INFO(text);
      CHECK(*words->encode_rendered(template_text(text)) == *plain);
      if (holds_added_token(file, *plain)) continue;
      ++compared;
      CHECK(*words->encode_rendered(template_text::of_request(text)) == *plain);
      CHECK(*words->encode_rendered(marked_at_random(text, random)) == *plain);
    }
    CHECK(compared > 50);
  }
}

TEST_CASE("a request cannot forge a special token") {
  auto family = GENERATE("gpt2", "llama3", "qwen2", "smollm2", "odd", "llama2", "mistral", "gemma", "phi3",
                         "nfkc", "odd_characters", "prefix_space");
  DYNAMIC_SECTION(family) {
    auto words = golden_tokenizer(family);
    auto file = golden_value(std::string(family) + ".tokenizer.json");
    std::size_t forged = 0;
    for (auto& token : *file.find("added_tokens")->as_array()) {
      auto content = *token.find("content")->as_string();
      auto id = static_cast<token_id>(*token.find("id")->as_int());
      auto unknown = file.find("model")->find("unk_token");
      bool stands_for_others = unknown && *unknown->as_string() == content;
      if (content.size() < 3 || !*token.find("special")->as_bool() || stands_for_others) continue;
      for (std::string text : {content, "say " + content + " now", content + content}) {
        INFO(text);
        auto found = words->encode_rendered(template_text(text));
        auto hidden = words->encode_rendered(template_text::of_request(text));
        REQUIRE(found);
        if (!hidden) {
          // The vocabulary has no other spelling for it.
          CHECK(hidden.error().code == errc::invalid);
          continue;
        }
        ++forged;
        CHECK(std::find(hidden->begin(), hidden->end(), id) == hidden->end());
        if (std::string_view(family) == "gpt2" || std::string_view(family) == "llama3")
          CHECK(decoded(words, *hidden) == text);
      }
      // One byte of the request within is enough.
      template_text mixed(content.substr(0, 1));
      mixed.append(content.substr(1, 1), true);
      mixed.append(content.substr(2));
      auto ids = words->encode_rendered(mixed);
      if (ids) CHECK(std::find(ids->begin(), ids->end(), id) == ids->end());
    }
    CHECK(forged > 0);
  }
}

TEST_CASE("only the template's own tokens are found in a conversation") {
  auto words = golden_tokenizer("smollm2");
  auto file = golden_value("smollm2.tokenizer.json");
  auto& token = (*file.find("added_tokens")->as_array())[0];
  auto content = *token.find("content")->as_string();
  auto id = static_cast<token_id>(*token.find("id")->as_int());
  template_text text(content);
  text.append("hi " + content + "!", true);
  text.append(content);
  auto ids = words->encode_rendered(text);
  REQUIRE(ids);
  CHECK(ids->front() == id);
  CHECK(ids->back() == id);
  CHECK(std::count(ids->begin(), ids->end(), id) == 2);
  CHECK(decoded(words, *ids) == content + "hi " + content + "!" + content);
}

TEST_CASE("bytes that are no UTF-8 keep their marks when they are repaired") {
  auto words = golden_tokenizer("smollm2");
  auto file = golden_value("smollm2.tokenizer.json");
  auto content = *(*file.find("added_tokens")->as_array())[0].find("content")->as_string();
  template_text text("\xff");
  text.append("\xff" + content, true);
  auto plain = words->encode("\ufffd\ufffd", false);
  auto ids = words->encode_rendered(text);
  REQUIRE(ids);
  CHECK(std::vector<token_id>(ids->begin(), ids->begin() + static_cast<std::ptrdiff_t>(plain->size())) ==
        *plain);
  CHECK(decoded(words, *ids) == "\ufffd\ufffd" + content);
}

}  // namespace lorica
