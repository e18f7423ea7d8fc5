#include "net/tgi_api.hpp"

#include <utility>

#include "core/json.hpp"
#include "net/collected_reply.hpp"
#include "net/field_reader.hpp"
#include "net/http_error.hpp"
#include "net/sse_stream.hpp"
#include "net/tgi_reply.hpp"

namespace lorica {
namespace {

std::size_t characters(std::string_view text) {
  std::size_t out = 0;
  for (char c : text)
    out += (static_cast<unsigned char>(c) & 0xc0u) != 0x80u;
  return out;
}

tgi_wishes wishes_of(const tgi_request& r, tgi_surface surface, const api_context& context) {
  auto& prompt = std::get<std::string>(r.generation.prompts.front());
  tgi_wishes out;
  out.details = r.details || r.prompt_details;
  out.sampled = r.generation.sampling.sample;
  out.top_tokens = r.generation.top_logprobs;
  out.list = surface == tgi_surface::root;
  if (r.return_full_text) out.full_text_prefix = prompt;
  out.device = context.info.device;
  out.prompt_characters = characters(prompt);
  out.arrived = context.clock.now();
  return out;
}

}  // namespace

void answer_generate(api_context& context, const http_request& request, tgi_surface surface,
                     std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](const error& why) {
    context.series.count_refusal(why.code);
    channel->reply(error_reply(api_style::native, why));
  };
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (!body) return refuse(body.error());
  auto read = read_tgi_request(*body, surface, context.info, context.draw());
  if (!read) return refuse(read.error());
  auto place = context.gate.admit(request.body.size());
  if (!place) return refuse(place.error());
  auto wishes = wishes_of(*read, surface, context);
  read->generation.request_id = request.id;
  std::shared_ptr<response_sink> sink;
  if (read->stream) {
    sink = std::make_shared<sse_stream>(channel, *std::move(place), tgi_events(std::move(wishes)));
  } else {
    auto write = [wishes = std::move(wishes), &clock = context.clock](const collected& all) {
      return tgi_reply(wishes, all, clock.now());
    };
    sink = std::make_shared<collected_reply>(channel, *std::move(place), read->generation.choices,
                                             api_style::native, std::move(write));
  }
  channel->attach(context.generations.start(std::move(read->generation), std::move(sink)));
}

}  // namespace lorica
