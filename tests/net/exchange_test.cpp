#include "net/exchange.hpp"

#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

class counting_handle final : public generation_handle {
 public:
  void cancel() noexcept override { ++cancels; }
  void resume() noexcept override { ++resumes; }
  int cancels = 0;
  int resumes = 0;
};

}  // namespace

TEST_CASE("a stream is saturated at its bound and resumed once when it has drained to half of it") {
  std::vector<reply_message> carried;
  exchange e([&](reply_message m) { carried.push_back(std::move(m)); }, 100);
  auto handle = std::make_shared<counting_handle>();
  e.attach(handle);
  e.begin_stream({});
  e.send(std::string(60, 'a'));
  CHECK_FALSE(e.saturated());
  e.send(std::string(60, 'b'));
  CHECK(e.saturated());
  e.written(60);
  CHECK_FALSE(e.saturated());
  CHECK(handle->resumes == 0);
  e.written(60);
  CHECK(handle->resumes == 1);
  e.send(std::string(10, 'c'));
  e.written(10);
  CHECK(handle->resumes == 1);
  CHECK(carried.size() == 4);
}

TEST_CASE("a generation that does not stop when saturated is cancelled and its stream broken") {
  std::vector<reply_message> carried;
  exchange e([&](reply_message m) { carried.push_back(std::move(m)); }, 100);
  auto handle = std::make_shared<counting_handle>();
  e.attach(handle);
  for (int i = 0; i < 100; ++i)
    e.send(std::string(10, 'a'));
  CHECK(handle->cancels == 1);
  CHECK(carried.size() == 41);
  CHECK(std::holds_alternative<stream_break>(carried.back()));
}

TEST_CASE("a client that left cancels the generation, whether the handle comes before or after") {
  auto early = std::make_shared<counting_handle>();
  exchange first([](const reply_message&) {}, 100);
  first.attach(early);
  CHECK(first.abandon());
  CHECK(early->cancels == 1);
  auto late = std::make_shared<counting_handle>();
  exchange second([](const reply_message&) {}, 100);
  CHECK(second.abandon());
  second.attach(late);
  CHECK(late->cancels == 1);
}

TEST_CASE("after its last message an answer is no longer cancelled, and nothing follows it") {
  std::vector<reply_message> carried;
  exchange e([&](reply_message m) { carried.push_back(std::move(m)); }, 100);
  auto handle = std::make_shared<counting_handle>();
  e.attach(handle);
  e.reply({});
  e.reply({});
  e.send("late");
  CHECK(carried.size() == 1);
  CHECK_FALSE(e.abandon());
  CHECK(handle->cancels == 0);
  CHECK(handle.use_count() == 1);
}

TEST_CASE("a stream has one head: the one that comes with its facts or the one that the connection claims") {
  std::vector<reply_message> carried;
  exchange in_time([&](reply_message m) { carried.push_back(std::move(m)); }, 100);
  CHECK(in_time.begin_stream({}));
  CHECK(carried.size() == 1);
  CHECK_FALSE(in_time.claim_head());
  exchange late([&](reply_message m) { carried.push_back(std::move(m)); }, 100);
  CHECK(late.claim_head());
  CHECK_FALSE(late.begin_stream({}));
  CHECK(carried.size() == 1);
  late.send("event");
  CHECK(carried.size() == 2);
}
