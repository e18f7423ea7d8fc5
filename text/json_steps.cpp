#include "text/json_steps.hpp"

#include <map>

#include "core/utf8.hpp"

namespace lorica {

std::vector<json_part> flattened(const json_part& part, std::string_view list) {
  if (!part.present()) return {};
  if (part.text("type") != "Sequence") return {part};
  auto sequence = part;
  sequence.allow({"type", list});
  std::vector<json_part> out;
  auto& items = part.list(list);
  for (std::size_t i = 0; i < items.size(); ++i)
    for (auto& step : flattened(part.item(list, i, items[i]), list))
      out.push_back(step);
  return out;
}

void refuse_type(const json_part& step, std::string_view supported) {
  step.refuse("of type '" + step.text("type") + "' is not supported; " + std::string(supported));
}

pattern_source read_pattern(const json_part& step) {
  auto pattern = step.child("pattern");
  pattern.allow({"String", "Regex"});
  auto literal = pattern.optional_text("String");
  auto expression = pattern.optional_text("Regex");
  if (literal.has_value() == expression.has_value()) pattern.refuse("must hold one of 'String' and 'Regex'");
  if (literal && literal->empty()) pattern.refuse("must not be empty");
  return {.text = literal ? *literal : expression.value_or(""), .literal = literal.has_value()};
}

std::string read_character(const json_part& step, std::string_view field) {
  auto text = step.text(field);
  if (!text.empty() && utf8_length(text) == text.size()) return text;
  step.refuse(std::string(field) + " must be one character");
  return {};
}

metaspace read_metaspace(json_part step) {
  // `str_rep` repeats `replacement`.
  step.allow({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
  static const std::map<std::string_view, space_prefix> schemes{
      {"always", space_prefix::always}, {"first", space_prefix::first}, {"never", space_prefix::never}};
  metaspace out{.symbol = read_character(step, "replacement"), .split = step.flag("split", true)};
  bool prefix = step.flag("add_prefix_space", true);
  auto name = step.optional_text("prepend_scheme").value_or(prefix ? "always" : "never");
  auto scheme = schemes.find(name);
  if (scheme == schemes.end()) {
    step.refuse("prepend_scheme '" + name.substr(0, 40) + "' is not one of always, first, never");
    return out;
  }
  out.prefix = scheme->second;
  if (!prefix && out.prefix != space_prefix::never)
    step.refuse("prepend_scheme '" + name + "' contradicts add_prefix_space false");
  return out;
}

}  // namespace lorica
