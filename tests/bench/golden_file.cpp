#include "tests/bench/golden_file.hpp"

#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "core/json.hpp"
#include "tests/catch.hpp"

namespace lorica::testing {

const value& serve_golden() {
  static const value golden = [] {
    std::ifstream file(LORICA_TEST_DATA "/golden/serve.json");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    auto parsed = parse_json(text);
    REQUIRE(parsed);
    return *std::move(parsed);
  }();
  return golden;
}

const value& in(const value& object, std::string_view name) {
  auto v = object.find(name);
  INFO(name);
  REQUIRE(v);
  return *v;
}

std::vector<double> numbers(const value& list) {
  REQUIRE(list.as_array());
  std::vector<double> out;
  for (auto& v : *list.as_array())
    out.push_back(number(v));
  return out;
}

double number(const value& v) {
  if (v.as_string()) {
    REQUIRE(*v.as_string() == "inf");
    return std::numeric_limits<double>::infinity();
  }
  REQUIRE(v.is_number());
  return v.number();
}

}  // namespace lorica::testing
