#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/json.hpp"

namespace lorica {

/// Changes a JSON document the way damage and attackers do: one or two of its fields replaced, renamed,
/// doubled, deleted or swapped, or its bytes hurt. The same seed gives the same documents.
class json_mutator {
 public:
  explicit json_mutator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  /// `strings` are what fields become beside numbers and nests; `text` must be a document.
  std::string mutate(std::string text, const std::vector<std::string>& strings) {
    if (below(4) == 0) return hurt(std::move(text));
    for (auto changes = 1 + below(2); changes > 0; --changes) {
      // After a first change it may be none any more.
      auto parsed = parse_json(text);
      if (!parsed) break;
      text = change(*parsed, strings);
    }
    return text;
  }

  /// Bytes flipped, cut off, inserted or taken out.
  std::string hurt(std::string text) {
    for (auto changes = 1 + below(3); changes > 0 && !text.empty(); --changes) {
      const auto at = below(text.size());
      switch (below(6)) {
        case 0: text[at] = static_cast<char>(below(256)); break;
        case 1: text[at] ^= static_cast<char>(1 << below(8)); break;
        case 2: text.resize(at); break;
        case 3: text.insert(at, std::string(1 + below(8), static_cast<char>(below(256)))); break;
        case 4: text.erase(at, 1 + below(8)); break;
        default: text[at] = "0123456789\"{}[],:-.e"[below(20)]; break;
      }
    }
    return text;
  }

 private:
  enum class kind { replace, rename, twice, remove };
  struct edit {
    std::size_t at = 0;  ///< number of the node, in the order of the document, the root is 0
    kind how = kind::replace;
    std::string text;
  };

  std::string change(const value& root, const std::vector<std::string>& strings) {
    std::vector<const value*> nodes;
    list(root, nodes);
    edit wanted{below(nodes.size()), static_cast<kind>(below(8) < 5 ? 0 : 1 + below(3)), {}};
    if (wanted.how == kind::rename)
      append_json_string(wanted.text, strings[below(strings.size())]);
    else if (wanted.how == kind::replace)
      wanted.text = replacement(*nodes[wanted.at], *nodes[below(nodes.size())], strings);
    std::string out;
    std::size_t number = 0;
    write(out, root, wanted, number);
    return out;
  }

  std::string replacement(const value& old, const value& other, const std::vector<std::string>& strings) {
    static constexpr std::array extremes = {"0",
                                            "-0",
                                            "-1",
                                            "1",
                                            "2",
                                            "3",
                                            "0.5",
                                            "1e-300",
                                            "2147483647",
                                            "2147483648",
                                            "4294967296",
                                            "4294967297",
                                            "9007199254740992",
                                            "9223372036854775807",
                                            "9223372036854775808",
                                            "18446744073709551615",
                                            "18446744073709551616",
                                            "1e12",
                                            "1e308",
                                            "-1e308",
                                            "1e999",
                                            "null",
                                            "true",
                                            "false",
                                            "\"\"",
                                            "\"\\u0000\"",
                                            "[]",
                                            "{}",
                                            "[[[[[[]]]]]]",
                                            "{\"a\":{\"a\":{\"a\":null}}}"};
    std::string out;
    switch (below(6)) {
      case 0: append_json_string(out, strings[below(strings.size())]); return out;
      case 1: return plain(other);
      case 2: return '[' + plain(old) + ']';
      default: return extremes[below(extremes.size())];
    }
  }

  static void list(const value& v, std::vector<const value*>& out) {
    out.push_back(&v);
    if (auto object = v.as_object())
      for (auto& [key, item] : *object)
        list(item, out);
    if (auto array = v.as_array())
      for (auto& item : *array)
        list(item, out);
  }

  static std::string plain(const value& v) {
    std::string out;
    std::size_t number = 0;
    // No node has that number.
    write(out, v, {~std::size_t{0}, kind::replace, {}}, number);
    return out;
  }

  static void skip(const value& v, std::size_t& number) {
    std::vector<const value*> nodes;
    list(v, nodes);
    number += nodes.size();
  }

  static void write(std::string& out, const value& v, const edit& wanted, std::size_t& number) {
    if (number == wanted.at && wanted.how == kind::replace) {
      skip(v, number);
      out += wanted.text;
      return;
    }
    ++number;
    if (auto object = v.as_object()) {
      out += '{';
      for (auto& [key, item] : *object)
        write_item(out, &key, item, wanted, number);
      close(out, '}');
    } else if (auto array = v.as_array()) {
      out += '[';
      for (auto& item : *array)
        write_item(out, nullptr, item, wanted, number);
      close(out, ']');
    } else if (auto text = v.as_string()) {
      append_json_string(out, *text);
    } else if (auto flag = v.as_bool()) {
      out += *flag ? "true" : "false";
    } else if (auto whole = v.as_int()) {
      out += std::to_string(*whole);
    } else if (v.is_null()) {
      out += "null";
    } else {
      append_json_number(out, v.number());
    }
  }

  static void write_item(std::string& out, const std::string* key, const value& item, const edit& wanted,
                         std::size_t& number) {
    const bool here = number == wanted.at;
    if (here && wanted.how == kind::remove) return skip(item, number);
    std::string name;
    if (key) append_json_string(name, *key);
    if (here && wanted.how == kind::rename) name = wanted.text;
    for (int copies = here && wanted.how == kind::twice ? 2 : 1; copies > 0; --copies) {
      if (key) out.append(name).append(":");
      auto from = number;
      write(out, item, wanted, from);
      if (copies == 1) number = from;
      out += ',';
    }
  }

  static void close(std::string& out, char bracket) {
    if (out.back() == ',') out.pop_back();
    out += bracket;
  }

  std::mt19937 random_;
};

}  // namespace lorica
