// A tiny model with a SentencePiece-like tokenizer: what the program shows, whole and streamed.
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"
#include "text/incremental_decoder.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

// A copy of a tiny model with another tokenizer; gone with the object.
class model_copy {
 public:
  model_copy() : path_(fs::temp_directory_path() / ("lorica-tiny-" + std::to_string(::getpid()))) {
    fs::create_directory(path_);
    const fs::path golden = LORICA_TEST_DATA "/golden";
    for (auto name : {"config.json", "generation_config.json", "model.safetensors"})
      fs::copy_file(golden / "models/llama-tied-gqa" / name, path_ / name);
    fs::copy_file(golden / "tokenizers/tiny.tokenizer.json", path_ / "tokenizer.json");
  }
  ~model_copy() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  model_copy(const model_copy&) = delete;
  model_copy& operator=(const model_copy&) = delete;

  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

// Greedy without a seed.
std::string request_body(std::string_view prompt, std::optional<std::int64_t> seed) {
  json_writer w;
  w.begin_object().key("inputs").string(prompt).key("parameters").begin_object();
  w.key("max_new_tokens").integer(40).key("details").boolean(true);
  if (seed) w.key("do_sample").boolean(true).key("seed").integer(*seed).key("temperature").number(2.5);
  w.end_object().end_object();
  return w.take();
}

struct shown {
  std::vector<token_id> ids;
  std::string pieces;  // texts of the tokens, joined
  std::string whole;
};

void add(shown& out, const value& token) {
  out.ids.push_back(static_cast<token_id>(*token.find("id")->as_int()));
  out.pieces += *token.find("text")->as_string();
  if (!*token.find("special")->as_bool()) return;
  // Behind what was held back, a special token shows itself, and the text does not.
  for (std::string_view name : {"<unk>", "<s>", "</s>"})
    if (out.pieces.ends_with(name)) return out.pieces.resize(out.pieces.size() - name.size());
}

shown plain(std::uint16_t port, const std::string& body) {
  auto reply = exchange(port, "POST", "/generate", body);
  REQUIRE(reply.status == 200);
  auto json = parse_json(reply.body);
  REQUIRE(json);
  shown out;
  for (auto& token : *json->find("details")->find("tokens")->as_array())
    add(out, token);
  out.whole = *json->find("generated_text")->as_string();
  return out;
}

shown streamed(std::uint16_t port, const std::string& body) {
  auto reply = exchange(port, "POST", "/generate_stream", body);
  REQUIRE(reply.status == 200);
  shown out;
  for (auto& event : events(reply.body)) {
    auto json = parse_json(event);
    REQUIRE(json);
    add(out, *json->find("token"));
    if (auto end = json->find("generated_text")) out.whole = *end->as_string();
  }
  return out;
}

}  // namespace

TEST_CASE(
    "a SentencePiece-like tokenizer shows one text, whole and streamed, with the space its tokens mean") {
  model_copy model;
  auto words = open_tokenizer(model.path());
  REQUIRE(words);
  server_process server({"--model-id", model.path(), "--dtype", "float32"});
  auto check = [&](const std::string& prompt, std::optional<std::int64_t> seed) {
    auto body = request_body(prompt, seed);
    auto whole = plain(server.port(), body);
    auto parts = streamed(server.port(), body);
    INFO("prompt '" << prompt << "' seed " << seed.value_or(-1));
    CHECK(parts.ids == whole.ids);
    CHECK(parts.whole == whole.whole);
    CHECK(parts.pieces == whole.whole);
    CHECK(whole.pieces == whole.whole);
    incremental_decoder decoder(*words, true, *(*words)->encode(prompt, true));
    std::string expected;
    for (auto id : whole.ids)
      expected += decoder.push(id);
    CHECK(whole.whole == expected + decoder.flush());
    return whole.whole;
  };
  for (std::int64_t seed = 1; seed <= 30; ++seed)
    check(seed % 2 == 0 ? "the model of" : " \u65e5\u672c<s>\n", seed);
  // The model goes on with a new word here, far more likely than with anything else.
  for (auto prompt : {"their", "of of", "to of"})
    CHECK_THAT(check(prompt, std::nullopt), Catch::Matchers::StartsWith(" "));
}
