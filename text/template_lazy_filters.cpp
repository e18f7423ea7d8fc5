#include <algorithm>
#include <map>

#include "text/template_filters.hpp"
#include "text/template_operators.hpp"

namespace lorica::jinja {
namespace {

// Generators: nothing happens, and nothing fails, before the first item is asked for.
template <class Next>
datum generator(const datum& v, const call_arguments& given, Next next) {
  unsigned depth = v.depth();
  for (auto& a : given.positional)
    depth = std::max(depth, a.depth());
  return datum::of(std::make_shared<generator_object>(stepping(std::move(next)), depth));
}

// The items of a value, begun when the first is wanted; false values have none.
class late_walk {
 public:
  late_walk(datum v, bool skip_false, meter& use) : v_(std::move(v)), skip_false_(skip_false), use_(&use) {}

  std::optional<datum> next() {
    if (!steps_) {
      if (skip_false_ && !v_.truth()) return std::nullopt;
      steps_ = walk(v_);
    }
    use_->step();
    auto deeper = use_->deeper();
    return steps_->next();
  }

 private:
  datum v_;
  bool skip_false_;
  meter* use_;
  std::shared_ptr<iterator> steps_;
};

call_arguments without_first(const call_arguments& given, std::size_t count) {
  auto out = given;
  out.positional.erase(out.positional.begin(), out.positional.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                            count, out.positional.size())));
  return out;
}

datum map(const datum& v, const call_arguments& given, meter& use) {
  return generator(v, given, [walk = late_walk(v, true, use), given, &use]() mutable -> std::optional<datum> {
    auto next = walk.next();
    if (!next) return std::nullopt;
    auto attribute = given.find("attribute");
    if (!given.positional.empty() || !attribute) {
      if (given.positional.empty()) throw failure(failure_kind::filter, "map requires a filter argument");
      return call_filter(given.positional[0], *next, without_first(given, 1), use);
    }
    for (auto& [name, value] : given.named)
      if (name != "attribute" && name != "default")
        throw failure(failure_kind::filter, "Unexpected keyword argument '" + name + "'");
    auto fallback = given.find("default");
    return attribute_path(*next, *attribute, fallback && !fallback->is_none() ? fallback : nullptr, use);
  });
}

template <bool Wanted, bool OfAttribute>
datum select(const datum& v, const call_arguments& given, meter& use) {
  return generator(v, given, [walk = late_walk(v, true, use), given, &use]() mutable -> std::optional<datum> {
    constexpr std::size_t offset = OfAttribute ? 1 : 0;
    while (auto next = walk.next()) {
      if (OfAttribute && given.positional.empty())
        throw failure(failure_kind::filter, "Missing parameter for attribute name");
      auto subject = OfAttribute ? attribute_path(*next, given.positional[0], nullptr, use) : *next;
      bool passes = given.positional.size() > offset
                        ? call_test(given.positional[offset], subject, without_first(given, offset + 1), use)
                        : subject.truth();
      if (passes == Wanted) return next;
    }
    return std::nullopt;
  });
}

datum entries(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "items", {});
  return generator(v, given, [v, &use, at = std::size_t{0}]() mutable -> std::optional<datum> {
    if (v.is_undefined()) return std::nullopt;
    auto d = v.as_dict();
    if (!d) type_error("Can only get item pairs from a mapping.");
    if (at == d->entries.size()) return std::nullopt;
    use.step();
    auto& [key, value] = d->entries[at++];
    return datum::tuple({key, value});
  });
}

datum unique(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "unique", {"case_sensitive", "attribute"});
  bool ignore = !a.truth(0, false);
  auto seen = std::make_shared<dictionary>();
  return generator(v, given,
                   [walk = late_walk(v, false, use), ignore, path = a.value(1, datum::none()), seen,
                    &use]() mutable -> std::optional<datum> {
                     while (auto next = walk.next()) {
                       auto key = ignoring_case(attribute_path(*next, path, nullptr, use), ignore, use);
                       auto before = seen->entries.size();
                       seen->set(key, datum::none());
                       if (seen->entries.size() > before) return next;
                     }
                     return std::nullopt;
                   });
}

datum batch(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "batch", {"linecount", "fill_with"}, 1);
  auto size = a.at(0);
  auto fill = a.value(1, datum::none());
  return generator(v, given,
                   [walk = late_walk(v, false, use), size, fill, pending = std::optional<datum>(),
                    done = false, &use]() mutable -> std::optional<datum> {
                     if (done) return std::nullopt;
                     items line;
                     auto full = [&] {
                       return equal(datum::number(static_cast<integer>(line.size())), size);
                     };
                     if (pending) line.push_back(*std::exchange(pending, std::nullopt));
                     while (auto next = walk.next()) {
                       if (full()) {
                         pending = next;
                         return datum::list(std::move(line));
                       }
                       line.push_back(*next);
                     }
                     done = true;
                     if (line.empty()) return std::nullopt;
                     auto wanted = size.as_integer();
                     if (!fill.is_none() && wanted)
                       for (auto i = static_cast<integer>(line.size()); i < *wanted; ++i) {
                         use.step();
                         line.push_back(fill);
                       }
                     return datum::list(std::move(line));
                   });
}

datum slices(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "slice", {"slices", "fill_with"}, 1);
  auto count = a.at(0);
  auto fill = a.value(1, datum::none());
  return generator(v, given,
                   [v, count, fill, list = std::optional<items>(), number = std::int64_t{0},
                    &use]() mutable -> std::optional<datum> {
                     if (!list) list = listed(v, use);
                     auto wanted = count.as_integer();
                     if (!wanted) type_error("slice wants a number of slices");
                     auto n = clamped(*wanted);
                     if (n == 0) throw failure(failure_kind::division, "integer division or modulo by zero");
                     if (number >= n) return std::nullopt;
                     use.step();
                     auto size = static_cast<std::int64_t>(list->size());
                     auto each = size / n, extra = size % n;
                     auto begin = number * each + std::min(number, extra);
                     auto end = begin + each + (number < extra ? 1 : 0);
                     items out(list->begin() + begin, list->begin() + end);
                     if (!fill.is_none() && number >= extra) out.push_back(fill);
                     ++number;
                     return datum::list(std::move(out));
                   });
}

}  // namespace

filter find_lazy_filter(std::string_view name) {
  static const std::map<std::string_view, filter> table = {
      {"batch", batch},
      {"items", entries},
      {"map", map},
      {"reject", select<false, false>},
      {"rejectattr", select<false, true>},
      {"select", select<true, false>},
      {"selectattr", select<true, true>},
      {"slice", slices},
      {"unique", unique},
  };
  auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace lorica::jinja
