#include "adapters/hub_job.hpp"

#include <algorithm>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace std::chrono_literals;

namespace {

/// A job driven by hand, without sockets; time begins at an hour.
struct driven {
  scratch_directory scratch;
  hub_options options;
  hub_job::time_point now{1h};
  std::unique_ptr<hub_job> job;

  explicit driven(const std::string& endpoint = "https://hub.example", const std::string& revision = "main") {
    options.endpoint = *parse_hub_url(endpoint);
    options.token = "hf_secret";
    options.cache = {scratch.path() + "/hub", "$HF_HOME/hub"};
    job = std::make_unique<hub_job>(options, hub_source{"org/sql", revision}, false, nullptr, now);
    job->work(now);
  }

  const hub_request& asked() {
    REQUIRE(job->now_in() == hub_job::state::ready);
    return job->request();
  }

  void reply(int status, const std::vector<std::string>& lines = {}, const std::string& body = {}) {
    static_cast<void>(asked());
    job->begin(now);
    hub_head head;
    REQUIRE(head.add_line("HTTP/1.1 " + std::to_string(status) + " x"));
    for (auto& line : lines)
      REQUIRE(head.add_line(line));
    if (!job->on_head(head, now) || !job->on_body(std::as_bytes(std::span(body.data(), body.size())), now))
      return job->on_end(hub_outcome::cut, now);
    job->on_end(hub_outcome::complete, now);
  }

  /// How long the job waits until it asks again.
  std::chrono::milliseconds pause() {
    REQUIRE(job->now_in() == hub_job::state::waiting);
    auto waits = std::chrono::duration_cast<std::chrono::milliseconds>(job->deadline() - now);
    now += waits - 1ms;
    CHECK(job->tick(now));
    CHECK(job->now_in() == hub_job::state::waiting);
    now += 1ms;
    CHECK(job->tick(now));
    CHECK(job->now_in() == hub_job::state::ready);
    return waits;
  }

  error failure() {
    REQUIRE(job->now_in() == hub_job::state::ended);
    auto out = job->take_result();
    REQUIRE_FALSE(out);
    return out.error();
  }
};

}  // namespace

TEST_CASE("a job asks for the revision, percent-encoded, then for the files of its commit") {
  driven d("https://hub.example/prefix", "refs/pr/1");
  CHECK(d.asked().url.text() == "https://hub.example/prefix/api/models/org/sql/revision/refs%2Fpr%2F1");
  CHECK(d.asked().with_token);
  d.reply(200, {}, "{\"sha\":\"" + std::string(40, '1') + "\"}");
  CHECK(d.asked().url.target.starts_with("/prefix/api/models/org/sql/tree/" + std::string(40, '1')));
  d.reply(200, {},
          "[{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":2},"
          "{\"type\":\"file\",\"path\":\"adapter_model.safetensors\",\"size\":2}]");
  CHECK(d.asked().url.target == "/prefix/org/sql/resolve/" + std::string(40, '1') + "/adapter_config.json");
  CHECK(d.asked().head);
}

TEST_CASE("pauses double up to their limit, five times, then the job fails") {
  driven d;
  std::vector<std::chrono::milliseconds> pauses;
  for (int i = 0; i < 5; ++i) {
    d.reply(503);
    pauses.push_back(d.pause());
  }
  CHECK((pauses == std::vector<std::chrono::milliseconds>{1s, 2s, 4s, 8s, 8s}));
  d.reply(503);
  CHECK(d.failure().reason == "hub_unreachable");
}

TEST_CASE("a wish for a pause makes it longer, never shorter") {
  driven d;
  d.reply(429, {"Retry-After: 30"});
  CHECK(d.pause() == 30s);
  d.reply(429, {"Retry-After: 0"});
  CHECK(d.pause() == 2s);
}

TEST_CASE("a request that is not answered in time is cut and tried again") {
  driven d;
  d.job->begin(d.now);
  d.now = d.job->deadline() - 1ms;
  CHECK(d.job->tick(d.now));
  d.now += 1ms;
  CHECK_FALSE(d.job->tick(d.now));
  d.job->on_end(hub_outcome::cut, d.now);
  CHECK(d.pause() == 1s);
}

TEST_CASE("https does not become http, and the token stays at its scheme, host and port") {
  for (auto to : {"http://hub.example/x", "http://cdn.example/x"}) {
    driven d;
    d.reply(302, {std::string("Location: ") + to});
    CHECK(d.failure().reason == "path_not_allowed");
  }
  for (auto to : {"https://hub.example:444/x", "https://cdn.example/x", "https://hub.example.evil/x"}) {
    driven d;
    d.reply(302, {std::string("Location: ") + to});
    CHECK(d.asked().url.text() == to);
    CHECK_FALSE(d.asked().with_token);
    CHECK_FALSE(d.asked().at_endpoint);
    d.reply(302, {"Location: https://hub.example/x"});
    CHECK_FALSE(d.asked().with_token);
    CHECK(d.asked().at_endpoint);
    d.reply(503);
    d.pause();
    // The next attempt begins where it was asked to.
    CHECK(d.asked().url.target == "/api/models/org/sql/revision/main");
    CHECK(d.asked().with_token);
  }
  driven plain("http://hub.example");
  plain.reply(302, {"Location: https://cdn.example/x"});
  CHECK(plain.asked().url.text() == "https://cdn.example/x");
}

TEST_CASE("an answer without an end is cut") {
  driven d;
  d.job->begin(d.now);
  hub_head head;
  REQUIRE(head.add_line("HTTP/1.1 200 OK"));
  REQUIRE(d.job->on_head(head, d.now));
  std::vector<std::byte> piece(1 << 20, std::byte{' '});
  int taken = 0;
  while (d.job->on_body(piece, d.now))
    REQUIRE(++taken < 100);
  CHECK(taken == 16);
  CHECK(d.failure().reason == "hub_unreachable");
}

TEST_CASE("a certificate that proves nothing is not tried again, and a cancelled job ends at once") {
  driven d;
  d.job->begin(d.now);
  d.job->on_end(hub_outcome::untrusted, d.now);
  CHECK_THAT(d.failure().text, Catch::Contains("certificate"));
  driven other;
  other.job->cancel();
  CHECK(other.failure().code == errc::cancelled);
}

TEST_CASE("the limit of a fetch as a whole also ends its waits") {
  driven d;
  d.reply(503, {"Retry-After: 300"});
  d.now += d.options.total;
  CHECK(d.job->tick(d.now));
  CHECK(d.failure().reason == "load_timeout");
}
