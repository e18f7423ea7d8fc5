#include "text/chat_prompt.hpp"

#include <algorithm>
#include <utility>

#include "core/shown.hpp"
#include "core/utf8.hpp"
#include "text/template_globals.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

// As transformers marks the place where the last message ends; the blank tells whether the template trims.
constexpr std::string_view end_tag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view bare_tag = end_tag.substr(0, end_tag.size() - 1);

// What `chat_template_kwargs` must not name: what the request has fields of its own for, and what would turn
// the call into another one (CVE-2025-62426).
constexpr std::string_view reserved[] = {"messages",
                                         "tools",
                                         "documents",
                                         "conversation",
                                         "tokenize",
                                         "add_generation_prompt",
                                         "chat_template",
                                         "return_tensors",
                                         "continue_final_message",
                                         "return_dict",
                                         "padding",
                                         "truncation",
                                         "max_length",
                                         "tokenizer_kwargs",
                                         "return_assistant_tokens_mask",
                                         "sanitize_control_tokens"};

// Variables must not take the place of what the template is rendered with: arguments, special tokens,
// functions.
result<void> check_variables(const value& variables, const special_token_texts& special_tokens) {
  if (variables.is_null()) return {};
  auto members = variables.as_object();
  if (!members)
    return fail(errc::invalid, "chat_template_kwargs must be an object", {}, "chat_template_kwargs");
  auto is_special = [&](const std::string& name) {
    return std::any_of(special_tokens.begin(), special_tokens.end(),
                       [&](auto& t) { return t.first == name; });
  };
  for (auto& [name, v] : *members)
    if (std::find(std::begin(reserved), std::end(reserved), name) != std::end(reserved) || is_special(name) ||
        jinja::global(name))
      return fail(
          errc::invalid,
          "chat_template_kwargs must not name '" + shown(name) + "'; other variables of the template work",
          {}, "chat_template_kwargs");
  return {};
}

std::string_view trimmed(std::string_view text) {
  auto space = [](std::string_view s, std::size_t at) { return is_python_space(utf8_decode(s.substr(at))); };
  while (!text.empty() && space(text, 0))
    text.remove_prefix(utf8_length(text.substr(0, 4)));
  while (!text.empty() && space(text, utf8_last(text)))
    text.remove_suffix(text.size() - utf8_last(text));
  return text;
}

error cannot_continue(const std::string& why) {
  return fail(errc::invalid, "continue_final_message: " + why, {}, "continue_final_message");
}

value with_text(const value& object, std::string_view name, const std::string& text) {
  value::object out = *object.as_object();
  for (auto& [key, member] : out)
    if (key == name) member = value(text);
  return value(std::move(out));
}

// Puts the tag behind the text of the last message, which it gives.
result<std::string> tag_last(value::array& messages) {
  auto& last = messages.back();
  auto content = last.find("content");
  if (!content) return cannot_continue("the last message has no content");
  if (auto text = content->as_string()) {
    auto whole = *text;
    last = with_text(last, "content", whole + std::string(end_tag));
    return whole;
  }
  auto parts = *content->as_array();
  if (parts.empty()) return cannot_continue("the last message has no text");
  auto whole = *parts.back().find("text")->as_string();
  parts.back() = with_text(parts.back(), "text", whole + std::string(end_tag));
  value::object out = *last.as_object();
  for (auto& [key, member] : out)
    if (key == "content") member = value(parts);
  last = value(std::move(out));
  return whole;
}

// Ends the text where the last message does.
result<template_text> cut_at_tag(template_text text, const std::string& last) {
  auto at = text.text.rfind(bare_tag);
  if (at == std::string::npos || text.text.find(trimmed(last)) == std::string::npos)
    return cannot_continue("the chat template does not show the last message as it is");
  bool kept = std::string_view(text.text).substr(at).starts_with(end_tag);
  auto size = at;
  if (!kept) {
    std::string_view before = std::string_view(text.text).substr(0, at);
    while (!before.empty() && is_python_space(utf8_decode(before.substr(utf8_last(before)))))
      before.remove_suffix(before.size() - utf8_last(before));
    size = before.size();
  }
  text.cut(size);
  return text;
}

bool holds(const result<template_text>& r, std::string_view needle) {
  return r && r->text.find(needle) != std::string::npos;
}

value text_value(std::string_view text) {
  return value(std::string(text));
}

value part(std::string_view text) {
  return value(value::object{{"type", text_value("text")}, {"text", text_value(text)}});
}

}  // namespace

chat_format::chat_format(chat_template_source source)
    : special_tokens_(std::move(source.special_tokens)), problem_(std::move(source.problem)) {
  for (auto& [name, text] : source.templates) {
    templates_.push_back({name, chat_template::parse(std::move(text)), {}});
    auto& added = templates_.back();
    if (added.parsed) added.style = probed(**added.parsed);
  }
}

chat_format chat_format::with_template(std::string text) const {
  chat_template_source source;
  source.templates.push_back({"default", std::move(text)});
  source.special_tokens = special_tokens_;
  return chat_format(std::move(source));
}

// A conversation of one message, with a question before it where it has tool calls.
result<template_text> chat_format::shown_as(const chat_template& parsed, value content, std::string_view role,
                                            value calls) const {
  value::object message{{"role", text_value(role)}, {"content", std::move(content)}};
  value::array messages;
  if (!calls.is_null() || role == "assistant")
    messages.emplace_back(value::object{{"role", text_value("user")}, {"content", text_value("q")}});
  if (!calls.is_null()) message.emplace_back("tool_calls", std::move(calls));
  messages.emplace_back(std::move(message));
  value list(std::move(messages));
  template_input input;
  input.messages = &list;
  input.special_tokens = &special_tokens_;
  return parsed.render(input);
}

content_style chat_format::probed(const chat_template& parsed) const {
  content_style out;
  out.takes_text = holds(shown_as(parsed, text_value("needle-1"), "user", value()), "needle-1");
  auto parts = shown_as(parsed, value(value::array{part("needle-1"), part("needle-2")}), "user", value());
  // A template that knows no parts prints the list as Python shows it, or as JSON.
  out.takes_parts = holds(parts, "needle-1") && holds(parts, "needle-2") && !holds(parts, "'text'") &&
                    !holds(parts, "\"text\"");
  auto call = [&](value arguments) {
    value::object function{{"name", text_value("f")}, {"arguments", std::move(arguments)}};
    value::object one{
        {"id", text_value("call12345")}, {"type", text_value("function")}, {"function", value(function)}};
    auto content = out.takes_text ? text_value("c") : value(value::array{part("c")});
    return shown_as(parsed, std::move(content), "assistant", value(value::array{value(one)}));
  };
  auto as_object = call(value(value::object{{"needle", text_value("3")}}));
  auto as_text = call(text_value("{\"needle\": \"3\"}"));
  bool writes_json = holds(as_object, "\"needle\"") || holds(as_object, "needle=");
  out.arguments_as_text = !writes_json && holds(as_text, "{\"needle\": \"3\"}");
  return out;
}

std::string chat_format::behind_answer() const {
  constexpr std::string_view needle = "needle-1";
  auto use = chosen(/*with_tools=*/false);
  if (!use) return {};
  auto content = (*use)->style.takes_text ? text_value(needle) : value(value::array{part(needle)});
  auto text = shown_as(**(*use)->parsed, std::move(content), "assistant", value());
  auto at = text ? text->text.rfind(needle) : std::string::npos;
  return at == std::string::npos ? std::string() : text->text.substr(at + needle.size());
}

const content_style* chat_format::style(const std::string& name) const {
  for (auto& t : templates_)
    if (t.name == name && t.parsed) return &t.style;
  return nullptr;
}

result<const chat_format::named_template*> chat_format::chosen(bool with_tools) const {
  auto find = [&](std::string_view name) {
    auto at = std::find_if(templates_.begin(), templates_.end(), [&](auto& t) { return t.name == name; });
    return at == templates_.end() ? nullptr : &*at;
  };
  auto found = with_tools ? find("tool_use") : nullptr;
  if (!found) found = find("default");
  if (!found && templates_.size() == 1) found = &templates_[0];
  if (!found && problem_) return *problem_;
  if (!found && templates_.empty()) return fail(errc::unsupported, "the model has no chat template");
  if (!found)
    return fail(errc::unsupported, "the model has several chat templates, none of them named 'default'");
  if (!found->parsed) return found->parsed.error();
  return found;
}

result<template_text> chat_format::render(const conversation& request, const std::tm& now) const {
  if (request.continue_final_message && request.add_generation_prompt)
    return cannot_continue("cannot be set together with add_generation_prompt; set one of them");
  if (auto ok = check_variables(request.variables, special_tokens_); !ok) return std::move(ok).error();
  auto tools = prepared_objects(&request.tools, "tools");
  if (!tools) return std::move(tools).error();
  auto documents = prepared_objects(&request.documents, "documents");
  if (!documents) return std::move(documents).error();
  auto use = chosen(!tools->is_null());
  if (!use) return std::move(use).error();
  auto messages = prepared_messages(request.messages, (*use)->style);
  if (!messages) return std::move(messages).error();
  std::string last;
  if (request.continue_final_message) {
    auto list = *messages->as_array();
    auto tagged = tag_last(list);
    if (!tagged) return std::move(tagged).error();
    last = *std::move(tagged);
    messages = value(std::move(list));
  }
  template_input input;
  input.messages = &*messages;
  input.tools = tools->is_null() ? nullptr : &*tools;
  input.documents = documents->is_null() ? nullptr : &*documents;
  input.variables = request.variables.is_null() ? nullptr : &request.variables;
  input.add_generation_prompt = request.add_generation_prompt;
  input.known_roles = &known_roles();
  input.special_tokens = &special_tokens_;
  input.now = now;
  auto text = (*(*use)->parsed)->render(input);
  if (!text || !request.continue_final_message) return text;
  return cut_at_tag(*std::move(text), last);
}

}  // namespace lorica
