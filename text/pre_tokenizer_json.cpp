#include <map>

#include "text/json_steps.hpp"
#include "text/tokenizer_json.hpp"

namespace lorica {
namespace {

std::optional<split_behaviour> behaviour_of(std::string_view name) {
  static const std::map<std::string_view, split_behaviour> names{
      {"Isolated", split_behaviour::isolated},
      {"Removed", split_behaviour::removed},
      {"MergedWithPrevious", split_behaviour::merged_with_previous},
      {"MergedWithNext", split_behaviour::merged_with_next},
      {"Contiguous", split_behaviour::contiguous}};
  auto it = names.find(name);
  if (it == names.end()) return std::nullopt;
  return it->second;
}

split_rule read_digits(json_part step) {
  step.allow({"type", "individual_digits"});
  auto behaviour = step.flag("individual_digits") ? split_behaviour::isolated : split_behaviour::contiguous;
  return {.pattern = {"\\p{N}"}, .behaviour = behaviour};
}

split_rule read_split(json_part step) {
  step.allow({"type", "pattern", "behavior", "invert"});
  auto name = step.text("behavior");
  auto behaviour = behaviour_of(name);
  if (!behaviour)
    step.refuse("behavior '" + name.substr(0, 40) +
                "' is not one of Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous");
  return {.pattern = read_pattern(step),
          .behaviour = behaviour.value_or(split_behaviour::isolated),
          .invert = step.flag("invert", false)};
}

split_rule read_whitespace_split(json_part step) {
  step.allow({"type"});
  return {.pattern = {"\\s"}, .behaviour = split_behaviour::removed};
}

void add_metaspace(const json_part& step, std::vector<pre_tokenizer::rule>& rules) {
  auto fields = read_metaspace(step);
  rules.emplace_back(space_rule{fields.symbol, fields.prefix});
  if (fields.split && !fields.symbol.empty())
    rules.emplace_back(split_rule{{fields.symbol, true}, split_behaviour::merged_with_next});
}

void add_byte_level(json_part step, std::vector<pre_tokenizer::rule>& rules) {
  step.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (step.flag("add_prefix_space")) rules.emplace_back(space_rule{});
  if (step.flag("use_regex", true)) rules.emplace_back(split_rule{{std::string(gpt2_pattern)}});
}

}  // namespace

void read_pre_tokenizer(const json_part& pre_tokenizer, tokenizer_parts& parts) {
  auto& rules = parts.pre;
  for (auto& step : flattened(pre_tokenizer, "pretokenizers")) {
    auto type = step.text("type");
    // ByteLevel changes the characters that later steps would see.
    if (parts.byte_level)
      return step.refuse("of type '" + type + "' stands behind ByteLevel, which must be last");
    if (type == "Digits") {
      rules.emplace_back(read_digits(step));
    } else if (type == "Split") {
      rules.emplace_back(read_split(step));
    } else if (type == "WhitespaceSplit") {
      rules.emplace_back(read_whitespace_split(step));
    } else if (type == "Metaspace") {
      add_metaspace(step, rules);
    } else if (type == "ByteLevel") {
      add_byte_level(step, rules);
      parts.byte_level = true;
    } else {
      return refuse_type(step, "ByteLevel, Digits, Metaspace, Split, WhitespaceSplit and Sequence are");
    }
  }
}

}  // namespace lorica
