#include "net/date_field.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string_view>

namespace lorica {

std::string http_date(std::int64_t unix_seconds) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  sys_seconds when{seconds{unix_seconds}};
  auto day = floor<std::chrono::days>(when);
  year_month_day date(day);
  hh_mm_ss time(when - day);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

std::string date_field::at(std::int64_t unix_seconds) {
  std::lock_guard hold(changing_);
  if (second_ != unix_seconds) {
    second_ = unix_seconds;
    text_ = http_date(unix_seconds);
  }
  return text_;
}

}  // namespace lorica
