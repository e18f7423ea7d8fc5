#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/server_info.hpp"
#include "net/field_reader.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// The fields that mean the same in completions and chats. Each method reads some into `out` and refuses in
/// `fields` what does not fit; all three outlive the reader.
class openai_fields {
 public:
  openai_fields(field_reader& fields, const server_info& info, openai_request& out)
      : fields_(fields), info_(info), out_(out) {}

  /// `model`, `adapter_id` and the fields for several adapters.
  void model();

  /// Sampling and which tokens may come; `seed` when the client gives none.
  void sampling(std::uint64_t seed);

  /// `max_completion_tokens`, else `max_tokens`, else `max_tokens_default` (absent: what fits);
  /// `truncate_prompt_tokens`.
  void lengths(std::optional<std::uint32_t> max_tokens_default);

  /// `stop`, `ignore_eos` and how tokens become text.
  void texts();
  void stream();

  /// `n` and `best_of`.
  void choices();

  /// `prompt_logprobs` and `return_token_ids`.
  void prompt_reports();

  /// A number of alternatives to each token.
  std::optional<std::uint32_t> alternatives(std::string_view name);

  /// A number from 1 to `most`.
  std::optional<std::uint32_t> positive(std::string_view name, std::uint32_t most);

  /// Fields that other servers know and this one does not serve.
  void unserved();

 private:
  void note_given();

  field_reader& fields_;
  const server_info& info_;
  openai_request& out_;
};

}  // namespace lorica
