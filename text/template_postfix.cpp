#include <algorithm>

#include "text/template_parser.hpp"

namespace lorica::jinja {
namespace {

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

void give(expression& e, argument_list given) {
  e.depth = std::max(e.depth, depth_of(given) + 1);
  e.given = std::move(given);
  check_depth(e);
}

}  // namespace

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
