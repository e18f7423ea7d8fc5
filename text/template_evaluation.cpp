#include "text/template_attributes.hpp"
#include "text/template_operators.hpp"
#include "text/template_renderer.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

bool holds(comparison sign, const datum& a, const datum& b, meter& use) {
  switch (sign) {
    case comparison::equal: return equal(a, b);
    case comparison::unequal: return !equal(a, b);
    case comparison::below: return compared(a, b, "<") < 0;
    case comparison::at_most: return compared(a, b, "<=") <= 0;
    case comparison::above: return compared(a, b, ">") > 0;
    case comparison::at_least: return compared(a, b, ">=") >= 0;
    case comparison::in: return contains(b, a, use);
    default: return !contains(b, a, use);
  }
}

}  // namespace

datum renderer::evaluate(const expression& e, activation& a) {
  use_.step();
  switch (e.kind) {
    case expression_kind::constant: return e.value;
    case expression_kind::captured: return captured_;
    case expression_kind::name: {
      auto& v = variable(e.where, a);
      return v.missing() ? datum::undefined("'" + e.name + "' is undefined") : v;
    }
    default: break;
  }
  auto deeper = use_.deeper();
  return evaluate_node(e, a);
}

datum renderer::evaluate_node(const expression& e, activation& a) {
  auto part = [&](std::size_t i) { return evaluate(*e.parts[i], a); };
  switch (e.kind) {
    case expression_kind::list: return datum::list(evaluate_all(e.parts, a));
    case expression_kind::tuple: return datum::tuple(evaluate_all(e.parts, a));
    case expression_kind::dict: return evaluate_dict(e, a);
    case expression_kind::attribute: return attribute(part(0), e.name, use_);
    case expression_kind::item: {
      auto v = part(0);
      return item(v, part(1), use_);
    }
    case expression_kind::slice: return evaluate_slice(e, a);
    case expression_kind::call: return evaluate_call(e, a, nullptr);
    case expression_kind::filter: {
      auto v = part(0);
      auto given = evaluate_arguments(e.given, a);
      if (!e.filter) throw failure(failure_kind::filter, "No filter named '" + e.name + "' found.");
      return e.filter(v, given, use_);
    }
    case expression_kind::test: {
      auto v = part(0);
      auto given = evaluate_arguments(e.given, a);
      if (!e.test) throw failure(failure_kind::filter, "No test named '" + e.name + "' found.");
      return datum::boolean(e.test(v, given, use_));
    }
    case expression_kind::negative: return negated(part(0));
    case expression_kind::positive: return positive(part(0));
    case expression_kind::negation: return datum::boolean(!part(0).truth());
    case expression_kind::binary: {
      auto left = part(0);
      return operate(e.op, left, part(1), use_);
    }
    case expression_kind::both: {
      auto left = part(0);
      return left.truth() ? part(1) : left;
    }
    case expression_kind::either: {
      auto left = part(0);
      return left.truth() ? left : part(1);
    }
    case expression_kind::concat: return evaluate_concat(e, a);
    case expression_kind::compare: return datum::boolean(evaluate_compare(e, a));
    default: break;
  }
  if (part(0).truth()) return part(1);
  if (e.parts[2]) return part(2);
  return datum::undefined("the inline if-expression on line " + std::to_string(e.line) +
                          " evaluated to false and no else section was defined.");
}

items renderer::evaluate_all(const std::vector<expression_ptr>& list, activation& a) {
  items out;
  for (auto& e : list)
    out.push_back(evaluate(*e, a));
  return out;
}

datum renderer::evaluate_dict(const expression& e, activation& a) {
  auto out = std::make_shared<dictionary>();
  for (std::size_t i = 0; i < e.parts.size(); i += 2) {
    auto key = evaluate(*e.parts[i], a);
    out->set(std::move(key), evaluate(*e.parts[i + 1], a));
  }
  return datum::dict(std::move(out));
}

datum renderer::evaluate_concat(const expression& e, activation& a) {
  template_text out;
  for (auto& v : evaluate_all(e.parts, a)) {
    auto t = str_of(v, use_);
    use_.make(t.text.size());
    out.append(t);
  }
  return datum::string(std::move(out));
}

bool renderer::evaluate_compare(const expression& e, activation& a) {
  auto left = evaluate(*e.parts[0], a);
  for (std::size_t i = 0; i < e.signs.size(); ++i) {
    auto right = evaluate(*e.parts[i + 1], a);
    if (!holds(e.signs[i], left, right, use_)) return false;
    left = std::move(right);
  }
  return true;
}

datum renderer::evaluate_slice(const expression& e, activation& a) {
  auto v = evaluate(*e.parts[0], a);
  auto bound = [&](std::size_t i) {
    return e.parts[i] ? slice_bound(evaluate(*e.parts[i], a)) : slice_bound();
  };
  auto start = bound(1), stop = bound(2), step = bound(3);
  return sliced(v, start, stop, step, use_);
}

call_arguments renderer::evaluate_arguments(const argument_list& given, activation& a) {
  call_arguments out;
  out.positional = evaluate_all(given.positional, a);
  if (given.spread_list)
    for (auto& v : listed(evaluate(*given.spread_list, a), use_))
      out.positional.push_back(std::move(v));
  for (auto& [name, e] : given.named)
    out.named.emplace_back(name, evaluate(*e, a));
  if (!given.spread_dict) return out;
  auto rest = evaluate(*given.spread_dict, a);
  if (rest.is_undefined()) use_of_undefined(rest);
  auto d = rest.as_dict();
  if (!d) type_error("argument after ** must be a mapping, not " + std::string(rest.type_name()));
  for (auto& [key, value] : d->entries) {
    auto name = key.as_text();
    if (!name) type_error("keywords must be strings");
    if (out.find(name->text)) type_error("got multiple values for a keyword argument");
    use_.step();
    out.named.emplace_back(name->text, value);
  }
  return out;
}

datum renderer::evaluate_call(const expression& e, activation& a, const datum* caller) {
  auto callee = evaluate(*e.parts[0], a);
  auto given = evaluate_arguments(e.given, a);
  if (caller) {
    if (given.find("caller")) type_error("got multiple values for keyword argument 'caller'");
    given.named.emplace_back("caller", *caller);
  }
  return call(callee, given);
}

datum renderer::call(const datum& callee, const call_arguments& given) {
  if (callee.is_undefined()) use_of_undefined(callee);
  if (auto o = callee.as_object()) {
    if (auto macro = dynamic_cast<macro_object*>(o)) return call_macro(*macro, given);
    if (auto loop = dynamic_cast<loop_object*>(o)) return loop->call(given);
    if (auto out = call_object(*o, given, around_)) return *std::move(out);
  }
  type_error("'" + std::string(callee.type_name()) + "' object is not callable");
}

}  // namespace lorica::jinja
