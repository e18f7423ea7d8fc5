// Every tiny model with all its adapters, over the socket, against what transformers and PEFT gave.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <random>

#include "tests/catch.hpp"
#include "tests/system/golden_case.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";

std::vector<std::string> folders(const std::string& path) {
  std::vector<std::string> out;
  for (auto& entry : fs::directory_iterator(path))
    if (entry.is_directory()) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::string model_path(const std::string& name) {
  auto folder = golden + "/models/" + name, file = folder + "/model.gguf";
  return fs::exists(file) ? file : folder;
}

std::string adapter_list(const std::string& model) {
  std::string out;
  for (auto& name : folders(golden + "/adapters/" + model))
    out += (out.empty() ? "" : ",") + name + "=" + golden + "/adapters/" + model + "/" + name;
  return out;
}

struct question {
  const golden_case* about;
  delivery how;
};

/// Asks everything with 32 clients that each take the next question as soon as they are free.
std::vector<http_reply> replies_of_32_clients(std::uint16_t port, const std::vector<question>& questions) {
  std::vector<http_reply> out(questions.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<void>> clients;
  for (int i = 0; i < 32; ++i)
    clients.push_back(std::async(std::launch::async, [&] {
      for (std::size_t at = next++; at < questions.size(); at = next++)
        out[at] = ask(port, *questions[at].about, questions[at].how);
    }));
  for (auto& c : clients)
    c.get();
  return out;
}

}  // namespace

TEST_CASE("every tiny model answers as the reference alone, 32 at once and streamed, base and all adapters") {
  auto name = GENERATE(from_range(folders(golden + "/models")));
  INFO(name);
  auto cases = golden_cases(golden + "/models/" + name + "/golden.json");
  for (auto& adapter : folders(golden + "/adapters/" + name))
    REQUIRE(
        std::any_of(cases.begin(), cases.end(), [&](auto& g) { return g.adapter == adapter && g.prompt; }));
  server_process server(
      {"--model-id", model_path(name), "--dtype", "float32", "--lora-adapters", adapter_list(name)});
  std::vector<question> questions;
  for (auto& g : cases)
    for (auto how : {delivery::plain, delivery::streamed})
      questions.push_back({&g, how});
  std::shuffle(questions.begin(), questions.end(), std::mt19937(13));
  for (std::size_t i = 0; i < 12; ++i)
    check_answer(*questions[i].about, questions[i].how,
                 ask(server.port(), *questions[i].about, questions[i].how));
  auto replies = replies_of_32_clients(server.port(), questions);
  for (std::size_t i = 0; i < questions.size(); ++i)
    check_answer(*questions[i].about, questions[i].how, replies[i]);
  CHECK(server.stop() == "");
}
