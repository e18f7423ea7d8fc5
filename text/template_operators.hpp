#pragma once

#include <cstdint>
#include <optional>

#include "text/template_value.hpp"

namespace lorica::jinja {

/// Operators of two numbers, strings or lists.
enum class binary_operator : std::uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };

/// `a op b` as Python computes it. Ints beyond 128 bits are a limit; strings and lists made by `*` are
/// bounded by the meter.
datum operate(binary_operator op, const datum& a, const datum& b, meter& use);

datum negated(const datum& v);
datum positive(const datum& v);

/// `needle in container`.
bool contains(const datum& container, const datum& needle, meter& use);

/// A bound of a slice; nothing where it is left out.
using slice_bound = std::optional<datum>;

/// `v[start:stop:step]` of strings (characters), lists, tuples and ranges.
datum sliced(const datum& v, const slice_bound& start, const slice_bound& stop, const slice_bound& step,
             meter& use);

/// The item that an index counts, from the end when negative; nothing outside.
std::optional<std::size_t> index_within(integer index, std::size_t size);

/// The bytes of the character `index` of valid UTF-8.
std::pair<std::size_t, std::size_t> character_at(std::string_view text, std::size_t index);

/// A whole number for a count or a width, within int64 (clamped).
std::int64_t clamped(integer i);

}  // namespace lorica::jinja
