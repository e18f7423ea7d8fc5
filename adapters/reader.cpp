#include "adapters/reader.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/base_name.hpp"
#include "adapters/digest.hpp"
#include "adapters/finite_numbers.hpp"
#include "adapters/gguf_lora.hpp"
#include "adapters/manifest.hpp"
#include "adapters/refusal.hpp"
#include "adapters/site_plan.hpp"
#include "files/dequantise.hpp"
#include "files/safetensors.hpp"

namespace lorica {
namespace {

constexpr std::string_view weights_file = "adapter_model.safetensors";
constexpr std::string_view gguf_ending = ".gguf";

constexpr std::size_t slice = std::size_t{1} << 18;  // elements between two looks at the stop token
constexpr double suspicious_update = 1e6;

// Of one read: when to stop, and who hears how far it is.
struct reading {
  const std::stop_token& stop;
  byte_progress* told;
  std::vector<std::byte> stored = {};  // what is read before it is numbers

  void begin(std::uint64_t bytes) const {
    if (told) told->begin(bytes);
  }
  void add(std::uint64_t bytes) const {
    if (told) told->bytes += bytes;
  }
  void end() const {
    if (told) told->bytes = told->total.load();
  }
};

error cancelled() {
  return fail(errc::cancelled, "the load of the adapter was cancelled");
}

error too_large(std::string_view name, std::uint64_t size, std::uint64_t limit) {
  return refused(refusal::too_large, std::string(name) + " has " + std::to_string(size) + " bytes; at most " +
                                         std::to_string(limit) + " are read");
}

result<adapter_file> open_weights(const adapter_directory& directory, std::uint64_t max_bytes) {
  auto file = directory.file(std::string(weights_file));
  if (!file && file.error().code == errc::unknown_adapter) {
    for (const auto* other :
         {"adapter_model.bin", "adapter_model.pt", "adapter_model.pth", "adapter_model.pkl"})
      if (directory.holds(other))
        return refused(refusal::pickle_refused, std::string(other) +
                                                    " is a pickle, which can run code; save the adapter as " +
                                                    std::string(weights_file));
  }
  if (file && file->size() > max_bytes) return too_large(weights_file, file->size(), max_bytes);
  return file;
}

// A safetensors header begins at byte 8; in that place neither a pickle nor a zip archive has a brace.
bool looks_like_pickle(std::span<const std::byte> start) {
  auto at = [&](std::size_t i) { return std::to_integer<unsigned>(start[i]); };
  if (start.size() < 4 || (start.size() > 8 && at(8) == '{')) return false;
  bool zip = at(0) == 'P' && at(1) == 'K' && at(2) == 3 && at(3) == 4;
  bool pickle = at(0) == 0x80 && at(1) >= 2 && at(1) <= 5;
  return zip || pickle;
}

result<safetensors_header> read_header(const adapter_file& file, std::size_t max_bytes) {
  safetensors_limits limits;
  limits.max_header_bytes = max_bytes;
  std::vector<std::byte> head(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), 9)));
  if (auto ok = file.read(0, head); !ok) return ok.error();
  if (looks_like_pickle(head))
    return refused(refusal::pickle_refused, std::string(weights_file) +
                                                " is a pickle under another name; save the adapter with "
                                                "safe_serialization");
  auto length = safetensors_head_bytes(head, file.size(), limits);
  if (!length)
    return refused(refusal::bad_safetensors, std::string(weights_file) + ": " + length.error().text);
  head.resize(static_cast<std::size_t>(*length));
  if (auto ok = file.read(0, head); !ok) return ok.error();
  auto header = parse_safetensors(head, file.size(), limits);
  if (!header)
    return refused(refusal::bad_safetensors, std::string(weights_file) + ": " + header.error().text);
  return header;
}

result<std::vector<float>> read_factor(const adapter_file& file, const stored_factor& factor, reading& how) {
  const std::size_t width = block_bytes(factor.type);
  std::vector<float> out(static_cast<std::size_t>(factor.elements));
  for (std::size_t at = 0; at < out.size(); at += slice) {
    if (how.stop.stop_requested()) return cancelled();
    auto part = std::span(out).subspan(at, std::min(slice, out.size() - at));
    auto stored = std::as_writable_bytes(part);
    if (factor.type != tensor_type::f32) {
      how.stored.resize(std::max(how.stored.size(), part.size() * width));
      stored = std::span(how.stored).first(part.size() * width);
    }
    if (auto ok = file.read(factor.begin + at * width, stored); !ok) return ok.error();
    how.add(stored.size());
    if (factor.type != tensor_type::f32) dequantise(factor.type, stored, part);
    if (auto ok = check_finite(factor.name, part, at); !ok) return ok.error();
  }
  return out;
}

result<lora_site> read_site(const adapter_file& file, const planned_site& plan, reading& how) {
  lora_site site{plan.layer, plan.where, plan.rank, plan.in, plan.out, plan.scaling, {}, {}};
  auto a = read_factor(file, plan.a, how);
  if (!a) return a.error();
  auto b = read_factor(file, plan.b, how);
  if (!b) return b.error();
  site.a = *std::move(a);
  site.b = *std::move(b);
  for (auto [planned, to] : {std::pair(&plan.bias, &site.bias), {&plan.magnitude, &site.magnitude}}) {
    if (!*planned) continue;
    auto vector = read_factor(file, **planned, how);
    if (!vector) return vector.error();
    *to = *std::move(vector);
  }
  return site;
}

result<module_copy> read_copy(const adapter_file& file, const planned_copy& plan, reading& how) {
  auto weight = read_factor(file, plan.weight, how);
  if (!weight) return weight.error();
  return module_copy{plan.where, plan.rows, plan.cols, *std::move(weight)};
}

void warn_about_base(const adapter_manifest& manifest, const model_config& base,
                     std::vector<std::string>& warnings) {
  if (may_be_same_base(manifest.base_name, base.name)) return;
  auto last = manifest.base_name.substr(manifest.base_name.find_last_of("/\\") + 1);
  warnings.push_back("adapter_config.json: base_model_name_or_path is " + shown(last) + ", the base is " +
                     shown(base.name));
}

digest_beside::form form_of(const site_plan& plan) {
  bool more = !plan.copies.empty() ||
              std::ranges::any_of(plan.sites, [](auto& site) { return site.bias || site.magnitude; });
  return more ? digest_beside::form::more : digest_beside::form::pairs;
}

// Coverage and warnings of weights that were read and measured.
result<loaded_adapter> finished(adapter_weights weights, std::vector<module_coverage> modules,
                                std::vector<std::string> warnings, std::uint64_t file_bytes,
                                const std::stop_token& stop) {
  loaded_adapter out;
  out.weights = std::move(weights);
  out.coverage = summarise(std::move(modules), out.weights, stop);
  if (stop.stop_requested()) return cancelled();
  out.file_bytes = file_bytes;
  out.warnings = std::move(warnings);
  if (out.coverage.zero_effect_modules == out.coverage.modules.size() && out.coverage.copies.empty())
    out.warnings.push_back("the adapter changes nothing: in every module a factor or the scaling is zero");
  if (out.coverage.largest_update > suspicious_update)
    out.warnings.push_back("the update of a module is larger than 1000000 (Frobenius norm); was it trained?");
  return out;
}

// A GGUF file, read by copy like all others.
result<loaded_adapter> read_gguf(const adapter_file& file, const std::string& name, const model_config& base,
                                 const reader_limits& limits, reading& how) {
  if (file.size() > limits.max_file_bytes) return too_large(name, file.size(), limits.max_file_bytes);
  how.begin(file.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  for (std::size_t at = 0; at < bytes.size(); at += slice) {
    if (how.stop.stop_requested()) return cancelled();
    auto part = std::span(bytes).subspan(at, std::min(slice, bytes.size() - at));
    if (auto ok = file.read(at, part); !ok) return ok.error();
    how.add(part.size());
  }
  if (auto ok = file.check_unchanged(); !ok) return ok.error();
  auto read = parse_gguf_lora(name, bytes, base, limits.max_rank, how.stop);
  if (!read) return read.error();
  adapter_weights weights{.version = {}, .sites = std::move(read->sites)};
  std::vector<module_coverage> modules;
  for (const auto& site : weights.sites) {
    if (how.stop.stop_requested()) return cancelled();
    modules.push_back(measure(site));
  }
  auto version = digest_of(weights, how.stop);
  if (!version) return version.error();
  weights.version = *version;
  return finished(std::move(weights), std::move(modules), std::move(read->warnings), file.size(), how.stop);
}

// The `.gguf` file of a directory that holds no adapter of PEFT's; nothing when there is none.
result<std::optional<std::string>> lone_gguf(const adapter_directory& directory) {
  if (directory.holds("adapter_config.json") || directory.holds(std::string(weights_file)))
    return std::optional<std::string>{};
  auto names = directory.names_ending(gguf_ending);
  if (names.empty()) return std::optional<std::string>{};
  if (names.size() > 1)
    return fail(
        errc::unknown_adapter,
        "the adapter's directory holds " + std::to_string(names.size()) + " .gguf files; name one of them",
        std::string(refusal::missing_file));
  return std::optional(names.front());
}

}  // namespace

result<loaded_adapter> read_adapter(const std::string& path, const model_config& base,
                                    const reader_limits& limits, const std::stop_token& stop) {
  if (stop.stop_requested()) return cancelled();
  auto place = open_place(path);
  if (!place) return place.error();
  return read_adapter(*place, base, limits, stop);
}

result<loaded_adapter> read_adapter(const adapter_place& place, const model_config& base,
                                    const reader_limits& limits, const std::stop_token& stop,
                                    byte_progress* told) {
  reading how{stop, told};
  const auto& directory = place.directory;
  if (stop.stop_requested()) return cancelled();
  auto lone = place.file.empty() ? lone_gguf(directory) : result(std::optional(place.file));
  if (!lone) return lone.error();
  if (*lone) {
    auto file = directory.file(**lone);
    if (!file) return file.error();
    return read_gguf(*file, **lone, base, limits, how);
  }
  auto manifest = read_manifest(directory, limits.max_config_bytes);
  if (!manifest) return manifest.error();
  auto file = open_weights(directory, limits.max_file_bytes);
  if (!file) return file.error();
  if (stop.stop_requested()) return cancelled();
  auto header = read_header(*file, limits.max_header_bytes);
  if (!header) return header.error();
  auto plan = plan_sites(*header, *manifest, base, limits.max_rank, stop);
  if (!plan) return plan.error();

  how.begin(file->size());
  adapter_weights weights;
  weights.sites.reserve(plan->sites.size());
  digest_beside digest(weights.sites, plan->sites.size(), form_of(*plan), stop);
  std::vector<module_coverage> modules;
  for (const auto& planned : plan->sites) {
    auto site = read_site(*file, planned, how);
    if (!site) return site.error();
    weights.sites.push_back(*std::move(site));
    digest.have(weights.sites.size());
    modules.push_back(measure(weights.sites.back()));
  }
  for (const auto& planned : plan->copies) {
    auto copy = read_copy(*file, planned, how);
    if (!copy) return copy.error();
    weights.copies.push_back(*std::move(copy));
  }
  if (auto ok = file->check_unchanged(); !ok) return ok.error();
  how.end();
  auto warnings = std::move(manifest->warnings);
  warnings.insert(warnings.end(), plan->warnings.begin(), plan->warnings.end());
  warn_about_base(*manifest, base, warnings);
  auto version = digest.finish(weights.copies);
  if (!version) return version.error();
  weights.version = *version;
  return finished(std::move(weights), std::move(modules), std::move(warnings), file->size(), stop);
}

}  // namespace lorica
