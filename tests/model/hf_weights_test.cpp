#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "files/read_file.hpp"
#include "model/weights.hpp"
#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;

namespace {

namespace fs = std::filesystem;

fs::path golden(const std::string& name) {
  return fs::path(LORICA_TEST_DATA) / "golden" / "models" / name;
}

std::string content(const fs::path& path) {
  auto text = read_file(path.string(), 1 << 20);
  if (!text) FAIL(text.error().text);
  return *text;
}

// A copy of a golden model that a test may damage.
class copied_model {
 public:
  explicit copied_model(const std::string& name) { fs::copy(golden(name), root() / "model"); }

  fs::path root() const { return scratch_.path(); }
  std::string read(const std::string& file) const { return content(root() / "model" / file); }
  void write(const std::string& file, const std::string& text) const {
    scratch_.write("model/" + file, text);
  }
  void remove(const std::string& file) const { fs::remove(root() / "model" / file); }
  void replace(const std::string& file, const std::string& from, const std::string& to) const {
    auto text = read(file);
    auto at = text.find(from);
    if (at == std::string::npos) FAIL(file << " does not hold " << from);
    write(file, text.replace(at, from.size(), to));
  }
  result<std::shared_ptr<const model_weights>> open() const {
    return open_model((root() / "model").string());
  }

 private:
  scratch_directory scratch_;
};

void check_refused(const copied_model& model, const std::string& text) {
  auto opened = model.open();
  INFO(text);
  REQUIRE_FALSE(opened);
  INFO(opened.error().text);
  CHECK(opened.error().text.find(text) != std::string::npos);
  CHECK(opened.error().text.find(model.root().string()) == std::string::npos);
}

const std::string tied = "llama-tied-gqa";
const std::string sharded = "llama-head-dim-llama3-v4";
const std::string index_file = "model.safetensors.index.json";
const std::string shard = "model-00001-of-00002.safetensors";

}  // namespace

TEST_CASE("a directory is called by its last part, however it is written") {
  copied_model model(tied);
  fs::create_directory(model.root() / "other");
  for (auto path : {"model", "model/", "model/.", "other/../model"}) {
    INFO(path);
    auto opened = open_model((model.root() / path).string());
    REQUIRE(opened);
    CHECK((*opened)->config().name == "model");
  }
}

TEST_CASE("an incomplete directory is refused with what is missing") {
  copied_model no_config(tied);
  no_config.remove("config.json");
  check_refused(no_config, "file config.json does not exist");
  copied_model no_weights(tied);
  no_weights.remove("model.safetensors");
  check_refused(no_weights, "neither model.safetensors nor model.safetensors.index.json");
  copied_model no_generation(tied);
  no_generation.remove("generation_config.json");
  CHECK(no_generation.open());
}

TEST_CASE("damaged JSON beside the weights is refused with the file's name") {
  for (auto file : {"config.json", "generation_config.json"}) {
    copied_model model(tied);
    model.write(file, "{");
    check_refused(model, std::string(file) + ": text is not valid JSON");
  }
}

TEST_CASE("weights that do not fit their config are refused by name") {
  copied_model wide(tied);
  wide.replace("config.json", "\"intermediate_size\": 96", "\"intermediate_size\": 97");
  check_refused(
      wide,
      "tensor model.layers.0.mlp.gate_proj.weight has the shape [96, 64], the config asks for [97, 64]");
  copied_model deep(tied);
  deep.replace("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  check_refused(deep, "tensor model.layers.2.input_layernorm.weight is missing");
  copied_model shallow(tied);
  shallow.replace("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
  check_refused(shallow, "tensor model.layers.1.input_layernorm.weight is no part of this llama model");
  copied_model untied(tied);
  untied.replace("config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
  check_refused(untied, "tensor lm_head.weight is missing");
  copied_model biased(tied);
  biased.replace("config.json", "\"attention_bias\": false", "\"attention_bias\": true");
  check_refused(biased, "tensor model.layers.0.self_attn.q_proj.bias is missing");
  copied_model unbiased("llama-untied-bias-f16");
  unbiased.replace("config.json", "\"mlp_bias\": true", "\"mlp_bias\": false");
  check_refused(unbiased, "mlp.down_proj.bias is no part");
}

TEST_CASE("a tied model may carry a copy of its head, which is not read") {
  copied_model model("llama-untied-bias-f16");
  model.replace("config.json", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
  auto opened = model.open();
  REQUIRE(opened);
  CHECK((*opened)->head().bytes.data() == (*opened)->embedding().bytes.data());
}

TEST_CASE("types that are not served and broken files are refused with the file's name") {
  copied_model model(tied);
  model.replace("model.safetensors", "\"F32\"", "\"I32\"");
  check_refused(model, "model.safetensors: tensor ");
  check_refused(model, "is stored as I32; served are F32, F16 and BF16");
  copied_model cut(tied);
  auto bytes = cut.read("model.safetensors");
  cut.write("model.safetensors", bytes.substr(0, bytes.size() - 1));
  check_refused(cut, "model.safetensors: safetensors rule 7");
}

TEST_CASE("file names in an index cannot leave the directory") {
  for (auto& name : std::vector<std::string>{
           "../model.safetensors", "/etc/x.safetensors", "a/b.safetensors", "..\\\\a.safetensors",
           ".hidden.safetensors", "shard.bin", "", "a\\u0000.safetensors", "a\\n.safetensors", ".safetensors",
           "model.safetensors/", "a\\u007f.safetensors", "a.safetensors\\u0000", "..", "./a.safetensors",
           "a.SAFETENSORS", "a.safetensors ", std::string(300, 'n') + ".safetensors"}) {
    INFO(name);
    copied_model model(sharded);
    model.write(index_file, R"({"weight_map":{"model.norm.weight":")" + name + "\"}}");
    check_refused(model, "weight_map holds something else than plain names");
  }
  copied_model number(sharded);
  number.write(index_file, R"({"weight_map":{"model.norm.weight":1}})");
  check_refused(number, "weight_map holds");
  for (std::string map : {"[]", "1", "null", "\"a.safetensors\"", "true"}) {
    copied_model other(sharded);
    other.write(index_file, R"({"weight_map":)" + map + "}");
    check_refused(other, "weight_map is missing or empty");
  }
  for (std::string file : {"[\"a.safetensors\"]", "{}", "null", "true"}) {
    copied_model other(sharded);
    other.write(index_file, R"({"weight_map":{"model.norm.weight":)" + file + "}}");
    check_refused(other, "weight_map holds");
  }
  copied_model list(sharded);
  list.write(index_file, "[]");
  check_refused(list, "weight_map is missing or empty");
  copied_model empty(sharded);
  empty.write(index_file, R"({"weight_map":{}})");
  check_refused(empty, "weight_map is missing or empty");
}

TEST_CASE("an index that does not match its shards is refused") {
  copied_model gone(sharded);
  gone.remove(shard);
  check_refused(gone, "file " + shard + " does not exist");
  copied_model renamed(sharded);
  renamed.replace(index_file, "\"model.norm.weight\"", "\"model.form.weight\"");
  check_refused(renamed, "tensor model.form.weight of the index is missing");
}

TEST_CASE("a shard that is no regular file is refused by name, without waiting for one") {
  auto refusal = [](const std::function<void(const fs::path&)>& put) {
    copied_model model(sharded);
    model.remove(shard);
    put(model.root() / "model" / shard);
    auto opened = model.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().text.find(model.root().string()) == std::string::npos);
    return opened.error().text;
  };
  CHECK(refusal([](auto& at) { fs::create_directory(at); }) == shard + " is not a regular file");
  CHECK(refusal([](auto& at) { REQUIRE(::mkfifo(at.c_str(), 0600) == 0); }) ==
        shard + " is not a regular file");
  CHECK(refusal([](auto& at) { fs::create_symlink("/dev/zero", at); }) == shard + " is not a regular file");
  CHECK(refusal([](auto& at) { fs::create_symlink(at.filename(), at); }) ==
        "file " + shard + " cannot be opened");
  CHECK(refusal([](auto& at) { fs::create_symlink("nowhere", at); }) == "file " + shard + " does not exist");
  CHECK(refusal([](auto& at) { std::ofstream{at}; }).starts_with(shard + ": safetensors rule 1"));
}

TEST_CASE("an index of too many files or of doubled names is refused") {
  copied_model many(sharded);
  std::string map;
  for (int i = 0; i < 1'025; ++i)
    map +=
        (map.empty() ? "\"t" : ",\"t") + std::to_string(i) + "\":\"" + std::to_string(i) + ".safetensors\"";
  many.write(index_file, "{\"weight_map\":{" + map + "}}");
  check_refused(many, index_file + ": more than 1024 files");
  copied_model twice(sharded);
  twice.write(index_file, R"({"weight_map":{"a":"a.safetensors","a":"b.safetensors"}})");
  check_refused(twice, index_file + ": JSON object has a duplicate key");
  copied_model deep(sharded);
  deep.write(index_file, std::string(100'000, '[') + std::string(100'000, ']'));
  check_refused(deep, index_file + ": ");
}

TEST_CASE("the total size in an index is not looked at") {
  for (std::string size : {"0", "-1", "1.5", "18446744073709551615", "\"much\"", "null", "[1]"}) {
    INFO(size);
    copied_model model(sharded);
    auto index = model.read(index_file);
    const auto at = index.find("\"total_size\": ") + 14;
    model.write(index_file, index.replace(at, index.find_first_of(",\n}", at) - at, size));
    CHECK(model.open());
  }
  copied_model bare(sharded);
  auto index = bare.read(index_file);
  bare.write(index_file, std::string(1, '{').append(index, index.find("\"weight_map\"")));
  CHECK(bare.open());
}

TEST_CASE("configs and an index that are no regular files are refused by name, never taken as absent") {
  for (const auto& file : {index_file, std::string("config.json"), std::string("generation_config.json")}) {
    auto refused = [&](const std::function<void(const fs::path&)>& put, const std::string& text) {
      copied_model model(sharded);
      model.remove(file);
      put(model.root() / "model" / file);
      check_refused(model, text);
    };
    refused([](auto& at) { fs::create_directory(at); }, file + " is not a regular file");
    refused([](auto& at) { REQUIRE(::mkfifo(at.c_str(), 0600) == 0); }, file + " is not a regular file");
    refused([](auto& at) { fs::create_symlink(at.filename(), at); }, "file " + file + " cannot be opened");
    refused([](auto& at) { fs::create_symlink("nowhere", at); }, "file " + file + " does not exist");
  }
}

TEST_CASE("links to files are followed, as download caches need") {
  copied_model model(sharded);
  for (const auto& file : {shard, index_file, std::string("config.json")}) {
    fs::rename(model.root() / "model" / file, model.root() / file);
    fs::create_symlink(fs::path("..") / file, model.root() / "model" / file);
  }
  CHECK(model.open());
}

TEST_CASE("tensors of a shard that the index does not list are not read") {
  copied_model model(sharded);
  // One more tensor in a shard of its own, of which the index lists only the other one.
  const std::string header = R"({"model.norm.weight":{"dtype":"F32","shape":[40],"data_offsets":[0,160]},)"
                             R"("stray":{"dtype":"I64","shape":[1],"data_offsets":[160,168]}})";
  model.write("extra.safetensors", safetensors_file(header, 168));
  const auto index = model.read(index_file);
  auto at = index.find("\"model.norm.weight\": \"");
  REQUIRE(at != std::string::npos);
  auto end = index.find(".safetensors\"", at);
  model.write(index_file, index.substr(0, at) + "\"model.norm.weight\": \"extra" + index.substr(end));
  auto opened = model.open();
  if (!opened) FAIL(opened.error().text);
  std::vector<float> norm(40, 1);
  (*opened)->final_norm().read_rows(0, norm);
  CHECK(norm == std::vector<float>(40, 0));
}
