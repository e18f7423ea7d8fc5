#include "net/adapter_api.hpp"

#include <algorithm>
#include <utility>

#include "core/adapter_name.hpp"
#include "net/adapter_request.hpp"
#include "net/event_feed.hpp"
#include "net/http_error.hpp"
#include "net/sse_stream.hpp"

namespace lorica {
namespace {

using channel_ptr = std::shared_ptr<reply_channel>;

/// The words of these routes: a refused load is the caller's business, whatever failed in it.
error in_words_of_adapters(error why) {
  if (why.code == errc::unknown_adapter && why.reason.empty()) why.reason = "adapter_not_found";
  if (why.code == errc::bad_adapter) why.code = errc::invalid;
  if ((why.code == errc::io || why.code == errc::timeout) && !why.reason.empty()) why.code = errc::invalid;
  if (why.code == errc::out_of_memory || why.code == errc::cancelled) {
    if (why.reason.empty()) why.reason = why.code == errc::cancelled ? "cancelled" : "memory_in_use";
    why.code = errc::conflict;
  }
  return why;
}

http_reply refused(const error& why) {
  return error_reply(api_style::openai, in_words_of_adapters(why));
}

/// An answer of the service that becomes a reply by `write`.
template <class T, class Write>
adapter_service::answer<T> answer_by(channel_ptr channel, Write write) {
  return [channel = std::move(channel), write = std::move(write)](result<T> got) {
    channel->reply(got ? write(*got) : refused(got.error()));
  };
}

adapter_service::answer<adapter_job> job_answer(answer_when when, audience reader, channel_ptr channel) {
  return answer_by<adapter_job>(std::move(channel), [when, reader](const adapter_job& job) {
    if (job.state == job_state::failed && job.failure) return refused(*job.failure);
    if (when == answer_when::ended && job.state == job_state::cancelled)
      return refused(fail(errc::cancelled, "The load of '" + job.name + "' was cancelled"));
    return job_reply(job.state == job_state::running ? 202 : 200, job, reader);
  });
}

http_reply list(const api_context& context, const http_request& request, audience reader) {
  auto wish = read_list_request(request);
  if (!wish) return refused(wish.error());
  auto now = context.status.snapshot();
  std::vector<const adapter_status*> chosen;
  for (auto& a : now->adapters)
    if ((!wish->state || a.state == *wish->state) && (!wish->after || a.name > *wish->after))
      chosen.push_back(&a);
  std::sort(chosen.begin(), chosen.end(), [](auto a, auto b) { return a->name < b->name; });
  std::optional<std::string> next;
  if (wish->limit && chosen.size() > *wish->limit) {
    chosen.resize(*wish->limit);
    next = chosen.back()->name;
  }
  return status_list_reply(chosen, next, reader);
}

void put(api_context& context, const http_request& request, const std::string& name, audience reader,
         channel_ptr channel) {
  auto wish = read_put_request(request, name, context.info);
  if (!wish) return channel->reply(refused(wish.error()));
  auto& service = *context.adapters;
  if (!wish->alias_of.empty())
    return service.set_alias(
        name, wish->alias_of,
        answer_by<adapter_status>(std::move(channel), [reader](auto& s) { return status_reply(s, reader); }));
  if (wish->dry_run)
    return service.preview(
        std::move(wish->load),
        answer_by<adapter_preview>(std::move(channel), [name](auto& p) { return preview_reply(name, p); }));
  service.load(std::move(wish->load), wish->when, job_answer(wish->when, reader, std::move(channel)));
}

void remove(api_context& context, const http_request& request, const std::string& name, audience reader,
            channel_ptr channel) {
  auto wish = read_delete_request(request, name);
  if (!wish) return channel->reply(refused(wish.error()));
  context.adapters->unload(std::move(wish->unload), wish->when,
                           job_answer(wish->when, reader, std::move(channel)));
}

void declare(api_context& context, const http_request& request, channel_ptr channel) {
  auto wish = read_declare_request(request, context.info);
  if (!wish) return channel->reply(refused(wish.error()));
  auto dry_run = wish->mode == declare_mode::compare;
  context.adapters->declare(std::move(wish->wanted), wish->mode,
                            answer_by<std::vector<adapter_change>>(std::move(channel), [dry_run](auto& all) {
                              return changes_reply(all, dry_run);
                            }));
}

void stream_events(api_context& context, const http_request& request, audience reader, channel_ptr channel) {
  if (request.method == "HEAD") {
    channel->begin_stream(event_stream_head());
    return channel->end_stream();
  }
  auto feed = std::make_shared<event_feed>(channel, reader);
  auto too_many = fail(errc::overloaded, "Too many clients read the events; at most " +
                                             std::to_string(event_feeds::limit) + " can");
  if (!context.feeds.add(feed)) return channel->reply(refused(too_many));
  auto watch = context.adapters->watch([weak = std::weak_ptr(feed)](const adapter_event& event) {
    if (auto open = weak.lock()) open->tell(event);
  });
  if (!watch) return channel->reply(refused(too_many));
  feed->hold(std::move(watch));
  channel->attach(feed);
  feed->begin();
}

adapter_action action_of(route_id id) {
  switch (id) {
    case route_id::pin_adapter: return adapter_action::pin;
    case route_id::unpin_adapter: return adapter_action::unpin;
    case route_id::pause_adapter: return adapter_action::pause;
    case route_id::resume_adapter: return adapter_action::resume;
    case route_id::evict_adapter: return adapter_action::evict;
    default: return adapter_action::prefetch;
  }
}

bool has_adapter_name(route_id id) {
  return id != route_id::declare_adapters && id != route_id::adapter_events && id != route_id::adapter_jobs &&
         id != route_id::adapter_job && id != route_id::cancel_adapter_job;
}

bool is_bare(route_id id) {
  return id != route_id::declare_adapters && id != route_id::put_adapter && id != route_id::delete_adapter;
}

/// What can be refused before the service is asked.
result<void> check(const api_context& context, const http_request& request, const route_match& found) {
  if (!context.adapters) return fail(errc::unavailable, "Adapters cannot be changed or shown here");
  if (is_bare(found.where->id))
    if (auto bare = expect_bare(request); !bare) return bare;
  if (!has_adapter_name(found.where->id)) return {};
  auto fit = check_adapter_name(found.name);
  if (!fit) return fail(errc::invalid, fit.error().text, fit.error().reason, "name");
  return {};
}

}  // namespace

void answer_adapters(api_context& context, const http_request& request, const route_match& found,
                     audience reader, std::shared_ptr<reply_channel> channel) {
  auto id = found.where->id;
  if (id == route_id::adapters) return channel->reply(list(context, request, reader));
  if (auto fit = check(context, request, found); !fit) return channel->reply(refused(fit.error()));
  auto& service = *context.adapters;
  auto job_by = [reader](auto& job) { return job_reply(200, job, reader); };
  switch (id) {
    case route_id::declare_adapters: return declare(context, request, std::move(channel));
    case route_id::adapter_events: return stream_events(context, request, reader, std::move(channel));
    case route_id::put_adapter: return put(context, request, found.name, reader, std::move(channel));
    case route_id::delete_adapter: return remove(context, request, found.name, reader, std::move(channel));
    case route_id::adapter_jobs:
      return service.list_jobs(answer_by<std::vector<adapter_job>>(
          std::move(channel), [reader](auto& jobs) { return job_list_reply(jobs, reader); }));
    case route_id::adapter_job:
      return service.show_job(found.name, answer_by<adapter_job>(std::move(channel), job_by));
    case route_id::cancel_adapter_job:
      return service.cancel_job(found.name, answer_by<adapter_job>(std::move(channel), job_by));
    case route_id::adapter:
      return service.show(found.name, answer_by<adapter_detail>(std::move(channel), [reader](auto& d) {
                            return detail_reply(d, reader);
                          }));
    default:
      return service.act(found.name, action_of(id),
                         answer_by<adapter_status>(std::move(channel),
                                                   [reader](auto& s) { return status_reply(s, reader); }));
  }
}

}  // namespace lorica
