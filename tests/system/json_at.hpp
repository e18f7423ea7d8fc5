#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "tests/catch.hpp"

namespace lorica::testing {

inline std::string file_content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

/// A JSON text, which it must be.
inline value parsed(const std::string& text) {
  INFO(text);
  auto out = parse_json(text);
  REQUIRE(out);
  return *std::move(out);
}

/// A member that must be there.
inline const value& at(const value& object, std::string_view key) {
  auto member = object.find(key);
  INFO("member " << key);
  REQUIRE(member != nullptr);
  return *member;
}

inline std::string text_at(const value& object, std::string_view key) {
  auto text = at(object, key).as_string();
  INFO("text " << key);
  REQUIRE(text != nullptr);
  return *text;
}

inline const value::array& list_at(const value& object, std::string_view key) {
  auto out = at(object, key).as_array();
  INFO("list " << key);
  REQUIRE(out != nullptr);
  return *out;
}

}  // namespace lorica::testing
