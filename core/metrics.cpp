#include "core/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <deque>
#include <mutex>

namespace lorica {
namespace {

class counter_series final : public metrics::counter {
 public:
  explicit counter_series(prometheus::Counter& c) : counter_(c) {}
  void add(double n) override { counter_.Increment(n); }

 private:
  prometheus::Counter& counter_;
};

class gauge_series final : public metrics::gauge {
 public:
  explicit gauge_series(prometheus::Gauge& g) : gauge_(g) {}
  void set(double v) override { gauge_.Set(v); }

 private:
  prometheus::Gauge& gauge_;
};

class histogram_series final : public metrics::histogram {
 public:
  explicit histogram_series(prometheus::Histogram& h) : histogram_(h) {}
  void observe(double v) override { histogram_.Observe(v); }

 private:
  prometheus::Histogram& histogram_;
};

}  // namespace

struct metrics::state {
  prometheus::Registry registry;
  std::mutex growing;  // guards the three lists; taken when a series is made, never when one is updated
  std::deque<counter_series> counters;
  std::deque<gauge_series> gauges;
  std::deque<histogram_series> histograms;
};

metrics::metrics() : state_(std::make_unique<state>()) {}
metrics::~metrics() = default;

metrics::counter& metrics::make_counter(const std::string& name, const std::string& help, const labels& l) {
  auto& series = prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry).Add(l);
  std::lock_guard hold(state_->growing);
  return state_->counters.emplace_back(series);
}

metrics::gauge& metrics::make_gauge(const std::string& name, const std::string& help, const labels& l) {
  auto& series = prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry).Add(l);
  std::lock_guard hold(state_->growing);
  return state_->gauges.emplace_back(series);
}

metrics::histogram& metrics::make_histogram(const std::string& name, const std::string& help,
                                            std::vector<double> bounds, const labels& l) {
  auto& series = prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry).Add(l, bounds);
  std::lock_guard hold(state_->growing);
  return state_->histograms.emplace_back(series);
}

std::string metrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace lorica
