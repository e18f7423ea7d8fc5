#include "text/template_parser.hpp"

#include <algorithm>

namespace lorica::jinja {
namespace {

std::string described(const token& t) {
  switch (t.kind) {
    case token_kind::data: return "template data";
    case token_kind::block_begin: return "begin of statement block";
    case token_kind::block_end: return "end of statement block";
    case token_kind::variable_begin: return "begin of print statement";
    case token_kind::variable_end: return "end of print statement";
    case token_kind::name: return "'" + t.text.substr(0, 80) + "'";
    case token_kind::string: return "a string";
    case token_kind::integer:
    case token_kind::real: return "a number";
    case token_kind::sign: return "'" + t.text + "'";
    default: return "end of template";
  }
}

// Jinja knows these; nothing is behind them here.
constexpr std::string_view refused_tags[] = {"autoescape", "block",  "debug",   "do",        "extends",
                                             "from",       "import", "include", "pluralize", "trans"};

class template_parser {
 public:
  explicit template_parser(std::vector<token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  block run() {
    auto out = parse_until({});
    if (tokens_.now().kind != token_kind::end) tokens_.unexpected("end of template");
    return out;
  }

 private:
  using words = std::initializer_list<std::string_view>;

  // Statements up to a block tag that begins with one of `ends`; that word is the token then. Without ends,
  // up to the end of the template.
  block parse_until(words ends) {
    if (++depth_ > block_depth_limit)
      throw syntax_failure(tokens_.now().line,
                           "blocks are nested deeper than " + std::to_string(block_depth_limit));
    block out;
    while (tokens_.now().kind != token_kind::end) {
      auto& t = tokens_.next();
      if (t.kind == token_kind::data) {
        auto& s = add(out, statement_kind::text, t.line);
        s.literal = t.text;
      } else if (t.kind == token_kind::variable_begin) {
        auto& s = add(out, statement_kind::print, t.line);
        s.value = expressions_.parse_tuple(true);
        tokens_.expect(token_kind::variable_end);
      } else if (t.kind == token_kind::block_begin) {
        auto& word = tokens_.now();
        bool ended =
            word.kind == token_kind::name && std::find(ends.begin(), ends.end(), word.text) != ends.end();
        if (ended) {
          --depth_;
          return out;
        }
        parse_statement(out);
        tokens_.expect(token_kind::block_end);
      } else {
        tokens_.unexpected("a tag or text");
      }
    }
    if (ends.size() > 0)
      throw syntax_failure(tokens_.now().line,
                           "Unexpected end of template; '" + std::string(*(ends.end() - 1)) + "' is missing");
    --depth_;
    return out;
  }

  // The body of a statement: behind its opening tag, up to the word that ends it, which is taken.
  block parse_body(words ends) {
    tokens_.skip_sign(":");
    tokens_.expect(token_kind::block_end);
    return parse_until(ends);
  }
  block parse_last_body(std::string_view end) {
    auto out = parse_body({end});
    tokens_.next();
    return out;
  }

  static statement& add(block& out, statement_kind kind, std::uint32_t line) {
    auto s = std::make_unique<statement>();
    s->kind = kind;
    s->line = line;
    out.push_back(std::move(s));
    return *out.back();
  }

  void parse_statement(block& out) {
    auto t = tokens_.expect(token_kind::name);
    auto& word = t.text;
    if (word == "for") return parse_for(add(out, statement_kind::loop, t.line));
    if (word == "if") return parse_if(add(out, statement_kind::branch, t.line));
    if (word == "set") return parse_set(add(out, statement_kind::assign, t.line));
    if (word == "macro") return parse_macro(add(out, statement_kind::macro, t.line));
    if (word == "call") return parse_call(add(out, statement_kind::call, t.line));
    if (word == "filter") return parse_filter(add(out, statement_kind::filter, t.line));
    if (word == "with") return parse_with(add(out, statement_kind::with, t.line));
    if (word == "generation") return parse_generation(add(out, statement_kind::generation, t.line));
    if (word == "print") return parse_print(out, t.line);
    if (word == "break" || word == "continue") {
      if (loops_ == 0) throw syntax_failure(t.line, "'" + word + "' outside loop");
      add(out, word == "break" ? statement_kind::stop : statement_kind::next, t.line);
      return;
    }
    if (std::find(std::begin(refused_tags), std::end(refused_tags), word) != std::end(refused_tags))
      throw syntax_failure(t.line, "the tag '" + word + "' is not supported");
    throw syntax_failure(t.line, "Encountered unknown tag '" + word.substr(0, 80) + "'.");
  }

  void parse_for(statement& s) {
    s.target = expressions_.parse_target("in", false);
    tokens_.expect_name("in");
    s.value = expressions_.parse_tuple(false, "recursive");
    if (tokens_.skip_name("if")) s.condition = expressions_.parse();
    s.recursive = tokens_.skip_name("recursive");
    auto outside = loops_;
    ++loops_;
    if (s.recursive) loops_ = 1;
    s.body = parse_body({"else", "endfor"});
    loops_ = s.recursive ? 0 : outside;
    if (tokens_.next().text == "else") {
      s.otherwise = parse_last_body("endfor");
      s.bodies.emplace_back();  // there is an else, even an empty one
    }
    loops_ = outside;
  }

  void parse_if(statement& s) {
    while (true) {
      s.conditions.push_back(expressions_.parse_tuple(false));
      s.bodies.push_back(parse_body({"elif", "else", "endif"}));
      auto& word = tokens_.next().text;
      if (word == "elif") continue;
      if (word == "else") s.bodies.push_back(parse_last_body("endif"));
      return;
    }
  }

  void parse_set(statement& s) {
    s.target = expressions_.parse_target({}, true);
    if (tokens_.skip_sign("=")) {
      s.value = expressions_.parse_tuple(true);
      return;
    }
    s.kind = statement_kind::capture;
    if (tokens_.now().is_sign("|"))
      s.value = expressions_.parse_filters(make_node(expression_kind::captured, s.line), false);
    s.body = parse_last_body("endset");
  }

  expression_ptr parse_parameter() {
    auto& t = tokens_.expect(token_kind::name);
    auto out = make_node(expression_kind::name, t.line);
    out->name = t.text;
    return out;
  }

  void parse_signature(statement& s) {
    tokens_.expect_sign("(");
    while (!tokens_.now().is_sign(")")) {
      if (!s.targets.empty()) tokens_.expect_sign(",");
      s.targets.push_back(parse_parameter());
      for (std::size_t i = 0; i + 1 < s.targets.size(); ++i)
        if (s.targets[i]->name == s.targets.back()->name)
          throw syntax_failure(s.line, "the parameter '" + s.targets.back()->name + "' is repeated");
      if (tokens_.skip_sign("="))
        s.values.push_back(expressions_.parse());
      else if (!s.values.empty())
        throw syntax_failure(s.line, "non-default argument follows default argument");
    }
    tokens_.next();
  }

  // A body that is a function of its own: no loop around it can be left from within.
  block parse_function_body(std::string_view end) {
    auto outside = std::exchange(loops_, 0);
    auto out = parse_last_body(end);
    loops_ = outside;
    return out;
  }

  void parse_macro(statement& s) {
    s.name = tokens_.expect(token_kind::name).text;
    parse_signature(s);
    s.body = parse_function_body("endmacro");
  }

  void parse_call(statement& s) {
    if (tokens_.now().is_sign("(")) parse_signature(s);
    s.value = expressions_.parse();
    if (s.value->kind != expression_kind::call) throw syntax_failure(s.line, "expected call");
    s.body = parse_function_body("endcall");
  }

  void parse_generation(statement& s) { s.body = parse_function_body("endgeneration"); }

  void parse_filter(statement& s) {
    s.value = expressions_.parse_filters(make_node(expression_kind::captured, s.line), true);
    s.body = parse_last_body("endfilter");
  }

  void parse_with(statement& s) {
    while (tokens_.now().kind != token_kind::block_end) {
      if (!s.targets.empty()) tokens_.expect_sign(",");
      s.targets.push_back(expressions_.parse_target({}, false));
      tokens_.expect_sign("=");
      s.values.push_back(expressions_.parse());
    }
    s.body = parse_last_body("endwith");
  }

  void parse_print(block& out, std::uint32_t line) {
    for (bool first = true; tokens_.now().kind != token_kind::block_end; first = false) {
      if (!first) tokens_.expect_sign(",");
      add(out, statement_kind::print, line).value = expressions_.parse();
    }
  }

  token_stream tokens_;
  expression_parser expressions_;
  unsigned depth_ = 0;
  unsigned loops_ = 0;  // around this place, within this function
};

}  // namespace

const token& token_stream::next() {
  auto& out = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return out;
}

bool token_stream::skip_name(std::string_view word) {
  bool is = now().is_name(word);
  if (is) next();
  return is;
}

bool token_stream::skip_sign(std::string_view sign) {
  bool is = now().is_sign(sign);
  if (is) next();
  return is;
}

void token_stream::unexpected(std::string_view wanted) const {
  throw syntax_failure(now().line, "expected " + std::string(wanted) + ", got " + described(now()));
}

const token& token_stream::expect(token_kind kind) {
  if (now().kind != kind) unexpected(kind == token_kind::name ? "a name" : described({kind, {}, {}, 0}));
  return next();
}

void token_stream::expect_sign(std::string_view sign) {
  if (!skip_sign(sign)) unexpected("'" + std::string(sign) + "'");
}

void token_stream::expect_name(std::string_view word) {
  if (!skip_name(word)) unexpected("'" + std::string(word) + "'");
}

syntax parse_template(std::string_view source) {
  syntax out;
  out.body = template_parser(tokens_of(source)).run();
  bind_names(out);
  return out;
}

}  // namespace lorica::jinja
