#include "net/invocations_api.hpp"

#include <utility>

#include "core/json.hpp"
#include "net/http_error.hpp"
#include "net/openai_api.hpp"
#include "net/tgi_api.hpp"

namespace lorica {

void answer_invocations(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](api_style style, const error& why) {
    context.series.count_refusal(why.code);
    channel->reply(error_reply(style, why));
  };
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (!body) return refuse(api_style::native, body.error());
  if (!body->as_object())
    return refuse(api_style::native, fail(errc::malformed, "The body must be a JSON object"));
  if (body->find("inputs"))
    return answer_generate(context, request, *body, tgi_surface::root, std::move(channel));
  if (body->find("messages")) return answer_chat(context, request, *body, std::move(channel));
  if (body->find("prompt")) return answer_completions(context, request, *body, std::move(channel));
  refuse(api_style::native, invalid_field("the body must have `inputs`, `messages` or `prompt`", "inputs"));
}

}  // namespace lorica
