#include "adapters/reader.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "adapters/base_name.hpp"
#include "adapters/digest.hpp"
#include "adapters/gguf_lora.hpp"
#include "adapters/inspection.hpp"
#include "adapters/manifest.hpp"
#include "adapters/refusal.hpp"
#include "adapters/site_plan.hpp"
#include "adapters/site_reader.hpp"
#include "files/safetensors.hpp"

namespace lorica {
namespace {

constexpr std::string_view weights_file = "adapter_model.safetensors";
constexpr std::string_view gguf_ending = ".gguf";

constexpr std::size_t slice = std::size_t{1}
                              << 20;  // bytes of a GGUF file between two looks at the stop token
constexpr unsigned most_threads = 4;  // at one adapter
constexpr double suspicious_update = 1e6;

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

void warn_about_base(const adapter_manifest& manifest, const model_config& base,
                     std::vector<std::string>& warnings) {
  if (may_be_same_base(manifest.base_name, base.name)) return;
  auto last = manifest.base_name.substr(manifest.base_name.find_last_of("/\\") + 1);
  warnings.push_back("adapter_config.json: base_model_name_or_path is " + shown(last) + ", the base is " +
                     shown(base.name));
}

unsigned threads_for_one() noexcept {
  return std::clamp(std::thread::hardware_concurrency(), 1u, most_threads);
}

// The version of an adapter of these sites, and of these copies, which are few and large.
result<adapter_version> version_with(const inspected& sites, const std::vector<module_copy>& copies,
                                     const std::stop_token& stop) {
  sha256 hash;
  std::vector<part_digest> digests;
  for (const auto& copy : copies) {
    auto digest = digest_of(hash, copy, stop);
    if (!digest) return cancelled();
    digests.push_back(*digest);
  }
  return version_of(sites.digests, digests);
}

// In the order in which a file holds them, which may be another than that of the sites.
std::vector<std::size_t> order_in_file(const site_plan& plan) {
  std::vector<std::size_t> out(plan.sites.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  std::ranges::sort(out, {}, [&](auto site) { return plan.sites[site].a.begin; });
  return out;
}

// What was found in the order of a file.
inspected in_order_of_sites(inspected found, const std::vector<std::size_t>& order) {
  auto out = found;
  for (std::size_t place = 0; place < order.size(); ++place) {
    out.digests[order[place]] = found.digests[place];
    out.modules[order[place]] = found.modules[place];
  }
  return out;
}

// Reads the sites, and packs them if there is where to; else they are kept. The version is set.
result<std::vector<module_coverage>> read_sites(const adapter_file& file, const site_plan& plan,
                                                const reading_options& how, adapter_packing* packing,
                                                adapter_weights& weights) {
  const auto order = order_in_file(plan);
  const site_reader reader(file, how.stop, how.told);
  if (!packing) weights.sites.resize(plan.sites.size());
  site_work work;
  work.measure = how.measure;
  work.read = [&](std::size_t place, site_buffer& buffer) -> result<lora_site*> {
    if (auto ok = reader.read(plan.sites[order[place]], buffer); !ok) return ok.error();
    return &buffer.site;
  };
  work.take = [&](std::size_t place, lora_site& found) -> result<void> {
    const auto site = order[place];
    if (packing) return packing->put(site, found);
    weights.sites[site] = std::move(found);
    return {};
  };
  auto found = inspect(plan.sites.size(), threads_for_one(), how.stop, work);
  if (!found) return found.error();
  if (auto ok = file.check_unchanged(); !ok) return ok.error();
  if (how.told) how.told->bytes = how.told->total.load();
  auto sites = in_order_of_sites(*std::move(found), order);
  auto version = version_with(sites, weights.copies, how.stop);
  if (!version) return version.error();
  weights.version = *version;
  return std::move(sites.modules);
}

// Coverage and warnings of weights that were read and measured.
result<loaded_adapter> finished(adapter_weights weights, std::vector<module_coverage> modules,
                                std::vector<std::string> warnings, std::uint64_t file_bytes,
                                const reading_options& how) {
  loaded_adapter out;
  out.weights = std::move(weights);
  out.coverage = summarise(std::move(modules), out.weights.copies, how.stop);
  if (how.stop.stop_requested()) return cancelled();
  out.file_bytes = file_bytes;
  out.warnings = std::move(warnings);
  if (!how.measure) return out;
  if (out.coverage.zero_effect_modules == out.coverage.modules.size() && out.coverage.copies.empty())
    out.warnings.push_back("the adapter changes nothing: in every module a factor or the scaling is zero");
  if (out.coverage.largest_update > suspicious_update)
    out.warnings.push_back("the update of a module is larger than 1000000 (Frobenius norm); was it trained?");
  return out;
}

// A GGUF file, read by copy like all others.
result<loaded_adapter> read_gguf(const adapter_file& file, const std::string& name, const model_config& base,
                                 const reader_limits& limits, const reading_options& how) {
  if (file.size() > limits.max_file_bytes) return too_large(name, file.size(), limits.max_file_bytes);
  if (how.told) how.told->begin(file.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  for (std::size_t at = 0; at < bytes.size(); at += slice) {
    if (how.stop.stop_requested()) return cancelled();
    auto part = std::span(bytes).subspan(at, std::min(slice, bytes.size() - at));
    if (auto ok = file.read(at, part); !ok) return ok.error();
    if (how.told) how.told->bytes += part.size();
  }
  if (auto ok = file.check_unchanged(); !ok) return ok.error();
  auto read = parse_gguf_lora(name, bytes, base, limits.max_rank, how.stop);
  if (!read) return read.error();
  adapter_weights weights{.version = {}, .sites = std::move(read->sites)};
  site_work work;
  work.measure = how.measure;
  work.read = [&](std::size_t site, site_buffer&) -> result<lora_site*> { return &weights.sites[site]; };
  auto found = inspect(weights.sites.size(), threads_for_one(), how.stop, work);
  if (!found) return found.error();
  weights.version = version_of(found->digests, {});
  return finished(std::move(weights), std::move(found->modules), std::move(read->warnings), file.size(), how);
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
  return read_adapter(*place, base, limits, {.stop = stop});
}

result<loaded_adapter> read_adapter(const adapter_place& place, const model_config& base,
                                    const reader_limits& limits, const reading_options& how) {
  const auto& stop = how.stop;
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

  if (how.told) how.told->begin(file->size());
  adapter_weights weights;
  auto copies = site_reader(*file, stop, how.told).read_copies(*plan);
  if (!copies) return copies.error();
  weights.copies = *std::move(copies);
  std::unique_ptr<adapter_packing> packing;
  if (how.into) {
    std::vector<site_shape> shapes;
    std::ranges::transform(plan->sites, std::back_inserter(shapes), &planned_site::shape);
    auto begun = how.into->begin(shapes, weights.copies, stop);
    if (!begun) return begun.error();
    packing = *std::move(begun);
  }
  auto modules = read_sites(*file, *plan, how, packing.get(), weights);
  if (!modules) return modules.error();
  std::shared_ptr<const packed_adapter> packed;
  if (packing) {
    auto done = packing->finish(weights.version);
    if (!done) return done.error();
    packed = *std::move(done);
  }
  auto warnings = std::move(manifest->warnings);
  warnings.insert(warnings.end(), plan->warnings.begin(), plan->warnings.end());
  warn_about_base(*manifest, base, warnings);
  auto out = finished(std::move(weights), *std::move(modules), std::move(warnings), file->size(), how);
  if (out) out->packed = std::move(packed);
  return out;
}

}  // namespace lorica
