#pragma once

#include <ctime>
#include <string>

#include "tests/text/golden_files.hpp"
#include "text/chat_template.hpp"

namespace lorica {

/// A file below tests/golden/templates.
inline value template_golden(const std::string& name) {
  return golden_value("../templates/" + name);
}

/// The time that the goldens were written at.
inline std::tm golden_time() {
  std::tm out{};
  out.tm_year = 124;
  out.tm_mon = 6;
  out.tm_mday = 26;
  out.tm_hour = 13;
  out.tm_wday = 5;
  out.tm_yday = 207;
  return out;
}

/// A template that must parse.
inline std::shared_ptr<const chat_template> parsed_template(const std::string& source) {
  auto parsed = chat_template::parse(source);
  INFO(source << ": " << (parsed ? "" : parsed.error().text));
  REQUIRE(parsed);
  return *std::move(parsed);
}

/// JSON that must parse.
inline value json(const std::string& text) {
  auto tree = parse_json(text);
  INFO(text);
  REQUIRE(tree);
  return *std::move(tree);
}

/// What a template makes of variables (the text of an object).
inline result<template_text> rendered(const std::string& source, const std::string& variables = "{}",
                                      std::size_t max_output = std::size_t{8} << 20) {
  auto given = json(variables);
  template_input input;
  input.variables = &given;
  input.now = golden_time();
  input.max_output_bytes = max_output;
  return parsed_template(source)->render(input);
}

}  // namespace lorica
