#include "net/tokenize_api.hpp"

#include <string>
#include <utility>
#include <vector>

#include "core/json.hpp"
#include "net/chat_request.hpp"
#include "net/field_reader.hpp"
#include "net/http_error.hpp"

namespace lorica {
namespace {

void write_tokens(json_writer& w, const std::vector<token_span>& tokens) {
  w.begin_array();
  for (auto& t : tokens) {
    w.begin_object().key("id").integer(t.id).key("text").string(t.text);
    w.key("start").unsigned_integer(t.start).key("stop").unsigned_integer(t.stop).end_object();
  }
  w.end_array();
}

http_reply token_list(const std::vector<token_span>& tokens) {
  json_writer w;
  write_tokens(w, tokens);
  return json_reply(200, w.take());
}

http_reply tokenized(const tokenized_chat& chat) {
  json_writer w;
  w.begin_object().key("tokenize_response");
  write_tokens(w, chat.tokens);
  return json_reply(200, w.key("templated_text").string(chat.text).end_object().take());
}

struct text_wish {
  std::string inputs;
  bool add_special_tokens = true;
};

result<text_wish> read_text(const value& body) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  field_reader fields(&body);
  auto inputs = fields.text("inputs");
  fields.demand(inputs.has_value(), "inputs", "`inputs` is missing; it must be a string");
  fields.demand(inputs && !inputs->empty(), "inputs", "`inputs` cannot be empty");
  auto add_special = fields.boolean("add_special_tokens").value_or(true);
  if (auto refusal = fields.refusal()) return *std::move(refusal);
  return text_wish{*std::move(inputs), add_special};
}

/// Holds its place until it is answered.
class held_reply {
 public:
  held_reply(std::shared_ptr<reply_channel> channel, admission::permit place)
      : channel_(std::move(channel)), place_(std::make_shared<admission::permit>(std::move(place))) {}

  void operator()(http_reply reply) const {
    place_->release();
    channel_->reply(std::move(reply));
  }

 private:
  std::shared_ptr<reply_channel> channel_;
  std::shared_ptr<admission::permit> place_;
};

http_reply refusal(const error& why) {
  return error_reply(api_style::native, why);
}

}  // namespace

void answer_tokenize(api_context& context, const http_request& request,
                     std::shared_ptr<reply_channel> channel) {
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  auto read = body ? read_text(*body) : result<text_wish>(body.error());
  if (!read) return channel->reply(refusal(read.error()));
  auto place = context.gate.admit(request.body.size());
  if (!place) return channel->reply(refusal(place.error()));
  held_reply reply(std::move(channel), *std::move(place));
  context.tokens.tokenize(std::move(read->inputs), read->add_special_tokens, [reply](auto tokens) {
    reply(tokens ? token_list(*tokens) : refusal(tokens.error()));
  });
}

void answer_chat_tokenize(api_context& context, const http_request& request,
                          std::shared_ptr<reply_channel> channel) {
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  auto read = body ? read_conversation(*body, request.body.size()) : result<conversation_ptr>(body.error());
  if (!read) return channel->reply(refusal(read.error()));
  auto place = context.gate.admit(request.body.size());
  if (!place) return channel->reply(refusal(place.error()));
  held_reply reply(std::move(channel), *std::move(place));
  context.tokens.tokenize_chat(
      *std::move(read), [reply](auto chat) { reply(chat ? tokenized(*chat) : refusal(chat.error())); });
}

}  // namespace lorica
