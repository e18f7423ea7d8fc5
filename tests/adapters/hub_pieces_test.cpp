#include <arpa/inet.h>

#include <filesystem>
#include <random>

#include "adapters/hub_address.hpp"
#include "adapters/hub_listing.hpp"
#include "adapters/hub_options.hpp"
#include "adapters/hub_reply.hpp"
#include "adapters/hub_url.hpp"
#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

address_kind kind_of(const std::string& text) {
  std::uint8_t bytes[16];
  bool six = text.find(':') != std::string::npos;
  REQUIRE(::inet_pton(six ? AF_INET6 : AF_INET, text.c_str(), bytes) == 1);
  return kind_of_address(std::span(bytes, six ? 16u : 4u));
}

hub_head head_of(const std::vector<std::string>& lines, const std::string& status = "HTTP/1.1 200 OK") {
  hub_head out;
  REQUIRE(out.add_line(status + "\r\n"));
  for (auto& line : lines)
    REQUIRE(out.add_line(line + "\r\n"));
  REQUIRE(out.add_line("\r\n"));
  return out;
}

std::string resolved(const std::string& base, const std::string& reference) {
  auto url = resolve_reference(*parse_hub_url(base), reference);
  return url ? url->text() : "nothing";
}

}  // namespace

TEST_CASE("addresses of the Hub are http and https and have one reading") {
  auto url = parse_hub_url("HTTPS://HuggingFace.co/a/b?c=d#e");
  REQUIRE(url);
  CHECK(url->secure);
  CHECK(url->host == "huggingface.co");
  CHECK(url->port == 443);
  CHECK(url->text() == "https://huggingface.co/a/b?c=d");
  CHECK(parse_hub_url("http://h:8080")->text() == "http://h:8080/");
  CHECK(parse_hub_url("http://[::1]:81/x")->text() == "http://[::1]:81/x");
  CHECK(parse_hub_url("http://h?x=1")->target == "/?x=1");
  for (auto bad : {"",
                   "h/x",
                   "file:///x",
                   "http:/h/x",
                   "http://",
                   "http:///x",
                   "http://u@h/x",
                   "http://u:p@h/x",
                   "http://h:0/",
                   "http://h:65536/",
                   "http://h:8a/",
                   "http://h:/",
                   "http://h\\@x/",
                   "http://h /x",
                   "http://h/\nx",
                   "http://[::1/x",
                   "http://[::1]x/",
                   "http://[zz]/",
                   "http://.h/",
                   "http://-h/",
                   "ftp://h/",
                   "http://h/\xc3\xa4"}) {
    INFO(bad);
    CHECK_FALSE(parse_hub_url(bad));
  }
  CHECK_FALSE(parse_hub_url("http://h/" + std::string(9000, 'a')));
}

TEST_CASE("references are resolved against where they stand") {
  const std::string base = "https://h:444/a/b?c";
  CHECK(resolved(base, "/x?y") == "https://h:444/x?y");
  CHECK(resolved(base, "x") == "https://h:444/a/x");
  CHECK(resolved(base, "?z") == "https://h:444/a/b?z");
  CHECK(resolved(base, "//other/x") == "https://other/x");
  CHECK(resolved(base, "http://other/x") == "http://other/x");
  CHECK(resolved(base, "x#f") == "https://h:444/a/x");
  for (auto bad : {"", "file:///x", "javascript:1", "//u@h/x", "a b", "\\\\h\\x"})
    CHECK(resolved(base, bad) == "nothing");
  CHECK(is_relative_reference("/x"));
  CHECK(is_relative_reference("x/y:z"));
  CHECK_FALSE(is_relative_reference("//h/x"));
  CHECK_FALSE(is_relative_reference("https://h/x"));
  CHECK(percent_encoded("refs/pr/1 %") == "refs%2Fpr%2F1%20%25");
  CHECK(is_below_domain("cdn.hf.co", "hf.co"));
  CHECK(is_below_domain("hf.co", "hf.co"));
  CHECK_FALSE(is_below_domain("evilhf.co", "hf.co"));
  CHECK_FALSE(is_below_domain("hf.co.evil", "hf.co"));
}

TEST_CASE("an address has the kind of the network that it leads into") {
  for (auto text :
       {"8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "192.1.0.1"})
    CHECK(kind_of(text) == address_kind::open);
  for (auto text :
       {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"})
    CHECK(kind_of(text) == address_kind::loopback);
  for (auto text : {"169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254"})
    CHECK(kind_of(text) == address_kind::link_local);
  for (auto text : {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "198.18.0.1",
                    "fd00::1", "fc00::1", "fec0::1", "64:ff9b::a00:1", "64:ff9b:1::1"})
    CHECK(kind_of(text) == address_kind::private_use);
  for (auto text : {"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::", "ff02::1",
                    "2001:db8::1", "4000::1", "2001::1"})
    CHECK(kind_of(text) == address_kind::reserved);
  CHECK(kind_of_address({}) == address_kind::reserved);
}

TEST_CASE("header fields are read as the Hub means them") {
  auto linked =
      head_of({"ETag: \"outer\"", "X-Linked-ETag: W/\"inner\"", "x-linked-size: 12", "Content-Length: 3"});
  CHECK(etag_of(linked) == "inner");
  CHECK(size_of(linked) == 12);
  CHECK(etag_of(head_of({"etag: plain"})) == "plain");
  CHECK_FALSE(etag_of(head_of({})));
  CHECK_FALSE(etag_of(head_of({"ETag: \"" + std::string(129, 'a') + "\""})));
  CHECK(size_of(head_of({"Content-Length: 3"})) == 3);
  CHECK_FALSE(size_of(head_of({"Content-Length: 3"}, "HTTP/1.1 302 Found")));
  CHECK_FALSE(size_of(head_of({"X-Linked-Size: 1e3", "Content-Length: 3"})));
  CHECK(commit_of(head_of({"X-Repo-Commit: " + std::string(40, 'a')})) == std::string(40, 'a'));
  CHECK_FALSE(commit_of(head_of({"X-Repo-Commit: " + std::string(40, 'A')})));
  auto range = content_range_of(head_of({"Content-Range: bytes 5-9/10"}));
  REQUIRE(range);
  CHECK((range->first == 5 && range->last == 9 && range->total == 10u));
  CHECK(content_range_of(head_of({"Content-Range: bytes 5-9/*"})));
  for (auto bad : {"bytes */10", "bytes 9-5/10", "items 5-9/10", "bytes 5-9", "bytes -9/10",
                   "bytes 5-99999999999999999999/1"})
    CHECK_FALSE(content_range_of(head_of({std::string("Content-Range: ") + bad})));
}

TEST_CASE("pauses that a Hub wants are read in all their forms") {
  using std::chrono::seconds;
  CHECK(retry_after_of(head_of({"Retry-After: 120"})) == seconds(120));
  CHECK(retry_after_of(head_of({"Date: Wed, 21 Oct 2015 07:28:00 GMT",
                                "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT"})) == seconds(90));
  CHECK(retry_after_of(head_of({"Date: Wed, 21 Oct 2015 07:28:00 GMT",
                                "Retry-After: Tue, 20 Oct 2015 07:29:30 GMT"})) == seconds(0));
  CHECK_FALSE(retry_after_of(head_of({"Retry-After: Wed, 21 Oct 2015 07:29:30 GMT"})));
  CHECK_FALSE(retry_after_of(head_of({"Retry-After: -1"})));
  CHECK(retry_after_of(head_of({"Retry-After: 18446744073709551615"})) == seconds(1'000'000'000));
  CHECK(retry_after_of(head_of({"ratelimit: \"api\";r=0;t=55"})) == seconds(55));
  CHECK_FALSE(retry_after_of(head_of({"ratelimit: \"api\";r=3;t=55"})));
}

TEST_CASE("the next page is the link that says so") {
  CHECK(next_page_of(head_of({"Link: <https://h/x?cursor=a,b>; rel=\"next\""})) == "https://h/x?cursor=a,b");
  CHECK(next_page_of(head_of({"Link: </first>; rel=\"first\", </second>; rel=\"next\""})) == "/second");
  CHECK_FALSE(next_page_of(head_of({"Link: </first>; rel=\"first\""})));
  CHECK_FALSE(next_page_of(head_of({"Link: nonsense"})));
  CHECK_FALSE(next_page_of(head_of({})));
}

TEST_CASE("a head is bounded and well formed") {
  hub_head many;
  REQUIRE(many.add_line("HTTP/1.1 200 OK\r\n"));
  for (int i = 0; i < 200; ++i)
    REQUIRE(many.add_line("a: b\r\n"));
  CHECK_FALSE(many.add_line("a: b\r\n"));
  hub_head large;
  REQUIRE(large.add_line("HTTP/2 200\r\n"));
  CHECK_FALSE(large.add_line("a: " + std::string(70'000, 'b') + "\r\n"));
  hub_head bad;
  CHECK_FALSE(bad.add_line("HTTP/1.1\r\n"));
  CHECK_FALSE(bad.add_line("HTTP/1.1 abc\r\n"));
  CHECK_FALSE(bad.add_line("HTTP/1.1 099\r\n"));
  CHECK_FALSE(bad.add_line("no colon\r\n"));
}

TEST_CASE("a listing of any length keeps no more than an adapter, and has an end") {
  hub_choice choice;
  std::string page = "[";
  for (int i = 0; i < 1000; ++i)
    page +=
        std::string(i ? "," : "") + "{\"type\":\"file\",\"path\":\"f" + std::to_string(i) + "\",\"size\":0}";
  page += "]";
  for (int i = 0; i < 200; ++i)
    REQUIRE(choice.take_page(page));
  auto beyond = choice.take_page(page);
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().reason == "too_large");
}

TEST_CASE("no bytes make the readers of answers do anything but read or refuse") {
  std::mt19937 random(7);
  const std::vector<std::string> sound = {"ETag: W/\"abc\"",
                                          "X-Linked-Size: 12",
                                          "Retry-After: Wed, 21 Oct 2015 07:29:30 GMT",
                                          "Date: Wed, 21 Oct 2015 07:28:00 GMT",
                                          "ratelimit: \"api\";r=0;t=5",
                                          "Link: <https://h/x>; rel=\"next\", </y>; rel=\"first\"",
                                          "Content-Range: bytes 5-9/10",
                                          "X-Repo-Commit: " + std::string(40, 'a')};
  const std::string page = "[{\"type\":\"file\",\"path\":\"adapter_config.json\",\"size\":3,\"oid\":\"" +
                           std::string(40, 'a') +
                           "\"},{\"type\":\"file\",\"path\":\"a.gguf\",\"size\":1,\"lfs\":{\"oid\":\"" +
                           std::string(64, 'b') + "\",\"size\":9}}]";
  auto damaged = [&](std::string text) {
    for (auto n = 1 + random() % 3; n > 0 && !text.empty(); --n) {
      auto at = random() % text.size();
      if (random() % 4 == 0)
        text.erase(at, 1 + random() % 8);
      else
        text[at] = static_cast<char>(random());
    }
    return text;
  };
  std::size_t refused_pages = 0;
  for (int i = 0; i < 20'000; ++i) {
    hub_head head;
    REQUIRE(head.add_line("HTTP/1.1 200 OK"));
    for (auto& line : sound)
      static_cast<void>(head.add_line(damaged(line)));
    auto etag = etag_of(head);
    CHECK((!etag || etag->find('/') == std::string::npos));
    static_cast<void>(size_of(head));
    static_cast<void>(commit_of(head));
    static_cast<void>(content_range_of(head));
    static_cast<void>(retry_after_of(head));
    auto next = next_page_of(head);
    if (next) static_cast<void>(resolve_reference(*parse_hub_url("https://h/x"), *next));
    hub_choice choice;
    bool taken = choice.take_page(damaged(page)).has_value();
    refused_pages += taken ? 0u : 1u;
    auto files = choice.chosen("org/sql");
    if (!taken || !files) continue;
    for (auto& file : *files)
      CHECK(is_repository_path(file.name));
  }
  CHECK(refused_pages > 1000);
}

TEST_CASE("the environment says where the Hub is and who asks") {
  scratch_directory scratch;
  std::filesystem::create_directories(scratch.path() + "/home/.cache/huggingface");
  scratch.write("home/.cache/huggingface/token", "hf_from_file\n");
  scratch.write("chosen", "hf_chosen");
  hub_values values;
  values.home = scratch.path() + "/home";
  auto plain = make_hub_options(values, {});
  REQUIRE(plain);
  CHECK(plain->endpoint.text() == "https://huggingface.co/");
  CHECK(plain->token == "hf_from_file");
  CHECK_FALSE(plain->offline);
  CHECK(plain->links);
  values.token_path = scratch.path() + "/chosen";
  CHECK(make_hub_options(values, {})->token == "hf_chosen");
  values.token = " hf_said\n";
  values.endpoint = "http://mirror:8080/hf//";
  values.offline = "yes";
  values.disable_symlinks = "1";
  values.etag_timeout = "3";
  values.download_timeout = "4";
  auto said = make_hub_options(values, {"root", "place"});
  REQUIRE(said);
  CHECK(said->token == "hf_said");
  CHECK(said->endpoint.text() == "http://mirror:8080/hf");
  CHECK(said->offline);
  CHECK_FALSE(said->links);
  CHECK(said->reply == std::chrono::seconds(3));
  CHECK(said->stall == std::chrono::seconds(4));
  CHECK(said->cache.root == "root");
  values.disable_implicit_token = "TRUE";
  CHECK(make_hub_options(values, {})->token.empty());
}

TEST_CASE("what the environment says wrongly is named, and the token never shown") {
  auto failure = [](auto change) {
    hub_values values;
    change(values);
    auto made = make_hub_options(values, {});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == errc::bad_config);
    return made.error().text;
  };
  CHECK_THAT(failure([](auto& v) { v.endpoint = "huggingface.co"; }), Catch::Contains("HF_ENDPOINT"));
  CHECK_THAT(failure([](auto& v) { v.endpoint = "file:///x"; }), Catch::Contains("HF_ENDPOINT"));
  CHECK_THAT(failure([](auto& v) { v.token = "hf_a\r\nX-Evil: 1"; }),
             Catch::Contains("HF_TOKEN") && !Catch::Contains("hf_a"));
  CHECK_THAT(failure([](auto& v) { v.token_path = "/no/where"; }),
             Catch::Contains("HF_TOKEN_PATH") && !Catch::Contains("/no/where"));
  CHECK_THAT(failure([](auto& v) { v.etag_timeout = "0"; }), Catch::Contains("HF_HUB_ETAG_TIMEOUT"));
  CHECK_THAT(failure([](auto& v) { v.download_timeout = "ten"; }),
             Catch::Contains("HF_HUB_DOWNLOAD_TIMEOUT"));
}
