#include "bench/gpu/suite_run.hpp"

#include <algorithm>
#include <optional>

#include "bench/gpu/child_process.hpp"
#include "bench/gpu/failure.hpp"
#include "bench/gpu/record.hpp"

namespace lorica::bench {
namespace {

constexpr double shortest_case = 1;  // seconds; with less a case is not begun
constexpr double time_to_end = 20;   // seconds from the end of a case's time to that of its process
constexpr double time_to_open = 60;  // seconds that reading what the card is may take

/// Takes the card, and what a case's process says when there is none.
struct card_reader final : record_reader {
  std::optional<card> found;
  void take(row) override {}
  void take(const card& c) override { found = c; }
  void take(const copy_rates&) override {}
  void take(const product_times&) override {}
};

/// Puts what a case's process tells into the session that the document is written from.
struct session_reader final : record_reader {
  explicit session_reader(session& to) : to_(to) {}
  void take(row r) override { to_.note(std::move(r)); }
  void take(const card&) override {}
  void take(const copy_rates& c) override { to_.know(c); }
  void take(const product_times& t) override { to_.know(t); }

 private:
  session& to_;
};

/// In the case's process.
void measure(session s, const bench_case& c, double seconds, const line_sender& send) {
  s.stop_at(deadline(seconds));
  s.watch = [&send](const row& r) { send(record_of(r)); };
  s.watch_copies = [&send](const copy_rates& r) { send(record_of(r)); };
  s.watch_products = [&send](const product_times& t) { send(record_of(t)); };
  s.guard(std::string(c.id), [&] { c.run(s); });
}

}  // namespace

result<card> card_of(int device) {
  card_reader reader;
  const auto end =
      run_in_child([device](const line_sender& send) { send(record_of(need(card_at(device)))); },
                   [&reader](std::string_view line) { static_cast<void>(reader.read(line)); }, time_to_open);
  if (!end) return end.error();
  if (reader.found) return *std::move(reader.found);
  return fail(errc::bad_config, end->why);
}

suite_run::suite_run(session_settings settings, card at, std::span<const bench_case> cases,
                     std::function<bool(std::string_view)> is_wanted)
    : cases_(cases), session_(std::move(settings), std::move(at)) {
  const bool fp8 = session_.settings().weights == gpu::weight_format::fp8;
  const auto can = check_weights(session_.settings().weights, session_.at().properties);
  for (auto& c : cases_) {
    auto& o = outcomes_.emplace_back(case_outcome{std::string(c.id)});
    if (!is_wanted(c.id))
      o.why = "it was not asked for";
    else if (!can)
      o.why = can.error().text;
    else if (fp8 && !c.in_fp8)
      o.why = "weights in fp8 make no other case of it";
    wanted_.push_back(is_wanted(c.id) && can && (c.in_fp8 || !fp8));
  }
}

double suite_run::weights_from(std::size_t first) const {
  double out = 0;
  for (auto i = first; i < cases_.size(); ++i)
    if (wanted_[i]) out += cases_[i].seconds;
  return out;
}

void suite_run::tell() const {
  if (changed) changed();
}

void suite_run::run() {
  const deadline end(session_.settings().limit);
  session_.watch = [this](const row& r) {
    if (watch) watch(r);
    tell();
  };
  static_cast<void>(session_.weights());  // the copies have them from here
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (!wanted_[i]) continue;
    auto& out = outcomes_[i];
    const double seconds = share_of_time(end.left(), cases_[i].seconds, weights_from(i));
    if (seconds < std::min(shortest_case, session_.settings().limit / 2)) {
      out.why = no_time;
      continue;
    }
    run_case(cases_[i], out, seconds);
  }
  complete_ = true;
  tell();
}

void suite_run::run_case(const bench_case& c, case_outcome& out, double seconds) {
  out.state = case_state::running;
  out.why.clear();
  tell();
  session_reader reader(session_);
  const auto before = session_.rows().size();
  const auto end =
      run_in_child([&](const line_sender& send) { measure(session_, c, seconds, send); },
                   [&reader](std::string_view line) { need(reader.read(line)); }, seconds + time_to_end);
  out.state = case_state::ended;
  out.seconds = end ? end->seconds : 0;
  out.why = end ? end->why : end.error().text;
  for (auto i = before; i < session_.rows().size(); ++i)
    if (session_.rows()[i].out_of_time) out.why = "its time was over: not all of it was measured";
  if (!out.why.empty()) out.state = case_state::cut_off;
  if (!end || end->why.empty()) return tell();
  row lost;
  lost.suite = c.id;
  lost.name = "all that is left";
  lost.missing = end->why;
  lost.out_of_time = end->too_late;
  session_.note(std::move(lost));
}

}  // namespace lorica::bench
