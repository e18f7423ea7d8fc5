#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lorica {

/// Counters, gauges and histograms in one registry, written in Prometheus text format. A handle is a stable
/// reference that any thread may use without a lock; series are created at start or on first use of a label.
class metrics {
 public:
  class counter {
   public:
    virtual ~counter() = default;
    virtual void add(double n = 1) = 0;
  };
  class gauge {
   public:
    virtual ~gauge() = default;
    virtual void set(double v) = 0;
  };
  class histogram {
   public:
    virtual ~histogram() = default;
    virtual void observe(double v) = 0;
  };
  using labels = std::map<std::string, std::string>;

  metrics();
  ~metrics();

  counter& make_counter(const std::string& name, const std::string& help, const labels& l = {});
  gauge& make_gauge(const std::string& name, const std::string& help, const labels& l = {});
  histogram& make_histogram(const std::string& name, const std::string& help, std::vector<double> bounds,
                            const labels& l = {});

  /// All series as text.
  std::string text() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace lorica
