#include "app/admin/run.hpp"

#include <mutex>
#include <sstream>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/scripted_server.hpp"

using namespace lorica;
using namespace lorica::admin;
using namespace lorica::testing;

namespace {

struct ending {
  int code = -1;
  std::string out, err;
};

ending run_with(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {},
                interruption stop = {}) {
  std::ostringstream out, err;
  auto environment = [&](const char* name) {
    auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
  auto code = run(arguments, {out, err, false, environment, stop, "lorica-admin 1.2"});
  return {static_cast<int>(code), out.str(), err.str()};
}

std::string reply(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// A server that gives its answers in turn and keeps the first lines of what it was asked.
class answering {
 public:
  explicit answering(std::vector<std::string> answers)
      : answers_(std::move(answers)), server_([this](scripted_peer& peer) { serve(peer); }) {}

  ending run(std::vector<std::string> arguments, interruption stop = {}) {
    arguments.insert(arguments.end(), {"--url", server_.url(), "--api-key", "se-cret"});
    auto end = run_with(std::move(arguments), {}, stop);
    CHECK_THAT(end.out + end.err, !Catch::Contains("se-cret"));
    return end;
  }

  std::vector<std::string> asked() {
    std::lock_guard hold(changing_);
    return asked_;
  }

  std::function<void(std::size_t)> on_request = [](std::size_t) {};

 private:
  void serve(scripted_peer& peer) {
    for (auto request = peer.read(); !request.empty(); request = peer.read()) {
      std::string answer;
      std::size_t number;
      {
        std::lock_guard hold(changing_);
        auto body = request.substr(request.find("\r\n\r\n") + 4);
        asked_.push_back(request.substr(0, request.find(" HTTP/")) + (body.empty() ? "" : " " + body));
        number = asked_.size();
        answer = answers_[std::min(number, answers_.size()) - 1];
      }
      on_request(number);
      peer.write(answer);
    }
  }

  std::mutex changing_;  // guards the list
  std::vector<std::string> answers_, asked_;
  scripted_server server_;
};

const std::string running_job =
    R"({"id":"j/1","kind":"load","name":"a","state":"running","stage":"reading"})";
const std::string done_job =
    R"({"id":"j/1","kind":"load","name":"a","state":"done","changed":true,"version":"0123456789abcdef"})";
const std::string cancelled_job = R"({"id":"j/1","kind":"load","name":"a","state":"cancelled"})";

}  // namespace

TEST_CASE("a status becomes an exit code, and the server's words an error") {
  struct row {
    int status;
    std::string body;
    int code;
    std::string text;
  };
  for (auto& r :
       {row{401, R"({"error":{"message":"no key"},"error_type":"authentication"})", 5, "no key"},
        row{403, R"({"error":{"message":"not you"},"error_type":"admin_key_required"})", 5,
            "(admin_key_required)"},
        row{404, R"({"error":{"message":"no such"},"error_type":"adapter_not_found"})", 4, "no such"},
        row{409, R"({"error":{"message":"in use"},"error_type":"memory_in_use"})", 1, "(memory_in_use)"},
        row{429, R"({"error":"full","error_type":"overloaded"})", 1, "full"},
        row{500, "<html>", 1, "answers 500"}, row{302, "", 3, "redirects"}, row{200, "<html>", 3, "--url"}}) {
    INFO(r.status);
    answering server({reply(r.status, r.body)});
    auto end = server.run({"pin", "org/a"});
    CHECK(end.code == r.code);
    CHECK(end.out.empty());
    CHECK_THAT(end.err, Catch::StartsWith("lorica-admin: ") && Catch::Contains(r.text));
    CHECK(server.asked() == std::vector<std::string>{"POST /v1/adapters/org%2Fa/pin"});
    auto json = server.run({"pin", "org/a", "--json"});
    CHECK(json.code == r.code);
    auto document = parse_json(json.out);
    REQUIRE(document);
    CHECK(document->find("exit_code")->number() == r.code);
    CHECK_THAT(end.err, Catch::Contains(*document->find("error")->as_string()));
  }
}

TEST_CASE("nobody at the address is 3, a wrong line 2, and both are JSON when that is asked for") {
  auto url = "http://127.0.0.1:" + std::to_string(closed_port());
  for (auto command : {std::vector<std::string>{"list"},
                       {"health"},
                       {"top"},
                       {"show", "a"},
                       {"load", "a", "b"},
                       {"bench-adapter", "a"},
                       {"jobs"},
                       {"events", "--follow"}}) {
    command.insert(command.end(), {"--url", url});
    CHECK(run_with(command).code == 3);
  }
  auto wrong = run_with({"list", "--sort", "x", "--json"});
  CHECK(wrong.code == 2);
  CHECK(parse_json(wrong.out));
  CHECK(run_with({"list", "--url", "nonsense://"}).code == 2);
  CHECK(run_with({"list", "--timeout", "0"}).code == 2);
  CHECK(run_with({"events", "--url", url}).code == 2);
  CHECK(run_with({"unload", "a", "--deadline", "5", "--url", url}).code == 2);
}

TEST_CASE("the address comes from the environment unless it is given") {
  answering server({reply(200, R"({"data":[],"next":null})")});
  auto end = server.run({"list"});
  CHECK(end.out == "No adapters.\n");
  auto url = "http://127.0.0.1:" + std::to_string(closed_port());
  CHECK(run_with({"list"}, {{"LORICA_URL", url}}).code == 3);
}

TEST_CASE("a listing in pages is read whole, sorted, and never without an end") {
  auto page = [](std::string name, int requests, std::string next) {
    return reply(200, R"({"data":[{"name":")" + name + R"(","requests":)" + std::to_string(requests) +
                          R"(}],"next":)" + next + "}");
  };
  answering server({page("a", 1, "\"a\""), page("org/b", 7, "\"org/b\""), page("c", 7, "null")});
  auto end = server.run({"list", "--names", "--sort", "requests", "--state", "ready"});
  CHECK(end.out == "c\norg/b\na\n");
  CHECK(server.asked() == std::vector<std::string>{"GET /v1/adapters?limit=1000&state=ready",
                                                   "GET /v1/adapters?limit=1000&state=ready&after=a",
                                                   "GET /v1/adapters?limit=1000&state=ready&after=org%2Fb"});
  answering looping({page("a", 1, "\"a\"")});
  CHECK(looping.run({"list"}).code == 3);
  answering strange({reply(200, R"({"data":7})")});
  CHECK(strange.run({"list"}).code == 3);
}

TEST_CASE("names for shells hold nothing that a shell would run") {
  answering server(
      {reply(200, R"j({"data":[{"name":"$(touch x)"},{"name":"a;b"},{"name":"fine-1.0"}],"next":null})j")});
  CHECK(server.run({"list", "--names"}).out == "fine-1.0\n");
}

TEST_CASE("a load sends its options and waits for its job") {
  answering server({reply(202, running_job), reply(200, running_job), reply(200, done_job)});
  auto end = server.run({"load", "a", "dir", "--revision", "v2", "--pin", "--expected-version", ""});
  CHECK(end.code == 0);
  CHECK(end.out == "a is 0123456789ab\n");
  auto asked = server.asked();
  REQUIRE(asked.size() == 3);
  CHECK(asked[0] ==
        R"(PUT /v1/adapters/a {"source":"dir","revision":"v2","pin":true,"expected_version":""})");
  CHECK(asked[1] == "GET /v1/adapter_jobs/j%2F1");
  answering soon({reply(202, running_job)});
  auto left = soon.run({"load", "a", "dir", "--no-wait", "--json"});
  CHECK(left.code == 0);
  CHECK(left.out == running_job + "\n");
}

TEST_CASE("a job that failed is an error, and its JSON the one document") {
  auto failed =
      R"({"id":"j","kind":"load","name":"a","state":"failed","error":{"error_type":"bad_config","message":"r is 0"}})";
  answering server({reply(202, failed)});
  auto end = server.run({"load", "a", "dir"});
  CHECK(end.code == 1);
  CHECK(end.out.empty());
  CHECK_THAT(end.err, Catch::Contains("r is 0 (bad_config)"));
  auto json = server.run({"load", "a", "dir", "--json"});
  CHECK(json.code == 1);
  CHECK(json.out == std::string(failed) + "\n");
}

TEST_CASE("an interrupted load is cancelled, and left at the second interruption") {
  std::stop_source once, twice;
  answering server({reply(202, running_job), reply(200, running_job), reply(200, cancelled_job)});
  server.on_request = [&](std::size_t number) {
    if (number == 1) once.request_stop();
  };
  auto end = server.run({"load", "a", "dir"}, {once.get_token(), twice.get_token()});
  CHECK(end.code == 130);
  CHECK(server.asked()[1] == "DELETE /v1/adapter_jobs/j%2F1");
  std::stop_source first, second;
  answering stuck({reply(202, running_job)});
  stuck.on_request = [&](std::size_t number) {
    if (number == 1) first.request_stop();
    if (number == 4) second.request_stop();
  };
  auto left = stuck.run({"load", "a", "dir"}, {first.get_token(), second.get_token()});
  CHECK(left.code == 130);
}

TEST_CASE("an interrupted unload is left alone") {
  std::stop_source once;
  answering server(
      {reply(202, R"({"id":"j","kind":"unload","name":"a","state":"running","stage":"draining"})")});
  server.on_request = [&](std::size_t) { once.request_stop(); };
  auto end = server.run({"unload", "a", "--mode", "deadline", "--deadline", "7"}, {once.get_token(), {}});
  CHECK(end.code == 130);
  CHECK_THAT(end.err, Catch::Contains("job j goes on"));
  CHECK(server.asked() == std::vector<std::string>{"DELETE /v1/adapters/a?mode=deadline&seconds=7"});
}

TEST_CASE("events are a line or a document each, and end by count or by the server") {
  const std::string event = R"({"number":1,"at":1700000000123,"kind":"pinned","name":"a"})";
  auto stream = [&](std::size_t longer) {
    auto body = "data: " + event + "\n\n:\n\n";
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size() + longer) + "\r\n\r\n" + body;
  };
  answering ending({stream(0)});
  auto end = ending.run({"events", "--follow"});
  CHECK(end.code == 0);
  CHECK(end.out == "22:13:20Z pinned    a\n");
  CHECK_THAT(end.err, Catch::Contains("The server ended the stream"));
  answering open({stream(1000)});
  auto counted = open.run({"events", "--count", "1", "--json"});
  CHECK(counted.code == 0);
  CHECK(counted.out == event + "\n");
  answering strange({"HTTP/1.1 200 OK\r\n\r\ndata: not json\n\n"});
  CHECK(strange.run({"events", "--follow"}).code == 3);
}

TEST_CASE("the benchmark refuses a pinned adapter, and a time of another tier") {
  answering pinned({reply(200, R"({"name":"a","pinned":true})")});
  CHECK_THAT(pinned.run({"bench-adapter", "a"}).err, Catch::Contains("unpin it first"));
  auto token = [](std::string tier) {
    std::string body = "data: {\"token\":{}}\n\n";
    return "HTTP/1.1 200 OK\r\nx-adapter-tier: " + tier +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  auto status = reply(200, R"({"name":"a","pinned":false,"tier":"disk","version":"abc"})");
  // The status, the request that opens the connection, then evict and ask.
  answering warm({status, token("device"), status, token("device")});
  auto end = warm.run({"bench-adapter", "a", "--runs", "1"});
  CHECK(end.code == 1);
  CHECK_THAT(end.err, Catch::Contains("device instead of disk"));
  answering right({status, token("device"), status, token("disk"), token("device"), token("device")});
  auto good = right.run({"bench-adapter", "a", "--runs", "1", "--json"});
  CHECK(good.code == 0);
  auto document = parse_json(good.out);
  REQUIRE(document);
  for (auto kind : {"cold", "warm", "base"}) {
    REQUIRE(document->find(kind));
    CHECK(document->find(kind)->find("each_ms")->as_array()->size() == 1);
  }
}

TEST_CASE("health ends with 1 when the server lives and is not ready") {
  auto info = reply(200, R"({"model_id":"tiny","version":"1"})");
  auto metrics = reply(200, "lorica_requests_waiting 3\n");
  answering server({reply(503, R"({"error":"unhealthy","error_type":"healthcheck"})"), info, metrics});
  auto end = server.run({"health", "--json"});
  CHECK(end.code == 1);
  auto document = parse_json(end.out);
  REQUIRE(document);
  CHECK_FALSE(*document->find("ready")->as_bool());
  CHECK(document->find("requests")->find("waiting")->number() == 3);
  answering well({reply(200, ""), info, metrics});
  auto good = well.run({"health"});
  CHECK(good.code == 0);
  CHECK_THAT(good.out, Catch::Contains("3 waiting"));
}

TEST_CASE("version and help need no server") {
  CHECK(run_with({"--version"}).out == "lorica-admin 1.2\n");
  CHECK(run_with({"--help"}).code == 0);
  CHECK_THAT(run_with({"top", "--help"}).out, Catch::Contains("Keys:"));
  CHECK(run_with({"completion", "fish"}).code == 2);
}
