#include "net/openai_api.hpp"

#include <algorithm>
#include <utility>

#include "core/json.hpp"
#include "net/collected_reply.hpp"
#include "net/openai_reply.hpp"
#include "net/openai_request.hpp"
#include "net/request_id.hpp"
#include "net/sse_stream.hpp"
#include "net/timing_fields.hpp"

namespace lorica {
namespace {

completion_identity identity_of(const openai_request& r, const api_context& context) {
  return {"cmpl-" + random_id(context.draw(), context.draw()), context.unix_seconds(), r.model,
          context.info.version + "-" + context.info.device};
}

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

void answer_completions(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel) {
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (body) return answer_completions(context, request, *body, std::move(channel));
  context.series.count_refusal(body.error().code);
  channel->reply(error_reply(api_style::openai, body.error()));
}

void answer_completions(api_context& context, const http_request& request, const value& body,
                        std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](const error& why) {
    context.series.count_refusal(why.code);
    channel->reply(error_reply(api_style::openai, why));
  };
  auto read = read_openai_request(body, context.info, context.draw());
  if (!read) return refuse(read.error());
  auto place = context.gate.admit(request.body.size());
  if (!place) return refuse(place.error());
  auto identity = identity_of(*read, context);
  auto from = arrival_of(read->generation, context.info.device, context.clock.now());
  read->generation.request_id = request.id;
  const completion_wishes wishes{read->usage, read->logprobs, read->echo, read->prompt_logprobs};
  std::shared_ptr<response_sink> sink;
  if (read->stream) {
    sink = std::make_shared<sse_stream>(channel, *std::move(place),
                                        completion_events(std::move(identity), wishes), arrival_fields(from));
  } else {
    auto write = [identity = std::move(identity), wishes, from,
                  &clock = context.clock](const collected& all) {
      return with_fields(completion_reply(identity, wishes, all), timing_fields(from, all, clock.now()));
    };
    sink = std::make_shared<collected_reply>(channel, *std::move(place), read->generation.choices,
                                             api_style::openai, std::move(write));
  }
  channel->attach(context.generations.start(std::move(read->generation), std::move(sink)));
}

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
