#include "net/completion_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/checked.hpp"
#include "net/field_reader.hpp"
#include "net/openai_fields.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t default_max_tokens = 16;
constexpr const char* wanted = "`prompt` must be a string, a list of token ids, or a list of those";

std::optional<std::vector<token_id>> ids_of(const value::array& list) {
  std::vector<token_id> out;
  out.reserve(list.size());
  for (auto& item : list) {
    auto n = item.whole();
    auto id = n && *n >= 0 ? checked_cast<token_id>(*n) : std::nullopt;
    if (!id) return std::nullopt;
    out.push_back(*id);
  }
  return out;
}

std::optional<prompt_source> one_prompt(const value& v) {
  if (auto text = v.as_string()) return *text;
  auto list = v.as_array();
  if (!list || list->empty()) return std::nullopt;
  if (auto ids = ids_of(*list)) return *std::move(ids);
  return std::nullopt;
}

bool is_empty(const prompt_source& p) {
  auto text = std::get_if<std::string>(&p);
  return text ? text->empty() : std::get<std::vector<token_id>>(p).empty();
}

/// One pass over the body: each method reads some fields and refuses what does not fit.
class completion_reader {
 public:
  completion_reader(const value& body, const server_info& info, openai_request& out)
      : fields_(&body), info_(info), out_(out), shared_(fields_, info, out) {}

  std::optional<error> read(std::uint64_t seed) {
    shared_.model();
    prompts();
    shared_.lengths(default_max_tokens);
    shared_.sampling(seed);
    shared_.texts();
    shared_.stream();
    shared_.choices();
    reporting();
    shared_.prompt_reports();
    shared_.unserved();
    for (auto name : {"suffix", "top_logprobs"})
      fields_.not_served_unless_neutral(name);
    return fields_.refusal();
  }

 private:
  void prompts() {
    auto v = fields_.raw("prompt");
    fields_.demand(v != nullptr, "prompt", fmt::format("`prompt` is missing; {}", wanted));
    if (!v) return;
    auto list = v->as_array();
    bool many = list && !list->empty() && !list->front().is_number();
    if (!many) return add(*v);
    if (list->size() > info_.max_client_batch_size)
      return fields_.demand(false, "prompt",
                            fmt::format("Number of prompts exceeds the maximum allowed batch size of {}",
                                        info_.max_client_batch_size));
    for (auto& one : *list)
      add(one);
  }

  void add(const value& v) {
    auto prompt = one_prompt(v);
    if (!prompt) return fields_.demand(false, "prompt", wanted);
    fields_.demand(!is_empty(*prompt), "prompt", "`prompt` cannot be empty");
    out_.generation.prompts.push_back(*std::move(prompt));
  }

  void reporting() {
    auto& g = out_.generation;
    auto& w = out_.wishes;
    auto flag = fields_.raw("logprobs");  // chat's true and false come here too
    bool refused = flag && flag->as_bool() && *flag->as_bool();
    fields_.demand(!refused, "logprobs", "`logprobs` must be a number of alternatives on this route");
    if (flag && !flag->as_bool()) {
      auto n = shared_.alternatives("logprobs");
      w.logprobs = n.has_value();
      g.top_logprobs = n.value_or(0);
    }
    w.echo = fields_.boolean("echo").value_or(false);
    g.prompt_tokens_wanted = w.echo;
    if (w.echo && w.logprobs) g.prompt_logprobs = g.top_logprobs;
  }

  field_reader fields_;
  const server_info& info_;
  openai_request& out_;
  openai_fields shared_;
};

}  // namespace

result<openai_request> read_completion_request(const value& body, const server_info& info,
                                               std::uint64_t seed) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  openai_request out;
  if (auto refusal = completion_reader(body, info, out).read(seed)) return *std::move(refusal);
  return out;
}

}  // namespace lorica
