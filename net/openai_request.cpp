#include "net/openai_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/checked.hpp"
#include "net/adapter_choice.hpp"
#include "net/field_reader.hpp"
#include "net/http_error.hpp"
#include "net/model_name.hpp"
#include "net/token_fields.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t default_max_tokens = 16;

using prompt_value = std::variant<std::string, std::vector<token_id>>;

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

std::optional<prompt_value> one_prompt(const value& v) {
  if (auto text = v.as_string()) return *text;
  auto list = v.as_array();
  if (!list || list->empty()) return std::nullopt;
  if (auto ids = ids_of(*list)) return *std::move(ids);
  return std::nullopt;
}

bool is_empty(const prompt_value& p) {
  return std::visit([](auto& text_or_ids) { return text_or_ids.empty(); }, p);
}

/// One pass over the body: each method reads some fields and refuses what does not fit.
class completion_reader {
 public:
  completion_reader(const value& body, const server_info& info, openai_request& out)
      : fields_(&body), info_(info), out_(out) {}

  std::optional<error> read(std::uint64_t seed) {
    model();
    prompt();
    note_given();
    sampling(seed);
    lengths();
    texts();
    read_token_fields(fields_, out_.generation);
    stream();
    choices();
    reporting();
    unserved();
    return fields_.refusal();
  }

 private:
  void model() {
    auto asked = fields_.text("model").value_or("");
    auto second = adapter_of(fields_.text("adapter_id").value_or(""), info_);
    out_.model = asked.empty() ? info_.model_id : asked;
    auto adapter = adapter_of(asked, info_);
    fields_.demand(adapter.empty() || second.empty() || adapter == second, "adapter_id",
                   "`model` and `adapter_id` name two different adapters; leave one out");
    choose_adapters(fields_, adapter.empty() ? second : adapter, info_, out_.generation);
  }

  void prompt() {
    auto v = fields_.raw("prompt");
    fields_.demand(v != nullptr, "prompt", "`prompt` is missing; it must be a string or a list of token ids");
    if (!v) return;
    auto list = v->as_array();
    bool many = list && !list->empty() && !list->front().is_number();
    fields_.demand(
        !many || list->size() == 1, "prompt",
        fmt::format("`prompt` holds {} prompts; send one in each request", list ? list->size() : 1));
    auto text_or_ids = one_prompt(many ? list->front() : *v);
    fields_.demand(text_or_ids.has_value(), "prompt", "`prompt` must be a string or a list of token ids");
    if (!text_or_ids) return;
    fields_.demand(!is_empty(*text_or_ids), "prompt", "`prompt` cannot be empty");
    out_.generation.prompt = *std::move(text_or_ids);
  }

  /// What an adapter's defaults must not touch.
  void note_given() {
    auto is = [&](std::string_view name) { return fields_.raw(name) != nullptr; };
    out_.generation.given = {is("temperature"),
                             is("top_k"),
                             is("top_p"),
                             is("typical_p"),
                             is("min_p"),
                             is("repetition_penalty"),
                             is("frequency_penalty"),
                             is("presence_penalty"),
                             is("max_tokens") || is("max_completion_tokens"),
                             is("stop")};
  }

  void sampling(std::uint64_t seed) {
    auto& s = out_.generation.sampling;
    auto temperature = fields_.number("temperature").value_or(1.0f);
    fields_.demand(temperature >= 0, "temperature", "`temperature` must be positive, or 0 for greedy");
    s.sample = temperature > 0;
    s.temperature = s.sample ? temperature : 1.0f;
    if (auto p = fields_.number("top_p")) {
      fields_.demand(*p > 0 && *p <= 1, "top_p", "`top_p` must be > 0.0 and <= 1.0");
      s.top_p = *p;
    }
    if (auto p = fields_.number("typical_p")) {
      fields_.demand(*p > 0 && *p <= 1, "typical_p", "`typical_p` must be > 0.0 and <= 1.0");
      s.typical_p = *p;
    }
    if (auto k = fields_.integer("top_k")) {
      auto count = *k == -1 ? std::optional<std::uint32_t>(0) : checked_cast<std::uint32_t>(*k);
      fields_.demand(count.has_value(), "top_k", "`top_k` must be positive, or -1 or 0 for off");
      s.top_k = count.value_or(0);
    }
    if (auto x = fields_.number("repetition_penalty")) {
      fields_.demand(*x > 0, "repetition_penalty", "`repetition_penalty` must be strictly positive");
      s.repetition_penalty = *x;
    }
    if (auto x = fields_.number("frequency_penalty")) {
      fields_.demand(*x >= -2 && *x <= 2, "frequency_penalty",
                     "`frequency_penalty` must be >= -2.0 and <= 2.0");
      s.frequency_penalty = *x;
    }
    auto given = fields_.integer("seed");
    s.seed = given ? static_cast<std::uint64_t>(*given) : seed;
  }

  void lengths() {
    auto& g = out_.generation;
    auto name = fields_.raw("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
    g.max_new_tokens = positive(name, info_.max_total_tokens).value_or(default_max_tokens);
    g.truncate = positive("truncate_prompt_tokens", info_.max_input_tokens);
  }

  std::optional<std::uint32_t> positive(std::string_view name, std::uint32_t most) {
    auto n = fields_.integer(name);
    if (!n) return std::nullopt;
    fields_.demand(*n > 0, name, fmt::format("`{}` must be strictly positive", name));
    fields_.demand(*n <= most, name, fmt::format("`{}` must be <= {}. Given: {}", name, most, *n));
    return checked_cast<std::uint32_t>(*n);
  }

  void texts() {
    auto& g = out_.generation;
    g.stop = fields_.text_or_texts("stop").value_or(std::vector<std::string>{});
    fields_.demand(g.stop.size() <= info_.max_stop_sequences, "stop",
                   fmt::format("`stop` supports up to {} stop sequences. Given: {}", info_.max_stop_sequences,
                               g.stop.size()));
    for (auto& s : g.stop)
      fields_.demand(!s.empty(), "stop", "`stop` must not hold an empty string");
    g.include_stop = fields_.boolean("include_stop_str_in_output").value_or(false);
    g.ignore_eos = fields_.boolean("ignore_eos").value_or(false);
    g.add_special_tokens = fields_.boolean("add_special_tokens").value_or(true);
    g.skip_special_tokens = fields_.boolean("skip_special_tokens").value_or(true);
  }

  void stream() {
    out_.stream = fields_.boolean("stream").value_or(false);
    auto options = fields_.raw("stream_options");
    if (!options) return;
    fields_.demand(out_.stream, "stream_options", "`stream_options` needs `stream` to be true");
    fields_.demand(options->as_object() != nullptr, "stream_options", "`stream_options` must be an object");
    field_reader inner(options);
    auto every = inner.boolean("continuous_usage_stats").value_or(false);
    if (inner.boolean("include_usage").value_or(false))
      out_.usage = every ? usage_chunks::every : usage_chunks::last;
    if (inner.refusal()) fields_.demand(false, "stream_options", "`stream_options` holds booleans only");
  }

  void choices() {
    auto& g = out_.generation;
    g.choices = positive("n", most_choices).value_or(1);
    auto best = positive("best_of", most_choices);
    if (!best) return;
    fields_.demand(*best >= g.choices, "best_of",
                   fmt::format("`best_of` must be >= `n`, which is {}. Given: {}", g.choices, *best));
    fields_.demand(!out_.stream || *best == g.choices, "best_of",
                   "`best_of` > `n` is not supported when streaming tokens");
    if (*best > g.choices) g.best_of = best;
  }

  std::optional<std::uint32_t> alternatives(std::string_view name) {
    auto n = fields_.integer(name);
    if (!n) return std::nullopt;
    fields_.demand(*n >= 0 && *n <= most_top_logprobs, name,
                   fmt::format("`{}` must be >= 0 and <= {}. Given: {}", name, most_top_logprobs, *n));
    return checked_cast<std::uint32_t>(*n);
  }

  void reporting() {
    auto& g = out_.generation;
    auto flag = fields_.raw("logprobs");  // chat's true and false come here too
    bool refused = flag && flag->as_bool() && *flag->as_bool();
    fields_.demand(!refused, "logprobs", "`logprobs` must be a number of alternatives on this route");
    if (flag && !flag->as_bool()) {
      auto n = alternatives("logprobs");
      out_.logprobs = n.has_value();
      g.top_logprobs = n.value_or(0);
    }
    out_.echo = fields_.boolean("echo").value_or(false);
    g.prompt_tokens_wanted = out_.echo;
    if (out_.echo && out_.logprobs) g.prompt_logprobs = g.top_logprobs;
    if (auto n = alternatives("prompt_logprobs")) {
      fields_.demand(!out_.stream, "prompt_logprobs",
                     "`prompt_logprobs` is not supported when streaming tokens");
      out_.prompt_logprobs = true;
      g.prompt_logprobs = std::max(*n, g.prompt_logprobs.value_or(0));
    }
  }

  void unserved() {
    fields_.not_served_unless_neutral("length_penalty", 1);
    if (auto format = fields_.raw("response_format")) {
      auto type = format->find("type");
      if (!type || !type->as_string() || *type->as_string() != "text") fields_.not_served("response_format");
    }
    for (auto name : {"suffix", "mirostat", "mirostat_tau", "mirostat_eta", "top_logprobs", "use_beam_search",
                      "return_tokens_as_token_ids", "return_token_ids", "prompt_embeds", "structured_outputs",
                      "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar",
                      "adapter_source", "api_token"})
      fields_.not_served_unless_neutral(name);
  }

  field_reader fields_;
  const server_info& info_;
  openai_request& out_;
};

}  // namespace

result<openai_request> read_openai_request(const value& body, const server_info& info, std::uint64_t seed) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  openai_request out;
  if (auto refusal = completion_reader(body, info, out).read(seed)) return *std::move(refusal);
  return out;
}

}  // namespace lorica
