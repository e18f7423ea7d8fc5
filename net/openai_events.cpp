#include "net/openai_events.hpp"

#include "net/http_error.hpp"
#include "net/reply_fields.hpp"

namespace lorica {

json_writer openai_events::begin_chunk() const {
  json_writer w;
  w.begin_object();
  write_identity(w, identity_, kind_);
  return w;
}

std::string openai_events::end_chunk(json_writer w, bool last) const {
  if (last && served_) write_served(w, *served_);
  if (wishes_.usage == usage_chunks::every) write_usage(w, prompt_tokens_, generated_tokens_);
  return w.end_object().take();
}

event_format::events openai_events::done() {
  if (wishes_.usage == usage_chunks::none) return {"[DONE]"};
  auto w = begin_chunk();
  w.key("choices").begin_array().end_array();
  write_usage(w, prompt_tokens_, generated_tokens_);
  return {w.end_object().take(), "[DONE]"};
}

event_format::events openai_events::failed(const error& why) {
  return {error_body(api_style::openai, why), "[DONE]"};
}

http_reply openai_events::refused(const error& why) {
  return error_reply(api_style::openai, why);
}

}  // namespace lorica
