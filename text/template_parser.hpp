#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "text/template_lexer.hpp"
#include "text/template_syntax.hpp"

namespace lorica::jinja {

/// Expressions within expressions, and blocks within blocks, that a template may have.
inline constexpr unsigned expression_depth_limit = 200;
inline constexpr unsigned bracket_depth_limit = 120;
inline constexpr unsigned block_depth_limit = 40;

/// Walks the tokens of a template; one per parse.
class token_stream {
 public:
  explicit token_stream(std::vector<token> tokens) : tokens_(std::move(tokens)) {}

  const token& now() const { return tokens_[at_]; }
  const token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const token& next();
  bool skip_name(std::string_view word);
  bool skip_sign(std::string_view sign);
  const token& expect(token_kind kind);
  void expect_sign(std::string_view sign);
  void expect_name(std::string_view word);
  [[noreturn]] void unexpected(std::string_view wanted) const;

 private:
  std::vector<token> tokens_;
  std::size_t at_ = 0;
};

/// Expressions of Jinja, by the precedence of its own parser. Throws `syntax_failure`.
class expression_parser {
 public:
  explicit expression_parser(token_stream& tokens) : tokens_(tokens) {}

  expression_ptr parse(bool with_choice = true);
  /// One expression, or a tuple without brackets; `end` is a word that ends it.
  expression_ptr parse_tuple(bool with_choice, std::string_view end = {});
  /// What can be assigned to: names, tuples of them, and attributes of namespaces where allowed.
  expression_ptr parse_target(std::string_view end, bool with_members);
  /// `|a|b(…)` behind `inner`; `inline_start` when the first filter comes without a bar.
  expression_ptr parse_filters(expression_ptr inner, bool inline_start);

 private:
  /// Bounds the recursion of the parser itself.
  class nesting {
   public:
    explicit nesting(expression_parser& parser);
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;
    ~nesting() { --depth_; }

   private:
    unsigned& depth_;
  };

  expression_ptr parse_choice();
  expression_ptr parse_either();
  expression_ptr parse_both();
  expression_ptr parse_negation();
  expression_ptr parse_comparison();
  expression_ptr parse_sum();
  expression_ptr parse_concat();
  expression_ptr parse_product();
  expression_ptr parse_power();
  expression_ptr parse_unary(bool with_filters);
  expression_ptr parse_primary();
  expression_ptr parse_postfix(expression_ptr inner);
  expression_ptr parse_behind(expression_ptr inner);
  expression_ptr parse_subscript(expression_ptr inner);
  expression_ptr parse_call(expression_ptr inner);
  expression_ptr parse_test(expression_ptr inner);
  expression_ptr parse_list();
  expression_ptr parse_dict();
  expression_ptr parse_brackets();
  expression_ptr parse_simple_target(bool with_members);
  argument_list parse_arguments();

  token_stream& tokens_;
  unsigned depth_ = 0;
};

/// Fails for a node with more than `expression_depth_limit` nodes below it.
void check_depth(const expression& e);

template <class... Parts>
std::vector<expression_ptr> parts_of(Parts... parts) {
  std::vector<expression_ptr> out;
  (out.push_back(std::move(parts)), ...);
  return out;
}

/// A node with its parts; checks the depth.
expression_ptr make_node(expression_kind kind, std::uint32_t line, std::vector<expression_ptr> parts = {});

/// Parses a template and binds its names. Throws `syntax_failure`.
syntax parse_template(std::string_view source);

/// Gives every name its place, as Jinja's compiler does, and every filter and test its function.
void bind_names(syntax& tree);

}  // namespace lorica::jinja
