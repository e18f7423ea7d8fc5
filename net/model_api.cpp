#include "net/model_api.hpp"

#include <algorithm>
#include <string>

#include "core/json.hpp"
#include "net/http_error.hpp"

namespace lorica {
namespace {

void write_card(json_writer& w, std::string_view id, std::string_view root, std::int64_t created) {
  w.begin_object().key("id").string(id).key("object").string("model").key("created").integer(created);
  w.key("owned_by").string("lorica").key("root").string(root).key("permission").begin_array().end_array();
}

void write_base(json_writer& w, const server_info& info, std::string_view id) {
  write_card(w, id, id, info.started);
  w.key("parent").null().key("max_model_len").unsigned_integer(info.max_total_tokens).end_object();
}

void write_adapter(json_writer& w, const server_info& info, const adapter_status& adapter, audience reader) {
  bool open = reader == audience::administration && !adapter.source.empty();
  write_card(w, adapter.name, open ? adapter.source : adapter.name, adapter.created);
  w.key("parent").string(info.model_id).end_object();
}

}  // namespace

http_reply list_models(const api_context& context, audience reader) {
  auto now = context.status.snapshot();
  json_writer w;
  w.begin_object().key("object").string("list").key("data").begin_array();
  write_base(w, context.info, context.info.model_id);
  for (auto& name : context.info.served_model_names)
    write_base(w, context.info, name);
  for (auto& adapter : now->adapters)
    if (adapter.state == "ready") write_adapter(w, context.info, adapter, reader);
  return json_reply(200, w.end_array().end_object().take());
}

http_reply show_model(const api_context& context, std::string_view id, audience reader) {
  json_writer w;
  auto& names = context.info.served_model_names;
  if (id == context.info.model_id || std::find(names.begin(), names.end(), id) != names.end()) {
    write_base(w, context.info, id);
    return json_reply(200, w.take());
  }
  auto now = context.status.snapshot();
  for (auto& adapter : now->adapters) {
    if (adapter.name != id || adapter.state != "ready") continue;
    write_adapter(w, context.info, adapter, reader);
    return json_reply(200, w.take());
  }
  return error_reply(
      api_style::openai,
      fail(errc::unknown_adapter, "The model `" + std::string(id) + "` does not exist.", {}, "model"));
}

}  // namespace lorica
