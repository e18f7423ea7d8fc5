#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lorica::admin {

/// Numbers of /metrics at one moment.
class metric_sample {
 public:
  /// Reads Prometheus text; lines that are none are left out.
  static metric_sample read(std::string_view text);

  bool has(std::string_view name) const { return series_.find(name) != series_.end(); }

  /// The sum over all labels of a series; 0 when there is none.
  double sum(std::string_view name) const;

  /// Values of a series by one of its labels, summed over the others.
  std::map<std::string, double> by(std::string_view name, std::string_view label) const;

 private:
  struct point {
    std::map<std::string, std::string, std::less<>> labels;
    double number = 0;
  };
  std::map<std::string, std::vector<point>, std::less<>> series_;
};

}  // namespace lorica::admin
