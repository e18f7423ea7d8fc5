#include "text/template_names.hpp"

#include <algorithm>

namespace lorica::jinja {
namespace {

// Calls `see(name, stored)` for every name below a node, in the order of the fields of Jinja's nodes.
template <class See>
class name_walk {
 public:
  explicit name_walk(See see) : see_(std::move(see)) {}

  void all(const block& body) {
    for (auto& s : body)
      one(*s);
  }

  void one(const statement& s) {
    switch (s.kind) {
      case statement_kind::branch: return branch(s);
      case statement_kind::loop:
        stored(s.target);
        read(s.value);
        all(s.body);
        all(s.otherwise);
        return read(s.condition);
      case statement_kind::assign: stored(s.target); return read(s.value);
      case statement_kind::capture:
        stored(s.target);
        read(s.value);
        return all(s.body);
      case statement_kind::filter: all(s.body); return read(s.value);
      default: break;
    }
    read(s.value);
    for (auto& t : s.targets)
      stored(t);
    for (auto& v : s.values)
      read(v);
    all(s.body);
  }

 private:
  void branch(const statement& s) {
    for (std::size_t i = 0; i < s.bodies.size(); ++i) {
      if (i < s.conditions.size()) read(s.conditions[i]);
      all(s.bodies[i]);
    }
  }

  void stored(const expression_ptr& e) {
    if (e->kind == expression_kind::name) return see_(e->name, true);
    for (auto& part : e->parts)
      stored(part);
  }

  void read(const expression_ptr& e) {
    if (!e) return;
    if (e->kind == expression_kind::name) see_(e->name, false);
    for (auto& part : e->parts)
      read(part);
    for (auto& v : e->given.positional)
      read(v);
    for (auto& [name, v] : e->given.named)
      read(v);
    read(e->given.spread_list);
    read(e->given.spread_dict);
  }

  See see_;
};

}  // namespace

std::set<std::string> undeclared(const block& body, std::set<std::string> names) {
  std::set<std::string> out;
  name_walk walk([&](const std::string& name, bool stored) {
    if (!stored && names.contains(name))
      out.insert(name);
    else
      names.erase(name);
  });
  walk.all(body);
  return out;
}

bool assigns(const statement& s, const std::string& name) {
  bool found = false;
  name_walk walk([&](const std::string& other, bool stored) { found = found || (stored && other == name); });
  walk.one(s);
  return found;
}

}  // namespace lorica::jinja
