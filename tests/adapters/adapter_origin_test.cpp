#include "adapters/adapter_origin.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("a source is a path below a root, an id of the Hub, or either") {
  auto either = choose_origin("acme/style", "");
  CHECK(either.root->text == "acme/style");
  CHECK(either.hub->text == "acme/style@main");
  auto pinned = choose_origin("acme/style@v1", "");
  CHECK_FALSE(pinned.root);
  CHECK(pinned.hub->text == "acme/style@v1");
  CHECK(choose_origin("acme/style", "v2").hub->text == "acme/style@v2");
  CHECK_FALSE(choose_origin("acme/style@v1", "v2").hub);
  CHECK(choose_origin("/srv/a", "").root->text == "/srv/a");
  CHECK_FALSE(choose_origin("/srv/a", "").hub);
  CHECK_FALSE(choose_origin("", "").root);
}

TEST_CASE("an origin reads back as it was written") {
  using enum adapter_origin::kind;
  for (auto kind : {path, root, hub, found}) {
    adapter_origin origin{kind, "a/b@c:d"};
    CHECK(parse_origin(origin.written()) == origin);
  }
  CHECK_FALSE(parse_origin("elsewhere:x"));
  CHECK_FALSE(parse_origin(""));
}
