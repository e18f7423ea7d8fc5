#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/template_arguments.hpp"
#include "text/template_value.hpp"

namespace lorica::jinja {

/// An object with attributes of its own.
class attributed_object : public object {
 public:
  virtual std::optional<datum> attribute(const datum& self, const std::string& name) = 0;
};

/// What a rendering hands to functions.
struct surroundings {
  meter& use;
  const std::tm& now;
  std::vector<std::shared_ptr<namespace_object>>&
      namespaces;  ///< all that were made, to be emptied at the end
};

/// A function that Jinja or transformers puts into every template.
class function_object final : public attributed_object {
 public:
  using body = datum (*)(const call_arguments&, surroundings&);
  function_object(std::string name, body run) : name(std::move(name)), run(run) {}
  std::string_view type_name() const override { return "function"; }
  bool callable() const override { return true; }
  std::optional<datum> attribute(const datum& self, const std::string& attribute_name) override;

  std::string name;
  body run;
};

/// `cycler(…)`: `next()`, `current`, `reset()`.
class cycler_object final : public attributed_object {
 public:
  explicit cycler_object(items choices) : choices(std::move(choices)) {}
  std::string_view type_name() const override { return "Cycler"; }
  unsigned depth() const override;
  std::optional<datum> attribute(const datum& self, const std::string& name) override;

  items choices;
  std::size_t at = 0;
};

/// A method of a cycler.
class cycler_method final : public object {
 public:
  cycler_method(datum::object_ptr cycler, bool steps) : cycler(std::move(cycler)), steps(steps) {}
  std::string_view type_name() const override { return "method"; }
  bool callable() const override { return true; }

  datum::object_ptr cycler;
  bool steps;
};

/// `joiner(sep)`: nothing at the first call, the separator at all others.
class joiner_object final : public object {
 public:
  explicit joiner_object(datum separator) : separator(std::move(separator)) {}
  std::string_view type_name() const override { return "Joiner"; }
  bool callable() const override { return true; }

  datum separator;
  bool used = false;
};

/// The global of a name: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
std::optional<datum> global(std::string_view name);

/// Calls what is called without the renderer: functions, methods, cyclers, joiners. Nothing for other values.
std::optional<datum> call_object(object& callee, const call_arguments& given, surroundings& around);

/// Sets an attribute of a namespace; those with an underscore in front are refused.
void assign_attribute(namespace_object& space, const std::string& name, datum value);

}  // namespace lorica::jinja
