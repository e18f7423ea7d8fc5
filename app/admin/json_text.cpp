#include "app/admin/json_text.hpp"

#include "core/json.hpp"

namespace lorica::admin {

void write(json_writer& w, const value& v) {
  if (auto b = v.as_bool()) {
    w.boolean(*b);
  } else if (auto i = v.as_int()) {
    w.integer(*i);
  } else if (auto u = v.as_uint()) {
    w.unsigned_integer(*u);
  } else if (v.is_number()) {
    w.number(v.number());
  } else if (auto text = v.as_string()) {
    w.string(*text);
  } else if (auto list = v.as_array()) {
    w.begin_array();
    for (auto& one : *list)
      write(w, one);
    w.end_array();
  } else if (auto members = v.as_object()) {
    w.begin_object();
    for (auto& [name, one] : *members) {
      w.key(name);
      write(w, one);
    }
    w.end_object();
  } else {
    w.null();
  }
}

std::string json_text(const value& v) {
  json_writer w;
  write(w, v);
  return w.take();
}

}  // namespace lorica::admin
