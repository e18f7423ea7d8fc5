#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "text/template_syntax.hpp"

namespace lorica::jinja {

/// A function of the compiled template: the template itself, a macro, the body of a call or of a recursive
/// loop, the `if` of a loop. Its variables are numbered.
struct function_scope {
  const function_scope* parent = nullptr;
  std::uint32_t depth = 0;
  std::map<std::pair<unsigned, std::string>, std::uint32_t> slots;  ///< by level and name
};

/// A variable: its function and its number there.
struct variable {
  const function_scope* function = nullptr;
  std::uint32_t slot = 0;
};

/// The names that a frame of a template knows, worked out before it runs, as `jinja2.idtracking` does: a name
/// that a frame assigns is one variable from its begin to its end, with the value of outside to start with.
class scope {
 public:
  scope(function_scope& function, const scope* parent)
      : function_(&function), parent_(parent), level_(parent ? parent->level_ + 1 : 0) {}

  void load(const std::string& name);
  void store(const std::string& name);
  std::uint32_t declare(const std::string& name);  ///< a parameter; gives its slot

  /// What the branches of an `if` did, each begun as a copy of this.
  void join(const std::vector<scope>& branches);

  /// The names of the statements of a body, and of an expression, as this frame sees them.
  void see(const block& body);
  void see(const expression_ptr& e);
  void declare_target(const expression& target);

  const variable* find(const std::string& name) const;
  function_scope& function() const { return *function_; }

  /// A variable as code of this frame's function reaches it.
  place reach(const variable& v) const;

  /// How the variables of this frame begin.
  frame first_values() const;

 private:
  struct beginning {
    enum class kind : std::uint8_t { parameter, resolve, alias, undefined } how = kind::undefined;
    variable outer;
    std::string name;
  };

  std::uint32_t define(const std::string& name, beginning begin);
  void see(const statement& s);
  void see_branch(const statement& s);
  void see_target(const expression& target);

  function_scope* function_;
  const scope* parent_;
  unsigned level_;
  std::map<std::string, variable> names_;
  std::map<std::uint32_t, beginning> begins_;
  std::set<std::string> stored_;
};

}  // namespace lorica::jinja
