#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/json.hpp"
#include "net/event_format.hpp"
#include "net/openai_parts.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// What streamed completions and chats have in common: the members of every chunk, the chunk with `usage` at
/// the end, errors, `[DONE]`.
class openai_events : public event_format {
 public:
  /// `kind` is the `object` of every chunk; it outlives the stream.
  openai_events(openai_identity identity, openai_wishes wishes, std::string_view kind)
      : wishes_(std::move(wishes)), identity_(std::move(identity)), kind_(kind) {}

  void name_at_end(const served_by& served) final { served_ = served; }
  events done() final;
  events failed(const error& why) final;
  http_reply refused(const error& why) final;

 protected:
  /// A chunk up to where its choice begins, and from its end on; `last` of the choice.
  json_writer begin_chunk() const;
  std::string end_chunk(json_writer w, bool last) const;

  void count_prompt(std::uint64_t tokens) noexcept { prompt_tokens_ = tokens; }
  void count_generated(std::uint64_t tokens) noexcept { generated_tokens_ += tokens; }

  const openai_wishes wishes_;

 private:
  openai_identity identity_;
  std::string_view kind_;
  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t generated_tokens_ = 0;
  std::optional<served_by> served_;  // where the last chunk of a choice has to tell
};

}  // namespace lorica
