#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/planner.hpp"
#include "tests/catch.hpp"
#include "tests/engine/fake_device.hpp"

namespace lorica::testing {

/// Room for four sequences of up to 64 positions, in 64 blocks of 4 tokens; 0 ends a text.
inline planner_options four_slots() {
  return {
      .block_tokens = 4, .blocks = 64, .max_sequences = 4, .max_rows = 32, .max_positions = 64, .eos = {0}};
}

/// A sequence that ends at its length only, over the adapters of these numbers. All prompts begin alike; the
/// seed is the id, by which a row of a step tells whose it is.
inline sequence prompt_of(sequence_id id, std::size_t tokens, std::uint32_t max_new,
                          const std::vector<std::uint8_t>& adapters = {}) {
  sequence s;
  s.id = id;
  for (std::size_t i = 0; i < tokens; ++i)
    s.prompt.push_back(static_cast<token_id>(100 + i));
  s.max_new_tokens = max_new;
  s.ignore_eos = true;
  s.sampling.seed = id;
  for (auto number : adapters)
    s.composition.push_back({version_of(number), 1.0f});
  return s;
}

/// The same with a prompt that shares no beginning with that of another id.
inline sequence own_prompt_of(sequence_id id, std::size_t tokens, std::uint32_t max_new,
                              const std::vector<std::uint8_t>& adapters = {}) {
  auto s = prompt_of(id, tokens, max_new, adapters);
  for (auto& token : s.prompt)
    token += static_cast<token_id>(100 * id);
  return s;
}

inline lease_table::lease lease_of(std::uint8_t number) {
  return std::make_shared<fake_adapter>(version_of(number));
}

/// A planner, its device, and what came out so far.
struct plan_desk {
  explicit plan_desk(const planner_options& o) : plan(o), device(o) {}

  void submit(sequence s) { REQUIRE(plan.submit(std::move(s))); }

  void keep(const plan_outcome& out) {
    for (auto& t : out.tokens)
      tokens[t.id].push_back(t.token);
    for (auto& e : out.ended)
      ends.emplace(e.id, e.how);
    returned += out.leases.size();
  }

  planner plan;
  fake_device device;
  std::map<sequence_id, std::vector<token_id>> tokens;
  std::map<sequence_id, result<finish_reason>> ends;
  std::size_t returned = 0;  // leases
};

}  // namespace lorica::testing
