#include "text/template_globals.hpp"

#include <array>
#include <limits>
#include <map>

#include "text/template_attributes.hpp"
#include "text/template_loop.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

datum range(const call_arguments& given, surroundings&) {
  if (!given.named.empty()) type_error("range() takes no keyword arguments");
  bound_arguments a(given, "range", {"start", "stop", "step"}, 1);
  auto one = !a.given(1);
  auto start = one ? integer{0} : *a.whole(0);
  auto stop = one ? *a.whole(0) : *a.whole(1);
  auto step = a.given(2) ? *a.whole(2) : integer{1};
  if (step == 0) value_error("range() arg 3 must not be zero");
  constexpr auto limit = static_cast<integer>(std::numeric_limits<std::int64_t>::max() / 4);
  for (auto n : {start, stop, step})
    if (n > limit || n < -limit) limit_error("range() works with smaller numbers");
  integer count = 0;
  if (step > 0 && start < stop) count = (stop - start - 1) / step + 1;
  if (step < 0 && stop < start) count = (start - stop - 1) / -step + 1;
  if (count > render_limits::range_items)
    throw failure(failure_kind::overflow,
                  "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  return datum::of(
      std::make_shared<range_object>(clamped(start), clamped(stop), clamped(step), clamped(count)));
}

std::shared_ptr<dictionary> dictionary_of(const call_arguments& given, meter& use) {
  if (given.positional.size() > 1) type_error("dict expected at most 1 argument");
  auto out = std::make_shared<dictionary>();
  if (!given.positional.empty()) {
    auto& from = given.positional[0];
    if (auto d = from.as_dict()) {
      use.step(d->entries.size());
      *out = *d;
    } else {
      auto steps = walk(from);
      while (auto next = steps->next()) {
        auto pair = listed(*next, use);
        if (pair.size() != 2) value_error("dictionary update sequence element must have length 2");
        out->set(pair[0], pair[1]);
      }
    }
  }
  for (auto& [name, value] : given.named)
    out->set(datum::string(name), value);
  return out;
}

datum make_dict(const call_arguments& given, surroundings& around) {
  return datum::dict(dictionary_of(given, around.use));
}

datum make_namespace(const call_arguments& given, surroundings& around) {
  auto space = std::make_shared<namespace_object>();
  around.namespaces.push_back(space);
  auto given_attributes = dictionary_of(given, around.use);
  for (auto& [name, value] : given_attributes->entries) {
    auto t = name.as_text();
    if (!t) type_error("a namespace has attributes with names, not of type " + std::string(name.type_name()));
    assign_attribute(*space, t->text, value);
  }
  return datum::of(std::move(space));
}

datum from_keys(const call_arguments& given, surroundings& around) {
  return call_method(method_object(datum::dict(std::make_shared<dictionary>()), "fromkeys"), given,
                     around.use);
}

datum make_cycler(const call_arguments& given, surroundings&) {
  if (!given.named.empty()) type_error("cycler() takes no keyword arguments");
  if (given.positional.empty()) throw failure(failure_kind::filter, "at least one item has to be provided");
  return datum::of(std::make_shared<cycler_object>(given.positional));
}

datum make_joiner(const call_arguments& given, surroundings&) {
  bound_arguments a(given, "joiner", {"sep"});
  return datum::of(std::make_shared<joiner_object>(a.value(0, datum::string(", "))));
}

datum raise(const call_arguments& given, surroundings& around) {
  bound_arguments a(given, "raise_exception", {"message"}, 1);
  throw failure(failure_kind::raised, str_of(a.at(0), around.use).text);
}

datum formatted_time(const call_arguments& given, surroundings& around) {
  bound_arguments a(given, "strftime_now", {"format"}, 1);
  auto& format = a.text(0);
  if (format.text.empty()) return datum::string("");
  if (format.text.size() > 1'000) limit_error("strftime_now: the format is longer than 1000 bytes");
  // %f is Python's; the time is given in whole seconds.
  auto plain = format.text;
  for (std::size_t at = 0; (at = plain.find('%', at)) != std::string::npos; at += 2)
    if (at + 1 < plain.size() && plain[at + 1] == 'f') plain.replace(at, 2, "000000");
  std::string out(plain.size() * 40 + 100, '\0');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  out.resize(std::strftime(out.data(), out.size(), plain.c_str(), &around.now));
#pragma GCC diagnostic pop
  template_text text;
  text.append(out, format.marked());
  return datum::string(std::move(text));
}

datum lipsum(const call_arguments&, surroundings&) {
  throw failure(failure_kind::unsupported, "the function 'lipsum' is not supported");
}

}  // namespace

std::optional<datum> global(std::string_view name) {
  static const std::map<std::string_view, function_object::body> table = {
      {"cycler", make_cycler},
      {"dict", make_dict},
      {"joiner", make_joiner},
      {"lipsum", lipsum},
      {"namespace", make_namespace},
      {"raise_exception", raise},
      {"range", range},
      {"strftime_now", formatted_time},
  };
  auto at = table.find(name);
  if (at == table.end()) return std::nullopt;
  return datum::of(std::make_shared<function_object>(std::string(name), at->second));
}

std::optional<datum> function_object::attribute(const datum&, const std::string& attribute_name) {
  if (name == "dict" && attribute_name == "fromkeys")
    return datum::of(std::make_shared<function_object>("fromkeys", from_keys));
  return std::nullopt;
}

unsigned cycler_object::depth() const {
  unsigned deepest = 0;
  for (auto& v : choices)
    deepest = std::max(deepest, v.depth());
  return deepest + 1;
}

std::optional<datum> cycler_object::attribute(const datum& self, const std::string& name) {
  if (name == "current") return choices[at];
  if (name == "next" || name == "reset")
    return datum::of(std::make_shared<cycler_method>(self.object_pointer(), name == "next"));
  return std::nullopt;
}

std::optional<datum> call_object(object& callee, const call_arguments& given, surroundings& around) {
  if (auto f = dynamic_cast<function_object*>(&callee)) return f->run(given, around);
  if (auto m = dynamic_cast<method_object*>(&callee)) return call_method(*m, given, around.use);
  if (auto m = dynamic_cast<loop_method*>(&callee)) {
    auto& loop = dynamic_cast<loop_object&>(*m->loop);
    return m->cycles ? loop.cycle(given) : loop.changed(given);
  }
  if (auto m = dynamic_cast<cycler_method*>(&callee)) {
    bound_arguments none(given, "cycler", {});
    auto& cycler = dynamic_cast<cycler_object&>(*m->cycler);
    if (!m->steps) {
      cycler.at = 0;
      return datum::none();
    }
    auto out = cycler.choices[cycler.at];
    cycler.at = (cycler.at + 1) % cycler.choices.size();
    return out;
  }
  if (auto j = dynamic_cast<joiner_object*>(&callee)) {
    bound_arguments none(given, "joiner", {});
    return std::exchange(j->used, true) ? j->separator : datum::string("");
  }
  return std::nullopt;
}

void assign_attribute(namespace_object& space, const std::string& name, datum value) {
  if (name.starts_with('_'))
    throw failure(
        failure_kind::security,
        "Chat templates cannot store underscore-prefixed attributes on a namespace. Please rename the "
        "attribute.");
  space.attributes.set(datum::string(name), std::move(value));
}

}  // namespace lorica::jinja
