#include <algorithm>
#include <map>

#include "text/template_parser.hpp"

namespace lorica::jinja {
namespace {

std::optional<comparison> comparison_of(const token& t) {
  static const std::map<std::string_view, comparison> table = {
      {"==", comparison::equal},   {"!=", comparison::unequal}, {"<", comparison::below},
      {"<=", comparison::at_most}, {">", comparison::above},    {">=", comparison::at_least}};
  auto at = t.kind == token_kind::sign ? table.find(t.text) : table.end();
  return at == table.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

void check_depth(const expression& e) {
  if (e.depth > expression_depth_limit)
    throw syntax_failure(e.line,
                         "an expression is nested deeper than " + std::to_string(expression_depth_limit));
}

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

expression_parser::nesting::nesting(expression_parser& parser) : depth_(parser.depth_) {
  if (depth_ >= bracket_depth_limit)
    throw syntax_failure(parser.tokens_.now().line,
                         "brackets are nested deeper than " + std::to_string(bracket_depth_limit));
  ++depth_;
}

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

}  // namespace lorica::jinja
