#include "net/vertex_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/json.hpp"
#include "net/chat_request.hpp"
#include "net/http_error.hpp"
#include "net/reply_fields.hpp"
#include "net/reply_group.hpp"
#include "net/tgi_request.hpp"

namespace lorica {
namespace {

error in_instance(error why, std::size_t index) {
  why.text += fmt::format(" (instances[{}])", index);
  why.param = fmt::format("instances[{}].{}", index, why.param);
  return why;
}

/// An instance that was checked.
struct vertex_instance {
  generation_request generation;
  std::string before;  ///< stands before the text
};

result<vertex_instance> read_chat(const value& instance, std::size_t bytes, const server_info& info,
                                  std::uint64_t seed) {
  auto read = read_chat_request(instance, bytes, info, seed);
  if (!read) return std::move(read).error();
  if (read->generation.choices != 1) return invalid_field("`n` must be 1: a prediction is one text", "n");
  return vertex_instance{std::move(read->generation), std::move(read->wishes.echoed)};
}

result<vertex_instance> read_text(const value& instance, const server_info& info, std::uint64_t seed) {
  auto read = read_tgi_request(instance, tgi_surface::plain, info, seed);
  if (!read) return std::move(read).error();
  vertex_instance out{std::move(read->generation), {}};
  if (read->return_full_text) out.before = std::get<std::string>(out.generation.prompts.front());
  return out;
}

result<vertex_instance> read_instance(const value& instance, std::size_t bytes, const server_info& info,
                                      std::uint64_t seed) {
  if (!instance.as_object())
    return invalid_field(
        "an instance must be an object with `inputs` or `messages`. Given: " + std::string(instance.kind()),
        "inputs");
  bool chat = !instance.find("inputs") && instance.find("messages");
  return chat ? read_chat(instance, bytes, info, seed) : read_text(instance, info, seed);
}

/// `bytes` is the size of the body.
result<std::vector<vertex_instance>> read_instances(const value& body, std::size_t bytes,
                                                    api_context& context) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  auto given = body.find("instances");
  auto list = given ? given->as_array() : nullptr;
  if (!list || list->empty())
    return invalid_field("`instances` must be a list of at least one object with `inputs` or `messages`",
                         "instances");
  auto most = context.info.max_client_batch_size;
  if (list->size() > most)
    return invalid_field(fmt::format("`instances` takes up to {} instances. Given: {}", most, list->size()),
                         "instances");
  std::vector<vertex_instance> out;
  for (auto& instance : *list) {
    auto one = read_instance(instance, bytes, context.info, context.draw());
    if (!one) return in_instance(one.error(), out.size());
    out.push_back(*std::move(one));
  }
  return out;
}

/// Who served all of them: each adapter once.
served_by all_served(const std::vector<collected>& all) {
  served_by out;
  for (auto& one : all) {
    out.model_id = one.facts.served.model_id;
    out.fallback = out.fallback || one.facts.served.fallback;
    for (auto& adapter : one.facts.served.adapters)
      if (std::ranges::find(out.adapters, adapter.name, &served_adapter::name) == out.adapters.end())
        out.adapters.push_back(adapter);
  }
  return out;
}

http_reply predictions(const std::vector<std::string>& prefixes, const std::vector<collected>& all) {
  json_writer w;
  w.begin_object().key("predictions").begin_array();
  for (std::size_t i = 0; i < all.size(); ++i)
    w.string(prefixes[i] + all[i].choices[0].end.text);
  return with_fields(json_reply(200, w.end_array().end_object().take()), served_fields(all_served(all)));
}

}  // namespace

void answer_vertex(api_context& context, const http_request& request,
                   std::shared_ptr<reply_channel> channel) {
  auto refuse = [&](const error& why) {
    context.series.count_refusal(why.code);
    channel->reply(error_reply(api_style::native, why));
  };
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (!body) return refuse(body.error());
  auto read = read_instances(*body, request.body.size(), context);
  if (!read) return refuse(read.error());
  auto place = context.gate.admit(request.body.size());
  if (!place) return refuse(place.error());
  std::vector<std::string> prefixes;
  std::vector<generation_request> requests;
  for (auto& one : *read) {
    prefixes.push_back(std::move(one.before));
    one.generation.request_id = request.id;
    requests.push_back(std::move(one.generation));
  }
  auto held = std::make_shared<admission::permit>(*std::move(place));
  auto done = [channel, held, prefixes = std::move(prefixes)](const result<std::vector<collected>>& all) {
    held->release();
    channel->reply(all ? predictions(prefixes, *all) : error_reply(api_style::native, all.error()));
  };
  channel->attach(reply_group::start(context.generations, std::move(requests), std::move(done)));
}

}  // namespace lorica
