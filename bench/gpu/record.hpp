#pragma once

#include <string>
#include <string_view>

#include "bench/gpu/card.hpp"
#include "bench/gpu/rates.hpp"
#include "bench/gpu/row.hpp"

namespace lorica::bench {

// What a case's process tells the one that writes the document, a line each: numbers come back with the same
// bits.

std::string record_of(const row& r);
std::string record_of(const card& c);
std::string record_of(const copy_rates& c);
std::string record_of(const product_times& t);

/// Who takes records; a line that is none is `errc::malformed`.
struct record_reader {
  virtual ~record_reader() = default;
  virtual void take(row r) = 0;
  virtual void take(const card& c) = 0;
  virtual void take(const copy_rates& c) = 0;
  virtual void take(const product_times& t) = 0;

  result<void> read(std::string_view line);
};

}  // namespace lorica::bench
