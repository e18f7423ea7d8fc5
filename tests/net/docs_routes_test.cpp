// The page of the description: open, and from this server alone.
#include <map>
#include <regex>
#include <string>

#include "net/embedded_files.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

server_options with_key() {
  server_options out;
  out.secrets.clients.add("key");
  return out;
}

}  // namespace

TEST_CASE("the page is open where the description needs a key") {
  test_server s(with_key());
  CHECK(get(s.port(), "/docs").status == 200);
  CHECK(get(s.port(), "/docs/docs.js").status == 200);
  for (auto path : {"/openapi.json", "/api-doc/openapi.json"}) {
    CHECK(get(s.port(), path).status == 401);
    CHECK(get(s.port(), path, "Authorization: Bearer key\r\n").status == 200);
  }
}

TEST_CASE("both addresses of the description give the same") {
  test_server s;
  CHECK(get(s.port(), "/openapi.json").body == get(s.port(), "/api-doc/openapi.json").body);
}

TEST_CASE("the page names only parts that are served, with their types") {
  test_server s;
  auto page = get(s.port(), "/docs");
  CHECK(page.fields.at("content-type") == "text/html; charset=utf-8");
  CHECK(page.fields.at("content-security-policy").starts_with("default-src 'self';"));
  CHECK(page.fields.at("x-content-type-options") == "nosniff");
  const std::map<std::string, std::string> types{{"docs/docs.css", "text/css; charset=utf-8"},
                                                 {"docs/docs.js", "text/javascript; charset=utf-8"},
                                                 {"docs/docs.svg", "image/svg+xml"},
                                                 {"openapi.json", "application/json"}};
  const std::regex target("(?:href|src)=\"([^\"#]+)\"");
  std::map<std::string, std::string> got;
  for (std::sregex_iterator at(page.body.begin(), page.body.end(), target), end; at != end; ++at) {
    auto part = get(s.port(), std::string("/").append((*at)[1]));
    CHECK(part.status == 200);
    got[(*at)[1]] = part.fields.at("content-type");
  }
  CHECK(got == types);
}

TEST_CASE("nothing of the page needs what its policy forbids") {
  for (auto& file : embedded_files()) {
    if (file.name == "openapi.json" || file.name == "docs.svg") continue;
    INFO(file.name);
    auto text = std::string(file.content);
    CHECK(text.find("//cdn") == std::string::npos);
    CHECK_FALSE(std::regex_search(text, std::regex("https?://|innerHTML|eval\\(|@import|[ :]url\\(")));
    CHECK_FALSE(std::regex_search(text, std::regex("<style|<script>|[ \"]style=|[ \"]on[a-z]+=\"")));
  }
}

TEST_CASE("only the parts of the page are below it") {
  test_server s;
  for (auto path : {"/docs/docs.html", "/docs/openapi.json", "/docs/nothing.js", "/docs/"})
    CHECK(get(s.port(), path).status == 404);
  CHECK(ask(s.port(), "HEAD", "/docs").status == 200);
  CHECK(ask(s.port(), "POST", "/docs", "{}").status == 405);
}
