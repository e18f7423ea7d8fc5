#include "net/openai_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/checked.hpp"
#include "core/utf8.hpp"
#include "net/adapter_choice.hpp"
#include "net/model_name.hpp"
#include "net/token_fields.hpp"

namespace lorica {

void openai_fields::model() {
  auto asked = fields_.text("model").value_or("");
  auto second = adapter_of(fields_.text("adapter_id").value_or(""), info_);
  out_.model = asked.empty() ? info_.model_id : asked;
  auto named = adapter_of_model(asked, info_);
  if (!named) return fields_.refuse(named.error());
  auto& adapter = *named;
  fields_.demand(adapter.empty() || second.empty() || adapter == second, "adapter_id",
                 "`model` and `adapter_id` name two different adapters; leave one out");
  choose_adapters(fields_, adapter.empty() ? second : adapter, info_, out_.generation);
}

/// What an adapter's defaults must not touch.
void openai_fields::note_given() {
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

void openai_fields::sampling(std::uint64_t seed) {
  note_given();
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
  read_token_fields(fields_, out_.generation);
}

void openai_fields::lengths(std::optional<std::uint32_t> max_tokens_default) {
  auto& g = out_.generation;
  auto name = fields_.raw("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
  g.max_new_tokens = positive(name, info_.max_total_tokens);
  if (!g.max_new_tokens) g.max_new_tokens = max_tokens_default;
  g.truncate = positive("truncate_prompt_tokens", info_.max_input_tokens);
}

std::optional<std::uint32_t> openai_fields::positive(std::string_view name, std::uint32_t most) {
  auto n = fields_.integer(name);
  if (!n) return std::nullopt;
  fields_.demand(*n > 0, name, fmt::format("`{}` must be strictly positive", name));
  fields_.demand(*n <= most, name, fmt::format("`{}` must be <= {}. Given: {}", name, most, *n));
  return checked_cast<std::uint32_t>(*n);
}

void openai_fields::texts() {
  auto& g = out_.generation;
  g.stop = fields_.text_or_texts("stop").value_or(std::vector<std::string>{});
  fields_.demand(g.stop.size() <= info_.max_stop_sequences, "stop",
                 fmt::format("`stop` supports up to {} stop sequences. Given: {}", info_.max_stop_sequences,
                             g.stop.size()));
  for (auto& s : g.stop)
    fields_.demand(!s.empty(), "stop", "`stop` must not hold an empty string");
  g.include_stop = fields_.boolean("include_stop_str_in_output").value_or(false);
  g.ignore_eos = fields_.boolean("ignore_eos").value_or(fields_.boolean("ignore_eos_token").value_or(false));
  g.cache_salt = fields_.text("cache_salt").value_or("");
  auto characters = std::ranges::count_if(g.cache_salt, [](char c) { return !utf8_is_tail(c); });
  fields_.demand(characters <= most_cache_salt, "cache_salt",
                 fmt::format("`cache_salt` takes up to {} characters", most_cache_salt));
  g.add_special_tokens = fields_.boolean("add_special_tokens").value_or(true);
  g.skip_special_tokens = fields_.boolean("skip_special_tokens").value_or(true);
}

void openai_fields::stream() {
  out_.stream = fields_.boolean("stream").value_or(false);
  auto options = fields_.raw("stream_options");
  if (!options) return;
  fields_.demand(out_.stream, "stream_options", "`stream_options` needs `stream` to be true");
  fields_.demand(options->as_object() != nullptr, "stream_options", "`stream_options` must be an object");
  field_reader inner(options);
  auto every = inner.boolean("continuous_usage_stats").value_or(false);
  if (inner.boolean("include_usage").value_or(false))
    out_.wishes.usage = every ? usage_chunks::every : usage_chunks::last;
  if (inner.refusal()) fields_.demand(false, "stream_options", "`stream_options` holds booleans only");
}

void openai_fields::choices() {
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

std::optional<std::uint32_t> openai_fields::alternatives(std::string_view name) {
  auto n = fields_.integer(name);
  if (!n) return std::nullopt;
  fields_.demand(*n >= 0 && *n <= most_top_logprobs, name,
                 fmt::format("`{}` must be >= 0 and <= {}. Given: {}", name, most_top_logprobs, *n));
  return checked_cast<std::uint32_t>(*n);
}

void openai_fields::prompt_reports() {
  auto& g = out_.generation;
  if (auto n = alternatives("prompt_logprobs")) {
    fields_.demand(!out_.stream, "prompt_logprobs",
                   "`prompt_logprobs` is not supported when streaming tokens");
    out_.wishes.prompt_logprobs = true;
    g.prompt_logprobs = std::max(*n, g.prompt_logprobs.value_or(0));
  }
  out_.wishes.token_ids = fields_.boolean("return_token_ids").value_or(false);
  g.prompt_tokens_wanted |= out_.wishes.token_ids;
}

void openai_fields::unserved() {
  fields_.not_served_unless_neutral("length_penalty", 1);
  if (auto format = fields_.raw("response_format")) {
    auto type = format->find("type");
    if (!type || !type->as_string() || *type->as_string() != "text") fields_.not_served("response_format");
  }
  for (auto name :
       {"mirostat", "mirostat_tau", "mirostat_eta", "use_beam_search", "return_tokens_as_token_ids",
        "prompt_embeds", "structured_outputs", "guided_json", "guided_regex", "guided_choice",
        "guided_grammar", "grammar", "adapter", "lora", "lora_path"})
    fields_.not_served_unless_neutral(name);
}

}  // namespace lorica
