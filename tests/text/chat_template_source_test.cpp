#include "text/chat_template_source.hpp"

#include <algorithm>

#include "tests/files/scratch_directory.hpp"
#include "tests/text/template_cases.hpp"

namespace lorica {
namespace {

std::string text_of(const chat_template_source& source, const std::string& name) {
  auto at =
      std::find_if(source.templates.begin(), source.templates.end(), [&](auto& t) { return t.name == name; });
  return at == source.templates.end() ? "(none)" : at->text;
}

std::string token_of(const chat_template_source& source, const std::string& name) {
  for (auto& [key, text] : source.special_tokens)
    if (key == name) return text;
  return "(none)";
}

}  // namespace

TEST_CASE("a directory's template comes from its file, else from the tokenizer's configuration") {
  scratch_directory place;
  CHECK(read_chat_templates(place.path()).templates.empty());
  CHECK_FALSE(read_chat_templates(place.path()).problem);
  place.write(
      "tokenizer_config.json",
      R"({"chat_template":"from config","bos_token":"<s>","eos_token":{"content":"</s>","lstrip":false},)"
      R"("add_bos_token":true,"pad_token":null})");
  place.write("special_tokens_map.json", R"({"bos_token":"<other>","unk_token":{"content":"<unk>"}})");
  auto config = read_chat_templates(place.path());
  CHECK(text_of(config, "default") == "from config");
  CHECK(token_of(config, "bos_token") == "<s>");
  CHECK(token_of(config, "eos_token") == "</s>");
  CHECK(token_of(config, "unk_token") == "<unk>");
  CHECK(token_of(config, "pad_token") == "(none)");
  CHECK(token_of(config, "add_bos_token") == "(none)");
  place.write("chat_template.jinja", "from file");
  place.write("additional_chat_templates/tool_use.jinja", "for tools");
  auto files = read_chat_templates(place.path());
  CHECK(text_of(files, "default") == "from file");
  CHECK(text_of(files, "tool_use") == "for tools");
  CHECK(files.templates.size() == 2);
}

TEST_CASE("a configuration may name several templates") {
  scratch_directory place;
  place.write("tokenizer_config.json",
              R"({"chat_template":[{"name":"default","template":"d"},{"name":"tool_use","template":"t"}]})");
  auto several = read_chat_templates(place.path());
  CHECK(text_of(several, "default") == "d");
  CHECK(text_of(several, "tool_use") == "t");
}

TEST_CASE("files that cannot be used are remembered and do not stop the server") {
  scratch_directory place;
  place.write("tokenizer_config.json", "{broken");
  auto broken = read_chat_templates(place.path());
  REQUIRE(broken.problem);
  CHECK_THAT(broken.problem->text, Catch::Contains("tokenizer_config.json"));
  place.write("tokenizer_config.json", R"({"chat_template":5})");
  CHECK(read_chat_templates(place.path()).problem);
  place.write("chat_template.jinja", std::string(chat_template::source_limit + 1, 'x'));
  auto long_one = read_chat_templates(place.path());
  REQUIRE(long_one.problem);
  CHECK_THAT(long_one.problem->text, Catch::Contains("chat_template.jinja"));
  CHECK(long_one.problem->text.find(place.path().string()) == std::string::npos);
  CHECK(read_chat_templates((place.path() / "nothing.gguf").string()).problem);
}

TEST_CASE("a GGUF file's templates and tokens are found by their keys") {
  gguf_header header;
  const std::string tokens =
      std::string("\x03\0\0\0\0\0\0\0<s>", 11) + std::string("\x04\0\0\0\0\0\0\0</s>", 12);
  gguf_array words{gguf_kind::string, 2, std::as_bytes(std::span(tokens.data(), tokens.size()))};
  header.metadata = {{"tokenizer.chat_template", std::string_view("d")},
                     {"tokenizer.chat_template.tool_use", std::string_view("t")},
                     {"tokenizer.ggml.bos_token_id", std::uint64_t{0}},
                     {"tokenizer.ggml.eos_token_id", std::uint64_t{1}},
                     {"tokenizer.ggml.padding_token_id", std::uint64_t{7}},
                     {"tokenizer.ggml.tokens", words}};
  auto source = gguf_chat_templates(header);
  CHECK(text_of(source, "default") == "d");
  CHECK(text_of(source, "tool_use") == "t");
  CHECK(token_of(source, "bos_token") == "<s>");
  CHECK(token_of(source, "eos_token") == "</s>");
  CHECK(token_of(source, "pad_token") == "(none)");
}

}  // namespace lorica
