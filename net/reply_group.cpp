#include "net/reply_group.hpp"

#include <utility>

#include "core/response_sink.hpp"

namespace lorica {

/// The sink of one of the generations. One that is let go without an end counts as failed.
class reply_group::member final : public response_sink {
 public:
  member(std::shared_ptr<reply_group> group, std::size_t number, std::uint32_t choices)
      : group_(std::move(group)), number_(number), all_(choices) {}
  ~member() override {
    if (group_) group_->failed(fail(errc::incomplete, "Incomplete generation"));
  }
  member(const member&) = delete;
  member& operator=(const member&) = delete;

  void started(generation_started facts) override { all_.facts = std::move(facts); }
  void chunk(generation_chunk tokens) override { all_.add(std::move(tokens)); }
  void finished(generation_finish end) override { all_.add(std::move(end)); }
  void done(generation_timings timings) override {
    all_.timings = timings;
    std::exchange(group_, nullptr)->ended(number_, std::move(all_));
  }
  void failed(error why) override { std::exchange(group_, nullptr)->failed(std::move(why)); }
  bool saturated() const noexcept override { return false; }

 private:
  std::shared_ptr<reply_group> group_;  // null once it has ended
  std::size_t number_;
  collected all_;
};

std::shared_ptr<reply_group> reply_group::start(generation_service& service,
                                                std::vector<generation_request> requests, ending done) {
  std::shared_ptr<reply_group> group(new reply_group(std::move(done), requests.size()));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto sink = std::make_shared<member>(group, i, requests[i].choices);
    auto running = service.start(std::move(requests[i]), std::move(sink));
    if (group->keep(running)) continue;
    running->cancel();  // one has failed already: no more are started
    break;
  }
  return group;
}

bool reply_group::keep(std::shared_ptr<generation_handle> running) {
  std::lock_guard hold(changing_);
  if (done_) running_.push_back(std::move(running));
  return done_ != nullptr || left_ == 0;
}

void reply_group::ended(std::size_t number, collected all) {
  ending done;
  {
    std::lock_guard hold(changing_);
    all_[number] = std::move(all);
    if (--left_ != 0) return;
    done = std::exchange(done_, nullptr);
    running_.clear();
  }
  if (done) done(std::move(all_));
}

void reply_group::failed(error why) {
  ending done;
  std::vector<std::shared_ptr<generation_handle>> running;
  {
    std::lock_guard hold(changing_);
    done = std::exchange(done_, nullptr);
    running = std::exchange(running_, {});
  }
  for (auto& other : running)
    other->cancel();
  if (done) done(std::move(why));
}

void reply_group::cancel() noexcept {
  std::vector<std::shared_ptr<generation_handle>> running;
  {
    std::lock_guard hold(changing_);
    running = std::exchange(running_, {});
  }
  for (auto& one : running)
    one->cancel();
}

}  // namespace lorica
