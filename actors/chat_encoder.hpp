#pragma once

#include <cstddef>
#include <ctime>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/conversation.hpp"
#include "core/generation_defaults.hpp"
#include "core/ids.hpp"
#include "text/chat_prompt.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// Makes prompts of conversations: by the model's chat template, or by the one that an adapter has. Templates
/// of adapters are parsed when they are first used, and the latest are kept. Owned by one thread that may
/// take its time.
class chat_encoder {
 public:
  static constexpr std::size_t most_kept = 64;  ///< templates of adapters

  /// `of_model` may be null: a model without a template.
  chat_encoder(std::shared_ptr<const chat_format> of_model, std::shared_ptr<const tokenizer> vocabulary);

  struct prompt {
    template_text text;
    std::optional<token_id> end_of_turn;  ///< special token that the template writes behind an answer
  };

  /// `defaults` are the adapter's, whose template and system prompt count; null: none. A conversation that
  /// begins with a system message of its own keeps that. Fails as `chat_format::render` does.
  result<prompt> render(const conversation& what, const generation_defaults* defaults, const std::tm& now);

  /// Templates of adapters that are kept now.
  std::size_t kept() const noexcept { return of_adapters_.size(); }

 private:
  struct format {
    std::string source;  // of an adapter's
    std::shared_ptr<const chat_format> templates;
    std::optional<token_id> end_of_turn;
  };
  format made(std::string source, std::shared_ptr<const chat_format> templates) const;
  const format& format_of(const generation_defaults* defaults);

  std::shared_ptr<const tokenizer> vocabulary_;
  format of_model_;
  std::list<format> of_adapters_;  // the latest used first
};

}  // namespace lorica
