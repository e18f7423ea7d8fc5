#pragma once

#include <ctime>
#include <deque>
#include <memory>
#include <vector>

#include "text/template_globals.hpp"
#include "text/template_loop.hpp"
#include "text/template_syntax.hpp"

namespace lorica::jinja {

/// The variables of one run of a function of a template.
struct activation {
  activation(std::uint32_t slots, activation* outer) : variables(slots), parent(outer) {}

  std::vector<datum> variables;
  activation* parent;
  bool captured = false;  ///< a macro, or a loop that is kept, still reaches it
};

/// A macro, or the body of a call, with the variables around it.
class macro_object final : public attributed_object {
 public:
  macro_object(const statement& definition, activation& home) : definition(definition), home(home) {}
  std::string_view type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  std::string repr() const override { return "<Macro '" + definition.name + "'>"; }
  std::optional<datum> attribute(const datum& self, const std::string& name) override;

  const statement& definition;
  activation& home;
};

/// Text that is being written: the output, or what a macro, a block or a filter collects.
class text_sink {
 public:
  text_sink(meter& use, bool outermost) : use_(use), outermost_(outermost) {}

  void write(std::string_view literal);
  void write(const datum& v);
  template_text take() { return std::move(text_); }

 private:
  void charge(std::size_t bytes);

  meter& use_;
  bool outermost_;
  template_text text_;
};

/// One rendering of a template: walks its tree. On one thread; the tree is only read.
class renderer {
 public:
  renderer(const syntax& tree, const dictionary& context, const std::tm& now, meter& use)
      : tree_(tree), context_(context), use_(use), around_{use, now, namespaces_} {}
  renderer(const renderer&) = delete;
  renderer& operator=(const renderer&) = delete;
  ~renderer();

  /// The text. Throws `failure`.
  template_text run();

 private:
  enum class flow : std::uint8_t { on, stop, next };  ///< `break` and `continue` on their way to the loop
  class running;

  flow run(const block& body, activation& a, text_sink& out);
  flow run(const statement& s, activation& a, text_sink& out);
  flow run_branch(const statement& s, activation& a, text_sink& out);
  flow run_capture(const statement& s, activation& a, text_sink& out);
  flow run_filter(const statement& s, activation& a, text_sink& out);
  flow run_with(const statement& s, activation& a, text_sink& out);
  void run_call(const statement& s, activation& a, text_sink& out);
  flow run_loop(const statement& s, activation& a, text_sink& out);
  flow walk_loop(const statement& s, activation& home, activation& inner, const datum& walked,
                 std::size_t depth, text_sink& out);
  std::unique_ptr<iterator> passing(const statement& s, activation& home, std::unique_ptr<iterator> steps);
  datum recurse(const statement& s, activation& home, const datum& walked, std::size_t depth);
  datum call_macro(const macro_object& macro, const call_arguments& given);

  datum evaluate(const expression& e, activation& a);
  datum evaluate_node(const expression& e, activation& a);
  datum evaluate_call(const expression& e, activation& a, const datum* caller);
  datum evaluate_dict(const expression& e, activation& a);
  datum evaluate_concat(const expression& e, activation& a);
  bool evaluate_compare(const expression& e, activation& a);
  datum evaluate_slice(const expression& e, activation& a);
  items evaluate_all(const std::vector<expression_ptr>& list, activation& a);
  call_arguments evaluate_arguments(const argument_list& given, activation& a);
  datum call(const datum& callee, const call_arguments& given);

  void assign(const expression& target, const datum& value, activation& a);
  void enter(const frame& f, activation& a);
  static void leave(const frame& f, activation& a);
  static datum& variable(const place& where, activation& a);
  datum resolve(const std::string& name) const;
  static void capture(activation& a);

  const syntax& tree_;
  const dictionary& context_;
  meter& use_;
  std::vector<std::shared_ptr<namespace_object>> namespaces_;
  surroundings around_;
  std::vector<std::unique_ptr<activation>> kept_;
  datum captured_;  // what the filter of a block filters
};

}  // namespace lorica::jinja
