#include "net/tgi_api.hpp"

#include <utility>

#include "core/json.hpp"
#include "net/collected_reply.hpp"
#include "net/field_reader.hpp"
#include "net/http_error.hpp"
#include "net/sse_stream.hpp"
#include "net/tgi_reply.hpp"
#include "net/timing_fields.hpp"

namespace lorica {
namespace {

tgi_wishes wishes_of(const tgi_request& r, tgi_surface surface) {
  tgi_wishes out;
  out.details = r.details || r.prompt_details;
  out.top_tokens = r.top_tokens;
  out.alternatives = r.alternatives;
  out.list = surface == tgi_surface::root;
  if (r.return_full_text) out.full_text_prefix = std::get<std::string>(r.generation.prompts.front());
  return out;
}

}  // namespace

void answer_generate(api_context& context, const http_request& request, tgi_surface surface,
                     std::shared_ptr<reply_channel> channel) {
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (body) return answer_generate(context, request, *body, surface, std::move(channel));
  context.series.count_refusal(body.error().code);
  channel->reply(error_reply(api_style::native, body.error()));
}

void answer_generate(api_context& context, const http_request& request, const value& body,
                     tgi_surface surface, std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](const error& why) {
    context.series.count_refusal(why.code);
    channel->reply(error_reply(api_style::native, why));
  };
  auto read = read_tgi_request(body, surface, context.info, context.draw());
  if (!read) return refuse(read.error());
  auto place = context.gate.admit(request.body.size());
  if (!place) return refuse(place.error());
  auto wishes = wishes_of(*read, surface);
  auto from = arrival_of(read->generation, context.info.device, context.clock.now());
  read->generation.request_id = request.id;
  std::shared_ptr<response_sink> sink;
  if (read->stream) {
    sink = std::make_shared<sse_stream>(channel, *std::move(place), tgi_events(std::move(wishes)),
                                        arrival_fields(from));
  } else {
    auto write = [wishes = std::move(wishes), from, &clock = context.clock](const collected& all) {
      return with_fields(tgi_reply(wishes, all), timing_fields(from, all, clock.now()));
    };
    sink = std::make_shared<collected_reply>(channel, *std::move(place), read->generation.choices,
                                             api_style::native, std::move(write));
  }
  channel->attach(context.generations.start(std::move(read->generation), std::move(sink)));
}

}  // namespace lorica
