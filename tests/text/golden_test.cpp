#include <filesystem>

#include "tests/text/golden_files.hpp"
#include "text/incremental_decoder.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

std::vector<token_id> offsets_of(const std::vector<token_span>& spans) {
  std::vector<token_id> out;
  for (auto& s : spans) {
    out.push_back(static_cast<token_id>(s.start));
    out.push_back(static_cast<token_id>(s.stop));
  }
  return out;
}

std::string decoded(const std::shared_ptr<const tokenizer>& words, const std::vector<token_id>& ids,
                    bool skip) {
  incremental_decoder decoder(words, skip);
  std::string out;
  for (auto id : ids)
    out += decoder.push(id);
  return out + decoder.flush();
}

// Offsets where a form changed the text differ from the library's on purpose.
std::optional<unicode_form> normal_form(const std::string& family) {
  if (family == "qwen2" || family == "odd") return unicode_form::nfc;
  if (family == "nfkc") return unicode_form::nfkc;
  if (family == "odd_characters") return unicode_form::nfd;
  return std::nullopt;
}

bool has_byte_tokens(const std::string& family) {
  return family == "llama2" || family == "mistral" || family == "gemma" || family == "phi3" ||
         family == "odd_characters";
}

// `golden` holds ids and offsets without specials, then with them where that differs.
void check_encoding(const tokenizer& words, const std::string& text, const value::array& golden,
                    bool compare_offsets) {
  for (bool special : {false, true}) {
    auto at = special && golden.size() == 4 ? 2u : 0u;
    INFO("text: " << text << ", specials: " << special);
    auto ids = words.encode(text, special);
    REQUIRE(ids);
    CHECK(*ids == ids_of(golden[at]));
    auto spans = words.encode_spans(text, special);
    REQUIRE(spans);
    std::vector<token_id> span_ids;
    for (auto& s : *spans)
      span_ids.push_back(s.id);
    CHECK(span_ids == *ids);
    if (compare_offsets) CHECK(offsets_of(*spans) == ids_of(golden[at + 1]));
  }
}

void check_goldens(const std::shared_ptr<const tokenizer>& words, const std::string& family) {
  auto golden = golden_value(family + ".golden.json");
  auto texts = texts_of(golden);
  auto& encodings = *golden.find("encodings")->as_array();
  REQUIRE(texts.size() >= 400);
  REQUIRE(encodings.size() == texts.size());
  auto form = normal_form(family);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto normal = normalised(texts[i], form.value_or(unicode_form::nfc));
    REQUIRE(normal);
    check_encoding(*words, texts[i], *encodings[i].as_array(), !form || normal->changes.empty());
  }
  for (auto& row : *golden.find("decodings")->as_array()) {
    auto& fields = *row.as_array();
    auto ids = ids_of(fields[0]);
    CHECK(decoded(words, ids, false) == *fields[1].as_string());
    CHECK(decoded(words, ids, true) == *fields[2].as_string());
  }
  auto broken = golden.find("broken");
  CHECK((broken != nullptr) == has_byte_tokens(family));
  if (!broken) return;
  for (auto& row : *broken->as_array()) {
    auto& fields = *row.as_array();
    CHECK(decoded(words, ids_of(fields[0]), false) == *fields[1].as_string());
  }
}

}  // namespace

TEST_CASE("tokenizers of real families give the ids, offsets and texts of the reference library") {
  auto family = GENERATE("gpt2", "prefix_space", "llama3", "qwen2", "smollm2", "odd", "no_name", "llama2",
                         "mistral", "gemma", "phi3", "nfkc", "odd_characters");
  DYNAMIC_SECTION(family) {
    check_goldens(golden_tokenizer(family), family);
  }
}

TEST_CASE("the default model's vocabulary gives the ids, offsets and texts of the reference library") {
  auto path = std::string(LORICA_SOURCE_DIR) + "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(path)) {
    WARN("the default model is not there; tools/fetch_model fetches it");
    return;
  }
  auto words = open_tokenizer(path);
  INFO((words ? "" : words.error().text));
  REQUIRE(words);
  CHECK((*words)->size() == 49152);
  CHECK((*words)->eos() == std::vector<token_id>{2});
  check_goldens(*words, "default_model");
}

}  // namespace lorica
