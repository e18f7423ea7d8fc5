#include "text/json_steps.hpp"
#include "text/tokenizer_json.hpp"
#include "text/vocabulary.hpp"

namespace lorica {
namespace {

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

void read_post_processor(const json_part& post_processor, tokenizer_parts& parts) {
  for (auto step : flattened(post_processor, "processors")) {
    auto type = step.text("type");
    if (type == "TemplateProcessing") {
      read_template(step, parts);
      continue;
    }
    if (type != "ByteLevel") return refuse_type(step, "ByteLevel, TemplateProcessing and Sequence are");
    step.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    auto add_prefix_space = step.flag("add_prefix_space");
    if (step.flag("trim_offsets")) parts.post.emplace_back(trim_offsets{add_prefix_space});
  }
}

}  // namespace lorica
