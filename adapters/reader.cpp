#include "adapters/reader.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "adapters/base_name.hpp"
#include "adapters/digest.hpp"
#include "adapters/finite_numbers.hpp"
#include "adapters/gguf_lora.hpp"
#include "adapters/inspection.hpp"
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

// Into `out`, whose memory is used again.
result<void> read_factor(const adapter_file& file, const stored_factor& factor, reading& how,
                         std::vector<float>& out) {
  const std::size_t width = block_bytes(factor.type);
  out.resize(static_cast<std::size_t>(factor.elements));
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
  return {};
}

result<void> read_vector(const adapter_file& file, const std::optional<stored_factor>& factor, reading& how,
                         std::vector<float>& out) {
  if (factor) return read_factor(file, *factor, how, out);
  out.clear();
  return {};
}

result<void> read_site(const adapter_file& file, const planned_site& plan, reading& how, lora_site& out) {
  const auto& shape = plan.shape;
  out.layer = shape.layer;
  out.where = shape.where;
  out.rank = shape.rank;
  out.in = shape.in;
  out.out = shape.out;
  out.scaling = shape.scaling;
  if (auto ok = read_factor(file, plan.a, how, out.a); !ok) return ok;
  if (auto ok = read_factor(file, plan.b, how, out.b); !ok) return ok;
  if (auto ok = read_vector(file, plan.bias, how, out.bias); !ok) return ok;
  return read_vector(file, plan.magnitude, how, out.magnitude);
}

result<std::vector<module_copy>> read_copies(const adapter_file& file, const site_plan& plan, reading& how) {
  std::vector<module_copy> out;
  for (const auto& planned : plan.copies) {
    out.push_back({planned.where, planned.rows, planned.cols, {}});
    if (auto ok = read_factor(file, planned.weight, how, out.back().weight); !ok) return ok.error();
  }
  return out;
}

void warn_about_base(const adapter_manifest& manifest, const model_config& base,
                     std::vector<std::string>& warnings) {
  if (may_be_same_base(manifest.base_name, base.name)) return;
  auto last = manifest.base_name.substr(manifest.base_name.find_last_of("/\\") + 1);
  warnings.push_back("adapter_config.json: base_model_name_or_path is " + shown(last) + ", the base is " +
                     shown(base.name));
}

digest_form form_of(const site_plan& plan) {
  bool more = !plan.copies.empty() || std::ranges::any_of(plan.sites, [](auto& site) {
    return site.shape.bias || site.shape.magnitude;
  });
  return more ? digest_form::more : digest_form::pairs;
}

// As many sites as a layer has: their shapes come again, so that a buffer need not grow, and they fit a
// cache.
std::size_t buffers_for(const site_plan& plan) {
  constexpr std::size_t fewest = 4;
  auto in_first = [&](auto& site) { return site.shape.layer == plan.sites.front().shape.layer; };
  return std::max(fewest, static_cast<std::size_t>(std::ranges::count_if(plan.sites, in_first)));
}

// Reads the sites, and packs them if there is where to; the version and the modules found.
result<inspected> read_sites(const adapter_file& file, const site_plan& plan, reading& how,
                             adapter_packing* packing, adapter_weights& weights) {
  const auto buffers = packing ? buffers_for(plan) : plan.sites.size();
  inspection found(plan.sites.size(), buffers, form_of(plan), how.stop);
  for (const auto& planned : plan.sites) {
    auto site = found.next();
    if (!site) return site.error();
    if (auto ok = read_site(file, planned, how, **site); !ok) return ok.error();
    found.have();
    if (!packing) continue;
    if (auto ok = packing->add(**site); !ok) return ok.error();
  }
  if (auto ok = file.check_unchanged(); !ok) return ok.error();
  how.end();
  auto out = found.finish(weights.copies);
  if (!packing) weights.sites = found.take_sites();
  return out;
}

// Coverage and warnings of weights that were read and measured.
result<loaded_adapter> finished(adapter_weights weights, std::vector<module_coverage> modules,
                                std::vector<std::string> warnings, std::uint64_t file_bytes,
                                const std::stop_token& stop) {
  loaded_adapter out;
  out.weights = std::move(weights);
  out.coverage = summarise(std::move(modules), out.weights.copies, stop);
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
                                    byte_progress* told, const adapter_packer* into) {
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
  auto copies = read_copies(*file, *plan, how);
  if (!copies) return copies.error();
  weights.copies = *std::move(copies);
  std::unique_ptr<adapter_packing> packing;
  if (into) {
    std::vector<site_shape> shapes;
    std::ranges::transform(plan->sites, std::back_inserter(shapes), &planned_site::shape);
    auto begun = into->begin(shapes, weights.copies, stop);
    if (!begun) return begun.error();
    packing = *std::move(begun);
  }
  auto found = read_sites(*file, *plan, how, packing.get(), weights);
  if (!found) return found.error();
  weights.version = found->version;
  std::shared_ptr<const packed_adapter> packed;
  if (packing) {
    auto done = packing->finish(weights.version);
    if (!done) return done.error();
    packed = *std::move(done);
  }
  auto warnings = std::move(manifest->warnings);
  warnings.insert(warnings.end(), plan->warnings.begin(), plan->warnings.end());
  warn_about_base(*manifest, base, warnings);
  auto out = finished(std::move(weights), std::move(found->modules), std::move(warnings), file->size(), stop);
  if (out) out->packed = std::move(packed);
  return out;
}

}  // namespace lorica
