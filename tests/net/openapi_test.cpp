// The description that the program serves, docs/openapi.yaml, and the table of routes say the same.
#include <set>
#include <string>

#include "net/router.hpp"
#include "tests/catch.hpp"
#include "tests/net/openapi_document.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

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
  CHECK(described(described_api()) == served);
}
