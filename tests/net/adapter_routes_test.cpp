// Routes of adapters over a real socket, against a service that answers as told.
#include "core/json.hpp"
#include "net/router.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

adapter_status status_of_sql() {
  adapter_status a;
  a.name = "sql";
  a.version = version_ab();
  a.state = "ready";
  a.tier = "device";
  a.ranks = {4, 8};
  a.modules = 60;
  a.bytes = 1000;
  a.leases = 1;
  a.users = 2;
  a.requests = 9;
  a.hits = 7;
  a.loads = 3;
  a.pinned = true;
  a.created = 1'700'000'001;
  a.source = "adapters/sql";
  return a;
}

const std::string status_json =
    R"({"name":"sql","object":"adapter","alias_of":null,"version":"ab)" + std::string(62, '0') +
    R"(","state":"ready","tier":"device","ranks":[4,8],"modules":60,"bytes":1000,"leases":1,"users":2,)"
    R"("requests":9,"hits":7,"loads":3,"pinned":true,"paused":false,"dynamic":false,"created":1700000001,)"
    R"("last_used":null,"failure":null,"source":"adapters/sql"})";

adapter_job running_load() {
  adapter_job j;
  j.id = "job-1";
  j.name = "sql";
  j.source = "adapters/sql";
  j.stage = "reading";
  j.bytes = 5;
  j.total_bytes = 10;
  j.created = 1'700'000'002;
  return j;
}

adapter_job ended_unload() {
  adapter_job j = running_load();
  j.kind = job_kind::unload;
  j.state = job_state::done;
  j.stage.clear();
  j.version = version_ab();
  j.changed = true;
  j.requests_finished = 3;
  j.requests_ended = 1;
  j.bytes_freed = 4096;
  j.ended = 1'700'000'009;
  return j;
}

const std::string put_body = R"({"source":"adapters/sql"})";

std::string words(const raw_reply& reply) {
  auto json = parse_json(reply.body);
  REQUIRE(json);
  REQUIRE(json->find("error"));
  return *json->find("error")->find("type")->as_string() + " " + *json->find("error_type")->as_string();
}

}  // namespace

TEST_CASE("a load is accepted with its job and where to ask for it") {
  test_server s;
  s.adapters.job = running_load();
  auto reply = ask(s.port(), "PUT", "/v1/adapters/sql", put_body);
  CHECK(reply.status == 202);
  CHECK(reply.fields["location"] == "/v1/adapter_jobs/job-1");
  CHECK(reply.fields["content-type"] == "application/json");
  CHECK(reply.body ==
        R"({"id":"job-1","object":"adapter_job","kind":"load","name":"sql","source":"adapters/sql",)"
        R"("state":"running","stage":"reading","bytes":5,"total_bytes":10,"error":null,"version":null,)"
        R"("changed":false,"created":1700000002,"ended":null})");
  CHECK(s.adapters.last().what == "load");
  CHECK(s.adapters.last().load.policy == load_policy::replace);
  CHECK(s.adapters.last().when == answer_when::accepted);
  s.adapters.job.state = job_state::done;
  auto waited = ask(s.port(), "PUT", "/v1/adapters/sql?wait=true", put_body);
  CHECK(waited.status == 200);
  CHECK_FALSE(waited.fields.contains("location"));
  CHECK(s.adapters.last().when == answer_when::ended);
  CHECK(s.wait_quiet());
}

TEST_CASE("a dry run shows what a load would do") {
  test_server s;
  auto& p = s.adapters.shown_preview;
  p.contents.version = version_ab();
  p.contents.ranks = {8};
  p.contents.bytes = 100;
  p.contents.file_bytes = 120;
  p.contents.parameters = 25;
  p.contents.modules = {{"model.layers.0.self_attn.q_proj", module_kind::dora, 8, 0.1f, 1.5, true, false},
                        {"lm_head", module_kind::full_copy}};
  p.contents.warnings = {"names another base"};
  p.changes = true;
  p.fits = true;
  p.evicts = {"old"};
  auto reply = ask(s.port(), "PUT", "/v1/adapters/sql?dry_run=true", put_body);
  CHECK(reply.status == 200);
  CHECK(
      reply.body ==
      R"({"name":"sql","object":"adapter_preview","changes":true,"fits":true,"evicts":["old"],"contents":)"
      R"({"version":"ab)" +
          std::string(62, '0') +
          R"(","ranks":[8],"bytes":100,"file_bytes":120,"parameters":25,"modules":[{"name":)"
          R"("model.layers.0.self_attn.q_proj","kind":"dora","rank":8,"scaling":0.1,"update_norm":1.5,"bias":true,)"
          R"("zero_effect":false},{"name":"lm_head","kind":"full_copy","rank":0,"scaling":0,"update_norm":null,)"
          R"("bias":false,"zero_effect":false}],)"
          R"("warnings":["names another base"]}})");
  CHECK(s.adapters.last().what == "preview");
}

TEST_CASE("an alias answers with the status of what it means") {
  test_server s;
  s.adapters.status = status_of_sql();
  s.adapters.status.name = "prod";
  s.adapters.status.alias_of = "sql";
  auto reply = ask(s.port(), "PUT", "/v1/adapters/prod", R"({"alias_of":"sql"})");
  CHECK(reply.status == 200);
  CHECK_THAT(reply.body, Catch::StartsWith(R"({"name":"prod","object":"adapter","alias_of":"sql")"));
  CHECK(s.adapters.last().what == "alias");
  CHECK(s.adapters.last().name == "prod");
  CHECK(s.adapters.last().target == "sql");
}

TEST_CASE("names reach the service decoded once, with one slash in either spelling") {
  test_server s;
  for (auto path : {"/v1/adapters/org/sql", "/v1/adapters/org%2Fsql", "/v1/adapters/org%2fsq%6C"}) {
    CHECK(ask(s.port(), "GET", path).status == 200);
    CHECK(s.adapters.last().name == "org/sql");
    CHECK(ask(s.port(), "DELETE", path).status == 202);
    CHECK(s.adapters.last().unload.name == "org/sql");
    CHECK(ask(s.port(), "PUT", path, put_body).status == 202);
    CHECK(s.adapters.last().load.name == "org/sql");
    CHECK(ask(s.port(), "POST", std::string(path) + "/pin").status == 200);
    CHECK(s.adapters.last().name == "org/sql");
  }
  ask(s.port(), "POST", "/v1/adapters/org/pin/pin");
  CHECK(s.adapters.last().name == "org/pin");
  ask(s.port(), "DELETE", "/v1/adapters/events");
  CHECK(s.adapters.last().unload.name == "events");
  auto calls = s.adapters.calls();
  for (auto path : {"/v1/adapters/a%252Fb", "/v1/adapters/a/b/c", "/v1/adapters/-a", "/v1/adapters/a%20b",
                    "/v1/adapters/%C3%A9", "/v1/adapters/a%2F"})
    for (auto method : {"GET", "DELETE", "PUT"}) {
      CAPTURE(path, method);
      auto reply = ask(s.port(), method, path, method == std::string("PUT") ? put_body : "");
      CHECK(reply.status == 400);
      CHECK_THAT(reply.body, Catch::Contains(R"("param":"name")") && Catch::Contains("invalid_name"));
    }
  for (auto path : {"/v1/adapters/%zz", "/v1/adapters/a%00b", "/v1/adapters/..", "/v1/adapters/a/%2e%2e"})
    CHECK(ask(s.port(), "GET", path).status == 400);
  CHECK(s.adapters.calls() == calls);
}

TEST_CASE("an unload answers at once with its job, or with its counts when it is waited for") {
  test_server s;
  s.adapters.job = running_load();
  s.adapters.job.kind = job_kind::unload;
  s.adapters.job.stage = "draining";
  auto drain = ask(s.port(), "DELETE", "/v1/adapters/sql");
  CHECK(drain.status == 202);
  CHECK(drain.fields["location"] == "/v1/adapter_jobs/job-1");
  CHECK(s.adapters.last().unload.mode == unload_mode::drain);
  CHECK(s.adapters.last().when == answer_when::accepted);
  s.adapters.job = ended_unload();
  auto abort = ask(s.port(), "DELETE", "/v1/adapters/sql?mode=abort");
  CHECK(abort.status == 200);
  CHECK(abort.body ==
        R"({"id":"job-1","object":"adapter_job","kind":"unload","name":"sql","state":"done","stage":null,)"
        R"("bytes":5,"total_bytes":10,"error":null,"version":"ab)" +
            std::string(62, '0') +
            R"(","changed":true,"requests_finished":3,"requests_ended":1,"bytes_freed":4096,)"
            R"("created":1700000002,"ended":1700000009})");
  CHECK(s.adapters.last().when == answer_when::ended);
  CHECK(ask(s.port(), "DELETE", "/v1/adapters/sql?mode=deadline&seconds=5&wait=true").status == 200);
  CHECK(s.adapters.last().unload.deadline_seconds == 5);
  s.adapters.job.changed = false;
  auto again = ask(s.port(), "DELETE", "/v1/adapters/sql");
  CHECK(again.status == 200);
  CHECK_THAT(again.body, Catch::Contains(R"("changed":false)"));
  s.adapters.failure = fail(errc::unknown_adapter, "The adapter `nobody` does not exist.");
  auto unknown = ask(s.port(), "DELETE", "/v1/adapters/nobody");
  CHECK(unknown.status == 404);
  CHECK(words(unknown) == "NotFoundError adapter_not_found");
  CHECK(ask(s.port(), "DELETE", "/v1/adapters/sql", "{}").status == 400);
  CHECK(ask(s.port(), "DELETE", "/v1/adapters/sql?mode=kill").status == 400);
}

TEST_CASE("the actions answer with the status") {
  test_server s;
  s.adapters.status = status_of_sql();
  const std::pair<std::string, adapter_action> actions[] = {
      {"pin", adapter_action::pin},           {"unpin", adapter_action::unpin},
      {"pause", adapter_action::pause},       {"resume", adapter_action::resume},
      {"prefetch", adapter_action::prefetch}, {"evict", adapter_action::evict}};
  for (auto& [word, action] : actions) {
    auto reply = ask(s.port(), "POST", "/v1/adapters/sql/" + word);
    CHECK(reply.status == 200);
    CHECK(reply.body == status_json);
    CHECK(s.adapters.last().what == "act");
    CHECK(s.adapters.last().action == action);
    CHECK(ask(s.port(), "POST", "/v1/adapters/sql/" + word, "{}").status == 200);
    CHECK(ask(s.port(), "POST", "/v1/adapters/sql/" + word, R"({"a":1})").status == 400);
    CHECK(ask(s.port(), "POST", "/v1/adapters/sql/" + word + "?a=1").status == 400);
  }
  auto unknown = ask(s.port(), "POST", "/v1/adapters/sql/polish");
  CHECK(unknown.status == 405);
  CHECK(unknown.fields["allow"] == "GET, HEAD, PUT, DELETE, OPTIONS");
}

TEST_CASE("a listing is sorted by name, chosen by state and cut into pages") {
  test_server s;
  for (auto name : {"c", "a", "org/x", "b"}) {
    s.status.now.adapters.push_back(status_of_sql());
    s.status.now.adapters.back().name = name;
  }
  s.status.now.adapters[1].state = "failed";
  auto names = [&](const std::string& query) {
    auto json = parse_json(get(s.port(), "/v1/adapters" + query).body);
    REQUIRE(json);
    std::string out;
    for (auto& a : *json->find("data")->as_array())
      out += *a.find("name")->as_string() + " ";
    auto next = json->find("next");
    return out + (next ? "> " + *next->as_string() : "");
  };
  CHECK(names("") == "a b c org/x ");
  CHECK(names("?state=ready") == "b c org/x ");
  CHECK(names("?state=loading") == "");
  CHECK(names("?limit=2") == "a b > b");
  CHECK(names("?limit=2&after=b") == "c org/x ");
  CHECK(names("?limit=1&after=c") == "org/x ");
  CHECK(names("?after=org%2Fx") == "");
  CHECK(get(s.port(), "/v1/adapters?limit=0").status == 400);
  CHECK(get(s.port(), "/v1/adapters?state=x").status == 400);
  CHECK(s.adapters.calls() == 0);
}

TEST_CASE("a detail has what the files hold, and why the latest load failed") {
  test_server s;
  s.adapters.detail.status = status_of_sql();
  CHECK(get(s.port(), "/v1/adapters/sql").body ==
        status_json.substr(0, status_json.size() - 1) + R"(,"error":null,"defaults":{},"contents":null})");
  s.adapters.detail.failure = fail(errc::bad_adapter, "LoRA rank 300 is too much", "rank_too_large");
  s.adapters.detail.contents.emplace().ranks = {2};
  CHECK_THAT(
      get(s.port(), "/v1/adapters/sql").body,
      Catch::Contains(R"("error":{"error_type":"rank_too_large","message":"LoRA rank 300 is too much"})") &&
          Catch::Contains(R"("contents":{"version":null,"ranks":[2],)"));
}

TEST_CASE("a declared set answers with its changes") {
  test_server s;
  s.adapters.changes = {{"a", "load", "job-1"}, {"b", "keep", ""}};
  auto reply = ask(s.port(), "PUT", "/v1/adapters", R"({"adapters":[{"name":"a","source":"x"}]})");
  CHECK(reply.status == 200);
  CHECK(reply.body ==
        R"({"object":"list","dry_run":false,"data":[{"name":"a","action":"load","job":"job-1"},)"
        R"({"name":"b","action":"keep","job":null}]})");
  CHECK(s.adapters.last().mode == declare_mode::apply);
  CHECK_THAT(ask(s.port(), "PUT", "/v1/adapters?dry_run=true", R"({"adapters":[]})").body,
             Catch::Contains(R"("dry_run":true)"));
  CHECK(s.adapters.last().mode == declare_mode::compare);
  auto calls = s.adapters.calls();
  auto twice = ask(s.port(), "PUT", "/v1/adapters",
                   R"({"adapters":[{"name":"a","source":"x"},{"name":"a","source":"x"}]})");
  CHECK(twice.status == 400);
  CHECK(words(twice) == "BadRequestError repeated_name");
  CHECK(s.adapters.calls() == calls);
}

TEST_CASE("jobs are listed, shown and cancelled by their id") {
  test_server s;
  s.adapters.job = running_load();
  CHECK_THAT(get(s.port(), "/v1/adapter_jobs").body,
             Catch::StartsWith(R"({"object":"list","data":[{"id":"job-1")"));
  CHECK(get(s.port(), "/v1/adapter_jobs/job-1").status == 200);
  CHECK(s.adapters.last().what == "show_job");
  CHECK(s.adapters.last().name == "job-1");
  CHECK(ask(s.port(), "DELETE", "/v1/adapter_jobs/job-1").status == 200);
  CHECK(s.adapters.last().what == "cancel_job");
  s.adapters.job.state = job_state::failed;
  s.adapters.job.failure = fail(errc::bad_adapter, "the reason", "shape_mismatch");
  CHECK_THAT(get(s.port(), "/v1/adapter_jobs/job-1").body,
             Catch::Contains(R"("error":{"error_type":"shape_mismatch","message":"the reason"})"));
  s.adapters.failure = fail(errc::unknown_route, "There is no job `x`", "job_not_found");
  for (auto method : {"GET", "DELETE"}) {
    auto reply = ask(s.port(), method, "/v1/adapter_jobs/x");
    CHECK(reply.status == 404);
    CHECK(words(reply) == "NotFoundError job_not_found");
  }
}

TEST_CASE("refusals of the service have their status and stable word on these routes") {
  struct row {
    error why;
    int status;
    std::string words;
  };
  const row table[] = {
      {fail(errc::invalid, "t", "path_not_allowed", "source"), 400, "BadRequestError path_not_allowed"},
      {fail(errc::bad_adapter, "t", "rank_too_large"), 400, "BadRequestError rank_too_large"},
      {fail(errc::bad_adapter, "t", "source_changed"), 400, "BadRequestError source_changed"},
      {fail(errc::timeout, "t", "load_timeout"), 400, "BadRequestError load_timeout"},
      {fail(errc::io, "t", "hub_unreachable"), 400, "BadRequestError hub_unreachable"},
      {fail(errc::io, "t"), 500, "InternalServerError generation"},
      {fail(errc::unknown_adapter, "t", "missing_file"), 404, "NotFoundError missing_file"},
      {fail(errc::unknown_adapter, "t"), 404, "NotFoundError adapter_not_found"},
      {fail(errc::conflict, "t", "version_mismatch"), 409, "ConflictError version_mismatch"},
      {fail(errc::out_of_memory, "t"), 409, "ConflictError memory_in_use"},
      {fail(errc::cancelled, "t"), 409, "ConflictError cancelled"},
      {fail(errc::overloaded, "t"), 429, "rate_limit_error overloaded"},
      {fail(errc::unavailable, "t"), 503, "unavailable_error healthcheck"},
  };
  test_server s;
  for (auto& r : table) {
    s.adapters.failure = r.why;
    for (auto query : {"?wait=true", "?dry_run=true", ""}) {
      auto reply = ask(s.port(), "PUT", std::string("/v1/adapters/sql") + query, put_body);
      CHECK(reply.status == r.status);
      CHECK(words(reply) == r.words);
      CHECK(reply.fields.contains("retry-after") == (r.status == 429 || r.status == 503));
    }
    CHECK(ask(s.port(), "GET", "/v1/adapters/sql").status == r.status);
    CHECK(ask(s.port(), "POST", "/v1/adapters/sql/pin").status == r.status);
    CHECK(ask(s.port(), "PUT", "/v1/adapters", R"({"adapters":[]})").status == r.status);
    CHECK(ask(s.port(), "GET", "/v1/adapter_jobs").status == r.status);
  }
  s.adapters.failure.reset();
  s.adapters.job = running_load();
  s.adapters.job.state = job_state::cancelled;
  CHECK(ask(s.port(), "PUT", "/v1/adapters/sql?wait=true", put_body).status == 409);
  s.adapters.job.state = job_state::failed;
  s.adapters.job.failure = fail(errc::bad_adapter, "t", "bad_config");
  CHECK(ask(s.port(), "PUT", "/v1/adapters/sql?wait=true", put_body).status == 400);
}

TEST_CASE("sources, and texts about them, are for the administration only") {
  server_options o;
  o.secrets.administration.add("chief");
  test_server s(o);
  s.status.now.adapters = {status_of_sql()};
  s.adapters.status = s.adapters.detail.status = status_of_sql();
  s.adapters.detail.failure = fail(errc::io, "adapters/sql is gone", "missing_file");
  s.adapters.job = running_load();
  s.adapters.job.failure = s.adapters.detail.failure;
  for (auto path : {"/v1/adapters", "/v1/adapters/sql", "/v1/adapter_jobs", "/v1/adapter_jobs/job-1",
                    "/v1/models", "/v1/models/sql"}) {
    CAPTURE(path);
    auto client = get(s.port(), path);
    CHECK(client.status == 200);
    CHECK_THAT(client.body, !Catch::Contains("adapters/sql") && !Catch::Contains("\"source\""));
    CHECK_THAT(get(s.port(), path, "Authorization: Bearer chief\r\n").body, Catch::Contains("adapters/sql"));
  }
  CHECK_THAT(get(s.port(), "/v1/models/sql").body, Catch::Contains(R"("root":"sql")"));
  CHECK_THAT(get(s.port(), "/v1/models/sql", "Authorization: Bearer chief\r\n").body,
             Catch::Contains(R"("root":"adapters/sql")"));
  CHECK_THAT(get(s.port(), "/v1/adapters/sql").body,
             Catch::Contains(R"("error":{"error_type":"missing_file"})"));
}

TEST_CASE("wrong methods name the right ones, and HEAD is GET without a body") {
  test_server s;
  s.status.now.adapters = {status_of_sql()};
  s.adapters.detail.status = status_of_sql();
  const std::pair<std::string, std::string> allow[] = {
      {"/v1/load_lora_adapter", "POST, OPTIONS"},
      {"/v1/unload_lora_adapter", "POST, OPTIONS"},
      {"/v1/adapters", "GET, HEAD, PUT, OPTIONS"},
      {"/v1/adapters/events", "GET, HEAD, PUT, DELETE, OPTIONS"},
      {"/v1/adapters/sql", "GET, HEAD, PUT, DELETE, OPTIONS"},
      {"/v1/adapters/sql/pin", "GET, HEAD, PUT, POST, DELETE, OPTIONS"},
      {"/v1/adapter_jobs", "GET, HEAD, OPTIONS"},
      {"/v1/adapter_jobs/job-1", "GET, HEAD, DELETE, OPTIONS"}};
  for (auto& [path, methods] : allow) {
    auto reply = ask(s.port(), "PATCH", path);
    CHECK(reply.status == 405);
    CHECK(reply.fields["allow"] == methods);
    CHECK(ask(s.port(), "OPTIONS", path).fields["allow"] == methods);
  }
  CHECK(ask(s.port(), "POST", "/v1/adapters", "{}").status == 405);
  CHECK(ask(s.port(), "DELETE", "/v1/adapters").status == 405);
  CHECK(ask(s.port(), "GET", "/v1/adapters/").status == 404);
  raw_client client(s.port());
  for (auto path : {"/v1/adapters", "/v1/adapters/sql", "/v1/adapter_jobs", "/v1/adapter_jobs/job-1"}) {
    client.ask("HEAD", path);
    auto head = client.read("HEAD");
    client.ask("GET", path);
    auto whole = client.read();
    CHECK(head.status == 200);
    CHECK(head.fields["content-length"] == std::to_string(whole.body.size()));
    CHECK(whole.body.size() > 20);
  }
}

TEST_CASE("bodies that are too large, in no media type that is taken or no JSON are refused") {
  server_options o;
  o.payload_limit = 2000;
  test_server s(o);
  for (auto [method, path] :
       {std::pair("PUT", "/v1/adapters"), std::pair("PUT", "/v1/adapters/sql"),
        std::pair("POST", "/v1/load_lora_adapter"), std::pair("POST", "/v1/adapters/sql/pin")}) {
    CAPTURE(path);
    CHECK(ask(s.port(), method, path, std::string(2001, ' ')).status == 413);
    CHECK(ask(s.port(), method, path, "{\"a").status == 400);
    CHECK(ask(s.port(), method, path, "[]").status == 400);
    CHECK(ask(s.port(), method, path, std::string(200, '[')).status == 400);
    CHECK(ask(s.port(), method, path, "{}", "Content-Encoding: gzip\r\n").status == 415);
    raw_client client(s.port());
    client.send(std::string(method) + " " + path +
                " HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
    CHECK(client.read().status == 415);
  }
  CHECK(s.adapters.calls() == 0);
  CHECK(s.wait_quiet());
}

TEST_CASE("a client that leaves while it waits changes nothing, and the answer finds nobody") {
  server_options o;
  o.half_close_grace = 20ms;
  test_server s(o);
  s.adapters.hold_answers = true;
  raw_client reset(s.port()), closed(s.port()), vllm(s.port()), patient(s.port());
  reset.ask("PUT", "/v1/adapters/a?wait=true", put_body);
  closed.ask("DELETE", "/v1/adapters/b?mode=abort");
  vllm.ask("POST", "/v1/load_lora_adapter", R"({"lora_name":"c","lora_path":"x"})");
  patient.ask("PUT", "/v1/adapters/d?wait=true", put_body);
  REQUIRE(s.adapters.wait_calls(4));
  reset.reset();
  closed.half_close();
  vllm.reset();
  CHECK(closed.at_end());
  CHECK(eventually([&] { return s.metric("lorica_http_connections ") == 1; }));
  s.adapters.let_go();
  CHECK(patient.read().status == 202);
  patient.half_close();
  CHECK(s.wait_quiet());
}

TEST_CASE("a server that ends takes no change and says so; what it shows is still shown") {
  test_server s;
  s.front.drain();
  for (auto [method, path, body] :
       {std::tuple("PUT", "/v1/adapters/sql", put_body.c_str()), std::tuple("DELETE", "/v1/adapters/sql", ""),
        std::tuple("POST", "/v1/load_lora_adapter", "{}"), std::tuple("POST", "/v1/adapters/sql/pin", ""),
        std::tuple("GET", "/v1/adapters/events", "")}) {
    auto reply = ask(s.port(), method, path, body);
    CHECK(reply.status == 503);
    CHECK(reply.fields["connection"] == "close");
  }
  CHECK(ask(s.port(), "GET", "/v1/adapters").status == 200);
  CHECK(s.adapters.calls() == 0);
}

TEST_CASE("without a service behind them the routes are unavailable") {
  metrics counters;
  fake_status status;
  fake_tokens tokens;
  fake_generations generations([](fake_run&) {});
  server_options o;
  o.port = 0;
  server front(o, {generations, tokens, status, counters, test_info()});
  REQUIRE(front.start());
  for (auto& r : all_routes()) {
    if (!r.path.starts_with("/v1/adapter") && r.path.find("lora_adapter") == r.path.npos) continue;
    std::string path(r.path);
    if (auto brace = path.find('{'); brace != path.npos)
      path.replace(brace, path.find('}') - brace + 1, "sql");
    CAPTURE(r.method, path);
    auto body =
        r.id == route_id::put_adapter ? put_body
        : r.id == route_id::declare_adapters
            ? std::string(R"({"adapters":[]})")
            : std::string(r.path.find("lora") == r.path.npos ? "" : R"({"lora_name":"a","lora_path":"b"})");
    CHECK(ask(front.port(), r.method, path, body).status == (r.id == route_id::adapters ? 200 : 503));
  }
}

TEST_CASE("a source that changed fails a generation in the same way in both styles") {
  test_server s([](fake_run& run) {
    run.sink->failed(
        fail(errc::bad_adapter, "adapter_model.safetensors changed", run.request.adapters.at(0).name));
  });
  auto native = [&](const std::string& name) {
    return post(s.port(), "/generate", R"({"inputs":"a","parameters":{"adapter_id":")" + name + R"("}})");
  };
  auto openai = [&](const std::string& name) {
    return post(s.port(), "/v1/completions", R"({"prompt":"a","model":")" + name + R"("})");
  };
  CHECK(native("source_changed").status == 424);
  CHECK(openai("source_changed").status == 424);
  CHECK(words(openai("source_changed")) == "BadRequestError source_changed");
  CHECK(native("shape_mismatch").status == 424);
  CHECK(openai("shape_mismatch").status == 400);
}
