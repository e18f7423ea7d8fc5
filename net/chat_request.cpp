#include "net/chat_request.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "net/field_reader.hpp"
#include "net/openai_fields.hpp"

namespace lorica {
namespace {

/// A member of the body that is handed on as it is.
value copy_of(const field_reader& fields, std::string_view name) {
  auto v = fields.raw(name);
  return v ? *v : value();
}

std::optional<std::string> last_text(const value& messages) {
  auto list = messages.as_array();
  auto content = list && !list->empty() ? list->back().find("content") : nullptr;
  auto text = content ? content->as_string() : nullptr;
  return text ? std::optional(*text) : std::nullopt;
}

std::string_view last_role(const value& messages) {
  auto list = messages.as_array();
  auto role = list && !list->empty() ? list->back().find("role") : nullptr;
  auto text = role ? role->as_string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

/// `reasoning_effort` is a field of the API and a variable of templates.
void add_reasoning_effort(field_reader& fields, value& variables) {
  auto effort = fields.text("reasoning_effort");
  if (!effort || variables.find("reasoning_effort")) return;
  auto members = variables.as_object();
  value::object all = members ? *members : value::object();
  std::erase_if(all, [](auto& m) { return m.first == "reasoning_effort"; });
  all.emplace_back("reasoning_effort", value(*std::move(effort)));
  variables = value(std::move(all));
}

/// Tools are not called yet: they are refused unless the client asks for an answer without them.
void read_tools(field_reader& fields) {
  auto choice = fields.raw("tool_choice");
  auto word = choice ? choice->as_string() : nullptr;
  if (word && *word == "none") return;
  fields.not_served_unless_neutral("tools");
  fields.demand(!word || *word == "auto", "tool_choice",
                "`tool_choice` other than `auto` or `none` is not served yet");
  fields.demand(!choice || word, "tool_choice", "`tool_choice` that names a function is not served yet");
}

conversation_ptr read_messages(field_reader& fields, std::size_t body_bytes) {
  auto out = std::make_shared<conversation>();
  out->bytes = body_bytes;
  auto messages = fields.raw("messages");
  fields.demand(messages != nullptr, "messages", "`messages` is missing; it must be a list of objects");
  fields.demand(!messages || messages->as_array(), "messages", "`messages` must be a list of objects");
  if (messages) out->messages = *messages;
  out->documents = copy_of(fields, "documents");
  out->variables = copy_of(fields, "chat_template_kwargs");
  fields.demand(out->variables.is_null() || out->variables.as_object(), "chat_template_kwargs",
                "`chat_template_kwargs` must be an object");
  add_reasoning_effort(fields, out->variables);
  out->continue_final_message = fields.boolean("continue_final_message").value_or(false);
  out->add_generation_prompt = fields.boolean("add_generation_prompt").value_or(!out->continue_final_message);
  fields.demand(!out->continue_final_message || !out->add_generation_prompt, "continue_final_message",
                "`continue_final_message` and `add_generation_prompt` cannot both be true");
  fields.demand(!fields.raw("chat_template"), "chat_template",
                "`chat_template` is not taken from requests; an adapter may have one among its defaults");
  read_tools(fields);
  return out;
}

/// One pass over the body: each method reads some fields and refuses what does not fit.
class chat_reader {
 public:
  chat_reader(const value& body, const server_info& info, openai_request& out)
      : fields_(&body), out_(out), shared_(fields_, info, out) {}

  std::optional<error> read(std::size_t body_bytes, std::uint64_t seed) {
    shared_.model();
    auto chat = read_messages(fields_, body_bytes);
    out_.generation.prompts = {chat};
    shared_.lengths(std::nullopt);
    shared_.sampling(seed);
    shared_.texts();
    fields_.demand(!fields_.boolean("add_special_tokens").value_or(false), "add_special_tokens",
                   "`add_special_tokens` is not served on this route: the chat template writes them");
    shared_.stream();
    shared_.choices();
    reporting();
    shared_.prompt_reports();
    echo(*chat);
    shared_.unserved();
    for (auto name : {"functions", "function_call", "audio", "mm_processor_kwargs"})
      fields_.not_served_unless_neutral(name);
    return fields_.refusal();
  }

 private:
  void reporting() {
    out_.wishes.logprobs = fields_.boolean("logprobs").value_or(false);
    auto n = shared_.alternatives("top_logprobs");
    fields_.demand(!n || *n == 0 || out_.wishes.logprobs, "top_logprobs",
                   "`top_logprobs` needs `logprobs` to be true");
    if (out_.wishes.logprobs) out_.generation.top_logprobs = n.value_or(0);
  }

  /// vLLM's `echo`: the message that the answer belongs to stands before it.
  void echo(const conversation& chat) {
    if (!fields_.boolean("echo").value_or(false)) return;
    bool same = last_role(chat.messages) == "assistant";
    if (same) out_.wishes.echoed = last_text(chat.messages).value_or("");
  }

  field_reader fields_;
  openai_request& out_;
  openai_fields shared_;
};

}  // namespace

result<openai_request> read_chat_request(const value& body, std::size_t body_bytes, const server_info& info,
                                         std::uint64_t seed) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  openai_request out;
  if (auto refusal = chat_reader(body, info, out).read(body_bytes, seed)) return *std::move(refusal);
  return out;
}

result<conversation_ptr> read_conversation(const value& body, std::size_t body_bytes) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  field_reader fields(&body);
  auto out = read_messages(fields, body_bytes);
  if (auto refusal = fields.refusal()) return *std::move(refusal);
  return out;
}

}  // namespace lorica
