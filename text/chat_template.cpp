#include "text/chat_template.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "text/template_parser.hpp"
#include "text/template_renderer.hpp"

namespace lorica {
namespace {

using jinja::datum;

// JSON as Python would have it, every string marked.
datum from_json(const value& v) {
  if (v.is_null()) return datum::none();
  if (auto b = v.as_bool()) return datum::boolean(*b);
  if (auto i = v.as_int()) return datum::number(*i);
  if (auto u = v.as_uint()) return datum::number(*u);
  if (v.is_number()) return datum::real(v.number());
  if (auto s = v.as_string()) return datum::string(template_text::of_request(utf8_repaired(*s)));
  if (auto list = v.as_array()) {
    jinja::items out;
    out.reserve(list->size());
    for (auto& item : *list)
      out.push_back(from_json(item));
    return datum::list(std::move(out));
  }
  auto out = std::make_shared<jinja::dictionary>();
  for (auto& [name, item] : *v.as_object())
    out->set(datum::string(template_text::of_request(utf8_repaired(name))), from_json(item));
  return datum::dict(std::move(out));
}

datum from_optional(const value* v) {
  return v ? from_json(*v) : datum::none();
}

// Messages, whose known roles are not marked.
datum messages_from(const template_input& input) {
  auto list = input.messages ? input.messages->as_array() : nullptr;
  if (!list || !input.known_roles) return from_optional(input.messages);
  jinja::items out;
  for (auto& message : *list) {
    auto role = message.find("role");
    auto word = role ? role->as_string() : nullptr;
    auto& known = *input.known_roles;
    out.push_back(from_json(message));
    if (!word || std::find(known.begin(), known.end(), *word) == known.end()) continue;
    auto members = std::make_shared<jinja::dictionary>(*out.back().as_dict());
    members->set(datum::string("role"), datum::string(*word));
    out.back() = datum::dict(std::move(members));
  }
  return datum::list(std::move(out));
}

// The variables of a rendering; what the request names never takes the place of what the server gives.
jinja::dictionary context_of(const template_input& input) {
  jinja::dictionary out;
  auto set = [&](std::string_view name, datum v) { out.set(datum::string(name), std::move(v)); };
  if (input.special_tokens)
    for (auto& [name, text] : *input.special_tokens)
      set(name, datum::string(utf8_repaired(text)));
  if (input.variables && input.variables->as_object())
    for (auto& [name, v] : *input.variables->as_object())
      set(name, from_json(v));
  set("messages", messages_from(input));
  set("tools", from_optional(input.tools));
  set("documents", from_optional(input.documents));
  set("add_generation_prompt", datum::boolean(input.add_generation_prompt));
  return out;
}

error bad_template(std::string text) {
  return fail(errc::bad_model, "the chat template cannot be used: " + std::move(text));
}

}  // namespace

chat_template::chat_template(std::string source, std::shared_ptr<const jinja::syntax> tree)
    : source_(std::move(source)), tree_(std::move(tree)) {}

result<std::shared_ptr<const chat_template>> chat_template::parse(std::string source) {
  if (source.size() > source_limit)
    return bad_template("it has " + std::to_string(source.size()) + " bytes; " +
                        std::to_string(source_limit) + " are the most");
  if (utf8_valid_prefix(source) != source.size()) return bad_template("it is not valid UTF-8");
  try {
    auto tree = std::make_shared<const jinja::syntax>(jinja::parse_template(source));
    return std::make_shared<const chat_template>(std::move(source), std::move(tree));
  } catch (const jinja::syntax_failure& e) {
    return bad_template(e.text());
  }
}

result<template_text> chat_template::render(const template_input& input) const {
  jinja::render_limits limits;
  limits.output_bytes = input.max_output_bytes;
  jinja::meter use(limits);
  try {
    auto context = context_of(input);
    return jinja::renderer(*tree_, context, input.now, use).run();
  } catch (const jinja::failure& e) {
    return fail(errc::template_failed, e.text());
  }
}

}  // namespace lorica
