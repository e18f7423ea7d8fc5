#include "net/rights.hpp"

#include "net/loopback_rule.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

http_request from(std::string peer, std::vector<http_field> fields = {}) {
  http_request out;
  out.peer = std::move(peer);
  out.fields = std::move(fields);
  out.fields.push_back({"host", "localhost:3000"});
  return out;
}

/// Empty ones are not configured.
rights with_keys(std::string_view api, std::string_view admin) {
  key_list clients, administration;
  clients.add(api);
  administration.add(admin);
  return rights(std::move(clients), std::move(administration));
}

http_field bearer(const std::string& key) {
  return {"authorization", "Bearer " + key};
}

/// `ok`, or the error's code in a letter: u(nauthorized), f(orbidden).
std::string verdict(const rights& who, const http_request& request, route_access needed) {
  auto why = who.refusal(request, needed);
  if (!why) return "ok";
  if (why->code == errc::forbidden) CHECK(why->reason == "admin_key_required");
  return why->code == errc::unauthorized ? "u" : why->code == errc::forbidden ? "f" : "?";
}

constexpr auto pin = "/v1/adapters/sql/pin";

}  // namespace

TEST_CASE("loopback addresses are known in every form a socket gives them") {
  for (auto yes : {"127.0.0.1", "127.255.255.254", "127.0.0.53", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1",
                   "::ffff:127.9.9.9", "::FFFF:7f00:1"})
    CHECK(is_loopback_address(yes));
  for (auto no : {"", "10.0.0.1", "128.0.0.1", "126.255.255.255", "0.0.0.0", "::", "::2", "::ffff:10.0.0.1",
                  "::127.0.0.1", "fe80::1", "2001:db8::1", "127.1", "127.0.0.1 ", "127.0.0.01", "localhost",
                  "127.0.0.1.evil.example", "::1%lo"})
    CHECK_FALSE(is_loopback_address(no));
}

TEST_CASE("hosts of the loopback are names and addresses in full, with or without a port") {
  for (auto yes : {"localhost", "LocalHost", "localhost:3000", "127.0.0.1", "127.0.0.1:80", "127.3.4.5:65535",
                   "[::1]", "[::1]:3000"})
    CHECK(is_loopback_host(yes));
  for (auto no : {"",
                  "localhost.",
                  "localhost.evil.example",
                  "evil.example",
                  "localhost:",
                  "localhost:x",
                  "localhost:123456",
                  "127.0.0.1.evil.example",
                  "127.1",
                  "10.0.0.1",
                  "0.0.0.0",
                  "[::]",
                  "[::2]:80",
                  "[::1",
                  "[::1]3000",
                  "::1",
                  "[::1].evil.example",
                  "::ffff:127.0.0.1",
                  "[::ffff:10.0.0.1]",
                  "user@localhost",
                  "localhost/x",
                  ":80"})
    CHECK_FALSE(is_loopback_host(no));
}

TEST_CASE("without keys all is open but the administration, which is for callers on this machine") {
  auto who = with_keys("", "");
  for (auto peer : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
    CHECK(verdict(who, from(peer), route_access::key) == "ok");
    CHECK(verdict(who, from(peer), route_access::admin) == "ok");
    CHECK(who.administrates(from(peer)));
  }
  for (auto peer : {"10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", ""}) {
    CHECK(verdict(who, from(peer), route_access::key) == "ok");
    CHECK(verdict(who, from(peer), route_access::admin) == "f");
    CHECK(verdict(who, from(peer, {bearer("anything")}), route_access::admin) == "f");
    CHECK_FALSE(who.administrates(from(peer)));
  }
}

TEST_CASE("a proxy or a browser on this machine may speak for somebody else") {
  auto who = with_keys("", "");
  for (auto name : {"origin", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
                    "x-forwarded-anything", "x-real-ip", "via"}) {
    auto request = from("127.0.0.1", {{name, ""}});
    CHECK(verdict(who, request, route_access::admin) == "f");
    CHECK(verdict(who, request, route_access::key) == "ok");
    CHECK_THAT(who.refusal(request, route_access::admin)->text, Catch::Contains(name));
  }
  CHECK(verdict(who, from("127.0.0.1", {{"x-forwardedfor", ""}}), route_access::admin) == "ok");
  auto elsewhere = from("127.0.0.1");
  elsewhere.fields = {{"host", "evil.example"}};
  CHECK(verdict(who, elsewhere, route_access::admin) == "f");
  elsewhere.fields.clear();
  CHECK(verdict(who, elsewhere, route_access::admin) == "f");
}

TEST_CASE("the key of the API reads; changes need the administration's key, or this machine as well") {
  struct row {
    std::string api, admin, given, peer, open, key, change;
  };
  const row table[] = {
      {"a", "", "", "127.0.0.1", "ok", "u", "u"},      {"a", "", "x", "127.0.0.1", "ok", "u", "u"},
      {"a", "", "a", "127.0.0.1", "ok", "ok", "ok"},   {"a", "", "a", "10.0.0.1", "ok", "ok", "f"},
      {"a", "", "", "10.0.0.1", "ok", "u", "u"},       {"a", "b", "", "127.0.0.1", "ok", "u", "u"},
      {"a", "b", "a", "127.0.0.1", "ok", "ok", "u"},   {"a", "b", "b", "127.0.0.1", "ok", "ok", "ok"},
      {"a", "b", "b", "10.0.0.1", "ok", "ok", "ok"},   {"a", "b", "x", "10.0.0.1", "ok", "u", "u"},
      {"", "b", "", "127.0.0.1", "ok", "ok", "u"},     {"", "b", "x", "127.0.0.1", "ok", "ok", "u"},
      {"", "b", "b", "2001:db8::1", "ok", "ok", "ok"}, {"", "b", "B", "127.0.0.1", "ok", "ok", "u"},
  };
  for (auto& r : table) {
    auto who = with_keys(r.api, r.admin);
    auto request = from(r.peer);
    if (!r.given.empty()) request.fields.push_back(bearer(r.given));
    CAPTURE(r.api, r.admin, r.given, r.peer);
    CHECK(verdict(who, request, route_access::open) == r.open);
    CHECK(verdict(who, request, route_access::key) == r.key);
    CHECK(verdict(who, request, route_access::admin) == r.change);
    CHECK(who.administrates(request) == (r.change == "ok"));
  }
  auto who = with_keys("a", "b");
  CHECK(verdict(who, from("10.0.0.1", {bearer("b"), bearer("b")}), route_access::key) == "u");
  CHECK(verdict(who, from("10.0.0.1", {bearer("b"), {"via", "proxy"}}), route_access::admin) == "ok");
}

TEST_CASE("over a socket, the loopback changes adapters unless something speaks against it") {
  test_server s;
  CHECK(ask(s.port(), "POST", pin).status == 200);
  for (auto host : {"localhost", "localhost:3000", "127.0.0.1:1", "127.8.8.8", "[::1]:80"})
    CHECK(ask(s.port(), "POST", pin, {}, "Host: " + std::string(host) + "\r\n").status == 200);
  auto calls = s.adapters.calls();
  for (auto field : {"Origin: null", "Origin: http://localhost", "Forwarded: for=127.0.0.1", "Via: 1.1 proxy",
                     "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "x-forwarded-proto: http",
                     "Host: evil.example", "Host: 127.0.0.1.evil.example", "Host: lorica:3000"}) {
    CAPTURE(field);
    for (auto [method, path, body] :
         {std::tuple("POST", "/v1/load_lora_adapter", "{}"), std::tuple("PUT", "/v1/adapters/sql", "{}"),
          std::tuple("DELETE", "/v1/adapters/sql", ""), std::tuple("POST", pin, "")}) {
      auto reply = ask(s.port(), method, path, body, std::string(field) + "\r\n");
      CHECK(reply.status == 403);
      CHECK_THAT(reply.body, Catch::Contains(R"("type":"PermissionDeniedError")") &&
                                 Catch::EndsWith(R"("code":403},"error_type":"admin_key_required"})"));
    }
    CHECK(ask(s.port(), "GET", "/v1/adapters", {}, std::string(field) + "\r\n").status == 200);
  }
  CHECK(s.adapters.calls() == calls);
  CHECK(s.wait_quiet());
}

TEST_CASE("a caller over IPv4 to a socket of both families is on the loopback too") {
  server_options o;
  o.host = "::";
  std::unique_ptr<test_server> s;
  try {
    s = std::make_unique<test_server>(o);
    CHECK(ask(s->port(), "POST", pin).status == 200);
  } catch (const std::runtime_error&) {
    WARN("skipped: this machine has no IPv6");
  }
}

TEST_CASE("every route needs its key, in whatever way it is asked for") {
  server_options o;
  o.secrets.clients.add("client");
  o.secrets.administration.add("chief");
  test_server s(o);
  auto with = [](const std::string& key) { return "Authorization: Bearer " + key + "\r\n"; };
  for (auto& r : all_routes()) {
    if (r.access == route_access::open) continue;
    std::string path(r.path);
    if (auto brace = path.find('{'); brace != path.npos)
      path.replace(brace, path.find('}') - brace + 1, "sql");
    CAPTURE(r.method, path);
    auto body = r.method == "GET" || r.method == "DELETE" ? "" : "[";
    for (auto& key : {std::string(), with("wrong"), with("Client")}) {
      auto reply = ask(s.port(), r.method, path, body, key);
      CHECK(reply.status == 401);
      CHECK(reply.fields["www-authenticate"] == "Bearer");
    }
    if (r.access == route_access::admin)
      CHECK(ask(s.port(), r.method, path, body, with("client")).status == 401);
    if (r.id == route_id::adapter_events) continue;
    if (r.access == route_access::key)
      CHECK(ask(s.port(), r.method, path, body, with("client")).status != 401);
    CHECK(ask(s.port(), r.method, path, body, with("chief")).status != 401);
  }
  CHECK(ask(s.port(), "GET", "/health").status == 200);
  CHECK(ask(s.port(), "PATCH", "/v1/adapters/sql").status == 401);
  CHECK(ask(s.port(), "PATCH", "/v1/adapters/sql", {}, with("client")).status == 405);
  CHECK(ask(s.port(), "GET", "/v1/nothing", {}, with("chief")).status == 404);
  CHECK(s.wait_quiet());
}
