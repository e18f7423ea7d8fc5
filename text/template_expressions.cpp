#include <algorithm>
#include <map>

#include "text/template_parser.hpp"

namespace lorica::jinja {
namespace {

template <class... Parts>
std::vector<expression_ptr> parts_of(Parts... parts) {
  std::vector<expression_ptr> out;
  (out.push_back(std::move(parts)), ...);
  return out;
}

unsigned depth_of(const argument_list& given) {
  unsigned out = 0;
  auto look = [&](const expression_ptr& e) { out = std::max(out, e ? e->depth : 0); };
  for (auto& e : given.positional)
    look(e);
  for (auto& [name, e] : given.named)
    look(e);
  look(given.spread_list);
  look(given.spread_dict);
  return out;
}

void check_depth(const expression& e) {
  if (e.depth > expression_depth_limit)
    throw syntax_failure(e.line,
                         "an expression is nested deeper than " + std::to_string(expression_depth_limit));
}

void give(expression& e, argument_list given) {
  e.depth = std::max(e.depth, depth_of(given) + 1);
  e.given = std::move(given);
  check_depth(e);
}

std::optional<comparison> comparison_of(const token& t) {
  static const std::map<std::string_view, comparison> table = {
      {"==", comparison::equal},   {"!=", comparison::unequal}, {"<", comparison::below},
      {"<=", comparison::at_most}, {">", comparison::above},    {">=", comparison::at_least}};
  auto at = t.kind == token_kind::sign ? table.find(t.text) : table.end();
  return at == table.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

expression_ptr make_node(expression_kind kind, std::uint32_t line, std::vector<expression_ptr> parts) {
  auto out = std::make_unique<expression>();
  out->kind = kind;
  out->line = line;
  for (auto& p : parts)
    if (p) out->depth = std::max(out->depth, p->depth + 1);
  out->parts = std::move(parts);
  check_depth(*out);
  return out;
}

// Bounds the recursion of the parser itself.
class expression_parser::nesting {
 public:
  explicit nesting(expression_parser& parser) : depth_(parser.depth_) {
    if (depth_ >= bracket_depth_limit)
      throw syntax_failure(parser.tokens_.now().line,
                           "brackets are nested deeper than " + std::to_string(bracket_depth_limit));
    ++depth_;
  }
  nesting(const nesting&) = delete;
  nesting& operator=(const nesting&) = delete;
  ~nesting() { --depth_; }

 private:
  unsigned& depth_;
};

expression_ptr expression_parser::parse(bool with_choice) {
  nesting level(*this);
  return with_choice ? parse_choice() : parse_either();
}

expression_ptr expression_parser::parse_choice() {
  auto line = tokens_.now().line;
  auto out = parse_either();
  while (tokens_.skip_name("if")) {
    auto condition = parse_either();
    expression_ptr otherwise;
    if (tokens_.skip_name("else")) {
      nesting level(*this);
      otherwise = parse_choice();
    }
    out = make_node(expression_kind::choice, line,
                    parts_of(std::move(condition), std::move(out), std::move(otherwise)));
    line = tokens_.now().line;
  }
  return out;
}

expression_ptr expression_parser::parse_either() {
  auto line = tokens_.now().line;
  auto out = parse_both();
  while (tokens_.skip_name("or"))
    out = make_node(expression_kind::either, line, parts_of(std::move(out), parse_both()));
  return out;
}

expression_ptr expression_parser::parse_both() {
  auto line = tokens_.now().line;
  auto out = parse_negation();
  while (tokens_.skip_name("and"))
    out = make_node(expression_kind::both, line, parts_of(std::move(out), parse_negation()));
  return out;
}

expression_ptr expression_parser::parse_negation() {
  auto line = tokens_.now().line;
  if (!tokens_.skip_name("not")) return parse_comparison();
  nesting level(*this);
  return make_node(expression_kind::negation, line, parts_of(parse_negation()));
}

expression_ptr expression_parser::parse_comparison() {
  auto line = tokens_.now().line;
  std::vector<expression_ptr> parts = parts_of(parse_sum());
  std::vector<comparison> signs;
  while (true) {
    if (auto sign = comparison_of(tokens_.now())) {
      tokens_.next();
      signs.push_back(*sign);
    } else if (tokens_.skip_name("in")) {
      signs.push_back(comparison::in);
    } else if (tokens_.now().is_name("not") && tokens_.look().is_name("in")) {
      tokens_.next();
      tokens_.next();
      signs.push_back(comparison::not_in);
    } else {
      break;
    }
    parts.push_back(parse_sum());
  }
  if (signs.empty()) return std::move(parts[0]);
  auto out = make_node(expression_kind::compare, line, std::move(parts));
  out->signs = std::move(signs);
  return out;
}

expression_ptr expression_parser::parse_sum() {
  auto line = tokens_.now().line;
  auto out = parse_concat();
  while (tokens_.now().is_sign("+") || tokens_.now().is_sign("-")) {
    auto op = tokens_.next().text == "+" ? binary_operator::add : binary_operator::subtract;
    out = make_node(expression_kind::binary, line, parts_of(std::move(out), parse_concat()));
    out->op = op;
  }
  return out;
}

expression_ptr expression_parser::parse_concat() {
  auto line = tokens_.now().line;
  auto parts = parts_of(parse_product());
  while (tokens_.skip_sign("~"))
    parts.push_back(parse_product());
  if (parts.size() == 1) return std::move(parts[0]);
  return make_node(expression_kind::concat, line, std::move(parts));
}

expression_ptr expression_parser::parse_product() {
  static const std::map<std::string_view, binary_operator> operators = {{"*", binary_operator::multiply},
                                                                        {"/", binary_operator::divide},
                                                                        {"//", binary_operator::floor_divide},
                                                                        {"%", binary_operator::modulo}};
  auto line = tokens_.now().line;
  auto out = parse_power();
  while (tokens_.now().kind == token_kind::sign) {
    auto op = operators.find(tokens_.now().text);
    if (op == operators.end()) break;
    tokens_.next();
    out = make_node(expression_kind::binary, line, parts_of(std::move(out), parse_power()));
    out->op = op->second;
  }
  return out;
}

expression_ptr expression_parser::parse_power() {
  auto line = tokens_.now().line;
  auto out = parse_unary(true);
  while (tokens_.skip_sign("**")) {
    out = make_node(expression_kind::binary, line, parts_of(std::move(out), parse_unary(true)));
    out->op = binary_operator::power;
  }
  return out;
}

expression_ptr expression_parser::parse_unary(bool with_filters) {
  nesting level(*this);
  auto line = tokens_.now().line;
  expression_ptr out;
  if (tokens_.skip_sign("-"))
    out = make_node(expression_kind::negative, line, parts_of(parse_unary(false)));
  else if (tokens_.skip_sign("+"))
    out = make_node(expression_kind::positive, line, parts_of(parse_unary(false)));
  else
    out = parse_primary();
  out = parse_postfix(std::move(out));
  return with_filters ? parse_behind(std::move(out)) : std::move(out);
}

expression_ptr expression_parser::parse_primary() {
  auto& t = tokens_.now();
  auto constant = [&](datum value) {
    auto out = make_node(expression_kind::constant, t.line);
    out->value = std::move(value);
    return out;
  };
  if (t.kind == token_kind::name) {
    auto& word = tokens_.next().text;
    if (word == "true" || word == "True") return constant(datum::boolean(true));
    if (word == "false" || word == "False") return constant(datum::boolean(false));
    if (word == "none" || word == "None") return constant(datum::none());
    auto out = make_node(expression_kind::name, t.line);
    out->name = word;
    return out;
  }
  if (t.kind == token_kind::string) {
    std::string joined;
    while (tokens_.now().kind == token_kind::string)
      joined += tokens_.next().text;
    return constant(datum::string(joined));
  }
  if (t.kind == token_kind::integer || t.kind == token_kind::real) return constant(tokens_.next().number);
  if (t.is_sign("(")) return parse_brackets();
  if (t.is_sign("[")) return parse_list();
  if (t.is_sign("{")) return parse_dict();
  tokens_.unexpected("an expression");
}

expression_ptr expression_parser::parse_brackets() {
  auto line = tokens_.next().line;
  if (tokens_.skip_sign(")")) return make_node(expression_kind::tuple, line);
  auto out = parse_tuple(true);
  tokens_.expect_sign(")");
  return out;
}

expression_ptr expression_parser::parse_tuple(bool with_choice, std::string_view end) {
  auto line = tokens_.now().line;
  std::vector<expression_ptr> parts;
  auto ended = [&] {
    auto& t = tokens_.now();
    return t.kind == token_kind::variable_end || t.kind == token_kind::block_end || t.is_sign(")") ||
           (!end.empty() && t.is_name(end));
  };
  bool comma = false;
  while (!ended()) {
    parts.push_back(parse(with_choice));
    if (!tokens_.now().is_sign(",")) break;
    tokens_.next();
    comma = true;
  }
  if (!comma && parts.empty()) tokens_.unexpected("an expression");
  if (!comma) return std::move(parts[0]);
  return make_node(expression_kind::tuple, line, std::move(parts));
}

expression_ptr expression_parser::parse_list() {
  auto line = tokens_.next().line;
  std::vector<expression_ptr> parts;
  while (!tokens_.now().is_sign("]")) {
    if (!parts.empty()) tokens_.expect_sign(",");
    if (tokens_.now().is_sign("]")) break;
    parts.push_back(parse());
  }
  tokens_.next();
  return make_node(expression_kind::list, line, std::move(parts));
}

expression_ptr expression_parser::parse_dict() {
  auto line = tokens_.next().line;
  std::vector<expression_ptr> parts;
  while (!tokens_.now().is_sign("}")) {
    if (!parts.empty()) tokens_.expect_sign(",");
    if (tokens_.now().is_sign("}")) break;
    parts.push_back(parse());
    tokens_.expect_sign(":");
    parts.push_back(parse());
  }
  tokens_.next();
  return make_node(expression_kind::dict, line, std::move(parts));
}

expression_ptr expression_parser::parse_postfix(expression_ptr inner) {
  while (true) {
    auto& t = tokens_.now();
    if (t.is_sign(".") || t.is_sign("["))
      inner = parse_subscript(std::move(inner));
    else if (t.is_sign("("))
      inner = parse_call(std::move(inner));
    else
      return inner;
  }
}

expression_ptr expression_parser::parse_behind(expression_ptr inner) {
  while (true) {
    auto& t = tokens_.now();
    if (t.is_sign("|"))
      inner = parse_filters(std::move(inner), false);
    else if (t.is_name("is"))
      inner = parse_test(std::move(inner));
    else if (t.is_sign("("))
      inner = parse_call(std::move(inner));
    else
      return inner;
  }
}

expression_ptr expression_parser::parse_subscript(expression_ptr inner) {
  auto line = tokens_.now().line;
  if (tokens_.skip_sign(".")) {
    auto& t = tokens_.next();
    if (t.kind == token_kind::name) {
      auto out = make_node(expression_kind::attribute, line, parts_of(std::move(inner)));
      out->name = t.text;
      return out;
    }
    if (t.kind != token_kind::integer) throw syntax_failure(t.line, "expected name or number behind '.'");
    auto index = make_node(expression_kind::constant, t.line);
    index->value = t.number;
    return make_node(expression_kind::item, line, parts_of(std::move(inner), std::move(index)));
  }
  tokens_.next();
  bool bound_follows = false;
  std::vector<expression_ptr> bounds;
  if (!tokens_.now().is_sign(":")) bounds.push_back(parse());
  bound_follows = tokens_.now().is_sign(":");
  if (!bound_follows && tokens_.now().is_sign(",")) {
    while (tokens_.skip_sign(","))
      bounds.push_back(parse());
    tokens_.expect_sign("]");
    return make_node(expression_kind::item, line,
                     parts_of(std::move(inner), make_node(expression_kind::tuple, line, std::move(bounds))));
  }
  if (!bound_follows) {
    tokens_.expect_sign("]");
    return make_node(expression_kind::item, line, parts_of(std::move(inner), std::move(bounds[0])));
  }
  if (bounds.empty()) bounds.emplace_back();
  while (bounds.size() < 3 && tokens_.skip_sign(":"))
    bounds.push_back(tokens_.now().is_sign(":") || tokens_.now().is_sign("]") ? nullptr : parse());
  bounds.resize(3);
  tokens_.expect_sign("]");
  return make_node(
      expression_kind::slice, line,
      parts_of(std::move(inner), std::move(bounds[0]), std::move(bounds[1]), std::move(bounds[2])));
}

argument_list expression_parser::parse_arguments() {
  auto line = tokens_.now().line;
  tokens_.expect_sign("(");
  argument_list out;
  auto ensure = [&](bool holds) {
    if (!holds) throw syntax_failure(line, "invalid syntax for function call expression");
  };
  for (bool first = true; !tokens_.now().is_sign(")"); first = false) {
    if (!first) tokens_.expect_sign(",");
    if (tokens_.now().is_sign(")")) break;
    if (tokens_.skip_sign("*")) {
      ensure(!out.spread_list && !out.spread_dict);
      out.spread_list = parse();
    } else if (tokens_.skip_sign("**")) {
      ensure(!out.spread_dict);
      out.spread_dict = parse();
    } else if (tokens_.now().kind == token_kind::name && tokens_.look().is_sign("=")) {
      ensure(!out.spread_dict);
      auto name = tokens_.next().text;
      tokens_.next();
      for (auto& [other, value] : out.named)
        if (other == name) throw syntax_failure(line, "the argument '" + name + "' is repeated");
      out.named.emplace_back(name, parse());
    } else {
      ensure(!out.spread_list && !out.spread_dict && out.named.empty());
      out.positional.push_back(parse());
    }
  }
  tokens_.expect_sign(")");
  return out;
}

expression_ptr expression_parser::parse_call(expression_ptr inner) {
  auto out = make_node(expression_kind::call, tokens_.now().line, parts_of(std::move(inner)));
  give(*out, parse_arguments());
  return out;
}

expression_ptr expression_parser::parse_filters(expression_ptr inner, bool inline_start) {
  while (inline_start || tokens_.now().is_sign("|")) {
    if (!inline_start) tokens_.next();
    inline_start = false;
    auto& first = tokens_.expect(token_kind::name);
    auto out = make_node(expression_kind::filter, first.line, parts_of(std::move(inner)));
    out->name = first.text;
    while (tokens_.skip_sign("."))
      out->name += "." + tokens_.expect(token_kind::name).text;
    if (tokens_.now().is_sign("(")) give(*out, parse_arguments());
    inner = std::move(out);
  }
  return inner;
}

expression_ptr expression_parser::parse_test(expression_ptr inner) {
  auto line = tokens_.next().line;
  bool negated = tokens_.skip_name("not");
  auto out = make_node(expression_kind::test, line, parts_of(std::move(inner)));
  out->name = tokens_.expect(token_kind::name).text;
  while (tokens_.skip_sign("."))
    out->name += "." + tokens_.expect(token_kind::name).text;
  auto& t = tokens_.now();
  bool value = t.kind == token_kind::string || t.kind == token_kind::integer || t.kind == token_kind::real ||
               t.is_sign("[") || t.is_sign("{");
  bool word = t.kind == token_kind::name && t.text != "else" && t.text != "or" && t.text != "and";
  if (t.is_sign("(")) {
    give(*out, parse_arguments());
  } else if (value || word) {
    if (t.is_name("is")) throw syntax_failure(t.line, "You cannot chain multiple tests with is");
    argument_list given;
    nesting level(*this);
    given.positional.push_back(parse_postfix(parse_primary()));
    give(*out, std::move(given));
  }
  if (!negated) return out;
  return make_node(expression_kind::negation, line, parts_of(std::move(out)));
}

expression_ptr expression_parser::parse_simple_target(bool with_members) {
  nesting level(*this);
  if (tokens_.now().is_sign("(")) {
    tokens_.next();
    auto out = parse_target(")", with_members);
    tokens_.expect_sign(")");
    return out;
  }
  auto& t = tokens_.now();
  if (t.kind != token_kind::name) tokens_.unexpected("a name to assign to");
  static constexpr std::string_view constants[] = {"true", "True", "false", "False", "none", "None"};
  if (std::find(std::begin(constants), std::end(constants), t.text) != std::end(constants))
    throw syntax_failure(t.line, "can't assign to '" + t.text + "'");
  auto out = make_node(expression_kind::name, t.line);
  out->name = tokens_.next().text;
  if (!with_members || !tokens_.skip_sign(".")) return out;
  out->kind = expression_kind::member_name;
  out->member = tokens_.expect(token_kind::name).text;
  return out;
}

expression_ptr expression_parser::parse_target(std::string_view end, bool with_members) {
  auto line = tokens_.now().line;
  auto ended = [&] {
    auto& t = tokens_.now();
    return t.kind == token_kind::block_end || t.is_sign(")") || t.is_sign("=") ||
           (!end.empty() && t.is_name(end));
  };
  std::vector<expression_ptr> parts;
  bool comma = false;
  while (!ended()) {
    parts.push_back(parse_simple_target(with_members));
    if (!tokens_.skip_sign(",")) break;
    comma = true;
  }
  if (parts.empty()) tokens_.unexpected("a name to assign to");
  if (!comma) return std::move(parts[0]);
  return make_node(expression_kind::tuple, line, std::move(parts));
}

}  // namespace lorica::jinja
