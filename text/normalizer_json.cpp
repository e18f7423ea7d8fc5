#include <map>

#include "text/json_steps.hpp"
#include "text/tokenizer_json.hpp"

namespace lorica {
namespace {

std::optional<normalizer::step> read_step(json_part step) {
  auto type = step.text("type");
  if (type == "Prepend") {
    step.allow({"type", "prepend"});
    return prepend_step{step.text("prepend")};
  }
  if (type == "Replace") {
    step.allow({"type", "pattern", "content"});
    return replacement::source{read_pattern(step), step.text("content")};
  }
  if (type == "Strip") {
    step.allow({"type", "strip_left", "strip_right"});
    return strip_step{.left = step.flag("strip_left"), .right = step.flag("strip_right")};
  }
  static const std::map<std::string_view, normalizer::step> without_fields{{"NFC", unicode_form::nfc},
                                                                           {"NFD", unicode_form::nfd},
                                                                           {"NFKC", unicode_form::nfkc},
                                                                           {"NFKD", unicode_form::nfkd},
                                                                           {"Lowercase", lower_case_step{}}};
  auto known = without_fields.find(type);
  if (known == without_fields.end()) return std::nullopt;
  step.allow({"type"});
  return known->second;
}

}  // namespace

void read_normalizer(const json_part& normalizer, tokenizer_parts& parts) {
  for (auto& step : flattened(normalizer, "normalizers")) {
    auto read = read_step(step);
    if (!read)
      return refuse_type(step, "Lowercase, NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip and Sequence are");
    parts.normal.push_back(*std::move(read));
  }
}

}  // namespace lorica
