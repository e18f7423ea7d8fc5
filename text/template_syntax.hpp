#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/template_filters.hpp"
#include "text/template_operators.hpp"
#include "text/template_value.hpp"

namespace lorica::jinja {

struct expression;
struct statement;
using expression_ptr = std::unique_ptr<expression>;
using block = std::vector<std::unique_ptr<statement>>;

/// Where a variable lies: so many functions out, and its number there.
struct place {
  std::uint32_t hops = 0;
  std::uint32_t slot = 0;
};

/// Arguments of a call, a filter or a test, as written.
struct argument_list {
  std::vector<expression_ptr> positional;
  std::vector<std::pair<std::string, expression_ptr>> named;
  expression_ptr spread_list, spread_dict;  ///< `*x`, `**x`; may be null
};

enum class expression_kind : std::uint8_t {
  constant,     ///< `value`
  captured,     ///< what a filter block or a block assignment holds
  name,         ///< `name`, at `where`
  member_name,  ///< `name.member`, a target: attribute of a namespace
  list,
  tuple,
  dict,       ///< parts: key, value, key, value, …
  attribute,  ///< part 0 `.name`
  item,       ///< part 0 `[`part 1`]`
  slice,      ///< part 0 `[`1`:`2`:`3`]`; 1 to 3 may be null
  call,       ///< part 0 with `given`
  filter,     ///< part 0 `|name`
  test,       ///< part 0 `is name`
  negative,
  positive,
  negation,  ///< `not`
  binary,    ///< `op`
  both,      ///< `and`
  either,    ///< `or`
  concat,    ///< `~`, any number of parts
  compare,   ///< part 0, then a part for each of `signs`
  choice     ///< part 1 `if` part 0 `else` part 2, which may be null
};

enum class comparison : std::uint8_t { equal, unequal, below, at_most, above, at_least, in, not_in };

/// A node of an expression; which fields count depends on the kind.
struct expression {
  expression_kind kind = expression_kind::constant;
  std::uint32_t line = 1;
  unsigned depth = 1;  ///< nodes below, this one included
  std::string name, member;
  datum value;
  binary_operator op = binary_operator::add;
  std::vector<comparison> signs;
  std::vector<expression_ptr> parts;
  argument_list given;
  place where;
  jinja::filter filter = nullptr;  ///< null: unknown, which fails when it is reached
  jinja::test test = nullptr;
};

/// How a variable of a frame begins: as a copy of one outside, as a value of the context, or not at all.
struct first_value {
  enum class origin : std::uint8_t { copied, resolved, missing };
  std::uint32_t slot = 0;
  origin from = origin::missing;
  place outer;       ///< of copied
  std::string name;  ///< of resolved
};
using frame = std::vector<first_value>;

enum class statement_kind : std::uint8_t {
  text,        ///< `literal`
  print,       ///< `value`
  branch,      ///< `conditions` with `bodies`; one more body is the `else`
  loop,        ///< `for`
  assign,      ///< `target = value`
  capture,     ///< `{% set x %}…{% endset %}`, `value` is its filter or null
  macro,       ///< `name`
  call,        ///< `value` is the call
  filter,      ///< `value` is the filter, its inmost part what the body gave
  with,        ///< `targets` and `values`
  generation,  ///< `{% generation %}`
  stop,        ///< `break`
  next         ///< `continue`
};

/// A node of a template; which fields count depends on the kind.
struct statement {
  statement_kind kind = statement_kind::text;
  std::uint32_t line = 1;
  std::string literal, name;
  expression_ptr value, target;
  std::vector<expression_ptr> conditions;
  std::vector<block> bodies;
  block body, otherwise;
  std::vector<expression_ptr> targets, values;  ///< `with`; parameters of a macro and their defaults
  expression_ptr condition, condition_target;   ///< of a loop: its `if`, and its target as that sees it
  bool recursive = false;

  frame body_frame, else_frame, condition_frame;
  std::optional<std::uint32_t> loop_slot;
  std::uint32_t slots = 0;            ///< variables of the function that a macro, call or recursive loop is
  std::uint32_t condition_slots = 0;  ///< of the function that a loop's `if` is
  std::optional<std::uint32_t> caller_slot, kwargs_slot, varargs_slot;
};

/// A template, ready to run. Immutable.
struct syntax {
  block body;
  frame root;
  std::uint32_t slots = 0;
};

}  // namespace lorica::jinja
