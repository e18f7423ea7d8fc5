#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/conversation.hpp"
#include "text/chat_messages.hpp"
#include "text/chat_template.hpp"
#include "text/chat_template_source.hpp"

namespace lorica {

/// The chat templates of a model, parsed and probed once. Immutable; any number of threads may use it.
class chat_format {
 public:
  /// Templates that do not parse are kept as errors, which `render` gives.
  explicit chat_format(chat_template_source source);

  /// True for a model that has no template at all.
  bool empty() const noexcept { return templates_.empty() && !problem_; }

  /// The same model with another template; like the constructor.
  chat_format with_template(std::string text) const;

  /// The text of a conversation at a local time. With tools the template `tool_use` is taken where there is
  /// one, else `default`. Fails with `errc::invalid` for a request that is wrong (the text names the field),
  /// `errc::unsupported` for a model without a template, `errc::bad_model` for a template that cannot be used
  /// and `errc::template_failed` for what the template refuses.
  result<template_text> render(const conversation& request, const std::tm& now) const;

  /// What the template writes behind the text of an answer (`<|im_end|>` and a line end); empty where that
  /// cannot be found out.
  std::string behind_answer() const;

  /// What was found about a template by name; for tests and status. Null when there is none that works.
  const content_style* style(const std::string& name) const;

 private:
  struct named_template {
    std::string name;
    result<std::shared_ptr<const chat_template>> parsed;
    content_style style;
  };

  result<const named_template*> chosen(bool with_tools) const;
  result<template_text> shown_as(const chat_template& parsed, value content, std::string_view role,
                                 value calls) const;
  content_style probed(const chat_template& parsed) const;

  std::vector<named_template> templates_;
  special_token_texts special_tokens_;
  std::optional<error> problem_;
};

}  // namespace lorica
