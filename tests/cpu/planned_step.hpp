#pragma once

#include "cpu/step_plan.hpp"
#include "cpu/token_history.hpp"
#include "tests/catch.hpp"

namespace lorica::testing {

/// A plan with its history and limits, for what works on planned steps without an executor.
struct planned_step {
  executor_limits limits;
  model_config model;
  unsigned members;
  token_history history;
  step_plan plan;
  batch step;

  planned_step(const executor_limits& l, const model_config& m, unsigned team = 1)
      : limits(l),
        model(m),
        members(team),
        history(*token_history::allocate(l.max_sequences, l.max_positions)),
        plan(limits, model, team) {}

  /// Adds a sequence of literal tokens; gives it to be changed.
  sequence_rows& add(std::uint32_t slot, std::uint32_t context, std::vector<token_id> tokens,
                     std::vector<std::uint32_t> blocks) {
    sequence_rows s;
    s.slot = slot;
    s.first_row = static_cast<std::uint32_t>(step.tokens.size());
    s.rows = static_cast<std::uint32_t>(tokens.size());
    s.context = context;
    s.first_block = static_cast<std::uint32_t>(step.block_table.size());
    s.blocks = static_cast<std::uint32_t>(blocks.size());
    s.sample = true;
    step.tokens.insert(step.tokens.end(), tokens.begin(), tokens.end());
    step.block_table.insert(step.block_table.end(), blocks.begin(), blocks.end());
    return step.sequences.emplace_back(s);
  }

  /// Plans what was added.
  result<void> prepare() { return plan.prepare(step, {}, history, members); }

  /// Plans what was added, which must go, and begins the next step.
  void pass() {
    REQUIRE(prepare());
    step = {};
  }
};

}  // namespace lorica::testing
