#include "text/template_renderer.hpp"

#include "text/template_repr.hpp"

namespace lorica::jinja {

// One run of a function: its variables live as long as it runs, or to the end when something captured them.
class renderer::running {
 public:
  running(renderer& owner, std::uint32_t slots, activation* parent)
      : owner_(owner), own_(std::make_unique<activation>(slots, parent)) {}
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() {
    if (own_->captured) owner_.kept_.push_back(std::move(own_));
  }

  activation& operator*() { return *own_; }

 private:
  renderer& owner_;
  std::unique_ptr<activation> own_;
};

void text_sink::charge(std::size_t bytes) {
  if (outermost_)
    use_.output(text_.text.size() + bytes);
  else
    use_.make(bytes);
}

void text_sink::write(std::string_view literal) {
  charge(literal.size());
  text_.append(literal);
}

void text_sink::write(const datum& v) {
  if (auto t = v.as_text()) {
    charge(t->text.size());
    return text_.append(*t);
  }
  auto t = str_of(v, use_);
  charge(t.text.size());
  text_.append(t);
}

std::optional<datum> macro_object::attribute(const datum&, const std::string& name) {
  if (name == "name") return definition.name.empty() ? datum::none() : datum::string(definition.name);
  if (name == "caller") return datum::boolean(definition.caller_slot.has_value());
  if (name == "catch_kwargs") return datum::boolean(definition.kwargs_slot.has_value());
  if (name == "catch_varargs") return datum::boolean(definition.varargs_slot.has_value());
  if (name != "arguments") return std::nullopt;
  items names;
  for (auto& t : definition.targets)
    names.push_back(datum::string(t->name));
  return datum::tuple(std::move(names));
}

renderer::~renderer() {
  // Namespaces and variables may hold each other in rings.
  for (auto& space : namespaces_)
    space->attributes = {};
  for (auto& a : kept_)
    a->variables.clear();
}

template_text renderer::run() {
  running root(*this, tree_.slots, nullptr);
  enter(tree_.root, *root);
  text_sink out(use_, true);
  run(tree_.body, *root, out);
  return out.take();
}

void renderer::capture(activation& a) {
  for (auto at = &a; at && !at->captured; at = at->parent)
    at->captured = true;
}

datum& renderer::variable(const place& where, activation& a) {
  auto at = &a;
  for (auto hops = where.hops; hops > 0; --hops)
    at = at->parent;
  return at->variables[where.slot];
}

datum renderer::resolve(const std::string& name) const {
  if (auto found = context_.find(name)) return *found;
  return global(name).value_or(datum());
}

void renderer::enter(const frame& f, activation& a) {
  for (auto& v : f) {
    auto& slot = a.variables[v.slot];
    if (v.from == first_value::origin::copied)
      slot = variable(v.outer, a);
    else
      slot = v.from == first_value::origin::resolved ? resolve(v.name) : datum();
  }
}

void renderer::leave(const frame& f, activation& a) {
  for (auto& v : f)
    a.variables[v.slot] = datum();
}

void renderer::assign(const expression& target, const datum& value, activation& a) {
  if (target.kind == expression_kind::name) {
    variable(target.where, a) = value;
    return;
  }
  if (target.kind == expression_kind::member_name) {
    auto space = dynamic_cast<namespace_object*>(variable(target.where, a).as_object());
    if (!space) throw failure(failure_kind::filter, "cannot assign attribute on non-namespace object");
    return assign_attribute(*space, target.member, value);
  }
  auto values = listed(value, use_);
  if (values.size() != target.parts.size())
    value_error((values.size() < target.parts.size() ? "not enough" : "too many") +
                std::string(" values to unpack (expected ") + std::to_string(target.parts.size()) + ")");
  for (std::size_t i = 0; i < values.size(); ++i)
    assign(*target.parts[i], values[i], a);
}

renderer::flow renderer::run(const block& body, activation& a, text_sink& out) {
  auto deeper = use_.deeper();
  for (auto& s : body)
    if (auto f = run(*s, a, out); f != flow::on) return f;
  return flow::on;
}

renderer::flow renderer::run(const statement& s, activation& a, text_sink& out) {
  use_.step();
  switch (s.kind) {
    case statement_kind::text: out.write(s.literal); return flow::on;
    case statement_kind::print: out.write(evaluate(*s.value, a)); return flow::on;
    case statement_kind::branch: return run_branch(s, a, out);
    case statement_kind::loop: return run_loop(s, a, out);
    case statement_kind::assign: assign(*s.target, evaluate(*s.value, a), a); return flow::on;
    case statement_kind::capture: return run_capture(s, a, out);
    case statement_kind::filter: return run_filter(s, a, out);
    case statement_kind::with: return run_with(s, a, out);
    case statement_kind::call: run_call(s, a, out); return flow::on;
    case statement_kind::macro:
      capture(a);
      assign(*s.target, datum::of(std::make_shared<macro_object>(s, a)), a);
      return flow::on;
    case statement_kind::generation: out.write(call_macro(macro_object(s, a), {})); return flow::on;
    case statement_kind::stop: return flow::stop;
    default: return flow::next;
  }
}

renderer::flow renderer::run_branch(const statement& s, activation& a, text_sink& out) {
  for (std::size_t i = 0; i < s.bodies.size(); ++i)
    if (i >= s.conditions.size() || evaluate(*s.conditions[i], a).truth()) return run(s.bodies[i], a, out);
  return flow::on;
}

renderer::flow renderer::run_capture(const statement& s, activation& a, text_sink&) {
  enter(s.body_frame, a);
  text_sink inner(use_, false);
  auto f = run(s.body, a, inner);
  if (f != flow::on) return f;
  auto text = datum::string(inner.take());
  if (s.value) {
    captured_ = text;
    text = evaluate(*s.value, a);
  }
  assign(*s.target, text, a);
  leave(s.body_frame, a);
  return flow::on;
}

renderer::flow renderer::run_filter(const statement& s, activation& a, text_sink& out) {
  enter(s.body_frame, a);
  text_sink inner(use_, false);
  auto f = run(s.body, a, inner);
  if (f != flow::on) return f;
  captured_ = datum::string(inner.take());
  auto text = evaluate(*s.value, a);
  // Jinja joins what blocks give without turning it into text.
  if (!text.as_text()) type_error("a filter block gave " + std::string(text.type_name()) + ", not str");
  out.write(text);
  leave(s.body_frame, a);
  return flow::on;
}

renderer::flow renderer::run_with(const statement& s, activation& a, text_sink& out) {
  enter(s.body_frame, a);
  for (std::size_t i = 0; i < s.targets.size(); ++i)
    assign(*s.targets[i], evaluate(*s.values[i], a), a);
  auto f = run(s.body, a, out);
  leave(s.body_frame, a);
  return f;
}

void renderer::run_call(const statement& s, activation& a, text_sink& out) {
  capture(a);
  auto caller = datum::of(std::make_shared<macro_object>(s, a));
  out.write(evaluate_call(*s.value, a, &caller));
}

renderer::flow renderer::run_loop(const statement& s, activation& a, text_sink& out) {
  auto walked = evaluate(*s.value, a);
  if (!s.recursive) return walk_loop(s, a, a, walked, 0, out);
  out.write(recurse(s, a, walked, 0));
  return flow::on;
}

datum renderer::recurse(const statement& s, activation& home, const datum& walked, std::size_t depth) {
  auto call = use_.call();
  auto deeper = use_.deeper();
  capture(home);
  running inner(*this, s.slots, &home);
  text_sink out(use_, false);
  walk_loop(s, home, *inner, walked, depth, out);
  return datum::string(out.take());
}

std::unique_ptr<iterator> renderer::passing(const statement& s, activation& home,
                                            std::unique_ptr<iterator> steps) {
  capture(home);
  kept_.push_back(std::make_unique<activation>(s.condition_slots, &home));
  auto& a = *kept_.back();
  enter(s.condition_frame, a);
  return stepping([this, &s, &a, steps = std::shared_ptr<iterator>(std::move(steps))]() {
    while (auto next = steps->next()) {
      use_.step();
      assign(*s.condition_target, *next, a);
      if (evaluate(*s.condition, a).truth()) return next;
    }
    return std::optional<datum>();
  });
}

renderer::flow renderer::walk_loop(const statement& s, activation& home, activation& inner,
                                   const datum& walked, std::size_t depth, text_sink& out) {
  auto steps = walk(walked);
  if (s.condition) steps = passing(s, home, std::move(steps));
  std::shared_ptr<loop_object> loop;
  if (s.loop_slot) {
    loop_object::recursion again;
    if (s.recursive)
      again = [this, &s, &home](const datum& v, std::size_t d) { return recurse(s, home, v, d); };
    loop = std::make_shared<loop_object>(walked, std::move(steps), s.condition == nullptr, std::move(again),
                                         depth, use_);
  }
  bool ran = false;
  while (auto next = loop ? loop->next() : steps->next()) {
    use_.step();
    assign(*s.target, *next, inner);
    if (loop) inner.variables[*s.loop_slot] = datum::of(loop);
    enter(s.body_frame, inner);
    auto f = run(s.body, inner, out);
    if (f == flow::stop) break;
    // As in Jinja, only a body that ran to its end keeps the `else` away.
    if (f == flow::on) ran = true;
  }
  leave(s.body_frame, inner);
  if (s.bodies.empty() || ran) return flow::on;
  enter(s.else_frame, inner);
  auto f = run(s.otherwise, inner, out);
  leave(s.else_frame, inner);
  return f;
}

datum renderer::call_macro(const macro_object& macro, const call_arguments& given) {
  auto call = use_.call();
  auto deeper = use_.deeper();
  auto& s = macro.definition;
  running run_of_it(*this, s.slots, &macro.home);
  auto& a = *run_of_it;
  auto named = given.named;
  auto take = [&](const std::string& name) {
    auto at = std::find_if(named.begin(), named.end(), [&](auto& entry) { return entry.first == name; });
    if (at == named.end()) return datum();
    auto out = std::move(at->second);
    named.erase(at);
    return out;
  };
  std::size_t count = s.targets.size(), own = std::min(given.positional.size(), count);
  bool found_caller = false;
  std::vector<datum> values(given.positional.begin(),
                            given.positional.begin() + static_cast<std::ptrdiff_t>(own));
  for (auto i = own; i < count; ++i) {
    found_caller = found_caller || s.targets[i]->name == "caller";
    values.push_back(take(s.targets[i]->name));
  }
  if (s.caller_slot && !found_caller) {
    auto caller = take("caller");
    a.variables[*s.caller_slot] =
        caller.missing() || caller.is_none() ? datum::undefined("No caller defined") : std::move(caller);
  }
  if (s.kwargs_slot) {
    auto rest = std::make_shared<dictionary>();
    for (auto& [name, value] : named)
      rest->set(datum::string(name), value);
    a.variables[*s.kwargs_slot] = datum::dict(std::move(rest));
  } else if (!named.empty()) {
    type_error("macro '" + s.name + "' takes no keyword argument '" + named[0].first + "'");
  }
  if (s.varargs_slot)
    a.variables[*s.varargs_slot] = datum::tuple(
        items(given.positional.begin() + static_cast<std::ptrdiff_t>(own), given.positional.end()));
  else if (given.positional.size() > count)
    type_error("macro '" + s.name + "' takes not more than " + std::to_string(count) + " argument(s)");
  for (std::size_t i = 0; i < count; ++i)
    variable(s.targets[i]->where, a) = values[i];
  enter(s.body_frame, a);
  auto first_default = count - s.values.size();
  for (std::size_t i = 0; i < count; ++i) {
    auto& slot = variable(s.targets[i]->where, a);
    if (!slot.missing()) continue;
    slot = i < first_default ? datum::undefined("parameter '" + s.targets[i]->name + "' was not provided")
                             : evaluate(*s.values[i - first_default], a);
  }
  text_sink out(use_, false);
  run(s.body, a, out);
  return datum::string(out.take());
}

}  // namespace lorica::jinja
