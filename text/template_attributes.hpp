#pragma once

#include "text/template_arguments.hpp"
#include "text/template_value.hpp"

namespace lorica::jinja {

/// `v.name`: the attribute, else the item of that name, else undefined. What the sandbox forbids is an
/// undefined that fails when used.
datum attribute(const datum& v, const std::string& name, meter& use);

/// The attribute alone, as the filter `attr` takes it.
datum bare_attribute(const datum& v, const std::string& name, meter& use);

/// `v[key]`: the item, else the attribute of that name, else undefined.
datum item(const datum& v, const datum& key, meter& use);

/// A method of a plain value, bound to it; calls go to `call_method`.
class method_object final : public object {
 public:
  method_object(datum self, std::string name) : self(std::move(self)), name(std::move(name)) {}
  std::string_view type_name() const override { return "builtin_function_or_method"; }
  unsigned depth() const override { return self.depth() + 1; }
  bool callable() const override { return true; }

  datum self;
  std::string name;
};

/// The result of a method of a string, list, tuple or dict.
datum call_method(const method_object& method, const call_arguments& given, meter& use);

/// Strings alone.
datum call_string_method(const datum& self, const std::string& name, const call_arguments& given, meter& use);
bool is_string_method(std::string_view name);

}  // namespace lorica::jinja
