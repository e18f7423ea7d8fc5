#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "text/template_failure.hpp"
#include "text/template_meter.hpp"
#include "text/template_text.hpp"

namespace lorica::jinja {

/// Python's integers as far as templates need them; beyond 128 bits is a limit.
__extension__ typedef __int128 integer;

class datum;
class object;
struct dictionary;
using items = std::vector<datum>;

/// A string, and whether Python would have it as `Markup` (what `|safe` makes).
struct string_data {
  template_text text;
  bool markup = false;
};

/// Items of a list or a tuple.
struct sequence {
  items list;
  unsigned depth = 0;
  bool group = false;  ///< a tuple of `groupby`, with attributes `grouper` and `list`
};

/// Why a value is undefined: said when it is used.
struct undefined_data {
  std::string why;
  bool unsafe = false;
};

/// A value of a template with Python's meaning. Cheap to copy, immutable but for the objects that Python has
/// mutable too (namespaces, iterators). Lives for one rendering, on one thread; constants of a parsed
/// template are shared and only read.
class datum {
 public:
  struct none_type {};
  using list_ptr = std::shared_ptr<const sequence>;
  struct tuple_ptr {
    std::shared_ptr<const sequence> data;
  };
  using dict_ptr = std::shared_ptr<const dictionary>;
  using object_ptr = std::shared_ptr<object>;

  datum() = default;  ///< missing: a variable that was never assigned
  static datum none() { return datum(none_type{}); }
  static datum boolean(bool b) { return datum(b); }
  static datum number(integer i) { return datum(i); }
  static datum real(double d) { return datum(d); }
  static datum string(template_text text, bool markup = false);
  static datum string(std::string_view plain) { return string(template_text(std::string(plain))); }
  static datum list(items list);
  static datum tuple(items list, bool group = false);
  static datum dict(std::shared_ptr<dictionary> d);
  static datum of(object_ptr o) { return datum(std::move(o)); }
  static datum undefined(std::string why, bool unsafe = false);

  bool missing() const noexcept { return std::holds_alternative<std::monostate>(v_); }
  bool is_undefined() const noexcept { return std::holds_alternative<undefined_ptr>(v_); }
  bool is_none() const noexcept { return std::holds_alternative<none_type>(v_); }
  const bool* as_bool() const noexcept { return std::get_if<bool>(&v_); }
  const double* as_real() const noexcept { return std::get_if<double>(&v_); }
  /// The whole number of an int or a bool, which in Python is one.
  std::optional<integer> as_integer() const noexcept;
  bool is_int() const noexcept { return std::holds_alternative<integer>(v_); }
  bool is_number() const noexcept { return as_integer() || as_real(); }
  const template_text* as_text() const noexcept;
  bool is_markup() const noexcept;
  const sequence* as_list() const noexcept;
  const sequence* as_tuple() const noexcept;
  const dictionary* as_dict() const noexcept;
  dict_ptr dict_pointer() const noexcept;
  object* as_object() const noexcept;
  const undefined_data* as_undefined() const noexcept;
  object_ptr object_pointer() const;

  /// Python's name of the type: `str`, `dict`, `NoneType`.
  std::string_view type_name() const;
  /// Containers within this one, itself included; 0 for plain values.
  unsigned depth() const noexcept;
  /// Python's `bool(x)`.
  bool truth() const;
  /// Where the value lies, for `sameas`; null for plain values.
  const void* address() const noexcept;

 private:
  using undefined_ptr = std::shared_ptr<const undefined_data>;
  template <class T>
  explicit datum(T v) : v_(std::move(v)) {}

  std::variant<std::monostate, undefined_ptr, none_type, bool, integer, double,
               std::shared_ptr<const string_data>, list_ptr, tuple_ptr, dict_ptr, object_ptr>
      v_;
};

/// A dict in the order of insertion. Keys are hashable values; equal numbers are one key.
struct dictionary {
  std::vector<std::pair<datum, datum>> entries;
  unsigned depth = 1;

  /// Sets a key; fails for one that Python cannot hash.
  void set(datum key, datum value);
  const datum* find(const datum& key) const;
  const datum* find(std::string_view key) const;

 private:
  std::optional<std::size_t> place(const datum& key) const;

  // By the bytes of string keys, which the entries own; other keys are few and searched.
  std::unordered_map<std::string_view, std::size_t> by_text_;
  std::vector<std::size_t> others_;
};

/// Steps through values one at a time. May fail like any evaluation.
class iterator {
 public:
  virtual ~iterator() = default;
  /// The next item, or nothing at the end.
  virtual std::optional<datum> next() = 0;
};

/// What Python has beyond plain values: functions, ranges, generators, namespaces.
class object {
 public:
  virtual ~object() = default;
  virtual std::string_view type_name() const = 0;
  virtual unsigned depth() const { return 1; }
  virtual bool truth() const { return true; }
  virtual bool callable() const { return false; }
  virtual std::optional<std::size_t> length() const { return std::nullopt; }
  /// Python's `repr`; what it prints with an address prints without one here.
  virtual std::string repr() const { return "<" + std::string(type_name()) + " object>"; }
  /// Null when the object cannot be walked.
  virtual std::unique_ptr<iterator> walk() { return nullptr; }
  virtual bool equals(const object& other) const { return this == &other; }
};

/// `range(…)`: bounded to 100000 items where it is made.
class range_object final : public object {
 public:
  range_object(std::int64_t from, std::int64_t to, std::int64_t by, std::int64_t items)
      : start(from), stop(to), step(by), count(items) {}
  std::string_view type_name() const override { return "range"; }
  bool truth() const override { return count > 0; }
  std::optional<std::size_t> length() const override { return static_cast<std::size_t>(count); }
  std::string repr() const override;
  std::unique_ptr<iterator> walk() override;
  bool equals(const object& other) const override;
  datum at(std::int64_t index) const { return datum::number(integer{start} + integer{index} * step); }

  std::int64_t start, stop, step, count;
};

/// A generator or another iterator of Python: walked once, without a length.
class generator_object final : public object {
 public:
  /// `depth` counts what it holds.
  generator_object(std::unique_ptr<iterator> steps, unsigned depth, std::string_view name = "generator");
  std::string_view type_name() const override { return name_; }
  unsigned depth() const override { return depth_; }
  std::unique_ptr<iterator> walk() override;

 private:
  std::shared_ptr<iterator> steps_;
  unsigned depth_;
  std::string_view name_;
};

/// `namespace(…)`: attributes that a template may assign.
class namespace_object final : public object {
 public:
  std::string_view type_name() const override { return "TemplateNamespace"; }
  unsigned depth() const override { return 0; }  // chains of them are cut by who made them
  std::string repr() const override;

  dictionary attributes;
};

/// `dict.keys()`, `.values()`, `.items()`.
class view_object final : public object {
 public:
  enum class part : std::uint8_t { keys, values, items };
  view_object(datum::dict_ptr d, part p) : dict(std::move(d)), shows(p) {}
  std::string_view type_name() const override;
  unsigned depth() const override { return dict->depth + 1; }
  bool truth() const override { return !dict->entries.empty(); }
  std::optional<std::size_t> length() const override { return dict->entries.size(); }
  std::string repr() const override;
  std::unique_ptr<iterator> walk() override;
  datum at(std::size_t index) const;

  datum::dict_ptr dict;
  part shows;
};

/// Walks what Python can iterate: lists, tuples, dicts (keys), strings (characters), undefined (nothing) and
/// objects. Fails with a TypeError for the rest.
std::unique_ptr<iterator> walk(const datum& v);
bool iterable(const datum& v);

/// `list(v)`; each item costs a step.
items listed(const datum& v, meter& use);

/// `len(v)`, where it has one.
std::optional<std::size_t> length_of(const datum& v);

/// Python's `==`, and its order: negative, zero or positive. Order fails for types that have none.
bool equal(const datum& a, const datum& b);
int compared(const datum& a, const datum& b, std::string_view sign);
bool hashable(const datum& v);

/// Refuses to use an undefined value, saying why it is undefined.
[[noreturn]] void use_of_undefined(const datum& v);

/// An iterator from a function that gives the next item.
template <class Next>
std::unique_ptr<iterator> stepping(Next next) {
  struct steps final : iterator {
    explicit steps(Next f) : next_(std::move(f)) {}
    std::optional<datum> next() override { return next_(); }
    Next next_;
  };
  return std::make_unique<steps>(std::move(next));
}

}  // namespace lorica::jinja
