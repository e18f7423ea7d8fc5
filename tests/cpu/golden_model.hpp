#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/cpu/drive.hpp"

namespace lorica::testing {

std::vector<golden_case> read_golden(const std::string& path);

/// `run_all` with the adapters of a folder.
outcome run_all(const std::shared_ptr<const model_weights>& weights, const std::string& adapter_folder,
                const std::vector<golden_case>& cases, const drive& how,
                const executor_maker& make = make_cpu);

/// A tiny model of the goldens with its adapters' folder and cases.
struct golden_folder {
  std::shared_ptr<const model_weights> weights;
  std::string adapters;
  std::vector<golden_case> cases;
};
golden_folder open_golden(const std::string& model, const std::string& cases = "golden.json");

}  // namespace lorica::testing
