#include "tests/net/fake_services.hpp"

#include <stdexcept>

namespace lorica::testing {
namespace {

constexpr auto patience = 10s;

server_options on_free_port(server_options o) {
  o.port = 0;
  o.io_threads = 2;
  return o;
}

}  // namespace

void fake_run::cancel() noexcept {
  std::lock_guard hold(changing_);
  cancelled_ = true;
  changed_.notify_all();
}

void fake_run::resume() noexcept {
  std::lock_guard hold(changing_);
  resumed_ = true;
  changed_.notify_all();
}

bool fake_run::cancelled() const {
  std::lock_guard hold(changing_);
  return cancelled_;
}

bool fake_run::wait_cancelled() {
  std::unique_lock hold(changing_);
  return changed_.wait_for(hold, patience, [this] { return cancelled_; });
}

bool fake_run::wait_resumed() {
  std::unique_lock hold(changing_);
  bool told = changed_.wait_for(hold, patience, [this] { return resumed_ || cancelled_; });
  resumed_ = false;
  return told;
}

void fake_run::start() {
  generation_started facts;
  facts.served.model_id = "base-model";
  if (!request.adapters.empty()) facts.served = served_by_adapter();
  facts.prompt_tokens = 5;
  if (request.prompt_tokens_wanted) facts.prompts = {{{7, "He", 0, false, {}}, {8, "y", 0, false, {}}}};
  sink->started(std::move(facts));
}

void fake_run::token(const std::string& text, bool last) {
  sink->chunk({0, {{next_id_++, text, -0.4f, false, {}}}, last});
}

void fake_run::play(const std::vector<std::string>& texts, finish_reason reason) {
  start();
  std::string all;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    token(texts[i], i + 1 == texts.size());
    all += texts[i];
  }
  sink->finished({.choice = 0,
                  .reason = reason,
                  .text = all,
                  .generated_tokens = static_cast<std::uint32_t>(texts.size()),
                  .seed = request.sampling.seed,
                  .sampled = request.sampling.sample});
  sink->done({2ms, 3ms, 40ms, 10ms});
}

fake_generations::~fake_generations() {
  for (auto& t : threads_)
    t.join();
}

std::shared_ptr<generation_handle> fake_generations::start(generation_request request,
                                                           std::shared_ptr<response_sink> sink) {
  std::lock_guard hold(changing_);
  last_ = request;
  sinks_.push_back(sink);
  ++started_;
  auto run = std::make_shared<fake_run>(std::move(request), std::move(sink));
  threads_.emplace_back([this, run] {
    play_(*run);
    run->sink.reset();
    std::lock_guard hold_end(changing_);
    ++ended_;
    if (run->cancelled()) ++cancelled_;
    changed_.notify_all();
  });
  changed_.notify_all();
  return run;
}

bool fake_generations::wait_started(std::size_t count) {
  std::unique_lock hold(changing_);
  return changed_.wait_for(hold, patience, [&] { return started_ >= count; });
}

bool fake_generations::wait_ended(std::size_t count) {
  std::unique_lock hold(changing_);
  return changed_.wait_for(hold, patience, [&] { return ended_ >= count; });
}

bool fake_generations::wait_cancelled(std::size_t count, std::chrono::milliseconds limit) {
  std::unique_lock hold(changing_);
  return changed_.wait_for(hold, limit, [&] { return cancelled_ >= count; });
}

std::size_t fake_generations::live_sinks() {
  std::lock_guard hold(changing_);
  std::size_t out = 0;
  for (auto& s : sinks_)
    out += s.expired() ? 0 : 1;
  return out;
}

generation_request fake_generations::last_request() {
  std::lock_guard hold(changing_);
  return last_;
}

void fake_tokens::tokenize_chat(conversation_ptr what, answer<tokenized_chat> done) {
  std::string text;
  for (auto& message : *what->messages.as_array())
    if (auto content = message.find("content")) text += *content->as_string();
  tokenize(text, false, [&](auto tokens) { done(tokenized_chat{text, *tokens}); });
}

void fake_tokens::tokenize(std::string text, bool, answer<std::vector<token_span>> done) {
  std::vector<token_span> out;
  for (std::uint32_t i = 0; i < text.size(); ++i)
    out.push_back({static_cast<token_id>(text[i]), text.substr(i, 1), i, i + 1});
  done(std::move(out));
}

test_server::test_server(fake_generations::script play, server_options options, server_info info)
    : generations(std::move(play)),
      front(on_free_port(std::move(options)),
            {generations, tokens, status, counters, std::move(info), &adapters}) {
  if (auto started = front.start(); !started) throw std::runtime_error(started.error().text);
}

test_server::test_server(server_options options)
    : test_server([](fake_run& run) { run.play({"a"}); }, std::move(options)) {}

double test_server::metric(const std::string& line_start) const {
  auto text = counters.text();
  auto at = text.find("\n" + line_start);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + 1 + line_start.size()));
}

bool test_server::wait_quiet() {
  return front.wait_until_idle(10s) && eventually([this] {
           return metric("lorica_http_connections ") == 0 && generations.live_sinks() == 0;
         });
}

bool eventually(const std::function<bool()>& holds) {
  auto until = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

server_info test_info() {
  server_info out;
  out.model_id = "base-model";
  out.served_model_names = {"alias"};
  out.model_dtype = "float32";
  out.adapter_dtype = "float32";
  out.kv_cache_dtype = "float32";
  out.device = "cpu";
  out.version = "0.1.0";
  out.started = 1'700'000'000;
  out.max_input_tokens = 1023;
  out.max_total_tokens = 1024;
  return out;
}

served_by served_by_adapter() {
  served_by out{"base-model", {{"sql", adapter_version{}, "device", "hub"}}};
  out.adapters[0].version.digest[0] = 0xab;
  return out;
}

}  // namespace lorica::testing
