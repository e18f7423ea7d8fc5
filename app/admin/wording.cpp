#include "app/admin/wording.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

namespace lorica::admin {

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F steer terminals too; in UTF-8 they are 0xC2 and the code itself.
    bool second_half = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (second_half) ++i;
    out += c < ' ' || c == 127 || second_half ? '?' : text[i];
  }
  return out;
}

std::string in_bytes(double bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1023.5 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string in_time(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(seconds, 0);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86'400);
}

std::string in_utc(std::int64_t seconds) {
  // Years of four digits only: the number came from a socket.
  seconds = std::clamp<std::int64_t>(seconds, 0, 253'402'300'799);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}Z", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string in_short(double number) {
  if (!std::isfinite(number) || number <= 0) return "0";
  if (number < 10) {
    auto text = fmt::format("{:.2f}", number);
    return text == "0.00" ? "0" : text;
  }
  if (number < 100) return fmt::format("{:.1f}", number);
  if (number < 10'000) return fmt::format("{:.0f}", number);
  if (number < 1e7) return fmt::format("{:.0f}k", number / 1e3);
  return fmt::format("{:.0f}M", std::min(number / 1e6, 1e12));
}

std::string text_of(const value& v, std::string_view name, std::string_view absent) {
  auto found = v.find(name);
  auto text = found ? found->as_string() : nullptr;
  return text ? *text : std::string(absent);
}

double number_of(const value& v, std::string_view name) {
  auto found = v.find(name);
  return found ? found->number() : 0;
}

std::int64_t whole_of(const value& v, std::string_view name) {
  auto found = v.find(name);
  auto whole = found ? found->as_int() : nullptr;
  return whole ? *whole : 0;
}

bool flag_of(const value& v, std::string_view name) {
  auto found = v.find(name);
  auto flag = found ? found->as_bool() : nullptr;
  return flag && *flag;
}

const value::array& list_of(const value& v, std::string_view name) {
  static const value::array none;
  auto found = v.find(name);
  auto list = found ? found->as_array() : nullptr;
  return list ? *list : none;
}

std::string ranks_of(const value& adapter) {
  std::string out;
  for (auto& rank : list_of(adapter, "ranks"))
    out += fmt::format("{}{:.0f}", out.empty() ? "" : ", ", rank.number());
  return out.empty() ? "-" : out;
}

std::string version_of(const value& adapter) {
  auto version = text_of(adapter, "version");
  return version.empty() ? "-" : version.substr(0, 12);
}

}  // namespace lorica::admin
