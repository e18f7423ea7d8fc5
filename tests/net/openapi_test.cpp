// The description that the program serves, docs/openapi.yaml, and the table of routes say the same.
#include <set>
#include <string>

#include "core/json.hpp"
#include "net/router.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

value document() {
  test_server s;
  auto reply = get(s.port(), "/openapi.json");
  REQUIRE(reply.status == 200);
  CHECK(reply.fields.at("content-type") == "application/json");
  auto read = parse_json(reply.body);
  REQUIRE(read);
  return *std::move(read);
}

/// `GET /path` of every operation.
std::set<std::string> described(const value& document) {
  std::set<std::string> out;
  for (auto& [path, operations] : *document.find("paths")->as_object())
    for (auto method : {"get", "put", "post", "delete", "patch", "head"}) {
      if (!operations.find(method)) continue;
      std::string upper(method);
      for (auto& c : upper)
        c = static_cast<char>(c - 'a' + 'A');
      out.insert(upper + " " + path);
    }
  return out;
}

}  // namespace

TEST_CASE("every route is in the description that is served, and nothing else is") {
  std::set<std::string> served;
  for (auto& r : all_routes())
    CHECK(served.insert(std::string(r.method) + " " + std::string(r.path)).second);
  CHECK(described(document()) == served);
}
