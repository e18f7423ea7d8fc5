#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/adapter_directory.hpp"
#include "core/error.hpp"

namespace lorica {

/// How a manifest selects modules.
struct module_selection {
  enum class kind : std::uint8_t {
    none,        ///< nothing was said
    names,       ///< the path is one of them, or ends with `.` and one of them
    pattern,     ///< the whole path matches a regular expression
    all_linear,  ///< every linear map of the layers
  };
  kind what = kind::none;
  std::vector<std::string> names;
  std::string pattern;
};

/// `adapter_config.json`, checked: everything in it that would change the result is either here or was
/// refused. Plain data; `module_match` gives it its meaning.
struct adapter_manifest {
  std::uint32_t rank = 0;          ///< >= 1; of modules without a pattern
  double alpha = 0;                ///< any finite number
  bool rslora = false;             ///< scale by alpha / sqrt(rank)
  bool lora_bias = false;          ///< every module has `lora_B.bias`
  bool dora = false;               ///< every module has `lora_magnitude_vector`
  bool ties = false;               ///< `ensure_weight_tying`
  std::vector<std::string> saved;  ///< `modules_to_save`: each means `embed_tokens` or `lm_head`
  module_selection targets;
  module_selection excluded;
  std::vector<std::uint32_t> layers;                                ///< `layers_to_transform`; empty: all
  std::vector<std::string> layers_pattern;                          ///< empty: any
  std::vector<std::pair<std::string, std::uint32_t>> rank_pattern;  ///< in the file's order: the first wins
  std::vector<std::pair<std::string, double>> alpha_pattern;        ///< likewise
  std::string base_name;      ///< `base_model_name_or_path`, may be empty
  std::string base_revision;  ///< `revision` of it, may be empty
  std::vector<std::string> warnings;
};

/// Reads `adapter_config.json`. Refuses with `errc::bad_adapter` and a word of docs/adapters.md; the text
/// names the field, its value and what would work. Keys that PEFT may add later are warned about.
result<adapter_manifest> parse_manifest(std::string_view text, std::size_t max_bytes);

/// Reads and parses the file of a directory; `max_bytes` bounds it.
result<adapter_manifest> read_manifest(const adapter_directory& directory, std::size_t max_bytes);

}  // namespace lorica
