#include "net/token_fields.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "core/checked.hpp"
#include "core/shown.hpp"
#include "core/single.hpp"

namespace lorica {
namespace {

constexpr float largest_bias = 100;

/// OpenAI's keys are ids written as strings.
std::optional<token_id> id_of(std::string_view text) {
  token_id out = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc() || end != text.data() + text.size() || out < 0) return std::nullopt;
  return out;
}

void read_biases(field_reader& fields, std::vector<token_bias>& out) {
  auto given = fields.raw("logit_bias");
  if (!given) return;
  auto members = given->as_object();
  fields.demand(
      members != nullptr, "logit_bias",
      "`logit_bias` must be an object of token ids and numbers. Given: " + std::string(given->kind()));
  if (!members) return;
  fields.demand(
      members->size() <= most_logit_biases, "logit_bias",
      fmt::format("`logit_bias` takes up to {} tokens. Given: {}", most_logit_biases, members->size()));
  for (auto& [key, bias] : *members) {
    auto id = id_of(key);
    fields.demand(id.has_value(), "logit_bias",
                  "`logit_bias` has the key `" + shown(key) + "`, which is no token id");
    auto by = bias.is_number() ? single(bias.number()) : std::nullopt;
    fields.demand(by && *by >= -largest_bias && *by <= largest_bias, "logit_bias",
                  "`logit_bias` must hold numbers from -100 to 100");
    if (fields.refusal()) return;
    out.push_back({*id, *by});
  }
}

std::optional<std::vector<token_id>> ids(field_reader& fields, std::string_view name) {
  auto given = fields.raw(name);
  if (!given) return std::nullopt;
  std::vector<token_id> out;
  auto list = given->as_array();
  bool fits = list != nullptr;
  for (std::size_t i = 0; fits && i < list->size(); ++i) {
    auto number = (*list)[i].whole();
    auto id = number && *number >= 0 ? checked_cast<token_id>(*number) : std::nullopt;
    fits = id.has_value();
    if (id) out.push_back(*id);
  }
  fields.demand(fits, name, fmt::format("`{}` must be a list of token ids", name));
  return out;
}

std::optional<float> within(field_reader& fields, std::string_view name, float low, float high) {
  auto x = fields.number(name);
  if (x)
    fields.demand(*x >= low && *x <= high, name,
                  fmt::format("`{}` must be >= {:.1f} and <= {:.1f}", name, low, high));
  return x;
}

}  // namespace

void read_token_fields(field_reader& fields, generation_request& out) {
  out.sampling.presence_penalty = within(fields, "presence_penalty", -2, 2).value_or(0.0f);
  out.sampling.min_p = within(fields, "min_p", 0, 1).value_or(0.0f);
  if (auto n = fields.integer("min_tokens")) {
    auto most = out.max_new_tokens;
    fields.demand(*n >= 0, "min_tokens", "`min_tokens` must be >= 0");
    fields.demand(
        !most || *n <= *most, "min_tokens",
        fmt::format("`min_tokens` must be <= `max_tokens`, which is {}. Given: {}", most.value_or(0), *n));
    auto count = checked_cast<std::uint32_t>(*n);
    fields.demand(count.has_value(), "min_tokens", "`min_tokens` is too large");
    out.sampling.min_tokens = count.value_or(0);
  }
  read_biases(fields, out.logit_bias);
  out.allowed_token_ids = ids(fields, "allowed_token_ids");
  fields.demand(!out.allowed_token_ids || !out.allowed_token_ids->empty(), "allowed_token_ids",
                "`allowed_token_ids` must not be empty");
  out.stop_token_ids = ids(fields, "stop_token_ids").value_or(std::vector<token_id>{});
  fields.demand(out.stop_token_ids.size() <= most_stop_tokens, "stop_token_ids",
                fmt::format("`stop_token_ids` takes up to {} tokens. Given: {}", most_stop_tokens,
                            out.stop_token_ids.size()));
  out.bad_words = fields.texts("bad_words").value_or(std::vector<std::string>{});
  fields.demand(
      out.bad_words.size() <= most_bad_words, "bad_words",
      fmt::format("`bad_words` takes up to {} words. Given: {}", most_bad_words, out.bad_words.size()));
}

}  // namespace lorica
