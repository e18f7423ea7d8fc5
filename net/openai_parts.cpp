#include "net/openai_parts.hpp"

#include <variant>

namespace lorica {

void write_identity(json_writer& w, const openai_identity& identity, std::string_view kind) {
  w.key("id").string(identity.id).key("object").string(kind);
  w.key("created").integer(identity.created).key("model").string(identity.model);
  w.key("system_fingerprint").string(identity.fingerprint);
}

void write_end(json_writer& w, const generation_finish* end) {
  w.key("finish_reason");
  if (!end) {
    w.null();
    return;
  }
  w.string(end->reason == finish_reason::length ? "length" : "stop");
  w.key("stop_reason");
  if (auto id = std::get_if<token_id>(&end->cause))
    w.integer(*id);
  else if (auto text = std::get_if<std::string>(&end->cause))
    w.string(*text);
  else
    w.null();
}

void write_usage(json_writer& w, std::uint64_t prompt_tokens, std::uint64_t generated_tokens) {
  w.key("usage").begin_object().key("prompt_tokens").unsigned_integer(prompt_tokens);
  w.key("completion_tokens").unsigned_integer(generated_tokens);
  w.key("total_tokens").unsigned_integer(prompt_tokens + generated_tokens).end_object();
}

void write_ids(json_writer& w, std::string_view name, std::span<const generated_token> tokens) {
  w.key(name).begin_array();
  for (auto& t : tokens)
    w.integer(t.id);
  w.end_array();
}

}  // namespace lorica
