#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/chat_messages.hpp"
#include "text/chat_template.hpp"
#include "text/chat_template_source.hpp"

namespace lorica {

/// A conversation as a request gives it. The values outlive the call.
struct chat_request {
  const value* messages = nullptr;
  const value* tools = nullptr;
  const value* documents = nullptr;
  const value* variables = nullptr;  ///< `chat_template_kwargs`
  bool add_generation_prompt = true;
  bool continue_final_message = false;  ///< the answer goes on behind the last message
  std::tm now{};                        ///< local time
  std::size_t max_output_bytes = std::size_t{8} << 20;
};

/// The chat templates of a model, parsed and probed once. Immutable; any number of threads may use it.
class chat_format {
 public:
  /// Templates that do not parse are kept as errors, which `render` gives.
  explicit chat_format(chat_template_source source);

  /// True for a model that has no template at all.
  bool empty() const noexcept { return templates_.empty() && !problem_; }

  /// The text of a conversation. With tools the template `tool_use` is taken where there is one, else
  /// `default`. Fails with `errc::invalid` for a request that is wrong (the text names the field),
  /// `errc::unsupported` for a model without a template, `errc::bad_model` for a template that cannot be used
  /// and `errc::template_failed` for what the template refuses.
  result<template_text> render(const chat_request& request) const;

  /// What was found about a template by name; for tests and status. Null when there is none that works.
  const content_style* style(const std::string& name) const;

 private:
  struct named_template {
    std::string name;
    result<std::shared_ptr<const chat_template>> parsed;
    content_style style;
  };

  result<const named_template*> chosen(bool with_tools) const;
  content_style probed(const chat_template& parsed) const;

  std::vector<named_template> templates_;
  special_token_texts special_tokens_;
  std::optional<error> problem_;
};

}  // namespace lorica
