#include "net/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/shown.hpp"
#include "net/http_error.hpp"
#include "net/router.hpp"

namespace lorica {

query_reader::query_reader(std::string_view text, std::initializer_list<std::string_view> known) {
  while (!text.empty() && !refusal_) {
    auto end = std::min(text.find('&'), text.size());
    if (end > 0) add(text.substr(0, end), known);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void query_reader::add(std::string_view pair, std::initializer_list<std::string_view> known) {
  auto equals = std::min(pair.find('='), pair.size());
  auto name = percent_decoded(pair.substr(0, equals));
  auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
  if (!name || !value) {
    refusal_ = fail(errc::malformed, "The query holds a broken %-escape, or %00");
    return;
  }
  auto named = shown(*name);
  if (std::find(known.begin(), known.end(), *name) == known.end())
    return demand(false, named,
                  known.size() == 0
                      ? fmt::format("`{}` is not a parameter of this route, which has none", named)
                      : fmt::format("`{}` is not a parameter of this route; it has `{}`", named,
                                    fmt::join(known, "`, `")));
  demand(!this->text(*name), named, fmt::format("`{}` is given twice", named));
  parameters_.emplace_back(*std::move(name), *std::move(value));
}

std::optional<std::string> query_reader::text(std::string_view name) const {
  for (auto& [key, value] : parameters_)
    if (key == name) return value;
  return std::nullopt;
}

std::optional<bool> query_reader::boolean(std::string_view name) {
  auto given = text(name);
  if (!given) return std::nullopt;
  demand(*given == "true" || *given == "false", name,
         fmt::format("`{}` must be true or false. Given: {}", name, shown(*given)));
  return *given == "true";
}

std::optional<std::uint32_t> query_reader::number(std::string_view name, std::uint32_t least,
                                                  std::uint32_t most) {
  auto given = text(name);
  if (!given) return std::nullopt;
  std::uint32_t out = 0;
  auto end = given->data() + given->size();
  auto read = std::from_chars(given->data(), end, out);
  bool fits = read.ec == std::errc{} && read.ptr == end && out >= least && out <= most;
  demand(fits, name,
         fmt::format("`{}` must be a number from {} to {}. Given: {}", name, least, most, shown(*given)));
  return fits ? std::optional(out) : std::nullopt;
}

void query_reader::demand(bool fits, std::string_view name, std::string text) {
  if (!fits && !refusal_) refusal_ = invalid_field(std::move(text), std::string(name));
}

}  // namespace lorica
