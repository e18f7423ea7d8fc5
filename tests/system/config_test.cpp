#include <filesystem>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string tiny_adapter = LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/r8-q-v";

std::string model_of(const server_process& server) {
  auto info = parse_json(exchange(server.port(), "GET", "/info").body);
  return info ? *info->find("model_id")->as_string() : std::string();
}

std::string status_of_generation(const server_process& server, const std::string& adapter) {
  auto body = R"({"inputs":"a","parameters":{"max_new_tokens":2,"adapter_id":")" + adapter + "\"}}";
  return std::to_string(exchange(server.port(), "POST", "/generate", body).status);
}

}  // namespace

TEST_CASE("a server is started by a file alone; environment and flags are above it") {
  scratch_directory scratch;
  auto file = scratch.write("lorica.toml", "model-id = \"" + tiny_model +
                                               "\"\nserved-model-name = \"from-file\"\njson-output = true\n"
                                               "[lora-adapters]\none = \"" +
                                               tiny_adapter + "\"\n");
  {
    server_process server({"--config", file});
    CHECK(model_of(server) == "from-file");
    CHECK(status_of_generation(server, "one") == "200");
    CHECK_THAT(server.log(), Catch::Contains("{\"timestamp\""));
  }
  server_process from_environment({}, {{"LORICA_CONFIG", file}, {"SERVED_MODEL_NAME", "from-environment"}});
  CHECK(model_of(from_environment) == "from-environment");
  server_process from_flag({"--served-model-name", "from-flag"},
                           {{"LORICA_CONFIG", file}, {"SERVED_MODEL_NAME", "from-environment"}});
  CHECK(model_of(from_flag) == "from-flag");
}

TEST_CASE("a bad file ends the program with 2 before the model is opened") {
  scratch_directory scratch;
  auto row = GENERATE(
      as<std::pair<std::string, std::string>>{}, std::pair("prot = 1\n", "lorica.toml:2: prot"),
      std::pair("port = 99999\n", "lorica.toml:2: port"), std::pair("port = 1 2\n", "lorica.toml:2: "));
  auto file = scratch.write("lorica.toml", "model-id = \"/nowhere\"\n" + row.first);
  auto end = run_lorica({"serve", "--config", file});
  CHECK(end.exit_code == 2);
  CHECK_THAT(end.err, Catch::Contains(row.second) && !Catch::Contains(scratch.path().string()));
  auto missing = run_lorica({"serve", "--config", (scratch.path() / "none.toml").string()});
  CHECK(missing.exit_code == 2);
  CHECK_THAT(missing.err, Catch::Contains("none.toml"));
}

TEST_CASE("every example configuration starts a server, with a small model by flag") {
  for (auto& entry : fs::directory_iterator(LORICA_SOURCE_DIR "/config/examples")) {
    INFO(entry.path().filename().string());
    server_process server({"--config", entry.path().string(), "--model-id", tiny_model, "--lora-adapters",
                           "one=" + tiny_adapter, "--hostname", "127.0.0.1", "--max-total-tokens", "64",
                           "--max-input-tokens", "32"});
    CHECK(status_of_generation(server, "one") == "200");
  }
}

TEST_CASE("every example configuration starts the default model from the root of the repository") {
  if (!default_model()) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  for (auto& entry : fs::directory_iterator(LORICA_SOURCE_DIR "/config/examples")) {
    INFO(entry.path().filename().string());
    server_process server({"--config", entry.path().string(), "--hostname", "127.0.0.1"});
    bool adapters = entry.path().filename() == "adapters.toml";
    CHECK(status_of_generation(server, "text-to-sql") == (adapters ? "200" : "404"));
    CHECK(model_of(server) == "smollm2");
  }
}
