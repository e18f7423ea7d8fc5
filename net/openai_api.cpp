#include "net/openai_api.hpp"

#include <string>
#include <utility>

#include "core/json.hpp"
#include "net/chat_reply.hpp"
#include "net/chat_request.hpp"
#include "net/collected_reply.hpp"
#include "net/completion_reply.hpp"
#include "net/completion_request.hpp"
#include "net/request_id.hpp"
#include "net/sse_stream.hpp"
#include "net/timing_fields.hpp"

namespace lorica {
namespace {

/// What tells completions from chats.
struct surface {
  const char* id_prefix;
  result<openai_request> (*read)(const value& body, const http_request& request, api_context& context);
  std::unique_ptr<event_format> (*events)(openai_identity, openai_wishes, std::uint32_t choices);
  http_reply (*reply)(const openai_identity&, const openai_wishes&, std::uint32_t choices, const collected&);
};

const surface completions{"cmpl-",
                          [](const value& body, const http_request&, api_context& context) {
                            return read_completion_request(body, context.info, context.draw());
                          },
                          completion_events, completion_reply};

const surface chats{"chatcmpl-",
                    [](const value& body, const http_request& request, api_context& context) {
                      return read_chat_request(body, request.body.size(), context.info, context.draw());
                    },
                    chat_events,
                    [](const openai_identity& identity, const openai_wishes& wishes, std::uint32_t,
                       const collected& all) { return chat_reply(identity, wishes, all); }};

std::shared_ptr<response_sink> sink_for(const surface& how, const openai_request& r, openai_identity identity,
                                        const api_context& context, std::shared_ptr<reply_channel> channel,
                                        admission::permit place) {
  auto from = arrival_of(r.generation, context.info.device, context.clock.now());
  const auto choices = r.generation.choices;
  if (r.stream)
    return std::make_shared<sse_stream>(std::move(channel), std::move(place),
                                        how.events(std::move(identity), r.wishes, choices),
                                        arrival_fields(from));
  auto write = [&how, identity = std::move(identity), wishes = r.wishes, choices, from,
                &clock = context.clock](const collected& all) {
    return with_fields(how.reply(identity, wishes, choices, all), timing_fields(from, all, clock.now()));
  };
  const auto all = choices * static_cast<std::uint32_t>(r.generation.prompts.size());
  return std::make_shared<collected_reply>(std::move(channel), std::move(place), all, api_style::openai,
                                           std::move(write));
}

void answer(const surface& how, api_context& context, const http_request& request, const value& body,
            std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](const error& why) {
    context.series.count_refusal(why.code);
    channel->reply(error_reply(api_style::openai, why));
  };
  auto read = how.read(body, request, context);
  if (!read) return refuse(read.error());
  auto place = context.gate.admit(request.body.size());
  if (!place) return refuse(place.error());
  openai_identity identity{how.id_prefix + random_id(context.draw(), context.draw()), context.unix_seconds(),
                           read->model, context.info.version + "-" + context.info.device};
  auto sink = sink_for(how, *read, std::move(identity), context, channel, *std::move(place));
  read->generation.request_id = request.id;
  channel->attach(context.generations.start(std::move(read->generation), std::move(sink)));
}

void read_and_answer(const surface& how, api_context& context, const http_request& request,
                     std::shared_ptr<reply_channel> channel) {
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (body) return answer(how, context, request, *body, std::move(channel));
  context.series.count_refusal(body.error().code);
  channel->reply(error_reply(api_style::openai, body.error()));
}

}  // namespace

void answer_completions(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel) {
  read_and_answer(completions, context, request, std::move(channel));
}

void answer_completions(api_context& context, const http_request& request, const value& body,
                        std::shared_ptr<reply_channel> channel) {
  answer(completions, context, request, body, std::move(channel));
}

void answer_chat(api_context& context, const http_request& request, std::shared_ptr<reply_channel> channel) {
  read_and_answer(chats, context, request, std::move(channel));
}

void answer_chat(api_context& context, const http_request& request, const value& body,
                 std::shared_ptr<reply_channel> channel) {
  answer(chats, context, request, body, std::move(channel));
}

}  // namespace lorica
