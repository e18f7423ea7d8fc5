#include "net/tgi_request.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/checked.hpp"
#include "net/adapter_choice.hpp"
#include "net/field_reader.hpp"
#include "net/http_error.hpp"
#include "net/model_name.hpp"

namespace lorica {
namespace {

/// The range of a whole number that TGI holds in 32 bits.
std::optional<std::uint32_t> count_within(std::optional<std::int64_t> n) {
  return n ? checked_cast<std::uint32_t>(*n) : std::nullopt;
}

/// One pass over `parameters`: each method reads some fields and refuses what does not fit.
class parameters_reader {
 public:
  parameters_reader(const value* parameters, const server_info& info, tgi_request& out)
      : fields_(parameters), info_(info), out_(out), given_(parameters != nullptr) {}

  std::optional<error> read(std::uint64_t seed) {
    choices();
    note_given();
    sampling(seed);
    lengths();
    texts();
    reporting();
    unserved();
    return fields_.refusal();
  }

 private:
  /// TGI samples when asked to or when any warper is set; only the latter's presence counts for best_of.
  bool warper_set() const {
    for (auto name : {"temperature", "top_k", "top_p", "typical_p"})
      if (fields_.raw(name)) return true;
    return false;
  }

  void choices() {
    auto best_of = fields_.integer("best_of");
    if (!best_of) return;
    auto max = info_.max_best_of;
    bool one = *best_of == 1;
    if (out_.stream) fields_.demand(one, "best_of", "`best_of` != 1 is not supported when streaming tokens");
    if (max <= 1) fields_.demand(one, "best_of", "`best_of` != 1 is not allowed for this endpoint");
    fields_.demand(*best_of > 0 && *best_of <= max, "best_of",
                   fmt::format("`best_of` must be > 0 and <= {}. Given: {}", max, *best_of));
    if (one || fields_.refusal()) return;
    fields_.demand(fields_.boolean("do_sample").value_or(!given_) || warper_set(), "best_of",
                   "you must use sampling when `best_of` is > 1");
    fields_.demand(!fields_.raw("seed"), "seed", "`seed` must not be set when `best_of` > 1");
    // All are told, the best one first.
    out_.generation.choices = static_cast<std::uint32_t>(*best_of);
    out_.generation.best_of = out_.generation.choices;
  }

  /// What an adapter's defaults must not touch.
  void note_given() {
    auto is = [&](std::string_view name) { return fields_.raw(name) != nullptr; };
    out_.generation.given = {is("temperature") || is("do_sample"),
                             is("top_k"),
                             is("top_p"),
                             is("typical_p"),
                             false,
                             is("repetition_penalty"),
                             is("frequency_penalty"),
                             is("presence_penalty"),
                             is("max_new_tokens"),
                             is("stop")};
  }

  void sampling(std::uint64_t seed) {
    auto& s = out_.generation.sampling;
    s.sample = fields_.boolean("do_sample").value_or(!given_);
    positive("temperature", s.temperature);
    positive("repetition_penalty", s.repetition_penalty);
    if (auto x = fields_.number("frequency_penalty")) {
      fields_.demand(*x >= -2 && *x <= 2, "frequency_penalty",
                     "`frequency_penalty` must be >= -2.0 and <= 2.0");
      s.frequency_penalty = *x;
    }
    if (auto x = fields_.number("presence_penalty")) {
      fields_.demand(*x >= -2 && *x <= 2, "presence_penalty",
                     "`presence_penalty` must be >= -2.0 and <= 2.0");
      s.presence_penalty = *x;
    }
    if (auto k = fields_.integer("top_k")) {
      fields_.demand(*k > 0, "top_k", "`top_k` must be strictly positive");
      auto count = count_within(k);
      fields_.demand(count.has_value(), "top_k", "`top_k` is too large");
      s.top_k = count.value_or(0);
    }
    if (auto p = share("top_p")) s.top_p = *p;
    if (auto p = share("typical_p")) s.typical_p = *p;
    s.sample = s.sample || s.temperature != 1 || s.top_k != 0 || s.top_p != 1 || s.typical_p != 1;
    s.seed = fields_.unsigned_integer("seed").value_or(seed);
  }

  void positive(std::string_view name, float& into) {
    auto x = fields_.number(name);
    if (!x) return;
    fields_.demand(*x > 0, name, fmt::format("`{}` must be strictly positive", name));
    into = *x;
  }

  std::optional<float> share(std::string_view name) {
    auto x = fields_.number(name);
    if (x) fields_.demand(*x > 0 && *x < 1, name, fmt::format("`{}` must be > 0.0 and < 1.0", name));
    return x;
  }

  void lengths() {
    auto& g = out_.generation;
    if (auto n = fields_.integer("max_new_tokens")) {
      fields_.demand(*n > 0, "max_new_tokens", "`max_new_tokens` must be strictly positive");
      fields_.demand(*n <= info_.max_total_tokens, "max_new_tokens",
                     fmt::format("`max_new_tokens` must be <= {}. Given: {}", info_.max_total_tokens, *n));
      g.max_new_tokens = count_within(n);
    }
    if (auto n = fields_.integer("truncate")) {
      fields_.demand(*n > 0 && *n <= info_.max_input_tokens, "truncate",
                     fmt::format("`truncate` must be strictly positive and less than {}. Given: {}",
                                 info_.max_input_tokens, *n));
      g.truncate = count_within(n);
    }
  }

  void texts() {
    auto& g = out_.generation;
    g.stop = fields_.texts("stop").value_or(std::vector<std::string>{});
    fields_.demand(g.stop.size() <= info_.max_stop_sequences, "stop",
                   fmt::format("`stop` supports up to {} stop sequences. Given: {}", info_.max_stop_sequences,
                               g.stop.size()));
    for (auto& s : g.stop)
      fields_.demand(!s.empty(), "stop", "`stop` must not hold an empty string");
    g.include_stop = true;  // as in TGI, whose users cut it off themselves
    choose_adapters(fields_, adapter_of(fields_.text("adapter_id").value_or(""), info_), info_, g);
    g.ignore_eos = fields_.boolean("ignore_eos_token").value_or(false);
    out_.return_full_text = fields_.boolean("return_full_text").value_or(false);
  }

  void reporting() {
    out_.details = fields_.boolean("details").value_or(false);
    out_.prompt_details = fields_.boolean("decoder_input_details").value_or(false);
    if (out_.stream)
      fields_.demand(!out_.prompt_details, "decoder_input_details",
                     "`decoder_input_details` == true is not supported when streaming tokens");
    out_.generation.prompt_tokens_wanted = out_.prompt_details;
    if (out_.prompt_details) out_.generation.prompt_logprobs = 0;
    if (fields_.boolean("watermark").value_or(false)) out_.generation.mark = info_.mark;
    auto n = fields_.integer("top_n_tokens").value_or(0);
    fields_.demand(
        n >= 0 && n <= info_.max_top_n_tokens, "top_n_tokens",
        fmt::format("`top_n_tokens` must be >= 0 and <= {}. Given: {}", info_.max_top_n_tokens, n));
    if (auto k = fields_.integer("return_k_alternatives")) {
      fields_.demand(*k > 0, "return_k_alternatives", "`return_k_alternatives` must be strictly positive");
      fields_.demand(*k <= most_top_logprobs, "return_k_alternatives",
                     fmt::format("`return_k_alternatives` must be <= {}. Given: {}", most_top_logprobs, *k));
      if (!fields_.refusal()) out_.alternatives = static_cast<std::uint32_t>(*k);
    }
    if (!fields_.refusal()) out_.top_tokens = static_cast<std::uint32_t>(n);
    out_.generation.top_logprobs = std::max(out_.top_tokens, out_.alternatives);
  }

  void unserved() {
    fields_.demand(!fields_.raw("grammar"), "grammar", "grammar is not supported");
    for (auto name : {"apply_chat_template", "response_format", "mirostat", "mirostat_tau", "mirostat_eta"})
      fields_.not_served_unless_neutral(name);
  }

  field_reader fields_;
  const server_info& info_;
  tgi_request& out_;
  bool given_;
};

}  // namespace

result<tgi_request> read_tgi_request(const value& body, tgi_surface surface, const server_info& info,
                                     std::uint64_t seed) {
  if (!body.as_object()) return fail(errc::malformed, "The body must be a JSON object");
  tgi_request out;
  field_reader top(&body);
  auto stream = top.boolean("stream").value_or(false);
  out.stream = surface == tgi_surface::root ? stream : surface == tgi_surface::stream;
  auto inputs = top.text("inputs");
  top.demand(inputs.has_value(), "inputs", "`inputs` is missing; it must be a string");
  top.demand(inputs && !inputs->empty(), "inputs", "`inputs` cannot be empty");
  auto parameters = top.raw("parameters");
  if (parameters && !parameters->as_object())
    top.demand(false, "parameters",
               "`parameters` must be an object. Given: " + std::string(parameters->kind()));
  if (top.refusal()) return *top.refusal();
  out.generation.prompts = {*std::move(inputs)};
  if (auto refusal = parameters_reader(parameters, info, out).read(seed)) return *std::move(refusal);
  return out;
}

}  // namespace lorica
