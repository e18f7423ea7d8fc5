#pragma once

#include "text/template_value.hpp"

namespace lorica::jinja {

/// `&`, `<`, `>`, `'` and `"` as MarkupSafe escapes them.
template_text html_escaped(const template_text& t, meter& use);

/// `json.dumps` with `ensure_ascii=False` unless asked, a space behind `,` and `:`, and Python's indentation.
struct json_style {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<template_text> indent;  ///< one level of it; absent: all on one line
  template_text item_separator{", "};
  template_text key_separator{": "};
};
template_text json_of(const datum& v, const json_style& style, meter& use);

/// Percent-encoding as `urllib.parse.quote` does it, `/` kept; in a query spaces become `+`.
template_text url_quoted(const template_text& t, bool in_query, meter& use);

}  // namespace lorica::jinja
