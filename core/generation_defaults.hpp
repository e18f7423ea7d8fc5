#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/generation.hpp"
#include "core/json.hpp"
#include "core/value.hpp"

namespace lorica {

/// What requests for one adapter mean where they say nothing; the last two are of chats. Ranges are those of
/// `sampling_params`.
struct generation_defaults {
  std::optional<float> temperature;  ///< 0: greedy, above: sampled
  std::optional<std::uint32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> typical_p;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::optional<float> frequency_penalty;
  std::optional<float> presence_penalty;
  std::optional<std::uint32_t> max_new_tokens;
  std::optional<std::vector<std::string>> stop;   ///< at most `most_default_stops`, none empty
  std::optional<std::string> chat_template = {};  ///< in the place of the base's; not empty
  std::optional<std::string> system_prompt = {};  ///< of conversations that begin without one; not empty

  bool operator==(const generation_defaults&) const = default;
};

inline constexpr std::size_t most_default_stops = 16;
inline constexpr std::size_t most_default_stop_bytes = 4096;  ///< of all together
inline constexpr std::size_t most_default_template_bytes = std::size_t{64} << 10;
inline constexpr std::size_t most_system_prompt_bytes = std::size_t{32} << 10;

/// Reads `{"temperature": 0, …}`: an object with fields of the names above, null meaning absent. Fails with
/// `errc::invalid`; text and `param` name the field, `defaults.<field>`.
result<generation_defaults> read_generation_defaults(const value& object);

/// Writes an object that reads back as the same.
void write_generation_defaults(json_writer& w, const generation_defaults& d);

/// The same as a text; empty where there is no default at all.
std::string written(const generation_defaults& d);

/// Fills in what the client left open (`generation_request::given`).
void fill_in(const generation_defaults& d, generation_request& request);

}  // namespace lorica
