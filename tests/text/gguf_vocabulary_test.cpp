#include "text/gguf_vocabulary.hpp"

#include <algorithm>
#include <cstring>

#include "tests/text/golden_files.hpp"

namespace lorica {
namespace {

// The keys a converter writes for a tokenizer.json: added tokens stand among the others, marked by their
// type.
gguf_vocabulary converted(const std::string& family, const std::string& pre) {
  auto tree = parse_json(golden_text(family + ".tokenizer.json"));
  REQUIRE(tree);
  gguf_vocabulary out{.model = "gpt2", .pre = pre};
  auto put = [&](const std::string& text, std::int64_t id, std::int32_t type) {
    auto at = static_cast<std::size_t>(id);
    if (at >= out.tokens.size()) {
      out.tokens.resize(at + 1);
      out.token_types.resize(at + 1, 1);
    }
    out.tokens[at] = text;
    out.token_types[at] = type;
  };
  auto model = tree->find("model");
  for (auto& [text, id] : *model->find("vocab")->as_object())
    put(text, *id.as_int(), 1);
  for (auto& t : *tree->find("added_tokens")->as_array())
    put(*t.find("content")->as_string(), *t.find("id")->as_int(), *t.find("special")->as_bool() ? 3 : 4);
  for (auto& merge : *model->find("merges")->as_array()) {
    auto pair = merge.as_array();
    out.merges.push_back(pair ? *(*pair)[0].as_string() + " " + *(*pair)[1].as_string() : *merge.as_string());
  }
  return out;
}

gguf_vocabulary smallest() {
  return {.model = "gpt2",
          .pre = "gpt-2",
          .tokens = {"a", "b", "ab", "<s>", "</s>", "<e>"},
          .token_types = {1, 1, 1, 3, 3, 4},
          .merges = {"a b"},
          .bos = 3,
          .eos = 4,
          .eot = 5,
          .eom = 4};
}

result<std::shared_ptr<const tokenizer>> built(gguf_vocabulary file) {
  auto parts = describe(std::move(file));
  if (!parts) return std::move(parts).error();
  return build_tokenizer(*std::move(parts));
}

void check_refused(gguf_vocabulary file, const std::string& named) {
  auto words = built(std::move(file));
  REQUIRE_FALSE(words);
  CHECK(words.error().code == errc::bad_model);
  CHECK_THAT(words.error().text, Catch::Matchers::Contains(named));
}

// Bytes of strings as a GGUF file holds them.
std::vector<std::byte> packed(const std::vector<std::string>& texts) {
  std::vector<std::byte> out;
  for (auto& text : texts) {
    std::uint64_t size = text.size();
    auto at = out.size();
    out.resize(at + sizeof size + text.size());
    std::memcpy(out.data() + at, &size, sizeof size);
    std::memcpy(out.data() + at + sizeof size, text.data(), text.size());
  }
  return out;
}

template <class T>
std::vector<std::byte> raw_bytes(const std::vector<T>& values) {
  std::vector<std::byte> out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

// Each key in turn holds a fraction, which none may.
void check_damaged(const gguf_header& header) {
  for (auto& [key, v] : header.metadata) {
    auto damaged = header;
    auto it = std::find_if(damaged.metadata.begin(), damaged.metadata.end(),
                           [&](auto& m) { return m.first == key; });
    it->second = 1.5;
    auto refused = read_vocabulary(damaged);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::bad_model);
    CHECK_THAT(refused.error().text, Catch::Matchers::Contains(std::string(key)));
  }
}

}  // namespace

TEST_CASE("the keys of a GGUF file give the same ids as the tokenizer.json they came from") {
  using row = std::pair<const char*, const char*>;
  auto [family, pre] = GENERATE(row{"gpt2", "gpt-2"}, row{"llama3", "llama-bpe"}, row{"qwen2", "qwen2"},
                                row{"smollm2", "smollm"}, row{"no_name", "default"}, row{"no_name", ""});
  auto file = converted(family, pre);
  file.add_bos = false;
  auto words = built(std::move(file));
  INFO(family << (words ? "" : ": " + words.error().text));
  REQUIRE(words);
  auto golden = golden_value(std::string(family) + ".golden.json");
  auto texts = texts_of(golden);
  auto& encodings = *golden.find("encodings")->as_array();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    INFO(texts[i]);
    CHECK(*(*words)->encode(texts[i], false) == ids_of((*encodings[i].as_array())[0]));
  }
}

TEST_CASE("names of pre-tokenizers cut as the tokenizer.json files of their models do") {
  auto golden = golden_value("pre_names.golden.json");
  auto texts = texts_of(golden);
  auto& names = *golden.find("names")->as_object();
  REQUIRE(names.size() == 7);
  for (auto& [name, rows] : names) {
    auto file = converted("uncut", name);
    file.bos = 0;
    file.add_bos = false;
    auto words = built(std::move(file));
    INFO(name << (words ? "" : ": " + words.error().text));
    REQUIRE(words);
    auto& encodings = *rows.as_array();
    REQUIRE(encodings.size() == texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      INFO(texts[i]);
      CHECK(*(*words)->encode(texts[i], false) == ids_of(encodings[i]));
    }
  }
}

TEST_CASE("begin and end tokens surround a text when the file or its family asks") {
  auto encode = [](std::optional<bool> bos, std::optional<bool> eos, const std::string& pre) {
    auto file = smallest();
    file.add_bos = bos;
    file.add_eos = eos;
    file.pre = pre;
    auto words = built(std::move(file));
    REQUIRE(words);
    CHECK(*(*words)->encode("ab", false) == std::vector<token_id>{2});
    return *(*words)->encode("ab", true);
  };
  CHECK(encode({}, {}, "gpt-2") == std::vector<token_id>{2});
  CHECK(encode(true, true, "gpt-2") == std::vector<token_id>{3, 2, 4});
  CHECK(encode({}, {}, "llama-bpe") == std::vector<token_id>{3, 2});
  CHECK(encode(false, {}, "llama-bpe") == std::vector<token_id>{2});
}

TEST_CASE("control tokens are special, user-defined ones are not, and each end id counts once") {
  auto words = built(smallest());
  REQUIRE(words);
  CHECK((*words)->eos() == std::vector<token_id>{4, 5});
  CHECK((*words)->is_special(3));
  CHECK_FALSE((*words)->is_special(5));
  CHECK(*(*words)->encode("a<e>b</s>", false) == std::vector<token_id>{0, 5, 1, 4});
}

TEST_CASE("vocabularies that do not hold together are refused by name") {
  auto change = [](auto edit) {
    auto file = smallest();
    edit(file);
    return file;
  };
  check_refused(change([](auto& f) { f.model = "bert"; }), "'bert'");
  check_refused(change([](auto& f) { f.pre = "deepseek-llm"; }), "'deepseek-llm'");
  check_refused(change([](auto& f) { f.tokens.clear(); }), "0 tokens");
  check_refused(change([](auto& f) { f.token_types.pop_back(); }), "token_type");
  check_refused(change([](auto& f) { f.merges = {"ab"}; }), "merges");
  check_refused(change([](auto& f) { f.merges = {""}; }), "merges");
  check_refused(change([](auto& f) { f.merges = {"b a"}; }), "outside the vocabulary");
  check_refused(change([](auto& f) { f.tokens[1] = "a"; }), "twice");
  check_refused(change([](auto& f) { f.tokens[1] = "\xff"; }), "UTF-8");
  check_refused(change([](auto& f) { f.eos = 6; }), "6");
  check_refused(change([](auto& f) { f.add_bos = true, f.bos = {}; }), "bos_token_id");
  check_refused(change([](auto& f) { f.add_eos = true, f.eos = {}; }), "eos_token_id");
}

TEST_CASE("keys of another kind than they should be are refused by name") {
  auto tokens = packed({"a", "b", "ab"});
  auto merges = packed({"a b"});
  gguf_header header;
  header.metadata = {
      {"tokenizer.ggml.add_bos_token", false},
      {"tokenizer.ggml.eos_token_id", std::uint64_t{2}},
      {"tokenizer.ggml.merges", gguf_array{gguf_kind::string, 1, merges}},
      {"tokenizer.ggml.model", std::string_view("gpt2")},
      {"tokenizer.ggml.pre", std::string_view("smollm")},
      {"tokenizer.ggml.tokens", gguf_array{gguf_kind::string, 3, tokens}},
  };
  auto file = read_vocabulary(header);
  REQUIRE(file);
  CHECK(file->tokens == std::vector<std::string>{"a", "b", "ab"});
  CHECK(file->merges == std::vector<std::string>{"a b"});
  CHECK(file->eos == 2);
  CHECK(file->add_bos == false);
  CHECK_FALSE(file->bos);
  check_damaged(header);
}

TEST_CASE("keys of a SentencePiece vocabulary of another kind than they should be are refused by name") {
  auto tokens = packed({"<unk>", "a"});
  auto scores = raw_bytes<float>({0, -1.5f});
  auto types = raw_bytes<std::int32_t>({2, 1});
  gguf_header header;
  header.metadata = {
      {"tokenizer.ggml.add_space_prefix", false},
      {"tokenizer.ggml.model", std::string_view("llama")},
      {"tokenizer.ggml.scores", gguf_array{gguf_kind::f32, 2, scores}},
      {"tokenizer.ggml.token_type", gguf_array{gguf_kind::i32, 2, types}},
      {"tokenizer.ggml.tokens", gguf_array{gguf_kind::string, 2, tokens}},
      {"tokenizer.ggml.unknown_token_id", std::uint64_t{0}},
  };
  auto file = read_vocabulary(header);
  REQUIRE(file);
  CHECK(file->scores == std::vector<float>{0, -1.5f});
  CHECK(file->token_types == std::vector<std::int32_t>{2, 1});
  CHECK(file->add_space_prefix == false);
  CHECK(file->unknown == 0);
  CHECK_FALSE(file->has_charsmap);
  check_damaged(header);
}

TEST_CASE("the first part of a split model holds its tokenizer") {
  const std::string golden = std::string(LORICA_TEST_DATA) + "/golden/";
  auto whole = open_tokenizer(golden + "models/llama-gguf-q4_0/model.gguf");
  auto part = open_tokenizer(golden + "gguf_split/model-00001-of-00003.gguf");
  REQUIRE(whole);
  REQUIRE(part);
  REQUIRE((*part)->size() == 320);
  for (token_id id = 0; id < 320; ++id)
    CHECK((*part)->bytes(id) == (*whole)->bytes(id));
  CHECK(*(*part)->encode("the thing and its end", false) ==
        *(*whole)->encode("the thing and its end", false));
}

}  // namespace lorica
