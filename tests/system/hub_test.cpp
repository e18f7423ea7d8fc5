#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/files/fake_hub.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string tiny_adapter = LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/r8-q-v";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

/// A cache with a tiny model and an adapter, and the adapter as a local directory, whose config names the
/// model by its id.
struct world {
  scratch_directory scratch;
  fake_hub hub{scratch.path() / "huggingface" / "hub"};
  std::string adapter = (scratch.path() / "sql").string();
  environment home{{"HF_HOME", (scratch.path() / "huggingface").string()},
                   {"HF_HUB_OFFLINE", "1"},
                   {"HF_HUB_CACHE", ""},
                   {"HUGGINGFACE_HUB_CACHE", ""}};

  world() {
    hub.add_directory("tiny/llama", fake_hub::commit('1'), tiny_model);
    fs::copy(tiny_adapter, adapter);
    std::stringstream text;
    text << std::ifstream(tiny_adapter + "/adapter_config.json").rdbuf();
    std::ofstream(adapter + "/adapter_config.json")
        << replaced(text.str(), "\"tiny/llama-tied-gqa\"", "\"tiny/llama\"");
    hub.add_directory("tiny/sql", fake_hub::commit('2'), adapter);
    hub.reference("tiny/sql", "v2", fake_hub::commit('2'));
  }
};

/// What a server answers to one prompt, asked under a name.
std::string answer(const server_process& server, const std::string& name) {
  auto reply = exchange(server.port(), "POST", "/v1/completions",
                        R"({"model":")" + name + R"(","prompt":"a b c","max_tokens":12,"temperature":0})");
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto json = parse_json(reply.body);
  REQUIRE(json);
  return *(*json->find("choices")->as_array())[0].find("text")->as_string();
}

/// The same by paths alone.
std::pair<std::string, std::string> expected() {
  server_process server({"--model-id", tiny_model, "--lora-adapters", "one=" + tiny_adapter});
  return {answer(server, ""), answer(server, "one")};
}

std::vector<std::string> model_names(const server_process& server) {
  std::vector<std::string> out;
  auto models = parse_json(exchange(server.port(), "GET", "/v1/models").body);
  REQUIRE(models);
  for (auto& model : *models->find("data")->as_array())
    out.push_back(*model.find("id")->as_string());
  return out;
}

}  // namespace

TEST_CASE("a model and adapters are served from the Hugging Face cache under their ids") {
  world w;
  auto [base, adapted] = expected();
  CHECK(base != adapted);
  server_process server({"--model-id", "tiny/llama", "--lora-adapters", "tiny/sql,mine=tiny/sql@v2"}, w.home);
  CHECK(model_names(server) == std::vector<std::string>{"tiny/llama", "mine", "tiny/sql"});
  CHECK(answer(server, "tiny/llama") == base);
  CHECK(answer(server, "tiny/sql") == adapted);
  CHECK(answer(server, "mine") == adapted);
  auto info = exchange(server.port(), "GET", "/info").body;
  CHECK_THAT(info, Catch::Contains("\"tiny/llama\"") && !Catch::Contains(w.scratch.path().string()));
  CHECK_THAT(server.log(), !Catch::Contains("base_model_name_or_path"));
}

TEST_CASE("a reply says whether an adapter was loaded by its id or from a directory") {
  world w;
  server_process server({"--model-id", "tiny/llama", "--lora-adapters", "mine=" + w.adapter}, w.home);
  auto source_of = [&](const std::string& name) {
    auto reply =
        exchange(server.port(), "POST", "/generate",
                 R"({"inputs":"a","parameters":{"adapter_id":")" + name + R"(","max_new_tokens":1}})");
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    return reply.headers["x-adapter-source"];
  };
  CHECK(source_of("mine") == "local");
  auto loaded = exchange(server.port(), "PUT", "/v1/adapters/by-id?wait=true", R"({"source":"tiny/sql"})");
  INFO(loaded.body);
  REQUIRE(loaded.status == 200);
  CHECK(source_of("by-id") == "hub");
  CHECK(source_of("mine") == "local");
}

TEST_CASE("an adapter's directory as the model serves it beside the base it names") {
  world w;
  auto [base, adapted] = expected();
  for (auto& model_id : {w.adapter, std::string("tiny/sql")}) {
    auto name = model_id == w.adapter ? "sql" : "tiny/sql";
    environment variables = w.home;
    variables["MODEL_ID"] = model_id;
    server_process server({}, variables);
    CHECK(model_names(server) == std::vector<std::string>{"tiny/llama", name});
    CHECK(answer(server, name) == adapted);
    CHECK(answer(server, "tiny/llama") == base);
    CHECK(answer(server, "") == base);
  }
}

TEST_CASE("a name of its own replaces the id, and other variables name the cache too") {
  world w;
  environment variables{{"HF_HOME", "/nowhere"}, {"HUGGINGFACE_HUB_CACHE", w.hub.root().string()}};
  server_process server({"--model-id", "tiny/llama", "--served-model-name", "short"}, variables);
  CHECK(model_names(server) == std::vector<std::string>{"short"});
  server_process by_flag({"--model-id", "tiny/llama", "--huggingface-hub-cache", w.hub.root().string(),
                          "--revision", fake_hub::commit('1')},
                         {{"HF_HUB_CACHE", "/nowhere"}});
  CHECK(model_names(by_flag) == std::vector<std::string>{"tiny/llama"});
}

TEST_CASE("what the cache lacks ends the start with what would bring it") {
  world w;
  struct row {
    std::vector<std::string> arguments;
    int code;
    std::string word;
  };
  for (auto& [arguments, code, word] :
       {row{{"--model-id", "tiny/none"}, 1, "`hf download tiny/none`"},
        row{{"--model-id", "tiny/llama", "--revision", "v7"}, 1, "only main"},
        row{{"--model-id", "tiny/llama", "--lora-adapters", "tiny/none"}, 1, "hub_not_found"},
        row{{"--model-id", tiny_model, "--revision", "v7"}, 2, "--revision"},
        row{{"--model-id", w.adapter, "--lora-adapters", "sql=" + w.adapter}, 2, "give it once"},
        row{{"--model-id", "tiny/llama", "--lora-adapters", "tiny/llama=" + w.adapter},
            2,
            "the base model"}}) {
    auto all = arguments;
    all.insert(all.begin(), "serve");
    all.insert(all.end(), {"--port", "0"});
    auto end = run_lorica(all, w.home);
    CHECK(end.exit_code == code);
    CHECK_THAT(end.err, Catch::Contains(word) && !Catch::Contains(w.scratch.path().string()));
  }
}

TEST_CASE("an adapter that the cache lacks can be skipped, and its name is then refused") {
  world w;
  server_process server(
      {"--model-id", "tiny/llama", "--lora-adapters", "tiny/none,tiny/sql", "--skip-bad-adapters"}, w.home);
  auto lost = exchange(server.port(), "POST", "/generate",
                       R"({"inputs":"a","parameters":{"adapter_id":"tiny/none","max_new_tokens":2}})");
  CHECK(lost.status == 404);
  CHECK_FALSE(answer(server, "tiny/sql").empty());
  CHECK_THAT(server.log(), Catch::Contains("hub_not_found"));
}
