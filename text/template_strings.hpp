#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/template_text.hpp"
#include "text/template_value.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {

/// What Python's strings do, with marks that follow the bytes. Texts are valid UTF-8.
template_text lowered(const template_text& t, meter& use);
template_text uppered(const template_text& t, meter& use);
template_text capitalised(const template_text& t, meter& use);
template_text titled(const template_text& t, meter& use);  ///< `str.title`, not the filter
template_text case_folded(const template_text& t, meter& use);
template_text case_swapped(const template_text& t, meter& use);

/// Which ends to strip.
enum class text_end : std::uint8_t { left, right, both };

/// Without white space at the ends, or without the characters of `chars`.
template_text stripped(const template_text& t, text_end end, std::optional<std::string_view> chars,
                       meter& use);

/// `split` and `rsplit`: at white space, or at a separator; at most `most` cuts when that is not negative.
std::vector<template_text> split(const template_text& t, std::int64_t most, meter& use);
std::vector<template_text> split(const template_text& t, std::string_view separator, std::int64_t most,
                                 meter& use);
std::vector<template_text> split_right(const template_text& t, std::int64_t most, meter& use);
std::vector<template_text> split_right(const template_text& t, std::string_view separator, std::int64_t most,
                                       meter& use);

/// `splitlines`: at all that Python takes for a line end.
std::vector<template_text> lines_of(const template_text& t, bool keep_ends, meter& use);

/// `replace`: at most `most` times when that is not negative.
template_text replaced(const template_text& t, std::string_view old, const template_text& with,
                       std::int64_t most, meter& use);

/// `islower` and `isupper`: cased letters, and no others than the wanted.
bool has_case(std::string_view text, letter_case wanted);

/// `isalpha`, `isdigit`, …: what a string is, by the method's name; null for other names.
using question = bool (*)(std::string_view);
question find_question(std::string_view name);

/// The code points of valid UTF-8.
std::u32string code_points(std::string_view text);

}  // namespace lorica::jinja
