#include "actors/step_series.hpp"

#include "actors/time_bounds.hpp"

namespace lorica {

step_series::step_series(metrics& m)
    : running_(m.make_gauge("lorica_requests_running", "Sequences that hold KV blocks.")),
      waiting_(m.make_gauge("lorica_requests_waiting", "Sequences in the queue.")),
      blocks_used_(m.make_gauge("lorica_kv_blocks_used", "KV blocks in use.")),
      blocks_total_(m.make_gauge("lorica_kv_blocks_total", "KV blocks of the pool.")),
      leases_(m.make_gauge("lorica_adapter_leases", "Sequences that hold an adapter.")),
      resident_(m.make_gauge("lorica_adapters_resident", "Adapters in memory.")),
      resident_bytes_(m.make_gauge("lorica_adapter_bytes", "Bytes of the adapters in memory.")),
      budget_bytes_(m.make_gauge("lorica_adapter_budget_bytes", "Bytes that adapters in memory may take.")),
      registered_(m.make_gauge("lorica_adapters_registered", "Adapters that have a name.")),
      tgi_queue_(m.make_gauge("tgi_queue_size", "As lorica_requests_waiting.")),
      tgi_batch_(m.make_gauge("tgi_batch_current_size", "As lorica_requests_running.")),
      clients_(m.make_gauge("lorica_schedule_clients", "Clients with a sequence, each with its own turn.")),
      gap_(m.make_gauge("lorica_schedule_gap_seconds",
                        "Widest difference of what two clients that wait were given of the machine.")),
      gap_bound_(m.make_gauge("lorica_schedule_gap_bound_seconds",
                              "What lorica_schedule_gap_seconds stays within (VTC's bound).")),
      price_error_(m.make_gauge("lorica_step_price_error",
                                "Mean error of a step's predicted time, as a share of it.")),
      steps_(m.make_counter("lorica_steps_total", "Steps the executor computed.")),
      failures_(m.make_counter("lorica_step_failures_total", "Steps that failed.")),
      preemptions_(m.make_counter("lorica_preemptions_total",
                                  "Sequences put back to the queue, mostly for want of KV blocks.")),
      evictions_(m.make_counter("lorica_adapter_evictions_total", "Adapters that left memory for others.")),
      loads_(
          m.make_counter("lorica_adapter_loads_total", "Adapter loads by outcome.", {{"outcome", "ready"}})),
      failed_loads_(
          m.make_counter("lorica_adapter_loads_total", "Adapter loads by outcome.", {{"outcome", "failed"}})),
      prefix_queries_(
          m.make_counter("lorica_prefix_cache_queries_total",
                         "Tokens of admitted sequences that were looked up in the prefix cache.")),
      prefix_hits_(
          m.make_counter("lorica_prefix_cache_hits_total", "Of them, those that had been computed already.")),
      yields_(m.make_counter("lorica_yields_total",
                             "Sequences put back for a client that had less; among the preemptions.")),
      rests_(m.make_counter("lorica_rests_total", "Times that an idle server gave memory back.")),
      apart_(m.make_counter("lorica_steps_apart_total",
                            "Steps for first tokens of small clients, in which a large one sat out.")),
      ahead_(m.make_counter("lorica_steps_ahead_total",
                            "Steps that were planned while the one before was computed.")),
      seconds_(m.make_histogram("lorica_step_seconds", "Duration of a step.", short_times())),
      rows_(m.make_histogram("lorica_step_rows", "Rows of a step.",
                             {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048})),
      adapters_(m.make_histogram("lorica_step_adapters", "Distinct adapters of a step.",
                                 {0, 1, 2, 4, 8, 16, 32, 64, 128})),
      load_seconds_(m.make_histogram("lorica_adapter_load_seconds", "From the start of a load to ready.",
                                     long_times())) {}

void step_series::count(const scheduler_facts& facts) {
  running_.set(static_cast<double>(facts.running));
  waiting_.set(static_cast<double>(facts.waiting));
  tgi_batch_.set(static_cast<double>(facts.running));
  tgi_queue_.set(static_cast<double>(facts.waiting));
  blocks_used_.set(static_cast<double>(facts.blocks_used));
  blocks_total_.set(static_cast<double>(facts.blocks_total));
  steps_.add(static_cast<double>(facts.steps - std::exchange(seen_steps_, facts.steps)));
  preemptions_.add(
      static_cast<double>(facts.preemptions - std::exchange(seen_preemptions_, facts.preemptions)));
  prefix_queries_.add(
      static_cast<double>(facts.prefix_queries - std::exchange(seen_queries_, facts.prefix_queries)));
  prefix_hits_.add(static_cast<double>(facts.prefix_hits - std::exchange(seen_hits_, facts.prefix_hits)));
  yields_.add(static_cast<double>(facts.yields - std::exchange(seen_yields_, facts.yields)));
  rests_.add(static_cast<double>(facts.rests - std::exchange(seen_rests_, facts.rests)));
  apart_.add(static_cast<double>(facts.apart - std::exchange(seen_apart_, facts.apart)));
  ahead_.add(static_cast<double>(facts.ahead - std::exchange(seen_ahead_, facts.ahead)));
  gap_.set(facts.gap);
  gap_bound_.set(facts.gap_bound);
  clients_.set(static_cast<double>(facts.clients));
  price_error_.set(facts.price_error);
  if (!facts.step) return;
  if (!facts.healthy) failures_.add();
  seconds_.observe(std::chrono::duration<double>(facts.step->duration).count());
  rows_.observe(static_cast<double>(facts.step->rows));
  adapters_.observe(static_cast<double>(facts.step->adapters));
}

void step_series::count(const adapters_facts& facts) {
  leases_.set(static_cast<double>(facts.leases));
  resident_.set(static_cast<double>(facts.resident));
  resident_bytes_.set(static_cast<double>(facts.resident_bytes));
  budget_bytes_.set(static_cast<double>(facts.budget_bytes));
  registered_.set(static_cast<double>(facts.adapters.size()));
  evictions_.add(static_cast<double>(facts.evictions - std::exchange(seen_evictions_, facts.evictions)));
  for (auto& load : facts.loads) {
    (load.ready ? loads_ : failed_loads_).add();
    load_seconds_.observe(std::chrono::duration<double>(load.duration).count());
  }
}

}  // namespace lorica
