#include "text/template_lexer.hpp"
#include "text/template_names.hpp"
#include "text/template_parser.hpp"
#include "text/template_scope.hpp"

namespace lorica::jinja {
namespace {

expression_ptr copy_of(const expression& target) {
  std::vector<expression_ptr> parts;
  for (auto& part : target.parts)
    parts.push_back(copy_of(*part));
  auto out = make_node(target.kind, target.line, std::move(parts));
  out->name = target.name;
  return out;
}

// Walks the frames of a template outside in. `soft` is where Jinja lets an unknown filter wait until it is
// reached: within an `if`, up to the next frame.
class binder {
 public:
  void run(syntax& tree) {
    function_scope root;
    scope names(root, nullptr);
    names.see(tree.body);
    bind(tree.body, names, false);
    tree.root = names.first_values();
    tree.slots = slots_of(root);
  }

 private:
  static std::uint32_t slots_of(const function_scope& f) {
    return static_cast<std::uint32_t>(f.slots.size());
  }

  static function_scope inside(const scope& outer) {
    return {&outer.function(), outer.function().depth + 1, {}};
  }

  void bind(block& body, scope& names, bool soft) {
    for (auto& s : body)
      bind(*s, names, soft);
  }

  void bind(statement& s, scope& names, bool soft) {
    switch (s.kind) {
      case statement_kind::branch:
        for (auto& c : s.conditions)
          bind(c, names, true);
        for (auto& b : s.bodies)
          bind(b, names, true);
        return;
      case statement_kind::loop: return bind_loop(s, names, soft);
      case statement_kind::assign: bind(s.target, names, soft); return bind(s.value, names, soft);
      case statement_kind::capture: return bind_capture(s, names, soft);
      case statement_kind::filter: return bind_filter(s, names);
      case statement_kind::with: return bind_with(s, names, soft);
      case statement_kind::macro: {
        s.target = make_node(expression_kind::name, s.line);
        s.target->name = s.name;
        bind(s.target, names, soft);
        return bind_function(s, names);
      }
      case statement_kind::call: bind(s.value, names, soft); return bind_function(s, names);
      case statement_kind::generation: return bind_function(s, names);
      default: bind(s.value, names, soft);
    }
  }

  void bind_capture(statement& s, scope& names, bool soft) {
    scope within(names.function(), &names);
    within.see(s.body);
    within.see(s.value);
    bind(s.body, within, false);
    bind(s.target, names, soft);
    bind(s.value, within, false);
    s.body_frame = within.first_values();
  }

  void bind_filter(statement& s, scope& names) {
    scope within(names.function(), &names);
    within.see(s.body);
    within.see(s.value);
    bind(s.body, within, false);
    bind(s.value, within, false);
    s.body_frame = within.first_values();
  }

  void bind_with(statement& s, scope& names, bool soft) {
    scope within(names.function(), &names);
    for (auto& t : s.targets)
      within.declare_target(*t);
    within.see(s.body);
    for (auto& v : s.values)
      bind(v, names, soft);
    for (auto& t : s.targets)
      bind(t, within, false);
    bind(s.body, within, false);
    s.body_frame = within.first_values();
  }

  void bind_loop(statement& s, scope& names, bool soft) {
    if (assigns(s, "loop"))
      throw syntax_failure(s.line, "Can't assign to special loop variable in for-loop target");
    bind(s.value, names, soft);
    if (s.condition) bind_condition(s, names);
    if (!s.recursive) return bind_loop_body(s, names, names.function());
    auto function = inside(names);
    bind_loop_body(s, names, function);
    s.slots = slots_of(function);
  }

  void bind_condition(statement& s, scope& names) {
    auto function = inside(names);
    scope within(function, &names);
    within.declare_target(*s.target);
    within.see(s.condition);
    s.condition_target = copy_of(*s.target);
    bind(s.condition_target, within, false);
    bind(s.condition, within, false);
    s.condition_frame = within.first_values();
    s.condition_slots = slots_of(function);
  }

  void bind_loop_body(statement& s, scope& names, function_scope& function) {
    scope within(function, &names);
    if (s.recursive || !undeclared(s.body, {"loop"}).empty()) s.loop_slot = within.declare("loop");
    within.declare_target(*s.target);
    within.see(s.body);
    bind(s.target, within, false);
    bind(s.body, within, false);
    s.body_frame = within.first_values();
    scope otherwise(function, &names);
    otherwise.see(s.otherwise);
    bind(s.otherwise, otherwise, false);
    s.else_frame = otherwise.first_values();
  }

  // Macros, and the bodies of calls and of `generation`.
  void bind_function(statement& s, scope& names) {
    auto function = inside(names);
    scope within(function, &names);
    bool own_caller = false, own_kwargs = false, own_varargs = false;
    auto declare_all = [&] {
      for (auto& t : s.targets)
        within.declare_target(*t);
      for (auto& v : s.values)
        within.see(v);
      within.see(s.body);
    };
    declare_all();
    for (auto& t : s.targets) {
      own_caller = own_caller || t->name == "caller";
      own_kwargs = own_kwargs || t->name == "kwargs";
      own_varargs = own_varargs || t->name == "varargs";
    }
    auto special = undeclared(s.body, {"caller", "kwargs", "varargs"});
    if (special.contains("caller")) {
      auto first_default = s.targets.size() - s.values.size();
      for (std::size_t i = 0; i < first_default; ++i)
        if (s.targets[i]->name == "caller")
          throw syntax_failure(s.line,
                               "the special \"caller\" argument must be omitted or be given a default");
      if (!own_caller) s.caller_slot = within.declare("caller");
    }
    if (special.contains("kwargs") && !own_kwargs) s.kwargs_slot = within.declare("kwargs");
    if (special.contains("varargs") && !own_varargs) s.varargs_slot = within.declare("varargs");
    for (auto& t : s.targets)
      bind(t, within, false);
    for (auto& v : s.values)
      bind(v, within, false);
    bind(s.body, within, false);
    s.body_frame = within.first_values();
    s.slots = slots_of(function);
  }

  void bind(expression_ptr& e, scope& names, bool soft) {
    if (!e) return;
    if (e->kind == expression_kind::name || e->kind == expression_kind::member_name) {
      names.load(e->name);
      e->where = names.reach(*names.find(e->name));
    }
    if (e->kind == expression_kind::filter) bind_filter_function(*e, soft);
    if (e->kind == expression_kind::test) {
      e->test = find_test(e->name);
      if (!e->test && !soft) throw syntax_failure(e->line, "No test named '" + e->name.substr(0, 80) + "'.");
    }
    bool softer = soft || e->kind == expression_kind::choice;
    for (auto& part : e->parts)
      bind(part, names, softer);
    for (auto& v : e->given.positional)
      bind(v, names, softer);
    for (auto& [name, v] : e->given.named)
      bind(v, names, softer);
    bind(e->given.spread_list, names, softer);
    bind(e->given.spread_dict, names, softer);
  }

  static void bind_filter_function(expression& e, bool soft) {
    e.filter = find_filter(e.name);
    if (is_refused_filter(e.name))
      throw syntax_failure(e.line, "the filter '" + e.name + "' is not supported");
    if (!e.filter && !soft) throw syntax_failure(e.line, "No filter named '" + e.name.substr(0, 80) + "'.");
  }
};

}  // namespace

void bind_names(syntax& tree) {
  binder().run(tree);
}

}  // namespace lorica::jinja
