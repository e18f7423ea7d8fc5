#include "core/generation_defaults.hpp"

#include <fmt/format.h>

#include <limits>
#include <string_view>

#include "core/shortest.hpp"
#include "core/shown.hpp"
#include "core/single.hpp"

namespace lorica {
namespace {

/// Which values of a number are taken.
struct range {
  double low;
  double high;
  bool low_itself = true;
};

constexpr double no_end = std::numeric_limits<float>::max();

struct number_field {
  std::string_view name;
  std::optional<float> generation_defaults::*place;
  range fits;
  std::string_view wanted;
};

constexpr number_field numbers[] = {
    {"temperature", &generation_defaults::temperature, {0, no_end}, "0 for greedy, or above"},
    {"top_p", &generation_defaults::top_p, {0, 1, false}, "above 0, up to 1"},
    {"typical_p", &generation_defaults::typical_p, {0, 1, false}, "above 0, up to 1"},
    {"min_p", &generation_defaults::min_p, {0, 1}, "from 0 to 1"},
    {"repetition_penalty", &generation_defaults::repetition_penalty, {0, no_end, false}, "above 0"},
    {"frequency_penalty", &generation_defaults::frequency_penalty, {-2, 2}, "from -2 to 2"},
    {"presence_penalty", &generation_defaults::presence_penalty, {-2, 2}, "from -2 to 2"},
};

struct count_field {
  std::string_view name;
  std::optional<std::uint32_t> generation_defaults::*place;
  std::uint32_t low;
};

constexpr count_field counts[] = {
    {"top_k", &generation_defaults::top_k, 0},
    {"max_new_tokens", &generation_defaults::max_new_tokens, 1},
};

struct text_field {
  std::string_view name;
  std::optional<std::string> generation_defaults::*place;
  std::size_t most_bytes;
};

constexpr text_field texts[] = {
    {"chat_template", &generation_defaults::chat_template, most_default_template_bytes},
    {"system_prompt", &generation_defaults::system_prompt, most_system_prompt_bytes},
};

error bad(std::string_view field, std::string_view wanted) {
  return fail(errc::invalid, fmt::format("`defaults.{}` must be {}", field, wanted), {},
              fmt::format("defaults.{}", field));
}

result<void> read_number(const number_field& field, const value& v, generation_defaults& out) {
  auto x = v.is_number() ? single(v.number()) : std::nullopt;
  if (!x) return bad(field.name, field.wanted);
  auto is = static_cast<double>(*x);
  bool low = field.fits.low_itself ? is >= field.fits.low : is > field.fits.low;
  if (!low || is > field.fits.high) return bad(field.name, field.wanted);
  out.*field.place = *x;
  return {};
}

result<void> read_count(const count_field& field, const value& v, generation_defaults& out) {
  auto n = v.whole();
  if (!n || *n < field.low || *n > std::numeric_limits<std::uint32_t>::max())
    return bad(field.name, fmt::format("a whole number, at least {}", field.low));
  out.*field.place = static_cast<std::uint32_t>(*n);
  return {};
}

result<void> read_stops(const value& v, generation_defaults& out) {
  auto wanted = fmt::format("a list of up to {} strings, none empty, of up to {} bytes together",
                            most_default_stops, most_default_stop_bytes);
  auto list = v.as_array();
  if (!list || list->size() > most_default_stops) return bad("stop", wanted);
  std::size_t bytes = 0;
  auto& stops = out.stop.emplace();
  for (auto& item : *list) {
    auto text = item.as_string();
    if (!text || text->empty() || (bytes += text->size()) > most_default_stop_bytes)
      return bad("stop", wanted);
    stops.push_back(*text);
  }
  return {};
}

result<void> read_text(const text_field& field, const value& v, generation_defaults& out) {
  auto text = v.as_string();
  if (!text || text->empty() || text->size() > field.most_bytes)
    return bad(field.name, fmt::format("a string that is not empty, of up to {} bytes", field.most_bytes));
  out.*field.place = *text;
  return {};
}

result<void> read_field(std::string_view name, const value& v, generation_defaults& out) {
  for (auto& field : numbers)
    if (field.name == name) return read_number(field, v, out);
  for (auto& field : counts)
    if (field.name == name) return read_count(field, v, out);
  for (auto& field : texts)
    if (field.name == name) return read_text(field, v, out);
  if (name == "stop") return read_stops(v, out);
  return fail(
      errc::invalid,
      "`defaults." + shown(name) +
          "` is no default; there are temperature, top_k, top_p, typical_p, min_p, repetition_penalty, "
          "frequency_penalty, presence_penalty, max_new_tokens, stop, chat_template and system_prompt",
      {}, "defaults." + shown(name));
}

template <class T>
void fill(bool given, const std::optional<T>& from, T& into) {
  if (!given && from) into = *from;
}

}  // namespace

result<generation_defaults> read_generation_defaults(const value& object) {
  generation_defaults out;
  auto members = object.as_object();
  if (!members)
    return fail(errc::invalid, "`defaults` must be an object. Given: " + std::string(object.kind()), {},
                "defaults");
  for (auto& [name, v] : *members)
    if (!v.is_null())
      if (auto ok = read_field(name, v, out); !ok) return ok.error();
  return out;
}

void write_generation_defaults(json_writer& w, const generation_defaults& d) {
  w.begin_object();
  for (auto& field : numbers)
    if (auto& x = d.*field.place) w.key(field.name).number(shortest(*x));
  for (auto& field : counts)
    if (auto& n = d.*field.place) w.key(field.name).unsigned_integer(*n);
  for (auto& field : texts)
    if (auto& text = d.*field.place) w.key(field.name).string(*text);
  if (d.stop) {
    w.key("stop").begin_array();
    for (auto& text : *d.stop)
      w.string(text);
    w.end_array();
  }
  w.end_object();
}

std::string written(const generation_defaults& d) {
  if (d == generation_defaults{}) return {};
  json_writer w;
  write_generation_defaults(w, d);
  return w.take();
}

void fill_in(const generation_defaults& d, generation_request& request) {
  auto& s = request.sampling;
  auto& given = request.given;
  if (!given.temperature && d.temperature) {
    s.sample = *d.temperature > 0;
    s.temperature = s.sample ? *d.temperature : 1.0f;
  }
  fill(given.top_k, d.top_k, s.top_k);
  fill(given.top_p, d.top_p, s.top_p);
  fill(given.typical_p, d.typical_p, s.typical_p);
  fill(given.min_p, d.min_p, s.min_p);
  fill(given.repetition_penalty, d.repetition_penalty, s.repetition_penalty);
  fill(given.frequency_penalty, d.frequency_penalty, s.frequency_penalty);
  fill(given.presence_penalty, d.presence_penalty, s.presence_penalty);
  if (!given.max_new_tokens && d.max_new_tokens) request.max_new_tokens = d.max_new_tokens;
  fill(given.stop, d.stop, request.stop);
}

}  // namespace lorica
