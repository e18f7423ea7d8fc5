#include "adapters/hub_reply.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/checked.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_bytes = 64 * 1024;
constexpr std::size_t most_lines = 200;
constexpr std::size_t longest_etag = 128;
constexpr std::size_t commit_digits = 40;

std::string_view trimmed(std::string_view text) noexcept {
  auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

constexpr bool is_word(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// "HTTP/1.1 206 …" or "HTTP/2 206".
std::optional<int> status_in(std::string_view line) noexcept {
  auto space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  auto number = parse_decimal(trimmed(line.substr(space + 1, 3)));
  if (!number || *number < 100 || *number > 599) return std::nullopt;
  return static_cast<int>(*number);
}

// "Wed, 21 Oct 2015 07:28:00 GMT", the only form that RFC 9110 lets a server send.
std::optional<std::chrono::sys_seconds> date_in(std::string_view text) {
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
  auto month = std::find(months.begin(), months.end(), text.substr(8, 3));
  auto number = [&](std::size_t begin, std::size_t count) {
    return parse_decimal(text.substr(begin, count));
  };
  auto day = number(5, 2), year = number(12, 4), hour = number(17, 2), minute = number(20, 2),
       second = number(23, 2);
  bool whole = month != months.end() && day && year && hour && minute && second && *hour < 24 &&
               *minute < 60 && *second <= 60;
  if (!whole) return std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                   std::chrono::month(static_cast<unsigned>(month - months.begin() + 1)),
                                   std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

std::optional<std::chrono::seconds> seconds_of(std::optional<std::uint64_t> number) noexcept {
  constexpr std::uint64_t longest = 1'000'000'000;
  if (!number) return std::nullopt;
  return std::chrono::seconds(std::min(*number, longest));
}

// `"api";r=0;t=55`
std::optional<std::chrono::seconds> reset_in(std::string_view text) {
  std::optional<std::uint64_t> left;
  std::optional<std::uint64_t> time;
  for (std::size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find(';', begin), text.size());
    auto part = trimmed(text.substr(begin, end - begin));
    if (part.starts_with("r=")) left = parse_decimal(part.substr(2));
    if (part.starts_with("t=")) time = parse_decimal(part.substr(2));
    begin = end + 1;
  }
  return left == std::uint64_t{0} ? seconds_of(time) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  std::uint64_t out = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

bool is_lower_hex(std::string_view text, std::size_t count) noexcept {
  return text.size() == count && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool hub_head::add_line(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    auto status = status_in(line);
    status_ = status.value_or(0);
    bytes_ = 0;
    fields_.clear();
    return status.has_value();
  }
  auto text = trimmed(line);
  if (text.empty()) return true;
  bytes_ += line.size();
  auto colon = text.find(':');
  if (colon == std::string_view::npos || bytes_ > most_bytes || fields_.size() == most_lines) return false;
  fields_.emplace_back(lowered(text.substr(0, colon)), trimmed(text.substr(colon + 1)));
  return true;
}

std::optional<std::string_view> hub_head::find(std::string_view name) const noexcept {
  for (auto& [key, value] : fields_)
    if (key == name) return value.empty() ? std::nullopt : std::optional<std::string_view>(value);
  return std::nullopt;
}

std::optional<std::string> etag_of(const hub_head& head) {
  auto text = head.find("x-linked-etag");
  if (!text) text = head.find("etag");
  if (!text) return std::nullopt;
  if (text->starts_with("W/")) text->remove_prefix(2);
  if (text->size() >= 2 && text->front() == '"' && text->back() == '"')
    *text = text->substr(1, text->size() - 2);
  bool good = !text->empty() && text->size() <= longest_etag && is_word(text->front()) &&
              std::all_of(text->begin(), text->end(),
                          [](char c) { return is_word(c) || c == '.' || c == '_' || c == '-'; });
  if (!good) return std::nullopt;
  return std::string(*text);
}

std::optional<std::string> commit_of(const hub_head& head) {
  auto text = head.find("x-repo-commit");
  if (!text || !is_lower_hex(*text, commit_digits)) return std::nullopt;
  return std::string(*text);
}

std::optional<std::uint64_t> size_of(const hub_head& head) {
  if (auto linked = head.find("x-linked-size")) return parse_decimal(*linked);
  auto length = head.find("content-length");
  bool redirect = head.status() >= 300 && head.status() < 400;
  if (!length || redirect) return std::nullopt;
  return parse_decimal(*length);
}

std::optional<content_range> content_range_of(const hub_head& head) {
  auto text = head.find("content-range");
  if (!text || !text->starts_with("bytes ")) return std::nullopt;
  auto dash = text->find('-');
  auto slash = text->find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  auto first = parse_decimal(text->substr(6, dash - 6));
  auto last = parse_decimal(text->substr(dash + 1, slash - dash - 1));
  auto total = text->substr(slash + 1);
  if (!first || !last || *last < *first) return std::nullopt;
  content_range out{*first, *last, parse_decimal(total)};
  if (!out.total && total != "*") return std::nullopt;
  return out;
}

std::optional<std::chrono::seconds> retry_after_of(const hub_head& head) {
  if (auto text = head.find("retry-after")) {
    if (auto number = parse_decimal(*text)) return seconds_of(number);
    auto until = date_in(*text);
    auto now = date_in(head.find("date").value_or(""));
    if (until && now) return std::max(*until - *now, std::chrono::seconds(0));
  }
  if (auto text = head.find("ratelimit")) return reset_in(*text);
  return std::nullopt;
}

std::optional<std::string> next_page_of(const hub_head& head) {
  auto text = head.find("link");
  while (text) {
    auto open = text->find('<');
    auto close = text->find('>', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
    // The parameters of this link end where the next one begins.
    auto end = std::min(text->find('<', close), text->size());
    auto parameters = text->substr(close, end - close);
    if (parameters.find("rel=\"next\"") != std::string_view::npos ||
        parameters.find("rel=next") != std::string_view::npos)
      return std::string(text->substr(open + 1, close - open - 1));
    *text = text->substr(end);
  }
  return std::nullopt;
}

}  // namespace lorica
