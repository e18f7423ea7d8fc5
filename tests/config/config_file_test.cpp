#include "config/config_file.hpp"

#include <filesystem>
#include <fstream>

#include "config/setting.hpp"
#include "config/settings.hpp"
#include "tests/catch.hpp"
#include "tests/config/environment.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;
using lorica::testing::env;

namespace {

/// Reads and merges; the text of the error, or "fine".
std::string trouble(const std::string& text) {
  auto file = parse_config_file(text, "lorica.toml");
  if (!file) {
    CHECK(file.error().code == errc::bad_config);
    return file.error().text;
  }
  auto merged = merge_settings({}, env({}), *file);
  return merged ? "fine" : merged.error().text;
}

serve_settings settings(const std::string& text) {
  auto file = parse_config_file(text, "lorica.toml");
  if (!file) throw std::runtime_error(file.error().text);
  auto merged = merge_settings({}, env({}), *file);
  if (!merged) throw std::runtime_error(merged.error().text);
  return *std::move(merged);
}

}  // namespace

TEST_CASE("a file has comments, every type of value, and lists in three forms") {
  auto s = settings(R"(# a comment
model-id = 'C:\not an escape'   # literal text
served-model-name = ["first", "second"]
port = 81
kv-memory = "512M"
payload-limit = 1_000_000
json-output = true
log-level = "warn"
lora-adapters = [
  "sql=adapters/sql",
  "triage=adapters/triage",
]
cors-allow-origin = "https://a.example,https://b.example"
cuda-graphs = [1, 2]
waiting-served-ratio = 0.5
)");
  CHECK(s.model_id == R"(C:\not an escape)");
  CHECK(s.served_model_names == std::vector<std::string>{"first", "second"});
  CHECK(s.port == 81);
  CHECK(*s.kv_memory == 512u << 20);
  CHECK(s.payload_limit == 1'000'000);
  CHECK(s.json_output);
  CHECK(s.least_log_level == log_level::warn);
  CHECK(s.lora_adapters == "sql=adapters/sql,triage=adapters/triage");
  CHECK(s.cors_allow_origin.size() == 2);
  CHECK(*s.cuda_graphs == std::vector<std::uint32_t>{1, 2});
  CHECK(s.warnings.size() == 1);
}

TEST_CASE("adapters may be a section of their own") {
  auto s = settings("model-id = \"m\"\n[lora-adapters]\nb = \"adapters/b\"\n\"team/a.1\" = 'adapters/a'\n");
  CHECK(s.lora_adapters == "b=adapters/b,team/a.1=adapters/a");
  CHECK(settings("model-id = \"m\"\nlora-adapters = []\n").lora_adapters.empty());
  CHECK(settings("model-id = \"m\"\n[lora-adapters]\n").lora_adapters.empty());
}

TEST_CASE("an empty file, blanks, a byte order mark and CRLF are fine") {
  CHECK(parse_config_file("", "t")->empty());
  CHECK(parse_config_file(" \n\n# nothing\n", "t")->empty());
  auto windows = parse_config_file("\xEF\xBB\xBFport = 1\r\nthreads = 2\r\n", "t");
  REQUIRE(windows);
  CHECK(windows->at("port").text == "1");
  CHECK(windows->at("threads").origin == "t:2: threads");
}

TEST_CASE("an error of a file names file, line, key, value and what is allowed") {
  struct row {
    std::string text;
    std::vector<std::string> words;
  };
  auto r = GENERATE(values<row>({
      {"\nport = 99999", {"lorica.toml:2: port", "'99999'", "a whole number from 0 to 65535"}},
      {"port = \"80\"", {"lorica.toml:1: port", "the text '80'", "a whole number from 0 to 65535"}},
      {"port = 80.5", {"lorica.toml:1: port", "the fraction '80.5'", "whole number"}},
      {"port = [80]", {"lorica.toml:1: port", "an array", "whole number"}},
      {"port = 1979-05-27", {"lorica.toml:1: port", "a date or time", "whole number"}},
      {"max-batch-size = -1", {"lorica.toml:1: max-batch-size", "'-1'", "1 to 4096"}},
      {"json-output = \"yes\"", {"lorica.toml:1: json-output", "the text 'yes'", "true or false"}},
      {"json-output = 1", {"lorica.toml:1: json-output", "the number '1'", "true or false"}},
      {"dtype = \"int3\"", {"lorica.toml:1: dtype", "'int3'", "auto, float32, bfloat16, int8, fp8, float16"}},
      {"dtype = true", {"lorica.toml:1: dtype", "'true'", "one of auto", "in quotes"}},
      {"kv-memory = \"1T\"", {"lorica.toml:1: kv-memory", "'1T'", "512M"}},
      {"kv-memory = true", {"lorica.toml:1: kv-memory", "'true'", "512M"}},
      {"hostname = \"my-box\"", {"lorica.toml:1: hostname", "'my-box'", "IP address or localhost"}},
      {"model-id = 3", {"lorica.toml:1: model-id", "the number '3'", "a text, in quotes"}},
      {"served-model-name = [\"a\", 7]", {"lorica.toml:1: served-model-name", "the number '7'", "array"}},
      {"served-model-name = [\"a\", [\"b\"]]", {"lorica.toml:1: served-model-name", "an array"}},
      {"served-model-name = [\"a,b\"]", {"lorica.toml:1: served-model-name", "'a,b'", "without commas"}},
      {"served-model-name = [\"\"]", {"lorica.toml:1: served-model-name", "''", "not empty"}},
      {"served-model-name = \"a,,b\"", {"lorica.toml:1: served-model-name", "'a,,b'", "commas"}},
      {"quantize = \"awq\"", {"lorica.toml:1: quantize", "'awq'", ".gguf"}},
      {"num-shard = 2", {"lorica.toml:1: num-shard", "'2'", "use 1"}},
      {"num-shard = {a = 2}", {"lorica.toml:1: num-shard", "a section"}},
      {"max_total_tokens = 7", {"lorica.toml:1: max_total_tokens", "write max-total-tokens"}},
      {"\"--port\" = 7", {"lorica.toml:1: --port", "write port"}},
      {"PORT = 7", {"lorica.toml:1: PORT", "write port"}},
      {"max-totl-tokens = 7", {"lorica.toml:1: max-totl-tokens", "did you mean max-total-tokens?"}},
      {"prot = 7", {"lorica.toml:1: prot", "did you mean port?"}},
      {"something-else-entirely = 7", {"lorica.toml:1: something-else-entirely", "see lorica serve --help"}},
      {"config = \"other.toml\"", {"lorica.toml:1: config", "not a key of the file", "LORICA_CONFIG"}},
      {"[server]\nport = 3", {"lorica.toml:1: server", "not a section"}},
      {"[[lora-adapters]]\na = \"b\"", {"lorica.toml:1: lora-adapters", "a section", "array"}},
      {"[lora-adapters]\nport = 3", {"lorica.toml:2: [lora-adapters] port", "above all sections"}},
      {"[lora-adapters]\ndtype = \"float32\"", {"lorica.toml:2: [lora-adapters] dtype", "above all"}},
      {"[lora-adapters]\na = 3", {"lorica.toml:2: [lora-adapters] a", "the number", "path in quotes"}},
      {"[lora-adapters]\na.b = \"x\"", {"lorica.toml:2: [lora-adapters] a", "quotes"}},
      {"[lora-adapters]\na = \"x,y\"", {"lorica.toml:2: [lora-adapters] a", "'x,y'", "commas"}},
      {"[lora-adapters]\na = \"\"", {"lorica.toml:2: [lora-adapters] a", "not empty"}},
  }));
  r.text += "\n";
  auto said = trouble(r.text);
  for (auto& word : r.words)
    CHECK_THAT(said, Catch::Contains(word));
}

TEST_CASE("text that is not TOML is refused with its line and what is wrong") {
  struct row {
    std::string text;
    std::string begins;
    std::string word;
  };
  auto r = GENERATE(values<row>({
      {"port = 1\ngarbage line\n", "lorica.toml:2: ", "expected key = value"},
      {"model-id = \"no end\nport = 1\n", "lorica.toml:1: ", "has no end"},
      {"model-id = \"\"\"no end", "lorica.toml:1: ", "has no end"},
      {"port = 1\nport = 2\n", "lorica.toml:2: ", "already"},
      {"[lora-adapters]\n[lora-adapters]\n", "lorica.toml:2: ", "already"},
      {"lora-adapters = [\"a=b\"\nport = 1\n", "lorica.toml:2: ", "array"},
      {"port = 1 threads = 2\n", "lorica.toml:1: ", "one key = value a line"},
      {"= 5\n", "lorica.toml:1: ", "not TOML"},
      {"port =\n", "lorica.toml:1: ", "missing"},
      {"port = maybe\n", "lorica.toml:1: ", "quotes"},
      {"model-id = models/m\n", "lorica.toml:1: ", "quotes"},
      {"json-output = True\n", "lorica.toml:1: ", "small letters"},
      {"port = 080\n", "lorica.toml:1: ", "zeros"},
      {"port = 99999999999999999999\n", "lorica.toml:1: ", "too large"},
      {"model-id = \"\\q\"\n", "lorica.toml:1: ", "escape"},
      {"model-id = \"\xff\"\n", "lorica.toml:1: ", "UTF-8"},
      {"port: 3000\n", "lorica.toml:1: ", "expected key = value"},
      {"[server\n", "lorica.toml:1: ", "section"},
      {"lora-adapters = {a = \"b\"\n", "lorica.toml:1: ", "}"},
      {std::string("port\0 = 1\n", 10), "lorica.toml:1: ", "expected key = value"},
      {"port = [[[[[[[[1]]]]]]]]\n", "lorica.toml:1: ", "too deeply"},
      {"x = 1\ny = \"" + std::string(5000, 'y') + "\"\n", "lorica.toml:2: ", "several lines"},
  }));
  auto said = trouble(r.text);
  CHECK_THAT(said, Catch::StartsWith(r.begins) && Catch::Contains(r.word));
}

TEST_CASE("keys as deep as a line allows are taken apart without harm") {
  std::string key = "a";
  while (key.size() + 8 < 4096)
    key += ".a";
  auto said = trouble("[" + key + "]\n" + key + " = [\n{" + key + " = [\n{" + key + " = 1}]}]\n");
  CHECK_THAT(said, Catch::Contains("lorica.toml:"));
}

TEST_CASE("a secret is not shown") {
  CHECK_THAT(trouble("api-key = 31337\n"),
             Catch::Contains("lorica.toml:1: api-key") && !Catch::Contains("31337"));
  CHECK_THAT(trouble("ngrok-authtoken = \"hunter2\"\n"),
             Catch::Contains("ngrok-authtoken") && !Catch::Contains("hunter2"));
  CHECK_THAT(trouble("api-key = \"hunter2\nport = 1\n"), !Catch::Contains("hunter2"));
}

TEST_CASE("control characters of a file do not reach the terminal") {
  auto said = trouble("\"a\\u001b[31mb\\n\" = 1\n");
  CHECK(said.find('\x1b') == std::string::npos);
  CHECK(said.find('\n') == std::string::npos);
}

TEST_CASE("the file is named by flag or environment, and never by its directory") {
  scratch_directory scratch;
  auto one = scratch.write("secret-place/one.toml", "model-id = \"m\"\nport = 1\n");
  auto two = scratch.write("secret-place/two.toml", "model-id = \"m\"\nport = 2\n");
  CHECK(load_settings({{"config", one}}, env({}))->port == 1);
  CHECK(load_settings({}, env({{"LORICA_CONFIG", two}}))->port == 2);
  CHECK(load_settings({{"config", one}}, env({{"LORICA_CONFIG", two}}))->port == 1);
  CHECK(load_settings({{"config", one}, {"port", "3"}}, env({}))->port == 3);
  CHECK(load_settings({{"config", ""}, {"model-id", "m"}}, env({{"LORICA_CONFIG", two}}))->port == 3000);
  struct row {
    std::string path;
    std::string word;
  };
  auto huge = scratch.write("secret-place/huge.toml", std::string(300 << 10, '\n'));
  auto bad = scratch.write("secret-place/bad.toml", "port = 1\nport 2\n");
  auto folder = (scratch.path() / "secret-place").string();
  for (auto& [path, word] : {row{folder + "/none.toml", "'none.toml' does not exist"},
                             row{folder, "is a directory"}, row{huge, "262144"}, row{bad, "bad.toml:2: "}}) {
    auto s = load_settings({}, env({{"LORICA_CONFIG", path}}));
    REQUIRE_FALSE(s);
    CHECK(s.error().code == errc::bad_config);
    CHECK_THAT(s.error().text, Catch::Contains(word) && !Catch::Contains(scratch.path().string()));
  }
}

TEST_CASE("every example in config/examples is accepted as it stands") {
  int count = 0;
  for (auto& entry : std::filesystem::directory_iterator(LORICA_SOURCE_DIR "/config/examples")) {
    INFO(entry.path().filename().string());
    auto s = load_settings({{"config", entry.path().string()}}, env({}));
    if (!s) FAIL(s.error().text);
    CHECK(s->warnings.empty());
    ++count;
  }
  CHECK(count >= 2);
}
