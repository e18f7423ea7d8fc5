#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/adapters/hub_world.hpp"

using namespace lorica;
using namespace lorica::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

TEST_CASE("an adapter is fetched with what it needs and nothing else, and the token stays at the endpoint") {
  hub_world w;
  auto progress = std::make_shared<hub_progress>();
  auto got = w.fetch({{w.id, "main"}, false, progress, {}});
  w.check_whole(got);
  CHECK(got->asked);
  CHECK(progress->stage == hub_stage::ended);
  CHECK(progress->bytes == w.config.size() + w.weights.size());
  CHECK(progress->total_bytes == progress->bytes);
  CHECK(w.hub.count("README") == 0);
  CHECK(w.hub.count("optimizer") == 0);
  std::size_t far = 0;
  for (auto& call : w.hub.calls()) {
    INFO(call.method + " " + call.target);
    far += call.at_other ? 1u : 0u;
    CHECK(call.authorization == (call.at_other ? "" : "Bearer " + w.token));
  }
  CHECK(far == 1);
}

TEST_CASE("what is fetched is not fetched again, and a commit that is there is not asked for") {
  hub_world w;
  w.check_whole(w.fetch());
  auto before = w.hub.calls().size();
  w.check_whole(w.fetch());
  CHECK(w.hub.calls().size() == before + 1);
  auto by_commit = w.fetch({{w.id, w.commit}, false, nullptr, {}});
  auto first = w.fetch({{w.id, "main"}, true, nullptr, {}});
  CHECK(w.hub.calls().size() == before + 1);
  REQUIRE(by_commit);
  REQUIRE(first);
  CHECK(by_commit->directory == first->directory);
  CHECK_FALSE(by_commit->asked);
}

TEST_CASE("a commit is fetched without asking for its revision") {
  hub_world w;
  auto got = w.fetch({{w.id, w.commit}, false, nullptr, {}});
  REQUIRE(got);
  CHECK(w.hub.count("/revision/") == 0);
  CHECK_FALSE(fs::exists(w.folder() + "/refs/" + w.commit));
}

TEST_CASE("files of one content in another commit are linked, not fetched") {
  hub_world w;
  w.check_whole(w.fetch());
  w.hub.move(w.id, '2');
  w.hub.file(w.id, "adapter_config.json", "{\"r\": 4}");
  w.hub.file(w.id, "adapter_model.safetensors", w.weights, true);
  auto got = w.fetch();
  REQUIRE(got);
  CHECK(got->commit == std::string(40, '2'));
  CHECK(w.hub.count("/lfs/") == 1);
  CHECK((w.read(got->directory + "/adapter_model.safetensors") == w.weights));
  CHECK(w.read(w.folder() + "/refs/main") == got->commit);
}

TEST_CASE("a relative redirect, and one to the same host, is followed with the token") {
  hub_world w;
  bool absolute = GENERATE(true, false);
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.target.starts_with("/old/") || call.target.starts_with("/api/models/old/")) {
      auto to = call.target;
      auto at = to.find("old/name");
      hub_answer out;
      out.status = 307;
      out.fields = {{"Location", (absolute ? w.hub.url() : "") + to.replace(at, 8, w.id)}};
      return out;
    }
    return std::nullopt;
  });
  auto got = w.fetch({{"old/name", "main"}, false, nullptr, {}});
  REQUIRE(got);
  CHECK((w.read(got->directory + "/adapter_model.safetensors") == w.weights));
  for (auto& call : w.hub.calls())
    CHECK(call.authorization.empty() == call.at_other);
}

TEST_CASE("a transfer that is reset goes on where it was") {
  hub_world w;
  std::size_t at = 100'000;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call) || !call.range.empty()) return std::nullopt;
    auto out = w.hub.answer(call);
    out.reset_after = at;
    return out;
  });
  w.check_whole(w.fetch());
  CHECK(w.hub.count("/lfs/") == 2);
  // After a failure the link may be stale: the endpoint is asked for a new one.
  CHECK(w.hub.count("safetensors", "GET") == 1);
  CHECK(w.hub.calls().back().range == "bytes=" + std::to_string(at) + "-");
}

TEST_CASE("200 and 416 in place of 206 start over") {
  hub_world w;
  int status = GENERATE(200, 416, 206);
  int asked = 0;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto whole = call;
    whole.range.clear();
    auto out = w.hub.answer(whole);
    if (++asked == 1) out.reset_after = 50'000;
    if (asked == 1 || call.range.empty()) return out;
    out.status = status;
    if (status == 416) out.body.clear();
    // A part that begins elsewhere than asked.
    if (status == 206) out.fields = {{"Content-Range", "bytes 0-9/" + std::to_string(w.weights.size())}};
    return out;
  });
  w.check_whole(w.fetch());
  CHECK(asked == (status == 200 ? 2 : 3));
}

TEST_CASE("a body shorter than it says goes on, a longer one is refused") {
  hub_world w;
  int asked = 0;
  bool shorter = GENERATE(true, false);
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto out = w.hub.answer(call);
    if (shorter && ++asked == 1) {
      out.length = out.body.size() - 1000;
      out.body.resize(out.body.size() - 1000);
    }
    if (!shorter) out.body += "more";
    return out;
  });
  auto got = w.fetch();
  if (shorter) return w.check_whole(got);
  auto why = w.failed(got);
  CHECK(why.code == errc::bad_adapter);
  CHECK(why.reason == "digest_mismatch");
  CHECK_FALSE(fs::exists(w.weights_blob()));
  CHECK_FALSE(fs::exists(w.folder() + "/refs/main"));
}

TEST_CASE("a Content-Length beyond what comes is a broken transfer") {
  hub_world w;
  int asked = 0;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call) || ++asked > 1) return std::nullopt;
    auto out = w.hub.answer(call);
    out.body.resize(1000);
    out.length = w.weights.size();
    out.reset_after = 1000;
    return out;
  });
  w.check_whole(w.fetch());
  CHECK(w.hub.calls().back().range == "bytes=1000-");
}

TEST_CASE("five retries are made, and no more") {
  hub_world w;
  int status = GENERATE(0, 408, 429, 500, 502, 503, 504);
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.method != "HEAD") return std::nullopt;
    hub_answer out;
    out.status = status;  // 0 is no status at all
    return out;
  });
  auto why = w.failed(w.fetch());
  CHECK(why.reason == "hub_unreachable");
  CHECK(w.hub.count("adapter_config.json", "HEAD") == 6);
}

TEST_CASE("transfers that keep breaking without progress are given up after five retries") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto out = w.hub.answer(call);
    out.reset_after = 10;
    return out;
  });
  auto why = w.failed(w.fetch());
  CHECK(why.reason == "hub_unreachable");
  CHECK(w.hub.count("/lfs/") == 6);
  CHECK(w.unfinished().size() == 60);
}

TEST_CASE("an answer that does not pass is not asked for again") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.method != "HEAD") return std::nullopt;
    hub_answer out;
    out.status = 400;
    return out;
  });
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
  CHECK(w.hub.count("adapter_config.json", "HEAD") == 1);
}

TEST_CASE("Retry-After is waited for, without holding up the thread") {
  hub_world w;
  manual_clock clock;
  int asked = 0;
  auto field = GENERATE(as<std::pair<std::string, std::string>>{}, std::pair{"Retry-After", "7"},
                        std::pair{"ratelimit", "\"api\";r=0;t=7"});
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.target.find("/tree/") == std::string::npos || ++asked > 1) return std::nullopt;
    hub_answer out;
    out.status = 429;
    out.fields = {field};
    return out;
  });
  auto client = w.client(clock);
  REQUIRE(client->start({{w.id, "main"}, false, nullptr, {}}));
  hub_world::until(*client, [&] { return w.hub.count("/tree/") > 0; });
  clock.advance(6900ms);
  for (int i = 0; i < 10; ++i)
    REQUIRE(client->run(20ms).empty());
  CHECK(w.hub.count("/tree/") == 1);
  clock.advance(200ms);
  w.check_whole(hub_world::wait(*client).outcome);
  CHECK(w.hub.count("/tree/") == 2);
}

TEST_CASE("a Hub that wants an hour is unreachable") {
  hub_world w;
  w.hub.rule([&](const hub_call&) -> std::optional<hub_answer> {
    hub_answer out;
    out.status = 503;
    out.fields = {{"Retry-After", "3600"}};
    return out;
  });
  CHECK_THAT(w.failed(w.fetch()).text, Catch::Contains("3600"));
  CHECK(w.hub.calls().size() == 1);
}

TEST_CASE("a body that stands still delays no other download, and is tried again") {
  hub_world w;
  manual_clock clock;
  w.hub.file("org/other", "adapter_config.json", "{}");
  w.hub.file("org/other", "adapter_model.safetensors", "other weights", true);
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call) || !call.range.empty()) return std::nullopt;
    auto out = w.hub.answer(call);
    if (out.body.size() > 1000) out.hold_after = 1000;
    return out;
  });
  auto client = w.client(clock);
  auto slow = client->start({{w.id, "main"}, false, nullptr, {}});
  hub_world::until(*client, [&] { return w.unfinished().size() >= 1000; });
  auto quick = client->start({{"org/other", "main"}, false, nullptr, {}});
  auto ended = hub_world::wait(*client);
  REQUIRE(quick);
  CHECK(ended.number == *quick);
  CHECK(ended.outcome);
  CHECK_FALSE(client->idle());
  clock.advance(w.options.stall);
  // Time passes for the pause before the next attempt as well.
  std::vector<hub_ended> rest;
  for (int i = 0; i < 1000 && rest.empty(); ++i) {
    rest = client->run(10ms);
    if (w.hub.count("/lfs/") < 3) clock.advance(1ms);
  }
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].number == *slow);
  w.check_whole(rest[0].outcome);
  CHECK(w.hub.count("/lfs/") == 3);
}

TEST_CASE("a fetch has a limit of time as a whole") {
  hub_world w;
  manual_clock clock;
  w.options.stall = 1h;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto out = w.hub.answer(call);
    out.hold_after = 5000;
    return out;
  });
  auto client = w.client(clock);
  REQUIRE(client->start({{w.id, "main"}, false, nullptr, {}}));
  hub_world::until(*client, [&] { return w.unfinished().size() >= 5000; });
  clock.advance(w.options.total);
  auto why = w.failed(hub_world::wait(*client).outcome);
  CHECK(why.code == errc::timeout);
  CHECK(why.reason == "load_timeout");
  CHECK(w.unfinished().size() == 5000);
}

TEST_CASE("a stop request ends a fetch in the middle of a wait for the network, and the next one goes on") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call) || !call.range.empty()) return std::nullopt;
    auto out = w.hub.answer(call);
    out.hold_after = 5000;
    return out;
  });
  w.options.stall = 1h;
  w.options.connect = 1h;  // libcurl looks up for this limit, too
  std::stop_source stop;
  manual_clock clock;
  auto client = w.client(clock);
  REQUIRE(client->start({{w.id, "main"}, false, nullptr, stop.get_token()}));
  hub_world::until(*client, [&] { return w.unfinished().size() >= 5000; });
  // libcurl looks at a new connection once more after 200 ms.
  for (int i = 0; i < 20; ++i)
    REQUIRE(client->run(20ms).empty());
  // Nothing moves now, not even time: only the stop can end a run that may wait for an hour.
  auto looks = clock.looks();
  auto run = std::async(std::launch::async, [&] {
    std::vector<hub_ended> out;
    while (out.empty() && !(stop.stop_requested() && client->idle()))
      out = client->run(1h);
    return out;
  });
  // A run looks at the clock after it looked for stop requests, so this one comes while it waits.
  while (clock.looks() == looks)
    std::this_thread::yield();
  stop.request_stop();
  bool returned = run.wait_for(30s) == std::future_status::ready;
  CHECK(returned);
  if (!returned) client->wake();
  auto ended = run.get();
  REQUIRE(ended.size() == 1);
  CHECK(w.failed(ended[0].outcome).code == errc::cancelled);
  CHECK(client->idle());
  CHECK(w.unfinished().size() == 5000);
  w.check_whole(w.fetch());
  CHECK(w.hub.calls().back().range == "bytes=5000-");
}

TEST_CASE("a process that is killed leaves what the next one goes on with") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call) || !call.range.empty()) return std::nullopt;
    auto out = w.hub.answer(call);
    out.hold_after = 70'000;
    return out;
  });
  auto child = ::fork();
  if (child == 0) {
    auto client = w.client();
    static_cast<void>(client->start({{w.id, "main"}, false, nullptr, {}}));
    for (;;)
      client->run(1s);
  }
  REQUIRE(child > 0);
  bool held = w.hub.wait_held(1);
  auto limit = std::chrono::steady_clock::now() + 10s;
  while (held && w.unfinished().size() < 70'000 && std::chrono::steady_clock::now() < limit)
    std::this_thread::yield();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  REQUIRE(held);
  REQUIRE(w.unfinished().size() == 70'000);
  CHECK_FALSE(fs::exists(w.folder() + "/refs/main"));
  w.check_whole(w.fetch());
  CHECK(w.hub.calls().back().range == "bytes=70000-");
}

TEST_CASE("wrong bytes of an earlier attempt are thrown away, once") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call) || !call.range.empty()) return std::nullopt;
    auto out = w.hub.answer(call);
    out.reset_after = 1000;
    return out;
  });
  w.options.retries = 0;
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
  bool full = GENERATE(true, false);
  for (auto& entry : fs::directory_iterator(w.folder() + "/blobs"))
    if (entry.path().extension() == ".incomplete")
      std::ofstream(entry.path(), std::ios::binary) << std::string(full ? w.weights.size() : 1000, 'x');
  w.hub.rule({});
  w.check_whole(w.fetch());
  CHECK(w.hub.calls().back().range == "");
}

TEST_CASE("two fetches of one adapter share its blobs by the lock") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto out = w.hub.answer(call);
    out.hold_after = 1000;
    return out;
  });
  auto client = w.client();
  REQUIRE(client->start({{w.id, "main"}, false, nullptr, {}}));
  REQUIRE(client->start({{w.id, w.commit}, false, nullptr, {}}));
  hub_world::until(*client, [&] { return w.unfinished().size() >= 1000; });
  hub_world::until(*client, [&] { return w.hub.count("safetensors", "HEAD") >= 2; });
  for (int i = 0; i < 10; ++i)
    REQUIRE(client->run(20ms).empty());
  w.hub.release();
  for (auto& ended : hub_world::wait(*client, 2))
    CHECK(ended.outcome);
  CHECK(w.hub.count("/lfs/") == 1);
}

TEST_CASE("a blob that another process writes is waited for, and taken") {
  hub_world w;
  auto locks = w.root() + "/.locks/models--org--sql";
  fs::create_directories(locks);
  auto path = locks + "/" + hub_server::sha256_of(w.weights) + ".lock";
  int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  REQUIRE(::flock(lock, LOCK_EX) == 0);
  auto client = w.client();
  REQUIRE(client->start({{w.id, "main"}, false, nullptr, {}}));
  hub_world::until(*client, [&] { return w.hub.count("safetensors", "HEAD") > 0; });
  for (int i = 0; i < 10; ++i)
    REQUIRE(client->run(20ms).empty());
  CHECK(w.hub.count("/lfs/") == 0);
  std::ofstream(w.weights_blob(), std::ios::binary) << w.weights;
  ::close(lock);
  w.check_whole(hub_world::wait(*client).outcome);
  CHECK(w.hub.count("/lfs/") == 0);
}

TEST_CASE("only so many transfers run at a time, and only so many fetches wait") {
  hub_world w;
  w.options.max_transfers = 2;
  w.options.max_fetches = 5;
  for (char c = 'a'; c < 'f'; ++c) {
    w.hub.file(std::string("org/") + c, "adapter_config.json", "{}");
    w.hub.file(std::string("org/") + c, "adapter_model.safetensors", std::string(1, c) + w.weights, true);
  }
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto out = w.hub.answer(call);
    out.hold_after = 1000;
    return out;
  });
  auto client = w.client();
  for (char c = 'a'; c < 'f'; ++c)
    REQUIRE(client->start({{std::string("org/") + c, "main"}, false, nullptr, {}}));
  auto one_more = client->start({{w.id, "main"}, false, nullptr, {}});
  REQUIRE_FALSE(one_more);
  CHECK(one_more.error().code == errc::overloaded);
  hub_world::until(*client, [&] { return w.hub.count("/lfs/") >= 2; });
  for (int i = 0; i < 10; ++i)
    REQUIRE(client->run(20ms).empty());
  CHECK(w.hub.count("/lfs/") == 2);
  w.hub.release();
  for (auto& ended : hub_world::wait(*client, 5))
    CHECK(ended.outcome);
  CHECK(client->idle());
}

TEST_CASE("proxies of the environment are not used") {
  hub_world w;
  for (auto name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
    ::setenv(name, "http://127.0.0.1:9", 1);
  auto got = w.fetch();
  for (auto name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
    ::unsetenv(name);
  w.check_whole(got);
}

TEST_CASE("offline, and when the Hub cannot be reached, the cache answers") {
  hub_world w;
  w.check_whole(w.fetch());
  auto before = w.hub.calls().size();
  w.options.offline = true;
  auto got = w.fetch();
  w.check_whole(got);
  CHECK_FALSE(got->asked);
  auto why = w.failed(w.fetch({{w.id, "v9"}, false, nullptr, {}}));
  CHECK(why.code == errc::unknown_adapter);
  CHECK(why.reason == "hub_not_found");
  CHECK(w.hub.calls().size() == before);
  w.options.offline = false;
  w.hub.rule([](const hub_call&) {
    hub_answer out;
    out.status = 503;
    return std::optional(out);
  });
  auto down = w.fetch();
  w.check_whole(down);
  CHECK_FALSE(down->asked);
  CHECK(w.hub.calls().size() == before + 1);
}

TEST_CASE("without links the files themselves lie in the snapshot") {
  hub_world w;
  w.options.links = false;
  w.check_whole(w.fetch());
  CHECK_FALSE(fs::is_symlink(w.folder() + "/snapshots/" + w.commit + "/adapter_model.safetensors"));
}
