#include "net/router.hpp"

#include "net/auth.hpp"
#include "net/request_id.hpp"
#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("every documented route is found and nothing else") {
  CHECK(find_route("POST", "/generate")->where->id == route_id::generate);
  CHECK(find_route("POST", "/generate_stream")->where->id == route_id::generate_stream);
  CHECK(find_route("POST", "/")->where->id == route_id::root_generate);
  CHECK(find_route("GET", "/")->where->id == route_id::root_health);
  CHECK(find_route("HEAD", "/metrics")->where->id == route_id::metrics);
  CHECK(find_route("POST", "/v1/completions")->where->id == route_id::completions);
  CHECK(find_route("GET", "/generate").error().code == errc::wrong_method);
  CHECK(find_route("GET", "/generate/").error().code == errc::unknown_route);
  CHECK(find_route("POST", "/Generate").error().code == errc::unknown_route);
  CHECK(find_route("get", "/health").error().code == errc::wrong_method);
  CHECK(allowed_methods("/") == "GET, HEAD, POST, OPTIONS");
  CHECK(allowed_methods("/nothing").empty());
}

TEST_CASE("a model's name is the rest of the path, decoded once") {
  CHECK(find_route("GET", "/v1/models/org%2Fna%20me")->name == "org/na me");
  CHECK(find_route("GET", "/v1/models/org/name")->name == "org/name");
  CHECK(find_route("GET", "/v1/models/a%252Fb")->name == "a%2Fb");
  CHECK(find_route("GET", "/v1/models")->where->id == route_id::models);
  CHECK(find_route("GET", "/v1/models/").error().code == errc::unknown_route);
  CHECK(find_route("GET", "/v1/models/%zz").error().code == errc::malformed);
  CHECK(find_route("GET", "/v1/models/%00").error().code == errc::malformed);
  CHECK(find_route("GET", "/v1/models/a%2").error().code == errc::malformed);
}

TEST_CASE(
    "a name in the middle of a path is what the route leaves, and actions are told from names by the "
    "method") {
  CHECK(find_route("POST", "/v1/adapters/sql/pin")->where->id == route_id::pin_adapter);
  CHECK(find_route("POST", "/v1/adapters/sql/pin")->name == "sql");
  CHECK(find_route("POST", "/v1/adapters/org/sql/unpin")->name == "org/sql");
  CHECK(find_route("POST", "/v1/adapters/org%2Fsql/unpin")->where->id == route_id::unpin_adapter);
  CHECK(find_route("GET", "/v1/adapters/org/pin")->name == "org/pin");
  CHECK(find_route("GET", "/v1/adapters/events")->where->id == route_id::adapter_events);
  CHECK(find_route("PUT", "/v1/adapters/events")->where->id == route_id::put_adapter);
  CHECK(find_route("GET", "/v1/adapters/events2")->where->id == route_id::adapter);
  CHECK(find_route("POST", "/v1/adapters//pin").error().code == errc::wrong_method);
  CHECK(find_route("POST", "/v1/adapters/pin").error().code == errc::wrong_method);
  CHECK(find_route("DELETE", "/v1/adapter_jobs/7")->name == "7");
  CHECK(find_route("GET", "/v1/adapter_jobs/").error().code == errc::unknown_route);
}

TEST_CASE("the key is needed exactly, under the bearer scheme, once") {
  auto allows = [](std::vector<http_field> fields) {
    http_request r;
    r.fields = std::move(fields);
    key_list keys;
    keys.add("secret");
    return auth(std::move(keys)).allows(r);
  };
  CHECK(allows({{"authorization", "Bearer secret"}}));
  CHECK(allows({{"authorization", "bearer secret"}}));
  CHECK_FALSE(allows({{"authorization", "Bearer Secret"}}));
  CHECK_FALSE(allows({{"authorization", "Bearer secret2"}}));
  CHECK_FALSE(allows({{"authorization", "Basic secret"}}));
  CHECK_FALSE(allows({{"authorization", "Bearer"}}));
  CHECK_FALSE(allows({}));
  CHECK_FALSE(allows({{"authorization", "Bearer secret"}, {"authorization", "Bearer secret"}}));
  CHECK(auth({}).allows({}));
}

TEST_CASE("request ids are kept only if they are fit to be shown") {
  CHECK(is_fit_request_id("aB9._-"));
  CHECK(is_fit_request_id(std::string(128, 'a')));
  CHECK_FALSE(is_fit_request_id(std::string(129, 'a')));
  CHECK_FALSE(is_fit_request_id(""));
  CHECK_FALSE(is_fit_request_id("a b"));
  CHECK_FALSE(is_fit_request_id("a\nb"));
  CHECK(random_id(1, 2) == "00000000000000010000000000000002");
}
