#include "net/adapter_request.hpp"

#include "net/query.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

http_request request(const std::string& query, std::string body = {}) {
  http_request out;
  out.target = "/v1/adapters/sql";
  if (!query.empty()) out.target.append("?").append(query);
  out.body = std::move(body);
  return out;
}

struct refusal {
  std::string query, body, param, text;
};

template <class Read>
void expect_refusals(const std::vector<refusal>& table, Read read) {
  for (auto& row : table) {
    CAPTURE(row.query, row.body);
    auto got = read(request(row.query, row.body));
    REQUIRE_FALSE(got);
    CHECK((got.error().code == errc::invalid || got.error().code == errc::malformed));
    CHECK(got.error().param == row.param);
    CHECK_THAT(got.error().text, Catch::Contains(row.text));
  }
}

}  // namespace

TEST_CASE("a query is decoded once, and what is wrong in it is named") {
  query_reader q("a=x%26y%253D&b=&c=7&d=true", {"a", "b", "c", "d", "e"});
  CHECK(q.text("a") == "x&y%3D");
  CHECK(q.text("b") == "");
  CHECK_FALSE(q.text("e"));
  CHECK(q.number("c", 0, 7) == 7u);
  CHECK(q.boolean("d") == true);
  CHECK_FALSE(q.refusal());
  struct row {
    std::string query, text;
  };
  for (auto& [query, text] :
       std::vector<row>{{"x=1", "`x` is not a parameter of this route; it has `a`, `b`"},
                        {"a=1&b=2&a=1", "`a` is given twice"},
                        {"a=%zz", "broken %-escape"},
                        {"%61=1&a=2", "`a` is given twice"},
                        {"=", "`` is not a parameter"}}) {
    CAPTURE(query);
    query_reader bad(query, {"a", "b"});
    REQUIRE(bad.refusal());
    CHECK_THAT(bad.refusal()->text, Catch::Contains(text));
  }
  for (auto text : {"n=8", "n=-1", "n=", "n=0x1", "n=4294967297", "n=1 "}) {
    query_reader bad(text, {"n"});
    CHECK_FALSE(bad.number("n", 1, 7));
    CHECK(bad.refusal()->param == "n");
  }
  for (auto text : {"n", "n=", "n=1", "n=TRUE", "n=yes"}) {
    query_reader bad(text, {"n"});
    bad.boolean("n");
    CHECK(bad.refusal());
  }
  CHECK_FALSE(query_reader("&&a=1&", {"a"}).refusal());
}

TEST_CASE("a load is read in full, and defaults to replacing and to answering at once") {
  auto all = read_put_request(
      request(
          "wait=true",
          R"({"source":"org/name","revision":"v2","pin":true,"dry_run":true,"expected_version":"0123456789ab"})"),
      "team/sql", test_info());
  REQUIRE(all);
  CHECK(all->load.name == "team/sql");
  CHECK(all->load.source == "org/name");
  CHECK(all->load.revision == "v2");
  CHECK(all->load.pin == true);
  CHECK(all->load.policy == load_policy::replace);
  CHECK(all->load.expected_version == "0123456789ab");
  CHECK(all->dry_run);
  CHECK(all->when == answer_when::ended);
  auto least = read_put_request(request("", R"({"source":"a"})"), "sql", test_info());
  REQUIRE(least);
  CHECK_FALSE(least->load.pin);
  CHECK_FALSE(least->load.expected_version);
  CHECK_FALSE(least->dry_run);
  CHECK(least->when == answer_when::accepted);
  CHECK(read_put_request(request("dry_run=true", R"({"source":"a","wait":true})"), "sql", test_info())
            ->dry_run);
  CHECK(read_put_request(request("", R"({"source":"a","expected_version":""})"), "sql", test_info())
            ->load.expected_version == "");
  auto with = read_put_request(request("", R"({"source":"a","defaults":{"temperature":0,"stop":["\n"]}})"),
                               "sql", test_info());
  REQUIRE(with);
  CHECK(with->load.defaults->temperature == 0.0f);
  CHECK_FALSE(least->load.defaults);
  auto none = read_put_request(request("", R"({"source":"a","defaults":{}})"), "sql", test_info());
  CHECK(none->load.defaults == generation_defaults{});
  auto alias = read_put_request(request("", R"({"alias_of":"org/sql","source":null})"), "prod", test_info());
  REQUIRE(alias);
  CHECK(alias->alias_of == "org/sql");
}

TEST_CASE("a load refuses by name what is wrong") {
  expect_refusals(
      {{"", "", "", "JSON"},
       {"", "[]", "", "must be a JSON object"},
       {"", R"({"source":"a"} x)", "", ""},
       {"", "{}", "source", "`source` is missing"},
       {"", R"({"source":""})", "source", "`source` is missing"},
       {"", R"({"source":1})", "source", "must be a string"},
       {"", R"({"source":"a","revision":[]})", "revision", "must be a string"},
       {"", R"({"source":"a","pin":"yes"})", "pin", "must be a boolean"},
       {"", R"({"source":"a","defaults":[]})", "defaults", "must be an object"},
       {"", R"({"source":"a","defaults":{"top_p":2}})", "defaults.top_p", "above 0, up to 1"},
       {"", R"({"source":"a","defaults":{"max_new_tokens":5000}})", "defaults.max_new_tokens",
        "must be <= 1024"},
       {"", R"({"source":"a","defaults":{"stop":["1","2","3","4","5"]}})", "defaults.stop", "up to 4"},
       {"", R"({"alias_of":"x","defaults":{}})", "defaults", "cannot stand beside"},
       {"", R"({"source":"a","dry_run":1})", "dry_run", "must be a boolean"},
       {"", R"({"source":"a","wait":"true"})", "wait", "must be a boolean"},
       {"", R"({"source":"a","path":"b"})", "path", "`path` is not a field of this body; it has `source`"},
       {"", R"({"source":"a","path":null})", "path", "is not a field"},
       {"", R"({"source":"a","expected_version":"0123"})", "expected_version", "12 to 64 hex digits"},
       {"", R"({"source":"a","expected_version":"0123456789AB"})", "expected_version", "lower case"},
       {"", R"({"source":"a","expected_version":12})", "expected_version", "must be a string"},
       {"wait=true", R"({"source":"a","wait":true})", "wait", "in the query and in the body"},
       {"wait=maybe", R"({"source":"a"})", "wait", "true or false"},
       {"force=true", R"({"source":"a"})", "force", "not a parameter"},
       {"", R"({"alias_of":"x","source":"a"})", "source", "cannot stand beside `alias_of`"},
       {"", R"({"alias_of":"x","pin":true})", "pin", "cannot stand beside"},
       {"", R"({"alias_of":"x","expected_version":""})", "expected_version", "cannot stand beside"},
       {"dry_run=true", R"({"alias_of":"x"})", "dry_run", "cannot stand beside"},
       {"", R"({"alias_of":"../x"})", "alias_of", "name of an adapter"},
       {"", R"({"alias_of":"sql"})", "alias_of", "another name"}},
      [](const http_request& r) { return read_put_request(r, "sql", test_info()); });
}

TEST_CASE("names outside the grammar and names of the base are nobody's") {
  for (auto name : {"a/b/c", "-a", ".hidden", "a b", "", "/", "a/", "/a", "..", "a/../b", "caf\xc3\xa9",
                    "a:b", "a@b", "base-model", "alias", "tgi", "dummy", "http://x"}) {
    CAPTURE(name);
    auto got = read_put_request(request("", R"({"source":"a"})"), name, test_info());
    REQUIRE_FALSE(got);
    CHECK(got.error().reason == "invalid_name");
    CHECK(got.error().param == "name");
  }
  CHECK(read_put_request(request("", R"({"source":"a"})"),
                         std::string(128, 'a') + "/" + std::string(128, 'b'), test_info()));
  CHECK_FALSE(read_put_request(request("", R"({"source":"a"})"), std::string(129, 'a'), test_info()));
}

TEST_CASE("a deletion drains unless it says otherwise, and only an abort waits by itself") {
  auto drain = read_delete_request(request(""), "sql");
  REQUIRE(drain);
  CHECK(drain->unload.mode == unload_mode::drain);
  CHECK(drain->when == answer_when::accepted);
  auto deadline = read_delete_request(request("mode=deadline&seconds=7&wait=true"), "sql");
  REQUIRE(deadline);
  CHECK(deadline->unload.mode == unload_mode::deadline);
  CHECK(deadline->unload.deadline_seconds == 7);
  CHECK(deadline->when == answer_when::ended);
  CHECK(read_delete_request(request("mode=deadline"), "sql")->unload.deadline_seconds == 30);
  auto abort = read_delete_request(request("mode=abort"), "sql");
  REQUIRE(abort);
  CHECK(abort->unload.mode == unload_mode::abort);
  CHECK(abort->when == answer_when::ended);
  expect_refusals({{"mode=kill", "", "mode", "drain, deadline or abort"},
                   {"mode=drain&seconds=3", "", "seconds", "mode=deadline"},
                   {"mode=deadline&seconds=86401", "", "seconds", "from 0 to 86400"},
                   {"mode=deadline&seconds=-1", "", "seconds", "Given: -1"},
                   {"wait=1", "", "wait", "true or false"},
                   {"force=true", "", "force", "not a parameter"},
                   {"", "{}", "", "has no body"}},
                  [](const http_request& r) { return read_delete_request(r, "sql"); });
}

TEST_CASE("a declared set is read whole or refused whole") {
  auto all = read_declare_request(
      request(
          "",
          R"({"adapters":[{"name":"a","source":"x","pin":false},{"name":"o/b","source":"y","revision":"r"}]})"),
      test_info());
  REQUIRE(all);
  REQUIRE(all->wanted.size() == 2);
  CHECK(all->wanted[0].pin == false);
  CHECK(all->wanted[1].name == "o/b");
  CHECK(all->wanted[1].revision == "r");
  CHECK(all->mode == declare_mode::apply);
  CHECK(read_declare_request(request("", R"({"adapters":[],"dry_run":true})"), test_info())->mode ==
        declare_mode::compare);
  CHECK(read_declare_request(request("dry_run=true", R"({"adapters":[]})"), test_info())->wanted.empty());
  std::string many = R"({"adapters":[)";
  for (int i = 0; i <= 10'000; ++i)
    many += i > 0 ? ",0" : "0";
  expect_refusals(
      {{"", "{}", "adapters", "must be a list"},
       {"", R"({"adapters":{}})", "adapters", "must be a list"},
       {"", many + "]}", "adapters", "at most 10000"},
       {"", R"({"adapters":[3]})", "adapters[0].name", "must be an object"},
       {"", R"({"adapters":[],"force":true})", "force", "not a field"},
       {"", R"({"adapters":[{"source":"x"}]})", "adapters[0].name", "`name` is missing"},
       {"", R"({"adapters":[{"name":"a"}]})", "adapters[0].source", "`source` is missing"},
       {"", R"({"adapters":[{"name":"a","source":"x","rank":1}]})", "adapters[0].rank", "not a field"},
       {"", R"({"adapters":[{"name":"a","source":"x"},{"name":"b","source":2}]})", "adapters[1].source",
        "(adapters[1])"},
       {"", R"({"adapters":[{"name":"a","source":"x"},{"name":"../b","source":"x"}]})", "adapters[1].name",
        "not valid"},
       {"", R"({"adapters":[{"name":"tgi","source":"x"}]})", "adapters[0].name", "means the base"},
       {"", R"({"adapters":[{"name":"a","source":"x"},{"name":"a","source":"y"}]})", "adapters[1].name",
        "there twice"}},
      [](const http_request& r) { return read_declare_request(r, test_info()); });
}

TEST_CASE("a listing takes a state, a limit and a name to begin after") {
  auto all = read_list_request(request("state=ready&limit=1000&after=org%2Fx"));
  REQUIRE(all);
  CHECK(all->state == "ready");
  CHECK(all->limit == 1000u);
  CHECK(all->after == "org/x");
  expect_refusals({{"state=Ready", "", "state", "loading, ready or failed"},
                   {"limit=0", "", "limit", "from 1 to 1000"},
                   {"limit=1001", "", "limit", "from 1 to 1000"},
                   {"page=2", "", "page", "not a parameter"}},
                  [](const http_request& r) { return read_list_request(r); });
}

TEST_CASE("what needs no body takes none but an empty object") {
  CHECK(expect_bare(request("")));
  CHECK(expect_bare(request("", "{}")));
  expect_refusals({{"", R"({"a":1})", "a", "which has none"},
                   {"", "[]", "", "must be a JSON object"},
                   {"", "x", "", ""},
                   {"a=1", "", "a", "which has none"}},
                  [](const http_request& r) { return expect_bare(r); });
}
