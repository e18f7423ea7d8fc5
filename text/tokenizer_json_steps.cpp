#include <map>
#include <string>

#include "text/pattern.hpp"
#include "text/tokenizer_json.hpp"
#include "text/vocabulary.hpp"

namespace lorica {
namespace {

void unsupported(const json_part& part, std::string_view what, std::string_view supported) {
  part.refuse("of type '" + std::string(what) + "' is not supported; " + std::string(supported));
}

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

void read_digits(json_part part, tokenizer_parts& parts) {
  part.allow({"type", "individual_digits"});
  auto behaviour = part.flag("individual_digits") ? split_behaviour::isolated : split_behaviour::contiguous;
  parts.pre.rules.push_back({.pattern = "\\p{N}", .behaviour = behaviour});
}

void read_split(json_part part, tokenizer_parts& parts) {
  part.allow({"type", "pattern", "behavior", "invert"});
  auto pattern = part.child("pattern");
  pattern.allow({"String", "Regex"});
  auto literal = pattern.optional_text("String");
  auto expression = pattern.optional_text("Regex");
  if (literal.has_value() == expression.has_value()) pattern.refuse("must hold one of 'String' and 'Regex'");
  if (literal && literal->empty()) pattern.refuse("must not be empty");
  auto name = part.text("behavior");
  auto behaviour = behaviour_of(name);
  if (!behaviour)
    return part.refuse("behavior '" + name +
                       "' is not one of Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous");
  parts.pre.rules.push_back({.pattern = literal ? literal_pattern(*literal) : expression.value_or(""),
                             .behaviour = *behaviour,
                             .invert = part.flag("invert", false)});
}

void read_byte_level(json_part part, tokenizer_parts& parts) {
  part.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  parts.pre.add_prefix_space = part.flag("add_prefix_space");
  if (part.flag("use_regex", true)) parts.pre.late_rules.push_back({.pattern = std::string(gpt2_pattern)});
}

// Steps of a part that may be a Sequence, in order; sequences may hold sequences (the reader bounds the
// depth).
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

// One entry of a template: the text itself, or a special token with its ids.
void read_template_item(const json_part& rule, const json_part& item, surround& around, bool& seen_text) {
  if (auto text = item.child("Sequence"); text.present()) {
    if (text.text("id") != "A" || seen_text) item.refuse("must be the sequence A, once");
    seen_text = true;
    return;
  }
  auto token = item.child("SpecialToken");
  if (!token.present()) return item.refuse("must be a Sequence or a SpecialToken");
  auto entry = rule.child("special_tokens").child(token.text("id"));
  for (auto& v : entry.list("ids")) {
    auto id = v.as_int();
    if (!id || *id < 0 || *id >= vocabulary::id_limit) return entry.refuse("ids must be token ids");
    (seen_text ? around.after : around.before).push_back(static_cast<token_id>(*id));
  }
}

void read_template(json_part part, tokenizer_parts& parts) {
  part.allow({"type", "single", "pair", "special_tokens"});
  surround around;
  bool seen_text = false;
  auto& items = part.list("single");
  for (std::size_t i = 0; i < items.size(); ++i)
    read_template_item(part, part.item("single", i, items[i]), around, seen_text);
  if (!seen_text) part.refuse("single must hold the sequence A");
  parts.post.emplace_back(std::move(around));
}

}  // namespace

void read_normalizer(const json_part& normalizer, tokenizer_parts& parts) {
  for (auto& step : flattened(normalizer, "normalizers")) {
    auto type = step.text("type");
    if (type != "NFC") return unsupported(step, type, "NFC and none are");
    parts.nfc = true;
  }
}

void read_pre_tokenizer(const json_part& pre_tokenizer, tokenizer_parts& parts) {
  auto steps = flattened(pre_tokenizer, "pretokenizers");
  std::size_t byte_level_steps = 0;
  for (auto& step : steps) {
    auto type = step.text("type");
    // ByteLevel changes the characters that later steps would see.
    if (byte_level_steps > 0)
      return step.refuse("of type '" + type + "' stands behind ByteLevel, which must be last");
    if (type == "Digits")
      read_digits(step, parts);
    else if (type == "Split")
      read_split(step, parts);
    else if (type == "ByteLevel")
      read_byte_level(step, parts), ++byte_level_steps;
    else
      return unsupported(step, type, "ByteLevel, Digits, Split and Sequence are");
  }
  if (byte_level_steps == 0)
    pre_tokenizer.refuse("has no ByteLevel step; only byte-level tokenizers are supported");
}

void read_post_processor(const json_part& post_processor, tokenizer_parts& parts) {
  for (auto step : flattened(post_processor, "processors")) {
    auto type = step.text("type");
    if (type == "TemplateProcessing") {
      read_template(step, parts);
      continue;
    }
    if (type != "ByteLevel") return unsupported(step, type, "ByteLevel, TemplateProcessing and Sequence are");
    step.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    auto add_prefix_space = step.flag("add_prefix_space");
    if (step.flag("trim_offsets")) parts.post.emplace_back(trim_offsets{add_prefix_space});
  }
}

// Decoding is fixed: bytes joined. ByteLevel says so; Fuse joins what is already joined.
void check_decoder(const json_part& decoder) {
  bool byte_level = false;
  for (auto& step : flattened(decoder, "decoders")) {
    auto type = step.text("type");
    if (type != "ByteLevel" && type != "Fuse")
      return unsupported(step, type, "ByteLevel, Fuse and Sequence are");
    byte_level = byte_level || type == "ByteLevel";
  }
  if (!byte_level) decoder.refuse("must be ByteLevel");
}

}  // namespace lorica
