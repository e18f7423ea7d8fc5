#include "net/timing_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <variant>

namespace lorica {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

std::string milliseconds(nanoseconds t) {
  return std::to_string(duration_cast<std::chrono::milliseconds>(t).count());
}

std::size_t characters_in(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }));
}

nanoseconds each_of(nanoseconds all, std::uint64_t count) {
  return all / static_cast<std::int64_t>(std::max<std::uint64_t>(count, 1));
}

}  // namespace

arrival arrival_of(const generation_request& request, const std::string& device,
                   clock_source::time_point now) {
  std::optional<std::size_t> characters = 0;
  for (auto& prompt : request.prompts) {
    auto text = std::get_if<std::string>(&prompt);
    if (!text) characters.reset();
    if (characters) *characters += characters_in(*text);
  }
  return {device, characters, now};
}

std::vector<http_field> arrival_fields(const arrival& from) {
  std::vector<http_field> out{{"x-compute-type", from.device}};
  if (from.characters) out.push_back({"x-compute-characters", std::to_string(*from.characters)});
  return out;
}

std::vector<http_field> timing_fields(const arrival& from, const collected& all,
                                      clock_source::time_point now) {
  std::uint64_t generated = 0, longest = 0;
  for (auto& c : all.choices) {
    generated += c.end.generated_tokens;
    longest = std::max<std::uint64_t>(longest, c.end.generated_tokens);
  }
  auto& t = all.timings;
  auto prompt = std::uint64_t{all.facts.prompt_tokens};
  auto total = duration_cast<nanoseconds>(now - from.at);
  auto behind_first = std::max(t.validation + t.queue + t.inference - t.first_token, nanoseconds(0));
  auto out = arrival_fields(from);
  auto say = [&](const char* name, std::string value) { out.push_back({name, std::move(value)}); };
  say("x-compute-time", fmt::format("{:.6f}", std::chrono::duration<double>(total).count()));
  say("x-total-time", milliseconds(total));
  say("x-validation-time", milliseconds(t.validation));
  say("x-queue-time", milliseconds(t.queue));
  say("x-inference-time", milliseconds(t.inference));
  say("x-time-per-token", milliseconds(each_of(t.inference, generated)));
  say("x-time-to-first-token", milliseconds(t.first_token));
  // The first token of a choice is none of those that it took this time to generate.
  say("x-time-per-output-token", milliseconds(each_of(behind_first, longest > 0 ? longest - 1 : 0)));
  say("x-prompt-tokens", std::to_string(prompt));
  say("x-generated-tokens", std::to_string(generated));
  say("x-total-tokens", std::to_string(prompt + generated));
  say("x-skipped-tokens", "0");
  return out;
}

}  // namespace lorica
