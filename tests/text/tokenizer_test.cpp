#include "text/tokenizer.hpp"

#include <filesystem>
#include <thread>

#include "tests/text/golden_files.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

// A small file whose parts can be replaced one by one.
struct sketch {
  std::string model =
      R"({"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"",)"
      R"("fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{"a":0,"b":1,"ab":2,"Ġ":3},)"
      R"("merges":["a b"]})";
  std::string added = "[]";
  std::string normalizer = "null";
  std::string pre = R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true})";
  std::string post = "null";
  std::string decoder = R"({"type":"ByteLevel"})";
  std::string more = "";

  std::string text() const {
    return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":)" + added +
           R"(,"normalizer":)" + normalizer + R"(,"pre_tokenizer":)" + pre + R"(,"post_processor":)" + post +
           R"(,"decoder":)" + decoder + R"(,"model":)" + model + more + "}";
  }
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void check_refused(const sketch& file, const std::string& named) {
  auto loaded = parse_tokenizer_json(file.text());
  INFO(file.text());
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::bad_model);
  CHECK_THAT(loaded.error().text, Catch::Matchers::Contains(named));
}

std::string added_list(const std::string& fields) {
  return R"([{"id":9,"content":"<x>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,)"
         R"("special":true)" +
         fields + "}]";
}

using row = std::pair<std::string, std::string>;

}  // namespace

TEST_CASE("the small file of these tests loads") {
  auto loaded = parse_tokenizer_json(sketch{}.text());
  INFO((loaded ? "" : loaded.error().text));
  REQUIRE(loaded);
  CHECK(*(*loaded)->encode("ab ba", true) == std::vector<token_id>{2, 3, 1, 0});
  CHECK((*loaded)->size() == 4);
  CHECK((*loaded)->bytes(3) == " ");
  CHECK((*loaded)->bytes(4).empty());
  CHECK((*loaded)->bytes(-1).empty());
  CHECK_FALSE((*loaded)->is_special(-1));
}

TEST_CASE("normalizers that are not understood are refused by name") {
  auto [normalizer, named] = GENERATE(
      row{R"({"type":"Lowercase"})", "Lowercase"}, row{R"({"type":"Prepend","prepend":"x"})", "Prepend"},
      row{R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]})",
          "normalizers[1] of type 'NFKC'"},
      row{R"({})", "type"}, row{R"("NFC")", "not an object"}, row{R"({"type":"Sequence"})", "normalizers"});
  check_refused({.normalizer = normalizer}, named);
}

TEST_CASE("pre-tokenizers that are not understood are refused by name") {
  auto [pre, named] = GENERATE(
      row{"null", "ByteLevel"}, row{R"({"type":"Metaspace","replacement":"_"})", "Metaspace"},
      row{R"({"type":"Whitespace"})", "Whitespace"},
      row{R"({"type":"Digits","individual_digits":true})", "ByteLevel"},
      row{R"({"type":"ByteLevel","trim_offsets":true})", "add_prefix_space"},
      row{R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"new":1})", "'new'"},
      row{R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false},)"
          R"({"type":"Digits","individual_digits":true}]})",
          "behind ByteLevel"},
      row{R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"Nowhere","invert":false})", "Nowhere"},
      row{R"({"type":"Split","pattern":{},"behavior":"Isolated","invert":false})", "pattern"},
      row{R"({"type":"Split","pattern":{"String":""},"behavior":"Isolated","invert":false})", "empty"});
  check_refused({.pre = pre}, named);
}

TEST_CASE("a pattern that is not supported refuses the whole file") {
  check_refused(
      {.pre = R"-({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"(?<n>a)"},)-"
              R"-("behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,)-"
              R"-("trim_offsets":true}]})-"},
      "(?<");
}

TEST_CASE("post-processors that are not understood are refused by name") {
  auto [post, named] = GENERATE(
      row{R"({"type":"BertProcessing"})", "BertProcessing"},
      row{R"({"type":"RobertaProcessing"})", "Roberta"},
      row{R"({"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{}})", "sequence A"},
      row{R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"B","type_id":0}}],"special_tokens":{}})",
          "sequence A"},
      row{R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
          R"({"Sequence":{"id":"A","type_id":0}}],"special_tokens":{}})",
          "<s>"},
      row{R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
          R"({"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[77],"tokens":["<s>"]}}})",
          "77"});
  check_refused({.post = post}, named);
}

TEST_CASE("decoders other than bytes joined are refused by name") {
  auto [decoder, named] =
      GENERATE(row{"null", "decoder"}, row{R"({"type":"WordPiece"})", "WordPiece"},
               row{R"({"type":"Fuse"})", "ByteLevel"},
               row{R"({"type":"Sequence","decoders":[{"type":"ByteLevel"},{"type":"Strip"}]})", "Strip"});
  check_refused({.decoder = decoder}, named);
  CHECK(parse_tokenizer_json(
      sketch{.decoder = R"({"type":"Sequence","decoders":[{"type":"ByteLevel"},{"type":"Fuse"}]})"}.text()));
}

TEST_CASE("models that cannot be run exactly are refused by name") {
  auto [from, to, named] = GENERATE(table<std::string, std::string, std::string>(
      {{"\"type\":\"BPE\"", "\"type\":\"Unigram\"", "Unigram"},
       {"\"dropout\":null", "\"dropout\":0.1", "dropout"},
       {"\"continuing_subword_prefix\":\"\"", "\"continuing_subword_prefix\":\"##\"",
        "continuing_subword_prefix"},
       {"\"end_of_word_suffix\":\"\"", "\"end_of_word_suffix\":\"</w>\"", "end_of_word_suffix"},
       {"\"byte_fallback\":false", "\"byte_fallback\":true", "byte_fallback"},
       {"\"ignore_merges\":false", "\"ignore_merges\":\"no\"", "ignore_merges"},
       {"\"fuse_unk\":false", "\"fuse_all\":false", "fuse_all"},
       {"\"unk_token\":null", "\"unk_token\":\"<unk>\"", "<unk>"},
       {"\"a b\"", "\"ab\"", "merges[0]"},
       {"\"a b\"", "\"a b c\"", "merges[0]"},
       {"\"a b\"", "[\"a\"]", "merges[0]"},
       {"\"a b\"", "[\"a\",1]", "merges[0]"},
       {"\"a b\"", "\"b a\"", "outside the vocabulary"},
       {"\"a b\"", "\"a z\"", "'z'"},
       {"\"ab\":2", "\"ab\":1", "twice"},
       {"\"ab\":2", "\"ab\":-1", "out of range"},
       {"\"ab\":2", "\"ab\":4194304", "out of range"},
       {"\"ab\":2", "\"ab\":99999999999", "id"},
       {"\"ab\":2", "\"ab\":1.5", "id"},
       {"\"ab\":2", "\"ab\":\"2\"", "id"},
       {"\"vocab\":{", "\"vocab\":[{", "JSON"},
       {"\"merges\"", "\"merged\"", "merge"}}));
  sketch file;
  file.model = replaced(file.model, from, to);
  check_refused(file, named);
}

TEST_CASE("added tokens that contradict the vocabulary are refused") {
  check_refused({.added = "{}"}, "added_tokens");
  check_refused({.added = "[1]"}, "added_tokens[0]");
  check_refused({.added = added_list(R"(,"extra":1)")}, "'extra'");
  check_refused({.added = replaced(added_list(""), "\"id\":9", "\"id\":2")}, "twice");
  check_refused({.added = replaced(added_list(""), "<x>", "ab")}, "the vocabulary says 2");
  check_refused({.added = replaced(added_list(""), "<x>", "")}, "empty");
  check_refused({.added = replaced(added_list(""), "9", "-9")}, "id");
  check_refused({.more = R"(,"postscript":1)"}, "postscript");
}

TEST_CASE("damaged files are refused, wherever they are cut") {
  auto whole = sketch{.added = added_list("")}.text();
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    auto loaded = parse_tokenizer_json(std::string_view(whole).substr(0, length));
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == errc::bad_model);
  }
  CHECK_FALSE(parse_tokenizer_json("[]"));
  CHECK_FALSE(parse_tokenizer_json("{}"));
}

TEST_CASE("ids may have holes, which stand for nothing") {
  auto loaded = parse_tokenizer_json(sketch{.added = added_list("")}.text());
  REQUIRE(loaded);
  CHECK((*loaded)->size() == 10);
  CHECK((*loaded)->bytes(5).empty());
  CHECK((*loaded)->bytes(9) == "<x>");
  CHECK((*loaded)->is_special(9));
  CHECK(*(*loaded)->encode("a<x>", false) == std::vector<token_id>{0, 9});
}

TEST_CASE("a path without a tokenizer is refused without showing the directory") {
  auto path = GENERATE(as<std::string>{}, "/nonexistent/place/model.gguf", "/", "/dev/null");
  auto loaded = open_tokenizer(path);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == errc::bad_model);
  CHECK_THAT(loaded.error().text, !Catch::Matchers::Contains("/"));
}

TEST_CASE("invalid UTF-8 counts as U+FFFD, by maximal subparts") {
  auto words = golden_tokenizer("gpt2");
  CHECK(*words->encode("a\xf0\x9f\x98"
                       "b\xff\xe2\x82",
                       false) == *words->encode("a\xef\xbf\xbd"
                                                "b\xef\xbf\xbd\xef\xbf\xbd",
                                                false));
  auto spans = words->encode_spans("\xff", false);
  REQUIRE(spans);
  CHECK(spans->back().stop == 1);
  CHECK(spans->back().text == "\xef\xbf\xbd");
}

TEST_CASE("spans carry the input's own characters") {
  auto words = golden_tokenizer("llama3");
  auto spans = words->encode_spans("h\xc3\xa9 \xf0\x9f\x98\x80", true);
  REQUIRE(spans);
  CHECK(spans->front().text.empty());
  CHECK(spans->front().start == spans->front().stop);
  CHECK(spans->back().text == "\xf0\x9f\x98\x80");
  CHECK(spans->back().start == 3);
  CHECK(spans->back().stop == 4);
}

TEST_CASE("after normalisation a token covers all characters it came from") {
  auto words = golden_tokenizer("qwen2");
  auto spans = words->encode_spans("a e\xcc\x81 b", false);
  REQUIRE(spans);
  std::string whole;
  for (auto& s : *spans)
    if (s.text.find('e') != std::string::npos) whole = s.text;
  CHECK_THAT(whole, Catch::Matchers::EndsWith("e\xcc\x81"));
  CHECK(spans->back().stop == 6);
}

TEST_CASE("long texts without a piece of a word are tokenized whole") {
  auto family = GENERATE(as<std::string>{}, "llama3", "odd");
  auto unit = GENERATE(as<std::string>{}, "a", " ", "\n", " \n", "'", "1", "e\xcc\x81", "<|", "word");
  auto words = golden_tokenizer(family);
  std::string text;
  while (text.size() < 100'000)
    text += unit;
  auto ids = words->encode(text, false);
  INFO(family << " '" << unit << "'" << (ids ? "" : ids.error().text));
  REQUIRE(ids);
  std::string back;
  for (auto id : *ids)
    back += words->bytes(id);
  if (family == "odd") text = normalise_nfc(text)->text;
  CHECK((back == text));
}

TEST_CASE("a megabyte without a space is one piece for the merges and takes no quadratic time") {
  auto words = golden_tokenizer("gpt2");
  std::string text;
  while (text.size() < 1'000'000)
    text += "tokens";
  auto ids = words->encode(text, false);
  REQUIRE(ids);
  std::string back;
  for (auto id : *ids)
    back += words->bytes(id);
  CHECK((back == text));
}

TEST_CASE("four threads share one tokenizer and agree") {
  auto words = golden_tokenizer("odd");
  auto texts = texts_of(golden_value("odd.golden.json"));
  auto all = [&] {
    std::vector<std::vector<token_id>> out;
    for (auto& text : texts)
      out.push_back(*words->encode(text, true));
    return out;
  };
  auto expected = all();
  std::vector<std::vector<std::vector<token_id>>> seen(4);
  std::vector<std::thread> threads;
  for (auto& slot : seen)
    threads.emplace_back([&] { slot = all(); });
  for (auto& t : threads)
    t.join();
  for (auto& slot : seen)
    CHECK((slot == expected));
}

}  // namespace lorica
