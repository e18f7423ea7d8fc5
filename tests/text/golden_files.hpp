#pragma once

#include <fstream>
#include <sstream>
#include <string>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "text/tokenizer_json.hpp"

namespace lorica {

/// Text of a file below tests/golden/tokenizers.
inline std::string golden_text(const std::string& name) {
  std::ifstream file(std::string(LORICA_TEST_DATA) + "/golden/tokenizers/" + name, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline value golden_value(const std::string& name) {
  auto tree = parse_json(golden_text(name));
  INFO(name);
  REQUIRE(tree);
  return *std::move(tree);
}

/// The small tokenizer of a family.
inline std::shared_ptr<const tokenizer> golden_tokenizer(const std::string& family) {
  auto loaded = parse_tokenizer_json(golden_text(family + ".tokenizer.json"));
  INFO(family << ": " << (loaded ? "" : loaded.error().text));
  REQUIRE(loaded);
  return *std::move(loaded);
}

inline std::vector<token_id> ids_of(const value& list) {
  std::vector<token_id> out;
  for (auto& v : *list.as_array())
    out.push_back(static_cast<token_id>(*v.as_int()));
  return out;
}

/// Fixed strings, then those of the family.
inline std::vector<std::string> texts_of(const value& golden) {
  std::vector<std::string> out;
  auto shared = golden_value("texts.json");
  for (auto& v : *shared.as_array())
    out.push_back(*v.as_string());
  for (auto& v : *golden.find("texts")->as_array())
    out.push_back(*v.as_string());
  return out;
}

}  // namespace lorica
