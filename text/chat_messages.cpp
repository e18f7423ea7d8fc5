#include "text/chat_messages.hpp"

#include <algorithm>
#include <utility>

#include "core/json.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

error invalid(const std::string& place, const std::string& what) {
  return fail(errc::invalid, place + " " + what, {}, place.substr(0, place.find_first_of(".[")));
}

value object_with(std::initializer_list<std::pair<const char*, std::string>> members) {
  value::object out;
  for (auto& [name, text] : members)
    out.emplace_back(name, value(text));
  return value(std::move(out));
}

// The texts of the parts of a content; refuses other kinds by name.
result<std::vector<std::string>> texts_of(const value::array& parts, const std::string& place) {
  if (parts.size() > most_parts)
    return invalid(place, "has more than " + std::to_string(most_parts) + " parts");
  std::vector<std::string> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto here = place + "[" + std::to_string(i) + "]";
    if (auto plain = parts[i].as_string()) {
      out.push_back(*plain);
      continue;
    }
    auto type = parts[i].find("type"), text = parts[i].find("text");
    auto kind = type ? type->as_string() : nullptr;
    if (!kind)
      return invalid(here + ".type", "is missing; a part of content has a type, and text is the one served");
    if (*kind != "text") return invalid(here + ".type", "is '" + shown(*kind) + "'; only text is served");
    if (!text || !text->as_string()) return invalid(here + ".text", "must be a string");
    out.push_back(*text->as_string());
  }
  return out;
}

result<value> prepared_content(const value& content, const content_style& style, const std::string& place) {
  if (auto text = content.as_string()) {
    if (style.takes_text || !style.takes_parts) return content;
    return value(value::array{object_with({{"type", "text"}, {"text", *text}})});
  }
  auto parts = content.as_array();
  if (!parts)
    return invalid(place, "is of kind " + std::string(content.kind()) +
                              "; a string, null or a list of text parts works");
  auto texts = texts_of(*parts, place);
  if (!texts) return std::move(texts).error();
  if (style.takes_parts) {
    value::array out;
    for (auto& text : *texts)
      out.push_back(object_with({{"type", "text"}, {"text", text}}));
    return value(std::move(out));
  }
  std::string joined;
  for (auto& text : *texts) {
    if (&text != &texts->front()) joined += '\n';
    joined += text;
  }
  return value(std::move(joined));
}

void write(json_writer& w, const value& v) {
  if (v.is_null()) {
    w.null();
  } else if (auto b = v.as_bool()) {
    w.boolean(*b);
  } else if (auto i = v.as_int()) {
    w.integer(*i);
  } else if (auto u = v.as_uint()) {
    w.unsigned_integer(*u);
  } else if (auto s = v.as_string()) {
    w.string(*s);
  } else if (auto list = v.as_array()) {
    w.begin_array();
    for (auto& item : *list)
      write(w, item);
    w.end_array();
  } else if (auto members = v.as_object()) {
    w.begin_object();
    for (auto& [name, item] : *members) {
      w.key(name);
      write(w, item);
    }
    w.end_object();
  } else {
    w.number(v.number());
  }
}

result<value> prepared_arguments(const value& arguments, const content_style& style,
                                 const std::string& place) {
  auto text = arguments.as_string();
  if (style.arguments_as_text) {
    if (text) return arguments;
    json_writer w;
    write(w, arguments);
    return value(w.take());
  }
  if (!text) return arguments;
  if (text->find_first_not_of(" \t\r\n") == std::string::npos) return value(value::object{});
  auto tree = parse_json(*text);
  if (!tree || !tree->as_object()) return invalid(place, "must be the JSON text of an object");
  return tree;
}

// A copy of an object with one member changed.
template <class Change>
result<value> with_member(const value& v, std::string_view name, Change change) {
  value::object out;
  for (auto& [key, member] : *v.as_object()) {
    if (key != name || member.is_null()) {
      out.emplace_back(key, member);
      continue;
    }
    auto changed = change(member);
    if (!changed) return std::move(changed).error();
    out.emplace_back(key, *std::move(changed));
  }
  return value(std::move(out));
}

result<value> prepared_call(const value& call, const content_style& style, const std::string& place) {
  if (!call.as_object()) return invalid(place, "must be an object");
  auto in = [&](const value& v, const std::string& where) {
    return with_member(v, "arguments",
                       [&](const value& a) { return prepared_arguments(a, style, where + ".arguments"); });
  };
  auto function = call.find("function");
  if (!function) return in(call, place);
  if (!function->as_object()) return invalid(place + ".function", "must be an object");
  return with_member(call, "function", [&](const value& f) { return in(f, place + ".function"); });
}

result<value> prepared_calls(const value& calls, const content_style& style, const std::string& place) {
  auto list = calls.as_array();
  if (!list) return invalid(place, "must be a list");
  if (list->size() > most_tools)
    return invalid(place, "has more than " + std::to_string(most_tools) + " calls");
  value::array out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto call = prepared_call((*list)[i], style, place + "[" + std::to_string(i) + "]");
    if (!call) return call;
    out.push_back(*std::move(call));
  }
  return value(std::move(out));
}

void name_reasoning(value::object& members) {
  const std::string names[] = {"reasoning_content", "thinking", "reasoning"};
  auto find = [&](const std::string& name) {
    return std::find_if(members.begin(), members.end(), [&](auto& m) { return m.first == name; });
  };
  for (auto& name : names) {
    auto found = find(name);
    if (found == members.end()) continue;
    auto reasoning = found->second;
    if (find("thinking") == members.end()) members.emplace(members.begin(), "thinking", reasoning);
    if (auto content = find("reasoning_content"); content != members.end())
      content->second = reasoning;
    else
      members.emplace_back("reasoning_content", reasoning);
    return;
  }
}

result<value> prepared_message(const value& message, const content_style& style, const std::string& place) {
  auto members = message.as_object();
  if (!members) return invalid(place, "must be an object with role and content");
  auto role = message.find("role");
  if (!role || !role->as_string()) return invalid(place + ".role", "must be a string");
  value::object out;
  for (auto& [name, member] : *members) {
    if (member.is_null()) continue;
    result<value> v = member;
    if (name == "content") v = prepared_content(member, style, place + ".content");
    if (name == "tool_calls") v = prepared_calls(member, style, place + ".tool_calls");
    if (!v) return v;
    out.emplace_back(name, *std::move(v));
  }
  name_reasoning(out);
  return value(std::move(out));
}

}  // namespace

const std::vector<std::string>& known_roles() {
  static const std::vector<std::string> roles = {"system",    "user",     "assistant", "tool",
                                                 "developer", "function", "ipython"};
  return roles;
}

result<value> prepared_messages(const value& messages, const content_style& style) {
  auto list = messages.as_array();
  if (!list) return invalid("messages", "must be a list of objects");
  if (list->empty()) return invalid("messages", "is empty; at least one message is needed");
  if (list->size() > most_messages)
    return invalid("messages", "has " + std::to_string(list->size()) + " entries; " +
                                   std::to_string(most_messages) + " are the most");
  value::array out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto message = prepared_message((*list)[i], style, "messages[" + std::to_string(i) + "]");
    if (!message) return message;
    out.push_back(*std::move(message));
  }
  return value(std::move(out));
}

result<value> prepared_objects(const value* list, const std::string& field) {
  if (!list || list->is_null()) return value();
  auto objects = list->as_array();
  if (!objects) return invalid(field, "must be a list of objects");
  if (objects->size() > most_tools)
    return invalid(field, "has more than " + std::to_string(most_tools) + " entries");
  for (std::size_t i = 0; i < objects->size(); ++i)
    if (!(*objects)[i].as_object())
      return invalid(field + "[" + std::to_string(i) + "]", "must be an object");
  return objects->empty() ? value() : *list;
}

}  // namespace lorica
