#include "adapters/hub_listing.hpp"

#include <algorithm>

#include "adapters/adapter_directory.hpp"
#include "adapters/hub_reply.hpp"
#include "adapters/refusal.hpp"
#include "core/json.hpp"

namespace lorica {
namespace {

constexpr std::uint64_t most_entries = 200'000;
constexpr std::size_t longest_path = 4096;
constexpr std::size_t longest_part = 255;
constexpr std::size_t sha1_digits = 40;
constexpr std::size_t sha256_digits = 64;
constexpr json_limits limits{.max_bytes = 16 << 20, .max_depth = 16, .max_values = 1'000'000};

error strange(std::string what) {
  return refused(refusal::hub_unreachable, "the Hub's answer is not understood (" + std::move(what) +
                                               "); is HF_ENDPOINT a Hugging Face Hub?");
}

std::string text_of(const value& entry, std::string_view key) {
  auto found = entry.find(key);
  auto text = found ? found->as_string() : nullptr;
  return text ? *text : std::string();
}

result<std::uint64_t> size_in(const value& entry) {
  auto found = entry.find("size");
  auto number = found ? found->as_int() : nullptr;
  if (!number || *number < 0) return strange("a file of the listing has no size");
  return static_cast<std::uint64_t>(*number);
}

result<hub_file> read_file_entry(const value& entry, std::string name) {
  hub_file out;
  out.name = std::move(name);
  auto lfs = entry.find("lfs");
  auto size = size_in(lfs && lfs->find("size") ? *lfs : entry);
  if (!size) return size.error();
  out.size = *size;
  out.git_oid = text_of(entry, "oid");
  if (lfs) {
    out.sha256 = text_of(*lfs, "oid");
    if (out.sha256.empty()) out.sha256 = text_of(*lfs, "sha256");
    if (!is_lower_hex(out.sha256, sha256_digits)) return strange("an LFS file of the listing has no SHA-256");
  }
  if (!is_lower_hex(out.git_oid, sha1_digits)) out.git_oid.clear();
  return out;
}

}  // namespace

bool is_repository_path(std::string_view path) noexcept {
  bool drive = path.size() >= 2 && path[1] == ':';
  if (path.empty() || path.size() > longest_path || drive) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find('/', begin), path.size());
    auto part = path.substr(begin, end - begin);
    if (part.empty() || part.size() > longest_part || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return std::none_of(path.begin(), path.end(),
                      [](char c) { return c == '\\' || static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

result<std::string> parse_revision(std::string_view body) {
  auto json = parse_json(body, limits);
  if (!json) return strange("the revision is no JSON");
  auto commit = text_of(*json, "sha");
  if (!is_lower_hex(commit, sha1_digits)) return strange("the revision has no commit");
  return commit;
}

result<void> hub_choice::take_page(std::string_view body) {
  auto json = parse_json(body, limits);
  auto entries = json ? json->as_array() : nullptr;
  if (!entries) return strange("the listing is no JSON array");
  entries_ += entries->size();
  if (entries_ > most_entries)
    return refused(refusal::too_large, "the repository has more than " + std::to_string(most_entries) +
                                           " files; give one that holds only the adapter");
  for (auto& entry : *entries) {
    auto path = text_of(entry, "path");
    if (!is_repository_path(path))
      return refused(refusal::path_not_allowed, "the repository lists " + quoted(path) +
                                                    ", which is no path inside it; nothing of it is fetched");
    if (text_of(entry, "type") != "file" || path.find('/') != std::string::npos) continue;
    auto file = read_file_entry(entry, std::move(path));
    if (!file) return file.error();
    if (auto ok = take(*std::move(file)); !ok) return ok;
  }
  return {};
}

result<void> hub_choice::take(hub_file file) {
  auto once = [&](std::vector<hub_file>& place) -> result<void> {
    if (!place.empty()) return strange(quoted(file.name) + " is listed twice");
    place.push_back(std::move(file));
    return {};
  };
  if (file.name == "adapter_config.json") return once(config_);
  if (file.name == "adapter_model.safetensors") return once(weights_);
  pickle_ = pickle_ || is_pickle_name(file.name);
  if (!file.name.ends_with(".gguf")) return {};
  ++gguf_files_;
  if (gguf_.empty()) gguf_.push_back(std::move(file));
  return {};
}

result<std::vector<hub_file>> hub_choice::chosen(const std::string& id) const {
  auto missing = [&](std::string what) {
    return fail(errc::unknown_adapter, "the repository '" + id + "' " + std::move(what),
                std::string(refusal::missing_file));
  };
  if (weights_.empty() && gguf_files_ > 1)
    return missing("has no adapter_model.safetensors and " + std::to_string(gguf_files_) +
                   " .gguf files; give one with a single .gguf");
  if (weights_.empty() && gguf_.empty() && pickle_)
    return refused(refusal::pickle_refused, "the repository '" + id +
                                                "' has its weights only as a pickle, which can run code; "
                                                "give one with adapter_model.safetensors");
  if (weights_.empty() && gguf_.empty())
    return missing("has no adapter_model.safetensors in its root; is it a LoRA adapter?");
  if (!weights_.empty() && config_.empty()) return missing("has no adapter_config.json in its root");
  auto out = config_;
  auto& weights = weights_.empty() ? gguf_ : weights_;
  out.insert(out.end(), weights.begin(), weights.end());
  return out;
}

}  // namespace lorica
