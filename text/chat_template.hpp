#pragma once

#include <cstddef>
#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/value.hpp"
#include "text/template_text.hpp"

namespace lorica {

namespace jinja {
struct syntax;
}

/// Names that templates know special tokens by (`bos_token`, `eos_token`, …), and their texts. A name that is
/// not there is undefined.
using special_token_texts = std::vector<std::pair<std::string, std::string>>;

/// What a template is rendered with. The values outlive the call. Strings within `messages`, `tools`,
/// `documents` and `variables`, the names of members too, count as from the request.
struct template_input {
  const value* messages = nullptr;   ///< an array of objects
  const value* tools = nullptr;      ///< null: none
  const value* documents = nullptr;  ///< null: none
  const value* variables = nullptr;  ///< an object: further variables (`chat_template_kwargs`); may be null
  bool add_generation_prompt = false;
  /// Roles that are the server's own words: a `role` of a message that is one of these counts as written by
  /// the template, so that `'<|' + role + '|>'` can be a special token. Null: no such roles.
  const std::vector<std::string>* known_roles = nullptr;
  const special_token_texts* special_tokens = nullptr;  ///< may be null
  std::tm now{};                                        ///< local time for `strftime_now`
  std::size_t max_output_bytes = std::size_t{8} << 20;
};

/// A chat template: Jinja as transformers sets it up, without the parts that load other templates. Immutable
/// after parsing; any number of threads may render at once, each rendering touches its arguments only.
class chat_template {
 public:
  /// Bytes of the longest template.
  static constexpr std::size_t source_limit = std::size_t{64} << 10;

  /// Fails with `errc::bad_model` for what is no template, and for what is not supported, by line and name.
  static result<std::shared_ptr<const chat_template>> parse(std::string source);

  /// Fails with `errc::template_failed` when the template does: by itself (`raise_exception`, whose text it
  /// is), because it uses what is not there, or at a limit of steps, depth or size.
  result<template_text> render(const template_input& input) const;

  const std::string& source() const noexcept { return source_; }

  explicit chat_template(std::string source, std::shared_ptr<const jinja::syntax> tree);

 private:
  std::string source_;
  std::shared_ptr<const jinja::syntax> tree_;
};

}  // namespace lorica
