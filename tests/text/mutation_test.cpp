#include <array>
#include <random>

#include "core/utf8.hpp"
#include "tests/text/golden_files.hpp"
#include "text/gguf_vocabulary.hpp"
#include "text/incremental_decoder.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t seed = 20'240'612;
constexpr int rounds = 2'000;

constexpr std::array families = {"gpt2",    "prefix_space", "llama3", "qwen2",          "odd", "llama2",
                                 "mistral", "gemma",        "phi3",   "odd_characters", "nfkc"};

// Words that mean something somewhere in the format, and some that should not.
constexpr std::array words_of_the_format = {"BPE",
                                            "NFC",
                                            "NFKD",
                                            "Lowercase",
                                            "Prepend",
                                            "Replace",
                                            "Strip",
                                            "Digits",
                                            "Split",
                                            "Sequence",
                                            "Metaspace",
                                            "ByteLevel",
                                            "Fuse",
                                            "ByteFallback",
                                            "Removed",
                                            "Contiguous",
                                            "Isolated",
                                            "first",
                                            "never",
                                            "always",
                                            "TemplateProcessing",
                                            "String",
                                            "Regex",
                                            "A",
                                            "B",
                                            "type",
                                            "WhitespaceSplit",
                                            " ",
                                            "",
                                            "\u2581",
                                            "<0x41>",
                                            "<unk>",
                                            "a b",
                                            "a",
                                            "\\s+",
                                            "^",
                                            "b*",
                                            "(a|b)+?",
                                            "[^\\s]",
                                            "(",
                                            "\\p{L}+|",
                                            "(?=x)",
                                            ".",
                                            "[\\p{N}]",
                                            "a{2,3}",
                                            "(a+)+$",
                                            "\\uD800",
                                            "\xf0\x9f\x98\x80"};

/// Changes a document the way careless writers and attackers do: one node at a time, keeping it JSON.
class tree_mutator {
 public:
  tree_mutator() : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  value mutate(const value& tree) {
    auto out = tree;
    for (auto changes = 1 + below(3); changes > 0; --changes) {
      donor_ = pick(out);
      target_ = pick(out);
      out = copy(out);
    }
    return out;
  }

 private:
  // A node of the tree; of the vocabulary and the merges, which hold nearly all of them, seldom.
  const value* pick(const value& tree) {
    std::vector<const value*> nodes;
    bool everywhere = below(4) == 0;
    collect(tree, everywhere, nodes);
    return nodes[below(nodes.size())];
  }

  static void collect(const value& v, bool everywhere, std::vector<const value*>& nodes) {
    nodes.push_back(&v);
    if (auto list = v.as_array())
      for (auto& item : *list)
        collect(item, everywhere, nodes);
    if (auto object = v.as_object())
      for (auto& [key, member] : *object)
        if (everywhere || (key != "vocab" && key != "merges")) collect(member, everywhere, nodes);
  }

  value copy(const value& v) {
    if (&v == target_) return changed(v);
    if (auto list = v.as_array()) {
      value::array out;
      for (auto& item : *list)
        out.push_back(copy(item));
      return value(std::move(out));
    }
    if (auto object = v.as_object()) {
      value::object out;
      for (auto& [key, member] : *object)
        out.emplace_back(key, copy(member));
      return value(std::move(out));
    }
    return v;
  }

  value changed(const value& v) {
    switch (below(6)) {
      case 0: return *donor_;
      case 1: return scalar();
      case 2: return value(word());
      default: break;
    }
    if (auto list = v.as_array()) return value(changed(*list));
    if (auto object = v.as_object()) return value(changed(*object));
    if (auto b = v.as_bool()) return value(!*b);
    if (auto s = v.as_string()) return value(below(2) == 0 ? word() : *s + word());
    return scalar();
  }

  value::array changed(value::array list) {
    if (list.empty() || below(4) == 0) {
      list.push_back(*donor_);
      return list;
    }
    auto at = static_cast<std::ptrdiff_t>(below(list.size()));
    auto item = list[static_cast<std::size_t>(at)];
    if (below(2) == 0)
      list.erase(list.begin() + at);
    else
      list.insert(list.begin() + at, std::move(item));
    return list;
  }

  value::object changed(value::object object) {
    if (object.empty()) return object;
    auto at = below(object.size());
    if (below(2) == 0) {
      object.erase(object.begin() + static_cast<std::ptrdiff_t>(at));
      return object;
    }
    std::string key = word();
    for (auto& [name, member] : object)
      if (name == key) return object;
    object[at].first = std::move(key);
    return object;
  }

  value scalar() {
    switch (below(5)) {
      case 0: return {};
      case 1: return value(below(2) == 0);
      case 2: return value(0.5);
      default: break;
    }
    static constexpr std::array<std::int64_t, 9> numbers = {
        0, 1, -1, 255, 700, 1 << 22, std::int64_t{1} << 31, std::int64_t{1} << 62, -(std::int64_t{1} << 62)};
    return value(numbers[below(numbers.size())]);
  }

  std::string word() { return words_of_the_format[below(words_of_the_format.size())]; }

  std::mt19937 random_;
  const value* target_ = nullptr;
  const value* donor_ = nullptr;
};

void write(json_writer& out, const value& v) {
  if (v.is_null()) {
    out.null();
  } else if (auto b = v.as_bool()) {
    out.boolean(*b);
  } else if (auto i = v.as_int()) {
    out.integer(*i);
  } else if (v.is_number()) {
    out.number(v.number());
  } else if (auto s = v.as_string()) {
    out.string(*s);
  } else if (auto list = v.as_array()) {
    out.begin_array();
    for (auto& item : *list)
      write(out, item);
    out.end_array();
  } else {
    out.begin_object();
    for (auto& [key, member] : *v.as_object()) {
      out.key(key);
      write(out, member);
    }
    out.end_object();
  }
}

std::uint32_t characters(std::string_view text) {
  return static_cast<std::uint32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !utf8_is_tail(c); }));
}

// What must hold for whatever is accepted; empty when it does.
std::string broken_rule(const std::shared_ptr<const tokenizer>& words, tree_mutator& random) {
  for (std::string_view text :
       {"", " ", "Hello  world\n", "a<s> <mask>b\u00e9e\u0301 \u65e5\u672c\U0001f600\u2581"}) {
    auto ids = words->encode(text, true);
    auto spans = words->encode_spans(text, true);
    if (ids.has_value() != spans.has_value()) return "encode and encode_spans differ";
    if (!ids) continue;
    if (ids->size() != spans->size()) return "encode and encode_spans differ in length";
    for (std::size_t i = 0; i < ids->size(); ++i) {
      auto& span = (*spans)[i];
      if ((*ids)[i] != span.id) return "encode and encode_spans differ in an id";
      if (span.id < 0 || static_cast<std::uint32_t>(span.id) >= words->size()) return "an id is out of range";
      if (span.start > span.stop || span.stop > characters(text)) return "a span leaves the text";
    }
  }
  incremental_decoder decoder(words, random.below(2) == 0);
  std::string text;
  for (int i = 0; i < 12; ++i)
    text += decoder.push(static_cast<token_id>(random.below(words->size() + 2)) - 1);
  text += decoder.flush();
  if (utf8_valid_prefix(text) != text.size()) return "decoded text is no UTF-8";
  return {};
}

}  // namespace

TEST_CASE("a mutated tokenizer.json is refused or makes a tokenizer that works") {
  INFO("seed " << seed);
  std::vector<value> trees;
  for (auto family : families)
    trees.push_back(golden_value(std::string(family) + ".tokenizer.json"));
  tree_mutator random;
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    json_writer text;
    write(text, random.mutate(trees[static_cast<std::size_t>(round) % trees.size()]));
    auto words = parse_tokenizer_json(text.take());
    if (!words) {
      if (words.error().code != errc::bad_model || words.error().text.empty())
        FAIL("round " << round << ": " << words.error().text);
      continue;
    }
    ++accepted;
    if (auto broken = broken_rule(*words, random); !broken.empty()) FAIL("round " << round << ": " << broken);
  }
  // Both ways were taken often enough to mean something.
  CHECK(accepted > rounds / 10);
  CHECK(accepted < rounds * 9 / 10);
}

TEST_CASE("a mutated GGUF vocabulary is refused or makes a tokenizer that works") {
  INFO("seed " << seed);
  gguf_vocabulary whole{.model = "llama", .pre = ""};
  auto add = [&](std::string text, float score, std::int32_t type) {
    whole.tokens.push_back(std::move(text));
    whole.scores.push_back(score);
    whole.token_types.push_back(type);
  };
  add("<unk>", 0, gguf_token::unknown);
  add("<s>", 0, gguf_token::control);
  add("</s>", 0, gguf_token::control);
  for (auto text : {"\u2581", "H",      "e",  "l",  "o",   "w",       "r",  "d",         "a",  "b",
                    "\u00e9", "\u65e5", "he", "ll", "ell", "\u2581w", "or", "\u2581wor", "ld", "\u2581\u2581",
                    "<0x41>", "\n",     "x",  "ab"})
    add(text, -static_cast<float>(whole.tokens.size()), gguf_token::normal);
  const std::array<float, 6> scores = {0, -1, -1e30f, 1e30f, std::numeric_limits<float>::infinity(), -3};
  tree_mutator random;
  int accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    auto file = whole;
    for (auto changes = 1 + random.below(4); changes > 0; --changes) {
      auto at = random.below(file.tokens.size());
      switch (random.below(9)) {
        case 0: file.token_types[at] = static_cast<std::int32_t>(random.below(8)); break;
        case 1: file.scores[at] = scores[random.below(scores.size())]; break;
        case 2: file.tokens[at] = words_of_the_format[random.below(words_of_the_format.size())]; break;
        case 3: file.tokens[at] += file.tokens[random.below(file.tokens.size())]; break;
        case 4: file.bos = static_cast<token_id>(random.below(40)); break;
        case 5: file.unknown = static_cast<token_id>(random.below(40)); break;
        case 6: file.add_space_prefix = random.below(2) == 0; break;
        case 7: file.add_eos = random.below(2) == 0; break;
        default: file.tokens[at].resize(random.below(3)); break;
      }
    }
    auto parts = describe(std::move(file));
    auto words = parts ? build_tokenizer(*std::move(parts)) : std::move(parts).error();
    if (!words) {
      if (words.error().code != errc::bad_model) FAIL("round " << round << ": " << words.error().text);
      continue;
    }
    ++accepted;
    if (auto broken = broken_rule(*words, random); !broken.empty()) FAIL("round " << round << ": " << broken);
  }
  CHECK(accepted > rounds / 10);
  CHECK(accepted < rounds * 9 / 10);
}

}  // namespace lorica
