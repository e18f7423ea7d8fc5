#include <algorithm>
#include <cmath>

#include "tests/text/golden_files.hpp"
#include "text/gguf_vocabulary.hpp"
#include "text/incremental_decoder.hpp"
#include "text/score_merges.hpp"

namespace lorica {
namespace {

std::shared_ptr<const tokenizer> opened(const std::string& name) {
  auto words = open_tokenizer(std::string(LORICA_TEST_DATA) + "/golden/tokenizers/" + name + ".gguf");
  INFO(name << ": " << (words ? "" : words.error().text));
  REQUIRE(words);
  return *std::move(words);
}

std::string decoded(const std::shared_ptr<const tokenizer>& words, const std::vector<token_id>& ids) {
  incremental_decoder decoder(words, /*skip_special_tokens=*/true);
  std::string out;
  for (auto id : ids)
    out += decoder.push(id);
  return out + decoder.flush();
}

// Bytes 3 to 258, then pieces by falling scores.
gguf_vocabulary small() {
  gguf_vocabulary out{.model = "llama", .pre = ""};
  auto add = [&](std::string text, float score, std::int32_t type) {
    out.tokens.push_back(std::move(text));
    out.scores.push_back(score);
    out.token_types.push_back(type);
  };
  add("<unk>", 0, gguf_token::unknown);
  add("<s>", 0, gguf_token::control);
  add("</s>", 0, gguf_token::control);
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char digits[] = "0123456789ABCDEF";
    add(std::string("<0x") + digits[byte / 16] + digits[byte % 16] + ">", 0, 6);
  }
  add("\u2581", -5, gguf_token::normal);        // 259
  add("a", -5, gguf_token::normal);             // 260
  add("b", -5, gguf_token::normal);             // 261
  add("ab", -2, gguf_token::normal);            // 262
  add("\u2581a", -1, gguf_token::normal);       // 263
  add("<|end|>", 0, gguf_token::user_defined);  // 264
  add("<|system|>", 0, gguf_token::control);    // 265
  add("[PAD266]", -1000, gguf_token::unused);   // 266
  return out;
}

result<std::shared_ptr<const tokenizer>> built(gguf_vocabulary file) {
  auto parts = describe(std::move(file));
  if (!parts) return std::move(parts).error();
  return build_tokenizer(*std::move(parts));
}

std::vector<token_id> encoded(gguf_vocabulary file, std::string_view text, bool special = false) {
  auto words = built(std::move(file));
  INFO((words ? "" : words.error().text));
  REQUIRE(words);
  return *(*words)->encode(text, special);
}

void check_refused(gguf_vocabulary file, const std::string& named) {
  auto words = built(std::move(file));
  REQUIRE_FALSE(words);
  CHECK(words.error().code == errc::bad_model);
  CHECK_THAT(words.error().text, Catch::Matchers::Contains(named));
}

using ids = std::vector<token_id>;

}  // namespace

TEST_CASE("a GGUF file of SentencePiece's gives the ids and texts of the reference library") {
  using row = std::pair<const char*, token_id>;
  auto [name, bos] = GENERATE(row{"sp_llama", 1}, row{"sp_gemma", 2}, row{"sp_ties", 1});
  auto words = opened(name);
  auto golden = golden_value(std::string(name) + ".golden.json");
  auto texts = texts_of(golden);
  auto& encodings = *golden.find("encodings")->as_array();
  REQUIRE(texts.size() > 400);
  REQUIRE(encodings.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (encodings[i].is_null()) continue;
    INFO(name << ": " << texts[i]);
    auto expected = ids_of(encodings[i]);
    CHECK(*words->encode(texts[i], false) == expected);
    expected.insert(expected.begin(), bos);
    CHECK(*words->encode(texts[i], true) == expected);
  }
  auto& decodings = *golden.find("decodings")->as_array();
  REQUIRE(decodings.size() == 200);
  for (auto& d : decodings)
    CHECK(decoded(words, ids_of((*d.as_array())[0])) == *(*d.as_array())[1].as_string());
}

TEST_CASE("a megabyte is one piece for merges by score and takes no quadratic time") {
  auto words = opened(GENERATE("sp_llama", "sp_ties"));
  auto unit = GENERATE(as<std::string>{}, "a", "tokens", "the adapter  of model ");
  std::string text;
  while (text.size() < 1'000'000)
    text += unit;
  auto tokens = words->encode(text, false);
  REQUIRE(tokens);
  CHECK((decoded(words, *tokens) == text));
}

TEST_CASE("the highest score merges first, the leftmost of equals") {
  CHECK(encoded(small(), "ab") == ids{263, 261});  // "▁a" before "ab"
  auto file = small();
  file.scores[262] = 0;
  CHECK(encoded(file, "ab") == ids{259, 262});
  file.scores[262] = -1;
  CHECK(encoded(file, "ab") == ids{263, 261});
  CHECK(encoded(file, "abab") == ids{263, 261, 262});
}

TEST_CASE("keys that a file lacks mean what they mean for Llama") {
  CHECK(encoded(small(), "a", true) == ids{1, 263});
  auto file = small();
  file.add_bos = false;
  file.add_eos = true;
  CHECK(encoded(file, "a", true) == ids{263, 2});
  CHECK((*built(small()))->eos() == ids{2});
  file.add_space_prefix = false;
  CHECK(encoded(file, "a") == ids{260});
  auto words = built(file);
  REQUIRE(words);
  CHECK((*words)->first_bytes(263) == " a");
  CHECK((*built(small()))->first_bytes(263) == "a");
}

TEST_CASE("each stretch between added tokens gets a space in front") {
  CHECK(encoded(small(), "a<|end|>a</s> a<unk>") == ids{263, 264, 263, 2, 259, 263, 0});
  auto words = *built(small());
  CHECK(words->is_special(0));
  CHECK(words->is_special(2));
  CHECK_FALSE(words->is_special(264));
}

TEST_CASE("markers of Phi-3 swallow the white space behind them, its first tokens do not") {
  auto file = small();
  file.architecture = "phi3";
  CHECK(encoded(file, "<|system|>\n a<|end|> \n") == ids{265, 263, 264});
  CHECK(encoded(file, "<s> a") == ids{1, 259, 263});
}

TEST_CASE("bytes stand for characters without a token, the unknown token where a byte is missing") {
  CHECK(encoded(small(), "\n\u00e9") == ids{259, 3 + 10, 3 + 0xc3, 3 + 0xa9});
  auto file = small();
  file.tokens[3 + 0xc3] = "x";
  CHECK(encoded(file, "\u00e9\u00e9") == ids{259, 0});
}

TEST_CASE("a character that only longer pieces hold joins them, and is bytes otherwise") {
  auto file = small();
  file.tokens[262] = "a\u00e9";
  CHECK(encoded(file, "ba\u00e9\u00e9") == ids{259, 261, 262, 3 + 0xc3, 3 + 0xa9});
}

TEST_CASE("SentencePiece vocabularies that do not hold together are refused by name") {
  auto change = [](auto edit) {
    auto file = small();
    edit(file);
    return file;
  };
  check_refused(change([](auto& f) { f.scores.pop_back(); }), "tokenizer.ggml.scores");
  check_refused(change([](auto& f) { f.scores.clear(); }), "tokenizer.ggml.scores");
  check_refused(change([](auto& f) { f.scores[260] = std::nanf(""); }), "token 260");
  check_refused(change([](auto& f) { f.token_types.clear(); }), "tokenizer.ggml.token_type");
  check_refused(change([](auto& f) { f.tokens[261] = "a"; }), "twice");
  check_refused(change([](auto& f) { f.tokens[261] = "\xff"; }), "UTF-8");
  check_refused(change([](auto& f) { f.tokens[261] = std::string(513, 'a'); }), "512 bytes");
  check_refused(change([](auto& f) { f.bos = 400; }), "400");
  check_refused(change([](auto& f) { f.unknown = 400; }), "400");
  check_refused(change([](auto& f) { f.has_charsmap = true; }), "precompiled_charsmap");
  check_refused(change([](auto& f) { f.add_eos = true, f.eos = 300; }), "300");
  CHECK(built(change([](auto& f) { f.tokens[264] = std::string(513, 'a'); })));
}

}  // namespace lorica
