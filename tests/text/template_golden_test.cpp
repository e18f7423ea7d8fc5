#include <filesystem>
#include <fstream>

#include "files/mapped_file.hpp"
#include "tests/text/template_cases.hpp"
#include "text/chat_prompt.hpp"

namespace lorica {
namespace {

special_token_texts tokens_of(const value& golden) {
  special_token_texts out;
  for (auto& [name, text] : *golden.find("special_tokens")->as_object())
    out.emplace_back(name, *text.as_string());
  return out;
}

bool flag(const value& v, std::string_view name) {
  auto found = v.find(name);
  return found && *found->as_bool();
}

void check_result(const result<template_text>& given, const value& wanted) {
  if (auto text = wanted.find("text")) {
    INFO((given ? "" : given.error().text));
    REQUIRE(given);
    CHECK(given->text == *text->as_string());
    return;
  }
  REQUIRE_FALSE(given);
  if (auto why = wanted.find("error")) {
    CHECK(given.error().code == errc::template_failed);
    CHECK(given.error().text == *why->as_string());
  }
}

// Renders each conversation; gives how many there were.
std::size_t check_family(const chat_format& format, const value& golden) {
  auto conversations = template_golden("conversations.json");
  auto& list = *conversations.as_array();
  auto& results = *golden.find("results")->as_array();
  REQUIRE(list.size() == results.size());
  std::size_t checked = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (results[i].is_null()) continue;
    INFO("conversation " << i);
    auto given = [&](std::string_view name) {
      auto v = list[i].find(name);
      return v ? *v : value();
    };
    conversation request{given("messages"), given("tools"), given("documents"), given("variables")};
    request.add_generation_prompt = flag(list[i], "add_generation_prompt");
    request.continue_final_message = flag(list[i], "continue_final_message");
    check_result(format.render(request, golden_time()), results[i]);
    ++checked;
  }
  return checked;
}

chat_format format_of(const value& golden) {
  chat_template_source source;
  source.templates.push_back({"default", *golden.find("template")->as_string()});
  source.special_tokens = tokens_of(golden);
  return chat_format(std::move(source));
}

}  // namespace

TEST_CASE("templates like those of real families render what transformers renders") {
  auto family = GENERATE("chatml", "llama2", "llama3", "qwen25", "qwen3", "mistral", "gemma2", "phi3", "phi4",
                         "deepseek", "hermes", "command_r", "smol3", "vision", "parts_only", "granite",
                         "tree", "format", "nemotron", "gpt_oss", "crlf", "plain_blocks");
  DYNAMIC_SECTION(family) {
    auto golden = template_golden(std::string(family) + ".json");
    CHECK(check_family(format_of(golden), golden) >= 30);
  }
}

TEST_CASE("the default model's template renders what transformers renders") {
  auto path = std::string(LORICA_SOURCE_DIR) + "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: the default model is not there; tools/fetch_model fetches it");
    return;
  }
  auto golden = template_golden("default_model.json");
  auto source = read_chat_templates(path);
  REQUIRE(source.templates.size() == 1);
  CHECK(source.templates[0].text == *golden.find("template")->as_string());
  for (auto& token : tokens_of(golden))
    CHECK(std::find(source.special_tokens.begin(), source.special_tokens.end(), token) !=
          source.special_tokens.end());
  CHECK(check_family(chat_format(std::move(source)), golden) >= 30);
}

TEST_CASE("expressions, filters, tests and statements do what they do in Jinja") {
  auto golden = template_golden("snippets.json");
  value::object context = *golden.find("context")->as_object();
  value variables(context);
  template_input input;
  input.variables = &variables;
  input.now = golden_time();
  auto& cases = *golden.find("cases")->as_array();
  REQUIRE(cases.size() >= 1'000);
  for (auto& entry : cases) {
    auto& fields = *entry.as_array();
    INFO(*fields[0].as_string());
    auto parsed = chat_template::parse(*fields[0].as_string());
    auto given = parsed ? (*parsed)->render(input) : result<template_text>(parsed.error());
    INFO((given ? given->text : given.error().text));
    if (fields.size() == 1) {
      CHECK_FALSE(given);
    } else {
      CHECK(given);
      if (given) CHECK(given->text == *fields[1].as_string());
    }
  }
}

}  // namespace lorica
