#include "bench/timed_stream.hpp"

#include <random>
#include <stdexcept>
#include <utility>

namespace lorica::bench {

void timed_stream::chunk(generation_chunk tokens) {
  auto now = clock::now();
  std::lock_guard lock(mutex_);
  times_.insert(times_.end(), tokens.tokens.size(), now);
  changed_.notify_all();
}

void timed_stream::done(generation_timings) {
  std::lock_guard lock(mutex_);
  over_ = true;
  changed_.notify_all();
}

void timed_stream::failed(error why) {
  std::lock_guard lock(mutex_);
  error_ = std::move(why);
  over_ = true;
  changed_.notify_all();
}

void timed_stream::wait_for(std::size_t tokens) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return over_ || times_.size() >= tokens; });
}

std::vector<clock::time_point> timed_stream::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return over_; });
  if (error_) throw std::runtime_error(error_->text);
  return times_;
}

std::shared_ptr<timed_stream> start_stream(generation_service& service, const std::string& adapter,
                                           std::uint32_t prompt, std::uint32_t tokens, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<token_id> ids(prompt);
  for (auto& id : ids)
    id = static_cast<token_id>(100 + random() % 20'000);
  generation_request request;
  if (!adapter.empty()) request.adapters.push_back({adapter});
  request.prompts = {std::move(ids)};
  request.max_new_tokens = tokens;
  request.ignore_eos = true;
  auto sink = std::make_shared<timed_stream>();
  service.start(std::move(request), sink);
  return sink;
}

}  // namespace lorica::bench
