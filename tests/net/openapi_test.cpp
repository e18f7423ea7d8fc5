// docs/openapi.yaml and the table of routes say the same.
#include <fstream>
#include <set>
#include <string>

#include "net/router.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

/// `GET /path` of every operation: a path is a key at two blanks below `paths:`, a method one at four.
std::set<std::string> described() {
  std::ifstream file(LORICA_SOURCE_DIR "/docs/openapi.yaml");
  REQUIRE(file);
  std::set<std::string> out;
  std::string line, path;
  bool in_paths = false;
  while (std::getline(file, line)) {
    if (!line.empty() && line[0] != ' ') in_paths = line == "paths:";
    if (!in_paths) continue;
    if (line.starts_with("  /")) path = line.substr(2, line.rfind(':') - 2);
    for (auto method : {"get", "put", "post", "delete", "patch", "head"}) {
      if (line != "    " + std::string(method) + ":") continue;
      std::string upper(method);
      for (auto& c : upper)
        c = static_cast<char>(c - 'a' + 'A');
      CHECK(out.insert(upper + " " + path).second);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every route is described in docs/openapi.yaml, and nothing else is") {
  std::set<std::string> served;
  for (auto& r : all_routes())
    CHECK(served.insert(std::string(r.method) + " " + std::string(r.path)).second);
  CHECK(described() == served);
}
