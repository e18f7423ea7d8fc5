// The program under TLS, with keys from files, talked to by libcurl and by lorica-admin.
#include <csignal>

#include "net/http_client.hpp"
#include "tests/catch.hpp"
#include "tests/net/temporary_folder.hpp"
#include "tests/net/test_certificate.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string generation = R"({"inputs":"a b","parameters":{"max_new_tokens":3}})";

// printf second-key | sha256sum
const std::string hash_of_second = "f397f260a275cc4d42e7965c556167bf3f068aed491d35a8f5b38c8c2db96bb0";

std::string url_of(const server_process& server) {
  return "https://127.0.0.1:" + std::to_string(server.port());
}

/// Status of a request over TLS, or the error's text.
std::string ask(const server_process& server, const std::string& cert, const std::string& key,
                const client_request& what) {
  http_client_options options;
  options.url = url_of(server);
  options.ca_file = cert;
  options.key = key;
  options.timeout = std::chrono::seconds(60);
  auto client = http_client::open(options);
  REQUIRE(client);
  auto reply = client->send(what);
  return reply ? std::to_string(reply->status) : reply.error().text;
}

std::string info(const server_process& server, const std::string& cert, const std::string& key) {
  return ask(server, cert, key, {.target = "/info"});
}

}  // namespace

TEST_CASE(
    "the program serves HTTPS with keys from files, and reads them and the certificate again on SIGHUP") {
  temporary_folder folder;
  auto cert = make_certificate(folder.path(), "server");
  auto keys = folder.write("keys", "# clients\nfirst-key\nsha256:" + hash_of_second + "\n");
  auto chiefs = folder.write("chiefs", "chief-key\n");
  server_process server({"--model-id", tiny_model, "--tls-cert", cert.cert, "--tls-key", cert.key,
                         "--api-key-file", keys, "--admin-api-key-file", chiefs});
  CHECK_THAT(server.log(), Catch::Contains("ready on https://127.0.0.1:"));
  CHECK(ask(server, cert.cert, "", {.target = "/health"}) == "200");
  CHECK(info(server, cert.cert, "") == "401");
  CHECK(info(server, cert.cert, "wrong-key") == "401");
  for (auto key : {"first-key", "second-key", "chief-key"})
    CHECK(info(server, cert.cert, key) == "200");
  CHECK(ask(server, cert.cert, "second-key", {.method = "POST", .target = "/generate", .body = generation}) ==
        "200");

  http_client_options options;
  options.url = url_of(server);
  options.ca_file = cert.cert;
  options.key = "first-key";
  auto client = http_client::open(options);
  REQUIRE(client);
  int events = 0;
  auto streamed = client->stream({.method = "POST", .target = "/generate_stream", .body = generation},
                                 [&](std::string_view line) {
                                   events += line.starts_with("data: ");
                                   return stream_wish::more;
                                 });
  REQUIRE(streamed);
  CHECK(streamed->status == 200);
  CHECK(events >= 1);

  // Nobody is answered without TLS, and nobody trusts a certificate that he does not know.
  options.url = "http" + url_of(server).substr(5);
  auto plain = http_client::open(options);
  REQUIRE(plain);
  CHECK_FALSE(plain->send({.target = "/health"}));
  CHECK_THAT(info(server, "", "first-key"), Catch::Contains("is not trusted"));

  environment no_keys{{"LORICA_API_KEY", ""}, {"ADMIN_API_KEY", ""}, {"API_KEY", ""}, {"LORICA_CACERT", ""}};
  std::vector<std::string> list{"list", "--url", url_of(server), "--api-key-file", chiefs};
  CHECK(run_admin(list, no_keys).exit_code == 3);
  list.insert(list.end(), {"--cacert", cert.cert});
  CHECK(run_admin(list, no_keys).exit_code == 0);
  list.back() = chiefs;
  CHECK(run_admin(list, no_keys).exit_code == 3);
  list[list.size() - 2] = "--insecure";
  list.pop_back();
  CHECK(run_admin(list, no_keys).exit_code == 0);

  // Renewed: another certificate under the same name, another key in place of the first.
  auto renewed = make_certificate(folder.path(), "server");
  folder.write("keys", "third-key\n");
  server.signal(SIGHUP);
  CHECK(eventually([&] { return info(server, renewed.cert, "third-key") == "200"; }));
  CHECK(info(server, renewed.cert, "first-key") == "401");

  // What cannot be read changes nothing.
  folder.write("keys", "two words\n");
  server.signal(SIGHUP);
  CHECK(eventually([&] { return server.log().find("stay as they were") != std::string::npos; }));
  CHECK(info(server, renewed.cert, "third-key") == "200");
  CHECK(server.stop() == "");
  for (auto secret : {"first-key", "third-key", "chief-key", "two words", folder.path().c_str()})
    CHECK_THAT(server.log(), !Catch::Contains(secret));
}

TEST_CASE("keys and certificates that cannot serve end the program with 2 before anything is loaded") {
  temporary_folder folder;
  auto cert = make_certificate(folder.path(), "server"), other = make_certificate(folder.path(), "other");
  auto refused = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"serve", "--model-id", "/nowhere/model.gguf"});
    auto end = run_lorica(arguments);
    CHECK(end.exit_code == 2);
    CHECK_THAT(end.err, !Catch::Contains(folder.path()));
    return end.err;
  };
  CHECK_THAT(refused({"--tls-cert", cert.cert}), Catch::Contains("--tls-cert and --tls-key go together"));
  CHECK_THAT(refused({"--tls-cert", cert.cert, "--tls-key", other.key}),
             Catch::Contains("--tls-key: the file 'other.key' does not belong to the certificate"));
  CHECK_THAT(refused({"--api-key-file", folder.path() + "/missing"}),
             Catch::Contains("--api-key-file: the file 'missing' is not there"));
  CHECK_THAT(refused({"--api-key", "same", "--admin-api-key-file", folder.write("chiefs", "same\n")}),
             Catch::Contains("every client could change adapters"));
}
