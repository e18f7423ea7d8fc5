#pragma once

namespace lorica::bench {

/// Processor time of a stretch of wall time: what of it others used. Read from `/proc/stat` and `getrusage`;
/// where there is no such file the foreign share reads 0.
class machine_load {
 public:
  machine_load();

  /// Share of all cores, since construction, that ran neither this process nor idle. `belongs`: processor
  /// seconds of other processes that are part of what is measured.
  double foreign(double belongs = 0) const;

  /// Share of all cores, since construction, that the host gave to others.
  double steal() const;

  /// Processor seconds of this process since construction.
  double own() const;

 private:
  double busy_;   // seconds, all cores
  double total_;  // seconds, all cores, idle included
  double own_;    // seconds
  double steal_;  // seconds, all cores
};

}  // namespace lorica::bench
