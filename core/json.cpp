#include "core/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/json_numbers.hpp"

namespace lorica {
namespace {

constexpr std::size_t longest_number = 64;

// Copies simdjson's tree into ours, counting as it goes. simdjson has checked UTF-8, syntax and depth.
class copier {
 public:
  explicit copier(std::size_t max_values) : left_(max_values) {}

  result<value> copy(const simdjson::dom::element& e) {
    if (left_-- == 0) return fail(errc::malformed, "JSON holds too many values");
    using simdjson::dom::element_type;
    switch (e.type()) {
      case element_type::ARRAY: return copy_array(e);
      case element_type::OBJECT: return copy_object(e);
      case element_type::INT64: return value(e.get_int64().value_unsafe());
      case element_type::UINT64: return value(e.get_uint64().value_unsafe());
      case element_type::DOUBLE: return value(e.get_double().value_unsafe());
      case element_type::STRING: return value(std::string(e.get_string().value_unsafe()));
      case element_type::BOOL: return value(e.get_bool().value_unsafe());
      default: return value();
    }
  }

 private:
  result<value> copy_array(const simdjson::dom::element& e) {
    value::array out;
    simdjson::dom::array items;
    if (e.get_array().get(items) != simdjson::SUCCESS) return fail(errc::malformed, "text is not valid JSON");
    for (auto item : items) {
      auto v = copy(item);
      if (!v) return v;
      out.push_back(*std::move(v));
    }
    return value(std::move(out));
  }

  result<value> copy_object(const simdjson::dom::element& e) {
    value::object out;
    std::unordered_set<std::string_view> seen;
    simdjson::dom::object members;
    if (e.get_object().get(members) != simdjson::SUCCESS)
      return fail(errc::malformed, "text is not valid JSON");
    for (auto [key, item] : members) {
      if (!seen.insert(key).second) return fail(errc::malformed, "JSON object has a duplicate key");
      auto v = copy(item);
      if (!v) return v;
      out.emplace_back(std::string(key), *std::move(v));
    }
    return value(std::move(out));
  }

  std::size_t left_;
};

// Longest run of number characters outside strings: a number of a megabyte is a way to burn time.
bool has_long_number(std::string_view text) {
  bool in_string = false;
  std::size_t run = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
      continue;
    }
    in_string = c == '"';
    bool numeric = (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '-' || c == '+';
    run = numeric ? run + 1 : 0;
    if (run > longest_number) return true;
  }
  return false;
}

}  // namespace

result<value> parse_json(std::string_view text, const json_limits& limits) {
  if (text.size() > limits.max_bytes) return fail(errc::malformed, "JSON is too long");
  if (has_long_number(text)) return fail(errc::malformed, "JSON holds a number of more than 64 characters");
  simdjson::dom::parser parser;
  if (parser.allocate(std::max<std::size_t>(text.size(), 32), limits.max_depth) != simdjson::SUCCESS)
    return fail(errc::out_of_memory, "no memory for a JSON document");
  simdjson::dom::element root;
  auto code = parser.parse(text.data(), text.size()).get(root);
  if (code == simdjson::NUMBER_ERROR) {
    // The library refuses whole numbers of more than 64 bits, which are JSON all the same.
    auto wide = with_wide_integers(text);
    if (!wide) return wide.error();
    code = parser.parse(*wide).get(root);
  }
  if (code == simdjson::DEPTH_ERROR) return fail(errc::malformed, "JSON is nested too deeply");
  if (code == simdjson::UTF8_ERROR) return fail(errc::malformed, "text is not valid UTF-8");
  if (code == simdjson::EMPTY) return fail(errc::malformed, "JSON text is empty");
  if (code != simdjson::SUCCESS) return fail(errc::malformed, "text is not valid JSON");
  return copier(limits.max_values).copy(root);
}

}  // namespace lorica
