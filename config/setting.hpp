#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace lorica {

/// What kind of text a setting takes. A list is texts after commas, `numbers` are whole numbers after commas;
/// a file may hold both as an array.
enum class setting_kind : std::uint8_t { text, integer, bytes, flag, choice, list, numbers };

/// What Lorica does with a setting.
enum class setting_use : std::uint8_t {
  served,    ///< it has an effect
  harmless,  ///< known from TGI, accepted with a warning, without effect here
  refused,   ///< known from TGI, refused unless it has its neutral value
};

/// One row of the table that flags, environment, file, `--help` and the docs are made from.
struct setting {
  std::string_view flag = {};         ///< `max-input-tokens`, without dashes
  std::string_view environment = {};  ///< `MAX_INPUT_TOKENS`; empty: flag only
  setting_kind kind = setting_kind::text;
  std::string_view fallback = {};  ///< default as text; empty: none, or decided at start
  std::string_view text = {};      ///< one sentence for people; for refused ones what to do instead
  std::int64_t least = 0;          ///< bounds of integers, bytes and each of numbers
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::string_view choices = {};  ///< of a choice, separated by `|`
  setting_use use = setting_use::served;
  std::string_view neutral = {};  ///< values of a refused setting that are accepted, separated by `|`
  std::string_view alias = {};    ///< second flag with the same meaning; its environment name follows from it
  std::string_view second_environment = {};  ///< read when the first is not set
  bool secret = false;                       ///< its value is never shown
  bool in_file = true;                       ///< may stand in a configuration file
};

/// All settings of `lorica serve`, in the order of the help text.
std::span<const setting> serve_settings_table();

/// The row of a flag or alias; null if there is none.
const setting* find_setting(std::string_view name);

/// The flag or alias that is spelled most like `name`; empty when none is close.
std::string_view nearest_setting(std::string_view name);

/// What a setting takes, for error texts: `a whole number from 0 to 65535`.
std::string allowed_values(const setting& row);

/// `a|b` as `a, b`.
std::string spelled_choices(std::string_view choices);

}  // namespace lorica
