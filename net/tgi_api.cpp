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
  auto& prompt = std::get<std::string>(r.generation.prompt);
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

http_reply token_list(const std::vector<token_span>& tokens) {
  json_writer w;
  w.begin_array();
  for (auto& t : tokens) {
    w.begin_object().key("id").integer(t.id).key("text").string(t.text);
    w.key("start").unsigned_integer(t.start).key("stop").unsigned_integer(t.stop).end_object();
  }
  return json_reply(200, w.end_array().take());
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

void answer_tokenize(api_context& context, const http_request& request,
                     std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](const error& why) { channel->reply(error_reply(api_style::native, why)); };
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (!body) return refuse(body.error());
  if (!body->as_object()) return refuse(fail(errc::malformed, "The body must be a JSON object"));
  field_reader fields(&*body);
  auto inputs = fields.text("inputs");
  fields.demand(inputs.has_value(), "inputs", "`inputs` is missing; it must be a string");
  fields.demand(inputs && !inputs->empty(), "inputs", "`inputs` cannot be empty");
  auto add_special = fields.boolean("add_special_tokens").value_or(true);
  if (fields.refusal()) return refuse(*fields.refusal());
  auto place = context.gate.admit(request.body.size());
  if (!place) return refuse(place.error());
  auto held = std::make_shared<admission::permit>(*std::move(place));
  context.tokens.tokenize(*std::move(inputs), add_special, [channel, held](auto tokens) {
    held->release();
    channel->reply(tokens ? token_list(*tokens) : error_reply(api_style::native, tokens.error()));
  });
}

}  // namespace lorica
