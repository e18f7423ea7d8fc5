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

std::string joined(const tokenizer& words, const std::vector<token_id>& ids) {
  std::string out(words.first_bytes(ids.at(0)));
  for (std::size_t i = 1; i < ids.size(); ++i)
    out += words.bytes(ids[i]);
  return out;
}

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
      row{R"({"type":"Nmt"})", "Nmt"},
      row{R"({"type":"Precompiled","precompiled_charsmap":""})", "Precompiled"},
      row{R"({"type":"StripAccents"})", "StripAccents"}, row{R"({"type":"ByteLevel"})", "ByteLevel"},
      row{R"({"type":"BertNormalizer"})", "BertNormalizer"},
      row{R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Nmt"}]})",
          "normalizers[1] of type 'Nmt'"},
      row{R"({"type":"NFC","form":1})", "'form'"}, row{R"({"type":"Prepend"})", "normalizer.prepend"},
      row{R"({"type":"Strip","strip_left":true})", "strip_right"},
      row{R"({"type":"Replace","pattern":{"String":"a"}})", "content"},
      row{R"({"type":"Replace","pattern":{"String":""},"content":"a"})", "empty"},
      row{R"-({"type":"Replace","pattern":{"Regex":"(?<n>a)"},"content":"a"})-", "(?<"}, row{R"({})", "type"},
      row{R"("NFC")", "not an object"}, row{R"({"type":"Sequence"})", "normalizers"});
  check_refused({.normalizer = normalizer}, named);
}

TEST_CASE("pre-tokenizers that are not understood are refused by name") {
  auto [pre, named] = GENERATE(
      row{R"({"type":"Whitespace"})", "'Whitespace'"}, row{R"({"type":"Punctuation"})", "Punctuation"},
      row{R"({"type":"UnicodeScripts"})", "UnicodeScripts"},
      row{R"({"type":"Metaspace","replacement":"__"})", "replacement must be one character"},
      row{R"({"type":"Metaspace","replacement":""})", "replacement must be one character"},
      row{R"({"type":"Metaspace","replacement":"_","prepend_scheme":"last"})", "'last'"},
      row{R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first","add_prefix_space":false})",
          "contradicts"},
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

TEST_CASE("decoders that cannot be streamed exactly are refused by name") {
  auto steps = [](const std::string& list) { return R"({"type":"Sequence","decoders":[)" + list + "]}"; };
  auto strip = [](int start, int stop, const std::string& content = " ") {
    return R"({"type":"Strip","content":")" + content + R"(","start":)" + std::to_string(start) +
           R"(,"stop":)" + std::to_string(stop) + "}";
  };
  const std::string replace = R"({"type":"Replace","pattern":{"String":"_"},"content":" "})";
  const std::string metaspace = R"({"type":"Metaspace","replacement":"_"})";
  const std::string byte_fallback = R"({"type":"ByteFallback"})";
  const std::string byte_level = R"({"type":"ByteLevel"})";
  const std::string fuse = R"({"type":"Fuse"})";
  auto [decoder, named] = GENERATE_COPY(
      row{"null", "decoder"}, row{steps(""), "decoder"}, row{R"({"type":"WordPiece"})", "WordPiece"},
      row{R"({"type":"BPEDecoder","suffix":"</w>"})", "BPEDecoder"}, row{strip(0, 1), "stop must be 0"},
      row{strip(-1, 0), "start must be"}, row{strip(1, 0, "ab"), "content must be one character"},
      row{steps(fuse + "," + strip(2, 0)), "behind Fuse"}, row{steps(fuse + "," + strip(1, 0, "é")), "ASCII"},
      row{steps(fuse + "," + strip(1, 0) + "," + strip(1, 0)), "once"},
      row{steps(byte_level + "," + fuse + "," + strip(1, 0)), "ByteLevel"},
      row{steps(metaspace + "," + fuse + "," + strip(1, 0)), "Metaspace"},
      row{steps(fuse + "," + byte_level), "before ByteFallback, ByteLevel and Fuse"},
      row{steps(byte_fallback + "," + replace), "before ByteFallback"},
      row{steps(byte_fallback + "," + strip(1, 0)), "before ByteFallback"},
      row{steps(byte_fallback + "," + byte_level), "before ByteFallback"},
      row{steps(replace + "," + metaspace), "only step"},
      row{steps(metaspace + "," + replace), "behind Metaspace"},
      row{R"({"type":"Replace","pattern":{"Regex":"["},"content":""})", "class without end"});
  check_refused({.decoder = decoder}, named);
}

TEST_CASE("decoders that bring no bytes of their own are taken") {
  auto decoder = GENERATE(
      as<std::string>{}, R"({"type":"Fuse"})",
      R"({"type":"Sequence","decoders":[{"type":"ByteLevel"},{"type":"Fuse"}]})",
      R"({"type":"Sequence","decoders":[{"type":"Metaspace","replacement":"_"},{"type":"ByteFallback"}]})",
      R"({"type":"Strip","content":" ","start":3,"stop":0})");
  auto loaded = parse_tokenizer_json(sketch{.decoder = decoder}.text());
  INFO((loaded ? "" : loaded.error().text));
  CHECK(loaded);
}

TEST_CASE("models that cannot be run exactly are refused by name") {
  auto [from, to, named] = GENERATE(table<std::string, std::string, std::string>(
      {{"\"type\":\"BPE\"", "\"type\":\"Unigram\"", "Unigram"},
       {"\"dropout\":null", "\"dropout\":0.1", "dropout"},
       {"\"continuing_subword_prefix\":\"\"", "\"continuing_subword_prefix\":\"##\"",
        "continuing_subword_prefix"},
       {"\"end_of_word_suffix\":\"\"", "\"end_of_word_suffix\":\"</w>\"", "end_of_word_suffix"},
       {"\"byte_fallback\":false", "\"byte_fallback\":true",
        "byte_fallback needs a vocabulary of characters"},
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
  check_refused({.added = replaced(added_list(""), "\"normalized\":false", "\"normalized\":true"),
                 .normalizer = R"({"type":"Replace","pattern":{"Regex":"<.*>"},"content":""})"},
                "nothing after normalisation");
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
  auto family = GENERATE(as<std::string>{}, "llama3", "odd", "llama2", "gemma");
  auto unit =
      GENERATE(as<std::string>{}, "a", " ", "\n", " \n", "'", "1", "e\xcc\x81", "<|", "word", "\xe6\x97\xa5");
  auto words = golden_tokenizer(family);
  std::string text;
  while (text.size() < 100'000)
    text += unit;
  auto ids = words->encode(text, false);
  INFO(family << " '" << unit << "'" << (ids ? "" : ids.error().text));
  REQUIRE(ids);
  auto back = joined(*words, *ids);
  if (family == "odd") text = normalised(text, unicode_form::nfc)->text;
  CHECK((back == text));
}

TEST_CASE("a megabyte of words is one piece where no pre-tokenizer cuts") {
  auto words = golden_tokenizer(GENERATE("llama2", "mistral", "phi3"));
  std::string text;
  while (text.size() < 1'000'000)
    text += "the adapter  of model ";
  auto ids = words->encode(text, true);
  REQUIRE(ids);
  CHECK((joined(*words, {ids->begin() + 1, ids->end()}) == text));
}

TEST_CASE("a megabyte without a space is one piece for the merges and takes no quadratic time") {
  auto words = golden_tokenizer(GENERATE("gpt2", "llama2", "mistral", "gemma", "nfkc"));
  std::string text;
  while (text.size() < 1'000'000)
    text += "tokens";
  auto ids = words->encode(text, false);
  REQUIRE(ids);
  CHECK((joined(*words, *ids) == text));
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
