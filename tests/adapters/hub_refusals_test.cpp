#include <stdio.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/adapters/hub_world.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

hub_answer answer_of(int status, std::vector<std::pair<std::string, std::string>> fields = {},
                     std::string body = {}) {
  hub_answer out;
  out.status = status;
  out.fields = std::move(fields);
  out.body = std::move(body);
  return out;
}

/// Answers targets that hold `part` alone.
hub_rule only(std::string part, hub_answer answer) {
  return [=](const hub_call& call) -> std::optional<hub_answer> {
    if (call.target.find(part) == std::string::npos) return std::nullopt;
    return answer;
  };
}

void set_field(hub_answer& answer, const std::string& name, const std::string& value) {
  for (auto& field : answer.fields)
    if (field.first == name) field.second = value;
}

}  // namespace

TEST_CASE("what the Hub refuses has its own word") {
  struct row {
    int status;
    std::string code;
    errc kind;
    std::string reason;
  };
  auto r = GENERATE(
      row{401, "", errc::unknown_adapter, "hub_not_found"},
      row{401, "RepoNotFound", errc::unknown_adapter, "hub_not_found"},
      row{404, "RepoNotFound", errc::unknown_adapter, "hub_not_found"},
      row{404, "RevisionNotFound", errc::unknown_adapter, "hub_not_found"},
      row{404, "", errc::unknown_adapter, "hub_not_found"},
      row{401, "GatedRepo", errc::bad_adapter, "hub_gated"},
      row{403, "GatedRepo", errc::bad_adapter, "hub_gated"}, row{403, "", errc::bad_adapter, "hub_gated"},
      row{400, "", errc::bad_adapter, "hub_unreachable"}, row{418, "", errc::bad_adapter, "hub_unreachable"});
  auto where = GENERATE(as<std::string>{}, "/revision/", "/tree/", "/resolve/");
  INFO(r.status << " " << r.code << " at " << where);
  hub_world w;
  w.hub.rule(
      only(where, answer_of(r.status, r.code.empty() ? std::vector<std::pair<std::string, std::string>>{}
                                                     : std::vector<std::pair<std::string, std::string>>{
                                                           {"X-Error-Code", r.code}})));
  auto why = w.failed(w.fetch());
  CHECK(why.code == r.kind);
  CHECK(why.reason == r.reason);
  CHECK(w.hub.count(where) == 1);
}

TEST_CASE("a repository that is not there is not found, with a word about the token") {
  hub_world w;
  w.options.token.clear();
  auto got = w.fetch({{"org/none", "main"}, false, nullptr, {}});
  REQUIRE_FALSE(got);
  CHECK(got.error().reason == "hub_not_found");
  CHECK_THAT(got.error().text, Catch::Contains("org/none") && Catch::Contains("HF_TOKEN"));
  for (auto bad : {"../none", "org/a/b", "org--x/y", ""})
    CHECK(w.fetch({{bad, "main"}, false, nullptr, {}}).error().code == errc::invalid);
  for (auto bad : {"../main", "", "/etc"})
    CHECK(w.fetch({{w.id, bad}, false, nullptr, {}}).error().code == errc::invalid);
  CHECK(w.hub.calls().size() == 1);
}

TEST_CASE("a HEAD without commit or with another one, or without a usable etag, is refused") {
  hub_world w;
  auto change =
      GENERATE(as<std::pair<std::string, std::string>>{}, std::pair{"X-Repo-Commit", ""},
               std::pair{"X-Repo-Commit", "main"}, std::pair{"ETag", ""}, std::pair{"ETag", "\"../../x\""},
               std::pair{"ETag", "\".hidden\""}, std::pair{"ETag", "\"a/b\""});
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.method != "HEAD") return std::nullopt;
    auto out = w.hub.answer(call);
    set_field(out, change.first, change.second);
    return out;
  });
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
  CHECK(w.hub.count("config", "GET") == 0);
}

TEST_CASE("the revision may move between list and get: all files are of the commit that was listed") {
  hub_world w;
  w.hub.rule([&, moved = false](const hub_call& call) mutable -> std::optional<hub_answer> {
    if (call.target.find("/resolve/main") != std::string::npos) return answer_of(500);
    moved = moved || call.target.find("/tree/") != std::string::npos;
    if (!moved || call.target.find("/revision/") == std::string::npos) return std::nullopt;
    return answer_of(200, {}, "{\"sha\":\"" + std::string(40, '2') + "\"}");
  });
  w.check_whole(w.fetch());
}

TEST_CASE("a HEAD of another commit means that the repository changed") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.method != "HEAD") return std::nullopt;
    auto out = w.hub.answer(call);
    set_field(out, "X-Repo-Commit", std::string(40, '2'));
    return out;
  });
  CHECK(w.failed(w.fetch()).reason == "source_changed");
}

TEST_CASE("weak etags and etags without quotes name the same blob") {
  hub_world w;
  auto form = GENERATE(as<std::string>{}, "W/\"%\"", "%", "\"%\"");
  auto oid = hub_server::git_oid_of(w.config);
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.target.find("config") == std::string::npos) return std::nullopt;
    auto out = w.hub.answer(call);
    auto etag = form;
    set_field(out, "ETag", etag.replace(etag.find('%'), 1, oid));
    return out;
  });
  w.check_whole(w.fetch());
  CHECK(fs::exists(w.folder() + "/blobs/" + oid));
}

TEST_CASE("a path in the listing that leaves the repository refuses all of it") {
  auto path = GENERATE(as<std::string>{}, "../x", "/etc/passwd", "a/../../x", "a//b", "..", ".", "a/./b",
                       "..\\\\x", "c:/x", "C:\\\\x", "\\\\\\\\host\\\\x", "a\\u0000b", "a\\nb", "", "a/");
  hub_world w;
  w.hub.rule(only("/tree/", answer_of(200, {},
                                      "[{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":3,"
                                      "\"oid\":\"\"},{\"type\":\"file\",\"path\":\"" +
                                          path + "\",\"size\":1}]")));
  auto why = w.failed(w.fetch());
  CHECK(why.code == errc::bad_adapter);
  CHECK(why.reason == "path_not_allowed");
  CHECK(w.hub.count("/resolve/") == 0);
  CHECK_FALSE(fs::exists(w.root()));
}

TEST_CASE("answers that are not the Hub's are refused") {
  auto [where, body] = GENERATE(table<std::string, std::string>(
      {{"/revision/", "<html>"},
       {"/revision/", "{}"},
       {"/revision/", "{\"sha\":\"main\"}"},
       {"/revision/", "{\"sha\":\"../../../../../../../../../../../../../etc\"}"},
       {"/revision/", "[]"},
       {"/tree/", "{}"},
       {"/tree/", "[1"},
       {"/tree/", "[{\"type\":\"file\",\"path\":\"adapter_config.json\"}]"},
       {"/tree/", "[{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":-1}]"},
       {"/tree/",
        "[{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":1},"
        "{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":1}]"},
       {"/tree/",
        "[{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":1,"
        "\"lfs\":{\"oid\":\"../x\",\"size\":1}}]"}}));
  hub_world w;
  w.hub.rule(only(where, answer_of(200, {}, body)));
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
}

TEST_CASE("a hundred thousand files are paged through") {
  hub_world w;
  for (int i = 0; i < 100'000; ++i)
    w.hub.file(w.id, "z" + std::to_string(i), "");
  w.check_whole(w.fetch());
  CHECK(w.hub.count("/tree/") == 101);
}

TEST_CASE("a listing without an end, or that goes on elsewhere, is refused") {
  hub_world w;
  auto next = GENERATE(as<std::string>{}, "", "?cursor=1", "//127.0.0.2/x", "http://127.0.0.2:1/x",
                       "file:///etc/passwd", "http://127.0.0.1:1/x", "http://user@127.0.0.1/x");
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.target.find("/tree/") == std::string::npos) return std::nullopt;
    auto to = next.empty() ? w.hub.url() + call.target : next;
    return answer_of(200, {{"Link", "<" + to + ">; rel=\"next\""}}, "[]");
  });
  auto why = w.failed(w.fetch());
  bool endless = next.empty() || next.front() == '?';
  CHECK(why.reason == (endless ? "hub_unreachable" : "path_not_allowed"));
  CHECK(w.hub.count("/tree/") == (next.empty() || !endless ? 1 : 2));
}

TEST_CASE("redirects that lead where they must not are refused before anything is sent there") {
  auto to = GENERATE(as<std::string>{}, "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x",
                     "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/x", "http://10.0.0.1/x",
                     "http://192.168.1.1/x", "http://172.16.0.1/x", "http://100.64.0.1/x", "http://0.0.0.0/x",
                     "http://[::ffff:169.254.169.254]/x", "http://[fd00::1]/x", "http://2852039166/x",
                     "http://user:pass@127.0.0.1/x", "http://127.0.0.1:0/x", "http://127.0.0.1\\\\@x/",
                     "http:///x", "http://224.0.0.1/x", "javascript:alert(1)", "");
  auto where = GENERATE(as<std::string>{}, "/revision/", "/tree/", "HEAD", "/lfs/");
  INFO(to << " at " << where);
  hub_world w;
  w.options.retries = 0;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    bool here = where == "HEAD"
                    ? call.method == "HEAD" && call.target.find("safetensors") != std::string::npos
                    : call.target.find(where) != std::string::npos;
    if (!here) return std::nullopt;
    auto out = w.hub.answer(call);
    out.status = 302;
    out.body.clear();
    std::erase_if(out.fields, [](auto& field) { return field.first == "Location"; });
    out.fields.push_back({"Location", to});
    return out;
  });
  auto why = w.failed(w.fetch());
  // Without a place to go to, a HEAD is no redirect to follow but an answer about the endpoint's own file.
  CHECK(why.code == errc::bad_adapter);
  CHECK(why.reason == "path_not_allowed");
}

TEST_CASE("redirects in a circle end") {
  hub_world w;
  auto where = GENERATE(as<std::string>{}, "/revision/", "/tree/", "/resolve/");
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.target.find(where) == std::string::npos) return std::nullopt;
    return answer_of(302, {{"Location", call.target}});
  });
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
  CHECK(w.hub.count(where) == 6);
}

TEST_CASE("a token that a redirect left behind does not come back with the next redirect") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (is_weights(call) && call.at_other) return answer_of(302, {{"Location", w.hub.url() + call.target}});
    return std::nullopt;
  });
  w.check_whole(w.fetch());
  auto last = w.hub.calls().back();
  CHECK_FALSE(last.at_other);
  CHECK(last.authorization.empty());
}

TEST_CASE("only listed domains are followed when there is a list") {
  hub_world w;
  w.options.redirect_domains = {"hf.co"};
  CHECK(w.failed(w.fetch()).reason == "path_not_allowed");
  CHECK(w.hub.count("/lfs/") == 0);
  w.options.redirect_domains = {"127.0.0.2"};
  w.check_whole(w.fetch());
}

TEST_CASE("content that is not what its digest says is not kept") {
  hub_world w;
  bool large = GENERATE(true, false);
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    bool here =
        call.method == "GET" && (large ? is_weights(call) : call.target.find("config") != std::string::npos);
    if (!here) return std::nullopt;
    auto out = w.hub.answer(call);
    out.body.back() ^= 1;
    return out;
  });
  auto why = w.failed(w.fetch());
  CHECK(why.code == errc::bad_adapter);
  CHECK(why.reason == "digest_mismatch");
  CHECK(w.hub.count(large ? "/lfs/" : "config", "GET") == 1);
  CHECK(w.unfinished().empty());
  CHECK_FALSE(fs::exists(w.folder() + "/refs/main"));
  CHECK_FALSE(fs::exists(w.folder() + "/snapshots/" + w.commit + "/adapter_model.safetensors"));
}

TEST_CASE("a HEAD that does not agree with the listing is refused") {
  hub_world w;
  auto change = GENERATE(as<std::pair<std::string, std::string>>{}, std::pair{"X-Linked-Size", "5"},
                         std::pair{"X-Linked-Etag", std::string(64, 'a')});
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (call.method != "HEAD") return std::nullopt;
    auto out = w.hub.answer(call);
    set_field(out, change.first, change.second);
    return out;
  });
  CHECK(w.failed(w.fetch()).reason == "digest_mismatch");
}

TEST_CASE("compressed bodies are refused") {
  hub_world w;
  w.hub.rule([&](const hub_call& call) -> std::optional<hub_answer> {
    if (!is_weights(call)) return std::nullopt;
    auto out = w.hub.answer(call);
    out.fields.push_back({"Content-Encoding", "gzip"});
    return out;
  });
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
}

TEST_CASE("names that differ only by case are different files") {
  hub_world w;
  w.hub.file(w.id, "Adapter_Config.json", "wrong");
  w.hub.file(w.id, "ADAPTER_MODEL.safetensors", "wrong", true);
  w.check_whole(w.fetch());
  w.hub.file("org/case", "Adapter_config.json", w.config);
  w.hub.file("org/case", "adapter_model.safetensors", w.weights, true);
  auto got = w.fetch({{"org/case", "main"}, false, nullptr, {}});
  REQUIRE_FALSE(got);
  CHECK(got.error().reason == "missing_file");
}

TEST_CASE("a repository without an adapter says what is missing") {
  hub_world w;
  auto reason_of = [&](const std::string& id) {
    auto got = w.fetch({{id, "main"}, false, nullptr, {}});
    return got ? std::string("fetched") : got.error().reason;
  };
  w.hub.file("org/readme", "README.md", "x");
  CHECK(reason_of("org/readme") == "missing_file");
  w.hub.file("org/pickle", "adapter_model.bin", "x", true);
  CHECK(reason_of("org/pickle") == "pickle_refused");
  w.hub.file("org/deep", "checkpoint/adapter_model.safetensors", "x", true);
  w.hub.file("org/deep", "checkpoint/adapter_config.json", "{}");
  CHECK(reason_of("org/deep") == "missing_file");
  w.hub.file("org/gguf", "sql-f16.gguf", "GGUF", true);
  CHECK(reason_of("org/gguf") == "fetched");
  w.hub.file("org/two", "a.gguf", "GGUF", true);
  w.hub.file("org/two", "b.gguf", "GGUF", true);
  CHECK(reason_of("org/two") == "missing_file");
}

TEST_CASE("an adapter above the limit is refused before a byte of it comes") {
  hub_world w;
  w.options.max_bytes = w.weights.size();
  auto why = w.failed(w.fetch());
  CHECK(why.code == errc::bad_adapter);
  CHECK(why.reason == "too_large");
  CHECK(w.hub.count("/resolve/") == 0);
  w.options.max_bytes += w.config.size();
  w.check_whole(w.fetch());
}

TEST_CASE("a cache that cannot be written says so") {
  hub_world w;
  w.scratch.write("hub", "a file where the folder should be");
  auto got = w.fetch();
  REQUIRE_FALSE(got);
  CHECK(got.error().code == errc::io);
  CHECK(got.error().reason == "cache_not_writable");
  CHECK_THAT(got.error().text, Catch::Contains("$HF_HOME/hub") && !Catch::Contains(w.scratch.path()));
}

TEST_CASE("a Hub that does not listen is unreachable") {
  hub_world w;
  w.options.endpoint.port = 1;
  auto why = w.failed(w.fetch());
  CHECK(why.code == errc::bad_adapter);
  CHECK(why.reason == "hub_unreachable");
}

TEST_CASE("header fields have a bound") {
  hub_world w;
  w.options.retries = 0;
  std::vector<std::pair<std::string, std::string>> fields(300, {"X-Many", "x"});
  w.hub.rule(only("/revision/", answer_of(200, std::move(fields), "{}")));
  CHECK(w.failed(w.fetch()).reason == "hub_unreachable");
}

TEST_CASE("a certificate that nobody vouches for ends the fetch") {
  hub_world w;
  auto at = [&](const std::string& name) { return w.scratch.path() + "/" + name; };
  auto made = ::system(("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext "
                        "subjectAltName=IP:127.0.0.1 -keyout '" +
                        at("key") + "' -out '" + at("certificate") + "' 2>/dev/null")
                           .c_str());
  if (made != 0) {
    WARN("skipped: openssl is not here to make a certificate");
    return;
  }
  auto server = ::popen(("exec timeout 30 openssl s_server -accept 127.0.0.1:0 -naccept 1 -www -cert '" +
                         at("certificate") + "' -key '" + at("key") + "' 2>&1 < /dev/null")
                            .c_str(),
                        "r");
  REQUIRE(server);
  std::string said;
  char line[512];
  while (said.find("ACCEPT 127.0.0.1:") == std::string::npos && ::fgets(line, sizeof line, server))
    said += line;
  auto port = said.find("ACCEPT 127.0.0.1:");
  REQUIRE(port != std::string::npos);
  w.options.endpoint =
      *parse_hub_url("https://127.0.0.1:" + std::to_string(std::stoi(said.substr(port + 17))));
  auto why = w.failed(w.fetch());
  while (::fgets(line, sizeof line, server))
    continue;
  ::pclose(server);
  CHECK(why.reason == "hub_unreachable");
  CHECK_THAT(why.text, Catch::Contains("certificate"));
}
