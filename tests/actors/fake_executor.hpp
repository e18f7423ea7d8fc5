#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "adapters/adapter_origin.hpp"
#include "adapters/reader.hpp"
#include "engine/executor.hpp"

namespace lorica::test {

/// Version of the fake adapter of this name; "" is the base.
adapter_version version_of(const std::string& name);

/// What the fake executor takes for the version of several adapters: a function of all, their weights, order
/// and how they are combined. One with weight 1 is itself.
adapter_version version_of(const std::vector<named_adapter>& composition, combination combine);

/// The next token as a pure function of adapter and tokens: letters, and now and then the end token.
token_id next_token(const adapter_version& version, const std::vector<token_id>& tokens, std::uint64_t seed);

/// What the fake executor tells of the prompt token at `position`, and of a generated one with alternatives.
float told_logprob(std::size_t position);
std::vector<token_logprob> told_alternatives(std::size_t position, std::uint32_t count);

/// The whole generation that the fake executor must give for a prompt, the end token left out of the text.
struct expected {
  std::string text;
  std::uint32_t tokens = 0;
  bool eos = false;
};
expected expect(const std::string& adapter, const std::string& prompt, std::uint32_t max_new,
                std::uint64_t seed = 0);
expected expect(const adapter_version& version, const std::string& prompt, std::uint32_t max_new,
                std::uint64_t seed = 0);

/// Reads the "directory" `name:bytes`: one module of that rank, and another of one more in `mixed…`; `bad` is
/// refused, `gone` is not there, `hang…` waits for `stop`.
result<loaded_adapter> read_fake(const std::string& directory, std::stop_token stop);

/// The same as the runtime wants it: whatever kind of place is named.
inline result<loaded_adapter> read_origin(const adapter_origin& origin, const reading_options& how) {
  return read_fake(origin.text, how.stop);
}

/// Computes `next_token` for every row, checks the batch's contract, and can be held or made to fail.
class fake_executor final : public executor, private adapter_packer {
 public:
  explicit fake_executor(executor_limits limits) : limits_(limits), history_(limits.max_sequences) {}
  ~fake_executor() override;

  const executor_limits& limits() const noexcept override { return limits_; }
  std::string description() const override { return "fake"; }
  const adapter_packer& packer() const noexcept override { return *this; }
  result<step_output> execute(const batch& step) override;
  bool lost() const noexcept override { return gone; }
  result<void> attach(const std::shared_ptr<const packed_adapter>& adapter) override;
  void detach(const packed_adapter& adapter) noexcept override;
  void rest(std::span<const std::uint32_t> empty) noexcept override {
    ++rests;
    empty_blocks = empty.size();
  }

  /// Steps wait until `release`, which lets all go.
  void hold();
  void release();
  /// Waits until a step is held, at most ten seconds.
  bool wait_held();
  /// Steps go only as far as this many, then they are held.
  void allow(std::uint64_t steps);

  std::atomic<std::uint64_t> room{UINT64_MAX};  ///< for so many adapters at once
  std::atomic<int> failures{0};                 ///< so many of the next steps fail
  std::atomic<bool> gone{false};                ///< the device, for good
  std::atomic<bool> throws{false};              ///< the next step throws
  std::atomic<std::uint64_t> steps{0};
  std::atomic<std::uint64_t> most_adapters{0};  ///< distinct ones in one step
  std::atomic<std::uint64_t> most_sequences{0};
  std::atomic<std::uint64_t> rests{0};
  std::atomic<std::uint64_t> empty_blocks{0};  ///< at the last of them
  std::atomic<std::uint64_t> broken{0};        ///< batches against the contract

  static std::atomic<int> alive;  ///< packed adapters

 private:
  result<std::unique_ptr<adapter_packing>> begin(std::span<const site_shape> sites,
                                                 std::span<const module_copy> copies,
                                                 std::stop_token stop) const override;
  std::uint64_t packed_bytes(const adapter_weights& weights) const override;
  bool keeps_contract(const batch& step) const;
  void wait_turn();

  executor_limits limits_;
  std::vector<std::vector<token_id>> history_;
  std::set<const packed_adapter*> attached_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::uint64_t allowed_ = UINT64_MAX;
  bool held_ = false;
};

}  // namespace lorica::test
