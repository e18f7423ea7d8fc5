#pragma once

#include <string>

#include "bench/gpu/suite_run.hpp"

namespace lorica::bench {

/// What of a run the session does not know.
struct run_facts {
  std::string command;
  std::string date;    ///< 2026-01-31
  std::string clocks;  ///< as somebody else told them; empty: nobody did
};

/// Everything that is known of a run as one JSON document: what became of each case, card, rates, rows.
std::string json_of(const suite_run& run, const run_facts& facts);

/// The head of the table.
std::string table_head();

/// A row as a line of the table.
std::string line_of(const row& r);

/// How many rows meet their targets, do not, have none, and are missing.
std::string verdict_of(const session& s);

}  // namespace lorica::bench
