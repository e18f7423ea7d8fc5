#include "text/template_scope.hpp"

namespace lorica::jinja {

const variable* scope::find(const std::string& name) const {
  for (auto at = this; at; at = at->parent_)
    if (auto found = at->names_.find(name); found != at->names_.end()) return &found->second;
  return nullptr;
}

std::uint32_t scope::define(const std::string& name, beginning begin) {
  auto next = static_cast<std::uint32_t>(function_->slots.size());
  auto slot = function_->slots.try_emplace({level_, name}, next).first->second;
  names_[name] = {function_, slot};
  begins_[slot] = std::move(begin);
  return slot;
}

void scope::load(const std::string& name) {
  if (!find(name)) define(name, {beginning::kind::resolve, {}, name});
}

void scope::store(const std::string& name) {
  stored_.insert(name);
  if (names_.contains(name)) return;
  auto outer = parent_ ? parent_->find(name) : nullptr;
  if (outer)
    define(name, {beginning::kind::alias, *outer, {}});
  else
    define(name, {});
}

std::uint32_t scope::declare(const std::string& name) {
  stored_.insert(name);
  return define(name, {beginning::kind::parameter, {}, {}});
}

void scope::join(const std::vector<scope>& branches) {
  std::set<std::string> stored;
  for (auto& branch : branches)
    stored.insert(branch.stored_.begin(), branch.stored_.end());
  for (auto& name : stored_)
    stored.erase(name);
  for (auto& branch : branches) {
    for (auto& [name, v] : branch.names_)
      names_[name] = v;
    for (auto& [slot, begin] : branch.begins_)
      begins_[slot] = begin;
    stored_.insert(branch.stored_.begin(), branch.stored_.end());
  }
  // What only some branches assign keeps its value of outside in the others.
  for (auto& name : stored) {
    auto outer = parent_ ? parent_->find(name) : nullptr;
    auto slot = find(name)->slot;
    if (outer)
      begins_[slot] = {beginning::kind::alias, *outer, {}};
    else
      begins_[slot] = {beginning::kind::resolve, {}, name};
  }
}

void scope::see(const expression_ptr& e) {
  if (!e) return;
  if (e->kind == expression_kind::name || e->kind == expression_kind::member_name) load(e->name);
  for (auto& part : e->parts)
    see(part);
  for (auto& v : e->given.positional)
    see(v);
  for (auto& [name, v] : e->given.named)
    see(v);
  see(e->given.spread_list);
  see(e->given.spread_dict);
}

void scope::see_target(const expression& target) {
  if (target.kind == expression_kind::name) return store(target.name);
  if (target.kind == expression_kind::member_name) return load(target.name);
  for (auto& part : target.parts)
    see_target(*part);
}

void scope::declare_target(const expression& target) {
  if (target.kind == expression_kind::name) {
    declare(target.name);
    return;
  }
  for (auto& part : target.parts)
    declare_target(*part);
}

void scope::see(const block& body) {
  for (auto& s : body)
    see(*s);
}

void scope::see_branch(const statement& s) {
  see(s.conditions[0]);
  auto body = *this;
  body.see(s.bodies[0]);
  auto others = *this;
  for (std::size_t i = 1; i < s.conditions.size(); ++i) {
    others.see(s.conditions[i]);
    auto other = others;
    other.see(s.bodies[i]);
    others.join({other, others, others});
  }
  auto last = *this;
  if (s.bodies.size() > s.conditions.size()) last.see(s.bodies.back());
  join({body, others, last});
}

void scope::see(const statement& s) {
  switch (s.kind) {
    case statement_kind::branch: return see_branch(s);
    case statement_kind::assign: see(s.value); return see_target(*s.target);
    case statement_kind::capture: return see_target(*s.target);
    case statement_kind::macro: return store(s.name);
    case statement_kind::with:
      for (auto& v : s.values)
        see(v);
      return;
    default:
      // What a loop walks, a call calls and a filter filters belongs outside; bodies are frames of their own.
      return see(s.value);
  }
}

place scope::reach(const variable& v) const {
  return {function_->depth - v.function->depth, v.slot};
}

frame scope::first_values() const {
  frame out;
  for (auto& [slot, begin] : begins_) {
    first_value v;
    v.slot = slot;
    switch (begin.how) {
      case beginning::kind::parameter: continue;
      case beginning::kind::alias:
        v.from = first_value::origin::copied;
        v.outer = reach(begin.outer);
        break;
      case beginning::kind::resolve:
        v.from = first_value::origin::resolved;
        v.name = begin.name;
        break;
      default: v.from = first_value::origin::missing;
    }
    out.push_back(std::move(v));
  }
  return out;
}

}  // namespace lorica::jinja
