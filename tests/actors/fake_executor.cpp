#include "tests/actors/fake_executor.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <stdexcept>

#include "tests/actors/fake_tokenizer.hpp"

namespace lorica::test {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 29);
}

class fake_packed final : public packed_adapter {
 public:
  fake_packed(const adapter_version& version, std::span<const site_shape> sites)
      : version_(version), shape_(merge_shape_of(sites)), bytes_(sites[0].rank) {
    ++fake_executor::alive;
  }
  ~fake_packed() override { --fake_executor::alive; }
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return bytes_; }
  std::vector<std::uint32_t> ranks() const override {
    std::set<std::uint32_t> out;
    for (auto& module : shape_.modules)
      out.insert(module.rank);
    return {out.begin(), out.end()};
  }
  const merge_shape& shape() const noexcept override { return shape_; }

 private:
  adapter_version version_;
  merge_shape shape_;
  std::uint64_t bytes_;
};

/// A rank is as many bytes.
class fake_packing final : public adapter_packing {
 public:
  explicit fake_packing(std::span<const site_shape> sites) : sites_(sites.begin(), sites.end()) {}
  result<void> put(std::size_t, const lora_site&) override { return {}; }
  result<std::shared_ptr<const packed_adapter>> finish(const adapter_version& version) override {
    return std::shared_ptr<const packed_adapter>(std::make_shared<const fake_packed>(version, sites_));
  }

 private:
  std::vector<site_shape> sites_;
};

adapter_version composed(const std::vector<std::pair<adapter_version, float>>& parts, combination combine) {
  if (parts.size() == 1 && parts[0].second == 1 && combine == combination::sum) return parts[0].first;
  adapter_version out;
  std::uint64_t h = combine == combination::sum ? 3 : 5;
  for (auto& [version, weight] : parts) {
    for (auto byte : version.digest)
      h = mix(h, byte);
    h = mix(h, std::bit_cast<std::uint32_t>(weight));
  }
  for (std::size_t i = 0; i < out.digest.size(); ++i)
    out.digest[i] = static_cast<std::uint8_t>((h = mix(h, i)) >> 24);
  return out;
}

}  // namespace

std::atomic<int> fake_executor::alive{0};

adapter_version version_of(const std::string& name) {
  adapter_version out;
  std::uint64_t h = 1;
  for (unsigned char c : name)
    h = mix(h, c);
  for (std::size_t i = 0; !name.empty() && i < out.digest.size(); ++i)
    out.digest[i] = static_cast<std::uint8_t>((h = mix(h, i)) >> 24);
  return out;
}

adapter_version version_of(const std::vector<named_adapter>& composition, combination combine) {
  std::vector<std::pair<adapter_version, float>> parts;
  for (auto& part : composition)
    parts.emplace_back(version_of(part.name), part.weight);
  return composed(parts, combine);
}

token_id next_token(const adapter_version& version, const std::vector<token_id>& tokens, std::uint64_t seed) {
  std::uint64_t h = mix(7, seed);
  for (auto byte : version.digest)
    h = mix(h, byte);
  for (auto token : tokens)
    h = mix(h, static_cast<std::uint64_t>(token));
  if (h % 64 == 0) return fake_tokenizer::eos_id;
  return static_cast<token_id>('a' + (h >> 8) % 26);
}

float told_logprob(std::size_t position) {
  return -1.0f - static_cast<float>(position) / 8;
}

std::vector<token_logprob> told_alternatives(std::size_t position, std::uint32_t count) {
  std::vector<token_logprob> out;
  for (std::uint32_t i = 0; i < count; ++i)
    out.push_back({static_cast<token_id>('A' + (position + i) % 26), -0.25f * static_cast<float>(i + 1)});
  return out;
}

expected expect(const std::string& adapter, const std::string& prompt, std::uint32_t max_new,
                std::uint64_t seed) {
  return expect(version_of(adapter), prompt, max_new, seed);
}

expected expect(const adapter_version& version, const std::string& prompt, std::uint32_t max_new,
                std::uint64_t seed) {
  std::vector<token_id> tokens;
  for (unsigned char c : prompt)
    tokens.push_back(c);
  expected out;
  while (out.tokens < max_new && !out.eos) {
    auto token = next_token(version, tokens, seed);
    tokens.push_back(token);
    ++out.tokens;
    out.eos = token == fake_tokenizer::eos_id;
    if (!out.eos) out.text.push_back(static_cast<char>(token));
  }
  return out;
}

result<loaded_adapter> read_fake(const std::string& directory, std::stop_token stop) {
  auto colon = directory.find(':');
  auto name = directory.substr(0, colon);
  if (name == "bad") return fail(errc::bad_adapter, "rank is 999; at most 256 is taken", "rank_too_large");
  if (name == "gone") return fail(errc::unknown_adapter, "adapter_config.json is not there", "missing_file");
  if (name.starts_with("hang")) {
    std::mutex m;
    std::condition_variable_any c;
    std::unique_lock hold(m);
    c.wait(hold, stop, [] { return false; });
    return fail(errc::cancelled, "stopped");
  }
  loaded_adapter out;
  out.weights.version = version_of(name);
  lora_site site;
  site.rank =
      static_cast<std::uint32_t>(colon == std::string::npos ? 100 : std::stoul(directory.substr(colon + 1)));
  out.weights.sites.push_back(site);
  if (name.starts_with("mixed")) {
    site.layer = 1;
    site.rank += 1;
    out.weights.sites.push_back(site);
  }
  for (auto& each : out.weights.sites)
    out.coverage.modules.push_back(outline(each));
  return out;
}

fake_executor::~fake_executor() = default;

result<std::unique_ptr<adapter_packing>> fake_executor::begin(std::span<const site_shape> sites,
                                                              std::span<const module_copy>,
                                                              std::stop_token) const {
  return std::unique_ptr<adapter_packing>(std::make_unique<fake_packing>(sites));
}

std::uint64_t fake_executor::packed_bytes(const adapter_weights& weights) const {
  return weights.sites[0].rank;
}

result<void> fake_executor::attach(const std::shared_ptr<const packed_adapter>& adapter) {
  if (attached_.size() >= room) return fail(errc::out_of_memory, "the device has no room for the adapter");
  attached_.insert(adapter.get());
  return {};
}

void fake_executor::detach(const packed_adapter& adapter) noexcept {
  attached_.erase(&adapter);
}

void fake_executor::hold() {
  allow(0);
}

void fake_executor::allow(std::uint64_t steps) {
  std::lock_guard lock(mutex_);
  allowed_ = steps;
  changed_.notify_all();
}

void fake_executor::release() {
  allow(UINT64_MAX);
}

bool fake_executor::wait_held() {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [this] { return held_; });
}

void fake_executor::wait_turn() {
  std::unique_lock lock(mutex_);
  held_ = allowed_ == 0;
  changed_.notify_all();
  changed_.wait_for(lock, std::chrono::seconds(60), [this] { return allowed_ > 0; });
  held_ = false;
  if (allowed_ != UINT64_MAX) --allowed_;
}

bool fake_executor::keeps_contract(const batch& step) const {
  std::multiset<std::uint32_t> blocks(step.block_table.begin(), step.block_table.end());
  if (!blocks.empty() && *blocks.rbegin() >= limits_.blocks) return false;
  // What is written is nobody else's.
  for (auto& s : step.sequences)
    for (auto b = s.context / limits_.block_tokens; b < s.blocks; ++b)
      if (blocks.count(step.block_table[s.first_block + b]) != 1) return false;
  if (step.tokens.size() > limits_.max_rows) return false;
  for (auto& use : step.uses)
    if (!attached_.contains(use.adapter)) return false;
  std::uint32_t row = 0;
  for (auto& s : step.sequences) {
    if (s.first_row != row || s.slot >= limits_.max_sequences) return false;
    if (s.blocks * limits_.block_tokens < s.context + s.rows) return false;
    row += s.rows;
  }
  return row == step.tokens.size();
}

result<step_output> fake_executor::execute(const batch& step) {
  wait_turn();
  ++steps;
  if (gone) return fail(errc::generation_failed, "the device is gone");
  if (throws.exchange(false)) throw std::runtime_error("broken device");
  if (failures > 0 && failures-- > 0) return fail(errc::generation_failed, "the device failed");
  if (!keeps_contract(step)) {
    ++broken;
    return fail(errc::internal, "a batch broke its contract");
  }
  std::set<const packed_adapter*> adapters;
  step_output out;
  for (std::uint32_t i = 0; i < step.sequences.size(); ++i) {
    auto& s = step.sequences[i];
    auto& history = history_[s.slot];
    auto last = history.empty() ? token_id{0} : history.back();
    history.resize(s.context - s.known);
    history.insert(history.end(), step.known.begin() + s.first_known,
                   step.known.begin() + s.first_known + s.known);
    for (std::uint32_t r = 0; r < s.rows; ++r) {
      auto token = step.tokens[s.first_row + r];
      history.push_back(token == sampled_last ? last : token);
    }
    adapter_version version;
    for (auto& segment : step.segments)
      if (s.first_row >= segment.first_row && s.first_row < segment.first_row + segment.rows) {
        std::vector<std::pair<adapter_version, float>> parts;
        for (auto u = segment.first_use; u < segment.first_use + segment.uses; ++u) {
          parts.emplace_back(step.uses[u].adapter->version(), step.uses[u].weight);
          adapters.insert(step.uses[u].adapter);
        }
        version = composed(parts, segment.combine);
      }
    for (auto r = s.first_scored; r < s.first_scored + s.scored; ++r) {
      auto position = s.context + r + 1;
      auto token = r + 1 < s.rows ? step.tokens[s.first_row + r + 1] : s.behind;
      out.scored.push_back({i, token, told_logprob(position), 2, told_alternatives(position, s.scored_top)});
    }
    if (!s.sample) continue;
    auto token = next_token(version, history, s.sampling.sample ? s.sampling.seed : 0);
    history.push_back(token);
    out.tokens.push_back({i, token, -0.5f, s.top == 0 ? 0u : 1u, told_alternatives(history.size(), s.top)});
  }
  most_adapters = std::max<std::uint64_t>(most_adapters, adapters.size());
  most_sequences = std::max<std::uint64_t>(most_sequences, step.sequences.size());
  return out;
}

}  // namespace lorica::test
