#include "net/vllm_api.hpp"

#include <fmt/format.h>

#include <utility>

#include "net/adapter_request.hpp"
#include "net/field_reader.hpp"
#include "net/http_error.hpp"

namespace lorica {
namespace {

constexpr std::string_view wrong_input = "InvalidUserInput";

http_reply plain_text(std::string text) {
  http_reply out;
  out.content_type = "text/plain; charset=utf-8";
  out.body = std::move(text);
  return out;
}

http_reply refused(const error& why) {
  return error_reply(api_style::openai, why);
}

http_reply missing(std::string text, std::string param) {
  return typed_error_reply(wrong_input, fail(errc::invalid, std::move(text), {}, std::move(param)));
}

http_reply not_found(std::string_view name) {
  return refused(fail(errc::unknown_adapter, fmt::format("The lora adapter '{}' cannot be found.", name),
                      "adapter_not_found", "lora_name"));
}

/// vLLM's own text for a rank, else ours: its others refuse what is served here.
std::string text_of(const error& why) {
  // Ours goes on with the tensor.
  if (why.reason == "rank_too_large") return why.text.substr(0, why.text.find(" (tensor "));
  return why.text;
}

http_reply load_refused(const adapter_load& load, error why) {
  if (why.reason == "already_loaded")
    return typed_error_reply(
        wrong_input,
        fail(errc::invalid,
             fmt::format("The lora adapter '{}' has already been loaded. If you want to load the adapter in "
                         "place, set 'load_inplace' to True.",
                         load.name),
             why.reason, "lora_name"));
  if (why.code == errc::unknown_adapter)
    return refused(
        fail(errc::unknown_adapter,
             fmt::format("Loading lora {} failed: No adapter found for {}", load.name, load.source),
             why.reason, "lora_path"));
  bool of_files = why.code == errc::bad_adapter || why.code == errc::io || why.code == errc::timeout;
  if (of_files && !why.reason.empty())
    return refused(fail(errc::invalid, text_of(why), why.reason, why.param));
  if (why.code == errc::out_of_memory || why.code == errc::cancelled) why.code = errc::conflict;
  return refused(why);
}

http_reply load_ended(const adapter_load& load, const result<adapter_job>& job) {
  if (!job) return load_refused(load, job.error());
  if (job->failure) return load_refused(load, *job->failure);
  if (job->state == job_state::cancelled)
    return refused(fail(errc::conflict, "The load of '" + load.name + "' was cancelled", "cancelled"));
  return plain_text(fmt::format("Success: LoRA adapter '{}' added successfully.", load.name));
}

}  // namespace

void answer_vllm_load(api_context& context, const http_request& request,
                      std::shared_ptr<reply_channel> channel) {
  auto body = read_object(request);
  if (!body) return channel->reply(refused(body.error()));
  field_reader fields(&*body);
  adapter_load load;
  load.name = fields.text("lora_name").value_or("");
  load.source = fields.text("lora_path").value_or("");
  bool in_place = fields.boolean("load_inplace").value_or(false);
  if (fields.refusal()) return channel->reply(refused(*fields.refusal()));
  load.policy = in_place ? load_policy::replace : load_policy::refuse;
  if (load.name.empty() || load.source.empty())
    return channel->reply(missing("Both 'lora_name' and 'lora_path' must be provided.",
                                  load.name.empty() ? "lora_name" : "lora_path"));
  if (auto fit = check_new_name(load.name, context.info, "lora_name"); !fit)
    return channel->reply(refused(fit.error()));
  if (!context.adapters)
    return channel->reply(refused(fail(errc::unavailable, "Adapters cannot be loaded here")));
  context.adapters->load(load, answer_when::ended,
                         [load, channel](result<adapter_job> job) { channel->reply(load_ended(load, job)); });
}

void answer_vllm_unload(api_context& context, const http_request& request,
                        std::shared_ptr<reply_channel> channel) {
  auto body = read_object(request);
  if (!body) return channel->reply(refused(body.error()));
  field_reader fields(&*body);
  auto name = fields.text("lora_name").value_or("");
  if (fields.refusal()) return channel->reply(refused(*fields.refusal()));
  if (name.empty())
    return channel->reply(missing("'lora_name' needs to be provided to unload a LoRA adapter.", "lora_name"));
  if (!context.adapters)
    return channel->reply(refused(fail(errc::unavailable, "Adapters cannot be unloaded here")));
  adapter_unload what;
  what.name = name;
  context.adapters->unload(what, answer_when::accepted, [name, channel](result<adapter_job> job) {
    if (!job && job.error().code != errc::unknown_adapter) return channel->reply(refused(job.error()));
    // A name that was unloaded before is as unknown as any other.
    bool known = job && (job->changed || job->state == job_state::running);
    channel->reply(known ? plain_text(fmt::format("Success: LoRA adapter '{}' removed successfully.", name))
                         : not_found(name));
  });
}

}  // namespace lorica
