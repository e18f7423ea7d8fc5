#include "tests/net/fake_adapters.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace lorica::testing {
namespace {

constexpr auto patience = std::chrono::seconds(10);

}  // namespace

class fake_adapters::one_watch final : public adapter_watch {
 public:
  one_watch(fake_adapters& owner, std::function<void(const adapter_event&)> tell)
      : owner_(owner), tell_(std::move(tell)) {}
  ~one_watch() override { owner_.forget(this); }
  void tell(const adapter_event& event) { tell_(event); }

 private:
  fake_adapters& owner_;
  std::function<void(const adapter_event&)> tell_;
};

template <class T>
void fake_adapters::give(adapter_call call, answer<T> done, T what) {
  auto answer_now = [this, done = std::move(done), what = std::move(what)] {
    done(failure ? result<T>(*failure) : result<T>(what));
  };
  {
    std::lock_guard hold(changing_);
    calls_.push_back(std::move(call));
    if (hold_answers) held_.push_back(answer_now);
    changed_.notify_all();
    if (hold_answers) return;
  }
  answer_now();
}

void fake_adapters::load(adapter_load what, answer_when when, answer<adapter_job> done) {
  adapter_call c{.what = "load", .name = what.name, .load = what, .when = when};
  give(std::move(c), std::move(done), job);
}

void fake_adapters::preview(adapter_load what, answer<adapter_preview> done) {
  give({.what = "preview", .name = what.name, .load = what}, std::move(done), shown_preview);
}

void fake_adapters::unload(adapter_unload what, answer_when when, answer<adapter_job> done) {
  give({.what = "unload", .name = what.name, .unload = what, .when = when}, std::move(done), job);
}

void fake_adapters::set_alias(std::string alias, std::string target, answer<adapter_status> done) {
  give({.what = "alias", .name = std::move(alias), .target = std::move(target)}, std::move(done), status);
}

void fake_adapters::act(std::string name, adapter_action what, answer<adapter_status> done) {
  give({.what = "act", .name = std::move(name), .action = what}, std::move(done), status);
}

void fake_adapters::show(std::string name, answer<adapter_detail> done) {
  give({.what = "show", .name = std::move(name)}, std::move(done), detail);
}

void fake_adapters::show_job(std::string id, answer<adapter_job> done) {
  give({.what = "show_job", .name = std::move(id)}, std::move(done), job);
}

void fake_adapters::cancel_job(std::string id, answer<adapter_job> done) {
  give({.what = "cancel_job", .name = std::move(id)}, std::move(done), job);
}

void fake_adapters::list_jobs(answer<std::vector<adapter_job>> done) {
  give({.what = "list_jobs"}, std::move(done), std::vector<adapter_job>{job});
}

void fake_adapters::declare(std::vector<adapter_load> wanted, declare_mode mode,
                            answer<std::vector<adapter_change>> done) {
  give({.what = "declare", .wanted = std::move(wanted), .mode = mode}, std::move(done), changes);
}

std::shared_ptr<adapter_watch> fake_adapters::watch(std::function<void(const adapter_event&)> tell) {
  if (first_event) tell(*first_event);
  std::lock_guard hold(changing_);
  if (watches_.size() >= most_watchers) return nullptr;
  auto out = std::make_shared<one_watch>(*this, std::move(tell));
  watches_.push_back(out.get());
  changed_.notify_all();
  return out;
}

void fake_adapters::forget(one_watch* which) {
  std::lock_guard hold(changing_);
  std::erase(watches_, which);
  changed_.notify_all();
}

// Under the lock, so that no watch goes while it is told: a route that let one go from within would hang
// here.
void fake_adapters::emit(const adapter_event& event) {
  std::lock_guard hold(changing_);
  for (auto watch : watches_)
    watch->tell(event);
}

std::size_t fake_adapters::watchers() {
  std::lock_guard hold(changing_);
  return watches_.size();
}

bool fake_adapters::wait_watchers(std::size_t count) {
  std::unique_lock hold(changing_);
  return changed_.wait_for(hold, patience, [&] { return watches_.size() == count; });
}

adapter_call fake_adapters::last() {
  std::lock_guard hold(changing_);
  return calls_.empty() ? adapter_call{} : calls_.back();
}

std::size_t fake_adapters::calls() {
  std::lock_guard hold(changing_);
  return calls_.size();
}

bool fake_adapters::wait_calls(std::size_t count) {
  std::unique_lock hold(changing_);
  return changed_.wait_for(hold, patience, [&] { return calls_.size() >= count; });
}

void fake_adapters::let_go() {
  std::vector<std::function<void()>> now;
  {
    std::lock_guard hold(changing_);
    now = std::exchange(held_, {});
  }
  for (auto& answer_now : now)
    answer_now();
}

adapter_version version_ab() {
  adapter_version out;
  out.digest[0] = 0xab;
  return out;
}

}  // namespace lorica::testing
