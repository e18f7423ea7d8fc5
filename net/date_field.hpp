#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace lorica {

/// The value of `Date`: a time as RFC 9110, 5.6.7 writes it, `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string http_date(std::int64_t unix_seconds);

/// The value of `Date` for now, written anew once a second. Thread-safe.
class date_field {
 public:
  std::string at(std::int64_t unix_seconds);

 private:
  std::mutex changing_;  // guards what follows, for the time of a copy
  std::int64_t second_ = -1;
  std::string text_;
};

}  // namespace lorica
