#include "adapters/manifest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>

#include "adapters/refusal.hpp"
#include "core/checked.hpp"
#include "core/json.hpp"
#include "engine/projection.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_patterns = 4096;  // more than any model has modules with an adapter
constexpr std::size_t most_warnings = 16;

// What to do with a key besides the ones that parse_manifest reads itself.
enum class treatment : std::uint8_t { read, ignore, warn, refuse };

struct field_rule {
  std::string_view key;
  treatment what;
  std::string_view reason;  // of a refusal
  std::string_view advice;  // of a refusal: what would work
};

constexpr std::string_view without = "train without it";

constexpr std::array fields = {
    field_rule{"peft_type", treatment::read, {}, {}},
    field_rule{"task_type", treatment::read, {}, {}},
    field_rule{"base_model_name_or_path", treatment::read, {}, {}},
    field_rule{"r", treatment::read, {}, {}},
    field_rule{"lora_alpha", treatment::read, {}, {}},
    field_rule{"target_modules", treatment::read, {}, {}},
    field_rule{"exclude_modules", treatment::read, {}, {}},
    field_rule{"layers_to_transform", treatment::read, {}, {}},
    field_rule{"layers_pattern", treatment::read, {}, {}},
    field_rule{"rank_pattern", treatment::read, {}, {}},
    field_rule{"alpha_pattern", treatment::read, {}, {}},
    field_rule{"use_rslora", treatment::read, {}, {}},
    field_rule{"bias", treatment::read, {}, {}},
    field_rule{"lora_bias", treatment::read, {}, {}},
    field_rule{"use_dora", treatment::read, {}, {}},
    field_rule{"modules_to_save", treatment::read, {}, {}},
    field_rule{"ensure_weight_tying", treatment::read, {}, {}},
    field_rule{"init_lora_weights", treatment::read, {}, {}},
    // Training, provenance, or a layout of the base that A and B do not follow.
    field_rule{"revision", treatment::read, {}, {}},
    field_rule{"lora_dropout", treatment::ignore, {}, {}},
    field_rule{"inference_mode", treatment::ignore, {}, {}},
    field_rule{"auto_mapping", treatment::ignore, {}, {}},
    field_rule{"peft_version", treatment::ignore, {}, {}},
    field_rule{"fan_in_fan_out", treatment::ignore, {}, {}},
    field_rule{"loftq_config", treatment::ignore, {}, {}},
    field_rule{"eva_config", treatment::ignore, {}, {}},
    field_rule{"corda_config", treatment::ignore, {}, {}},
    field_rule{"lora_ga_config", treatment::ignore, {}, {}},
    field_rule{"runtime_config", treatment::ignore, {}, {}},
    field_rule{"qalora_group_size", treatment::ignore, {}, {}},
    field_rule{"megatron_core", treatment::ignore, {}, {}},
    field_rule{"velora_config", treatment::warn, {}, {}},
    field_rule{"monteclora_config", treatment::warn, {}, {}},
    field_rule{"layer_replication", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"trainable_token_indices", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"target_parameters", treatment::refuse, refusal::unsupported_field, "use target_modules"},
    field_rule{"alora_invocation_tokens", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"use_qalora", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"use_bdlora", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"arrow_config", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"kasa_config", treatment::refuse, refusal::unsupported_field, without},
    field_rule{"megatron_config", treatment::refuse, refusal::unsupported_field, without},
};

std::string word(const value& v) {
  if (auto b = v.as_bool()) return *b ? "true" : "false";
  if (auto s = v.as_string()) return quoted(*s);
  if (auto i = v.as_int()) return std::to_string(*i);
  if (!v.as_array()) return std::string(v.kind());
  std::string items = "[";
  for (auto& item : *v.as_array()) {
    if (items.size() > 1) items += ", ";
    if (items.size() > 200) break;
    items += item.as_string() ? *item.as_string() : std::string(item.kind());
  }
  return shown(items += ']');
}

// False, null, 0 and empty mean "off" in PEFT's files.
bool is_set(const value& v) {
  if (v.is_null()) return false;
  if (auto b = v.as_bool()) return *b;
  if (auto s = v.as_string()) return !s->empty();
  if (auto a = v.as_array()) return !a->empty();
  if (auto o = v.as_object()) return !o->empty();
  return v.number() != 0;
}

error bad_field(std::string_view key, const value& v, std::string_view wanted) {
  return refused(refusal::bad_config, "adapter_config.json: " + std::string(key) + " is " + word(v) +
                                          "; it must be " + std::string(wanted));
}

error absent(std::string_view key) {
  return refused(refusal::bad_config, "adapter_config.json: " + std::string(key) + " is missing");
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::optional<std::uint32_t> small_number(const value& v) {
  if (!v.as_int()) return std::nullopt;
  return checked_cast<std::uint32_t>(*v.as_int());
}

result<void> check_kind(const value& root) {
  auto type = root.find("peft_type");
  if (!type) return absent("peft_type");
  if (!type->as_string() || *type->as_string() != "LORA")
    return refused(refusal::unsupported_peft_type,
                   "adapter_config.json: peft_type is " + word(*type) + "; only \"LORA\" is served");
  auto task = root.find("task_type");
  if (task && (!task->as_string() || *task->as_string() != "CAUSAL_LM"))
    return refused(refusal::unsupported_task_type,
                   "adapter_config.json: task_type is " + word(*task) + "; only \"CAUSAL_LM\" is served");
  auto bias = root.find("bias");
  if (bias && (!bias->as_string() || *bias->as_string() != "none"))
    return refused(refusal::unsupported_bias,
                   "adapter_config.json: bias is " + word(*bias) + "; only \"none\" is served");
  return {};
}

// Initialisers that change the base are right only when PEFT converted the adapter on saving; it then writes
// true here.
result<void> check_init(const value& root) {
  auto init = root.find("init_lora_weights");
  if (!init || init->as_bool()) return {};
  if (auto s = init->as_string()) {
    auto name = lower(*s);
    if (name == "gaussian" || name == "orthogonal" || name == "eva") return {};
  }
  return refused(refusal::unsupported_init,
                 "adapter_config.json: init_lora_weights is " + word(*init) +
                     ", which may change the base; convert the adapter to plain LoRA when saving "
                     "(path_initial_model_for_weight_conversion)");
}

result<void> check_others(const value& root, adapter_manifest& out) {
  std::size_t unknown = 0;
  for (auto& [key, v] : *root.as_object()) {
    auto rule = std::find_if(fields.begin(), fields.end(), [&](auto& f) { return f.key == key; });
    bool known = rule != fields.end();
    if (known && rule->what == treatment::refuse && is_set(v))
      return refused(rule->reason, "adapter_config.json: " + key + " is " + word(v) +
                                       ", which is not served; " + std::string(rule->advice));
    if (!known && key.starts_with("use_") && is_set(v))
      return refused(refusal::unsupported_field, "adapter_config.json: " + shown(key) + " is " + word(v) +
                                                     ", a variant of LoRA that is not served");
    bool worth_a_word = known ? rule->what == treatment::warn && is_set(v) : !v.is_null();
    if (worth_a_word && ++unknown <= most_warnings)
      out.warnings.push_back("adapter_config.json: " + shown(key) + " is ignored");
  }
  if (unknown > most_warnings)
    out.warnings.push_back("adapter_config.json: " + std::to_string(unknown - most_warnings) +
                           " more keys are ignored");
  return {};
}

result<std::vector<std::string>> read_names(std::string_view key, const value& v) {
  std::vector<std::string> out;
  for (auto& item : *v.as_array()) {
    if (!item.as_string() || item.as_string()->empty()) return bad_field(key, item, "a list of names");
    out.push_back(*item.as_string());
  }
  if (out.size() > most_patterns) return bad_field(key, v, "a list of at most 4096 names");
  return out;
}

result<module_selection> read_selection(std::string_view key, const value& root) {
  module_selection out;
  auto v = root.find(key);
  if (!v || !is_set(*v)) return out;
  if (auto text = v->as_string()) {
    bool all = lower(*text) == "all-linear";
    out.what = all ? module_selection::kind::all_linear : module_selection::kind::pattern;
    if (!all) out.pattern = *text;
    return out;
  }
  if (!v->as_array()) return bad_field(key, *v, "a list of names or a regular expression");
  auto names = read_names(key, *v);
  if (!names) return names.error();
  out.what = module_selection::kind::names;
  out.names = *std::move(names);
  return out;
}

result<std::vector<std::uint32_t>> read_layers(const value& root) {
  std::vector<std::uint32_t> out;
  auto v = root.find("layers_to_transform");
  if (!v) return out;
  if (auto one = small_number(*v)) return std::vector{*one};
  if (!v->as_array()) return bad_field("layers_to_transform", *v, "a layer or a list of layers");
  for (auto& item : *v->as_array()) {
    auto layer = small_number(item);
    if (!layer) return bad_field("layers_to_transform", item, "a layer or a list of layers");
    out.push_back(*layer);
  }
  return out;
}

result<std::vector<std::string>> read_layers_pattern(const value& root) {
  auto v = root.find("layers_pattern");
  if (!v || !is_set(*v)) return std::vector<std::string>{};
  if (auto one = v->as_string()) return std::vector{*one};
  if (!v->as_array()) return bad_field("layers_pattern", *v, "a name or a list of names");
  return read_names("layers_pattern", *v);
}

// The object at `key`, or null when there is none.
result<const value::object*> read_patterns(std::string_view key, const value& root) {
  auto v = root.find(key);
  if (!v) return static_cast<const value::object*>(nullptr);
  auto patterns = v->as_object();
  if (!patterns) return bad_field(key, *v, "an object of patterns");
  if (patterns->size() > most_patterns) return bad_field(key, *v, "an object of at most 4096 patterns");
  return patterns;
}

result<void> read_rank_pattern(const value& root, adapter_manifest& out) {
  auto patterns = read_patterns("rank_pattern", root);
  if (!patterns) return patterns.error();
  if (!*patterns) return {};
  for (auto& [key, v] : **patterns) {
    auto rank = small_number(v);
    if (!rank || *rank == 0) return bad_field("rank_pattern[" + shown(key) + "]", v, "a whole number >= 1");
    out.rank_pattern.emplace_back(key, *rank);
  }
  return {};
}

result<void> read_alpha_pattern(const value& root, adapter_manifest& out) {
  auto patterns = read_patterns("alpha_pattern", root);
  if (!patterns) return patterns.error();
  if (!*patterns) return {};
  for (auto& [key, v] : **patterns) {
    if (!v.is_number() || !std::isfinite(v.number()))
      return bad_field("alpha_pattern[" + shown(key) + "]", v, "a number");
    out.alpha_pattern.emplace_back(key, v.number());
  }
  return {};
}

result<bool> read_switch(std::string_view key, const value& root) {
  auto v = root.find(key);
  if (!v) return false;
  if (!v->as_bool()) return bad_field(key, *v, "true or false");
  return *v->as_bool();
}

result<void> read_scale(const value& root, adapter_manifest& out) {
  auto r = root.find("r");
  if (!r) return absent("r");
  auto rank = small_number(*r);
  if (!rank || *rank == 0) return bad_field("r", *r, "a whole number >= 1");
  auto alpha = root.find("lora_alpha");
  if (!alpha) return absent("lora_alpha");
  if (!alpha->is_number() || !std::isfinite(alpha->number()))
    return bad_field("lora_alpha", *alpha, "a number");
  auto rslora = read_switch("use_rslora", root);
  if (!rslora) return rslora.error();
  auto bias = read_switch("lora_bias", root);
  if (!bias) return bias.error();
  auto dora = read_switch("use_dora", root);
  if (!dora) return dora.error();
  if (*bias && *dora)
    return refused(refusal::unsupported_bias,
                   "adapter_config.json: lora_bias is true beside use_dora, which PEFT does not define; "
                   "train with one of "
                   "them");
  out.rank = *rank;
  out.alpha = alpha->number();
  out.rslora = *rslora;
  out.lora_bias = *bias;
  out.dora = *dora;
  if (auto ok = read_rank_pattern(root, out); !ok) return ok;
  return read_alpha_pattern(root, out);
}

// Full copies are served of the two modules whose shapes do not depend on a layer.
result<void> read_saved(const value& root, adapter_manifest& out) {
  auto v = root.find("modules_to_save");
  if (!v || !is_set(*v)) return {};
  if (!v->as_array()) return bad_field("modules_to_save", *v, "a list of names");
  auto names = read_names("modules_to_save", *v);
  if (!names) return names.error();
  for (auto& name : *names) {
    auto last = name.substr(name.rfind('.') + 1);
    if (last != to_string(projection::embed) && last != to_string(projection::head))
      return refused(refusal::unsupported_modules_to_save,
                     "adapter_config.json: modules_to_save is " + word(*v) +
                         "; full copies are served of embed_tokens and lm_head only");
  }
  out.saved = *std::move(names);
  return {};
}

result<void> read_targets(const value& root, adapter_manifest& out) {
  auto targets = read_selection("target_modules", root);
  if (!targets) return targets.error();
  auto excluded = read_selection("exclude_modules", root);
  if (!excluded) return excluded.error();
  auto layers = read_layers(root);
  if (!layers) return layers.error();
  auto pattern = read_layers_pattern(root);
  if (!pattern) return pattern.error();
  if (!layers->empty() && targets->what == module_selection::kind::pattern)
    return refused(
        refusal::bad_config,
        "adapter_config.json: layers_to_transform is set beside a target_modules that is a regular "
        "expression; name the layers in one of them");
  auto ties = read_switch("ensure_weight_tying", root);
  if (!ties) return ties.error();
  if (auto ok = read_saved(root, out); !ok) return ok;
  out.ties = *ties;
  out.targets = *std::move(targets);
  out.excluded = *std::move(excluded);
  out.layers = *std::move(layers);
  out.layers_pattern = *std::move(pattern);
  return {};
}

}  // namespace

result<adapter_manifest> parse_manifest(std::string_view text, std::size_t max_bytes) {
  auto root = parse_json(text, {.max_bytes = max_bytes, .max_depth = 32, .max_values = 100'000});
  if (!root) return refused(refusal::bad_config, "adapter_config.json: " + root.error().text);
  if (!root->as_object())
    return refused(refusal::bad_config, "adapter_config.json: the document is no object");
  adapter_manifest out;
  if (auto ok = check_kind(*root); !ok) return ok.error();
  if (auto ok = check_others(*root, out); !ok) return ok.error();
  if (auto ok = check_init(*root); !ok) return ok.error();
  if (auto ok = read_scale(*root, out); !ok) return ok.error();
  if (auto ok = read_targets(*root, out); !ok) return ok.error();
  if (auto base = root->find("base_model_name_or_path"); base && base->as_string())
    out.base_name = *base->as_string();
  if (auto revision = root->find("revision"); revision && revision->as_string())
    out.base_revision = *revision->as_string();
  return out;
}

result<adapter_manifest> read_manifest(const adapter_directory& directory, std::size_t max_bytes) {
  const std::string name = "adapter_config.json";
  auto file = directory.file(name);
  if (!file) return file.error();
  if (file->size() > max_bytes)
    return refused(refusal::too_large, name + " has " + std::to_string(file->size()) + " bytes; at most " +
                                           std::to_string(max_bytes) + " are read");
  std::string text(static_cast<std::size_t>(file->size()), '\0');
  if (auto ok = file->read(0, std::as_writable_bytes(std::span(text))); !ok) return ok.error();
  if (auto ok = file->check_unchanged(); !ok) return ok.error();
  return parse_manifest(text, max_bytes);
}

}  // namespace lorica
