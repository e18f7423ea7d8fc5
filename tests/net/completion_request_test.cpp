#include "net/completion_request.hpp"

#include "core/json.hpp"
#include "net/model_name.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"

using namespace lorica;
using lorica::testing::test_info;

namespace {

result<openai_request> read(const std::string& fields) {
  auto body = parse_json("{" + fields + "}");
  REQUIRE(body);
  return read_completion_request(*body, test_info(), 42);
}

result<openai_request> with(const std::string& fields) {
  return read(R"("prompt":"a",)" + fields);
}

}  // namespace

TEST_CASE("completions refuse by name what is out of range") {
  struct expectation {
    std::string fields;
    std::string text;
  };
  const expectation table[] = {
      {R"("temperature":-0.1)", "`temperature` must be positive, or 0 for greedy"},
      {R"("top_p":0)", "`top_p` must be > 0.0 and <= 1.0"},
      {R"("top_p":1.1)", "`top_p` must be > 0.0 and <= 1.0"},
      {R"("typical_p":0)", "`typical_p` must be > 0.0 and <= 1.0"},
      {R"("typical_p":1.1)", "`typical_p` must be > 0.0 and <= 1.0"},
      {R"("top_k":-2)", "`top_k` must be positive, or -1 or 0 for off"},
      {R"("repetition_penalty":0)", "`repetition_penalty` must be strictly positive"},
      {R"("frequency_penalty":3)", "`frequency_penalty` must be >= -2.0 and <= 2.0"},
      {R"("max_tokens":0)", "`max_tokens` must be strictly positive"},
      {R"("max_tokens":2000)", "`max_tokens` must be <= 1024. Given: 2000"},
      {R"("seed":9223372036854775808)", "`seed` is too large"},
      {R"("stop":["a","b","c","d","e"])", "`stop` supports up to 4 stop sequences. Given: 5"},
      {R"("stop":5)", "`stop` must be a string or a list of strings. Given: number"},
      {R"("stream_options":{})", "`stream_options` needs `stream` to be true"},
      {R"("model":"x","adapter_id":"y")",
       "`model` and `adapter_id` name two different adapters; leave one out"},
      {R"("model":5)", "`model` must be a string. Given: number"},
      {R"("n":0)", "`n` must be strictly positive"},
      {R"("n":129)", "`n` must be <= 128. Given: 129"},
      {R"("n":3,"best_of":2)", "`best_of` must be >= `n`, which is 3. Given: 2"},
      {R"("stream":true,"best_of":2)", "`best_of` > `n` is not supported when streaming tokens"},
      {R"("logprobs":21)", "`logprobs` must be >= 0 and <= 20. Given: 21"},
      {R"("logprobs":-1)", "`logprobs` must be >= 0 and <= 20. Given: -1"},
      {R"("logprobs":true)", "`logprobs` must be a number of alternatives on this route"},
      {R"("prompt_logprobs":21)", "`prompt_logprobs` must be >= 0 and <= 20. Given: 21"},
      {R"("prompt_logprobs":1,"stream":true)", "`prompt_logprobs` is not supported when streaming tokens"},
      {R"("presence_penalty":2.5)", "`presence_penalty` must be >= -2.0 and <= 2.0"},
      {R"("min_p":1.5)", "`min_p` must be >= 0.0 and <= 1.0"},
      {R"("min_tokens":-1)", "`min_tokens` must be >= 0"},
      {R"("min_tokens":6,"max_tokens":5)", "`min_tokens` must be <= `max_tokens`, which is 5. Given: 6"},
      {R"("logit_bias":[])", "`logit_bias` must be an object of token ids and numbers. Given: array"},
      {R"("logit_bias":{"a":1})", "`logit_bias` has the key `a`, which is no token id"},
      {R"("logit_bias":{"-1":1})", "`logit_bias` has the key `-1`, which is no token id"},
      {R"("logit_bias":{"1":101})", "`logit_bias` must hold numbers from -100 to 100"},
      {R"("logit_bias":{"1":"x"})", "`logit_bias` must hold numbers from -100 to 100"},
      {R"("allowed_token_ids":[])", "`allowed_token_ids` must not be empty"},
      {R"("allowed_token_ids":[1.5])", "`allowed_token_ids` must be a list of token ids"},
      {R"("stop_token_ids":[-1])", "`stop_token_ids` must be a list of token ids"},
      {R"("bad_words":"a")", "`bad_words` must be a list of strings. Given: string"},
  };
  for (auto& row : table) {
    INFO(row.fields);
    auto got = with(row.fields);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::invalid);
    CHECK(got.error().text == "Input validation error: " + row.text);
  }
}

TEST_CASE("completions refuse by name what is known but not served") {
  for (std::string field :
       {R"("suffix":"x")", R"("mirostat":1)", R"("mirostat_tau":5)", R"("mirostat_eta":0.1)",
        R"("use_beam_search":true)", R"("response_format":{"type":"json_object"})",
        R"("guided_json":{"type":"object"})", R"("structured_outputs":{"regex":"a"})",
        R"("length_penalty":2)", R"("adapter":"sql")", R"("lora":[{"id":0,"scale":1}])",
        R"("lora_path":"sql")"}) {
    INFO(field);
    auto got = with(field);
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::unsupported);
    CHECK(got.error().text ==
          "Input validation error: `" + got.error().param + "` is not served; leave it out");
    CHECK(field.find("\"" + got.error().param + "\"") == 0);
  }
}

TEST_CASE("what real clients always send is taken") {
  CHECK(with(
      R"("frequency_penalty":0,"presence_penalty":0,"top_p":1,"typical_p":1,"mirostat":0,"n":1,"best_of":1,"temperature":0.7,)"
      R"("logprobs":null,"seed":null,"max_tokens":256,"logit_bias":{},"echo":false,"suffix":null,"user":"u",)"
      R"("tool_prompt":"x","response_format":{"type":"text"},"stop":null,"length_penalty":1)"));
}

TEST_CASE("a prompt is a string, ids, or a list of these up to the batch size") {
  CHECK(std::get<std::string>(read(R"("prompt":"abc")")->generation.prompts.at(0)) == "abc");
  CHECK(std::get<std::string>(read(R"("prompt":["abc"])")->generation.prompts.at(0)) == "abc");
  CHECK(std::get<std::vector<token_id>>(read(R"("prompt":[1,2])")->generation.prompts.at(0)) ==
        std::vector<token_id>{1, 2});
  CHECK(std::get<std::vector<token_id>>(read(R"("prompt":[[1,2]])")->generation.prompts.at(0)) ==
        std::vector<token_id>{1, 2});
  auto several = read(R"("prompt":["a",[3],"c"])")->generation.prompts;
  REQUIRE(several.size() == 3);
  CHECK(std::get<std::vector<token_id>>(several[1]) == std::vector<token_id>{3});
  for (auto bad : {R"("prompt":"")", R"("prompt":[])", R"("prompt":[""])", R"("prompt":["a",""])",
                   R"("prompt":["a",[]])", R"("prompt":["a","b","c","d","e"])", R"("prompt":["a",5])",
                   R"("prompt":[-1])", R"("prompt":[1.5])", R"("prompt":[3000000000])", R"("prompt":[1,"a"])",
                   R"("prompt":5)", R"("model":"x")"}) {
    INFO(bad);
    auto got = read(bad);
    REQUIRE_FALSE(got);
    CHECK(got.error().param == "prompt");
  }
}

TEST_CASE("absent means 16 tokens sampled at temperature one, zero means greedy") {
  auto plain = read(R"("prompt":"a")");
  CHECK(plain->generation.max_new_tokens == 16u);
  CHECK(plain->generation.sampling == sampling_params{true, 1, 0, 1, 1, 1, 0, 42});
  CHECK(plain->model == "base-model");
  auto greedy = with(R"("temperature":0,"top_k":-1)");
  CHECK_FALSE(greedy->generation.sampling.sample);
  CHECK(greedy->generation.sampling.top_k == 0);
  auto all = with(
      R"("temperature":0.5,"top_p":0.9,"typical_p":0.8,"top_k":3,"seed":-1,"stop":"x","max_tokens":5,"ignore_eos":true,)"
      R"("repetition_penalty":1.5,"frequency_penalty":-1,"include_stop_str_in_output":true)");
  CHECK(all->generation.sampling == sampling_params{true, 0.5f, 3, 0.9f, 0.8f, 1.5f, -1, UINT64_MAX});
  CHECK(all->generation.stop == std::vector<std::string>{"x"});
  CHECK((all->generation.ignore_eos && all->generation.include_stop));
  CHECK(with(R"("max_tokens":5,"max_completion_tokens":9)")->generation.max_new_tokens == 9u);
}

TEST_CASE("the model picks the adapter; adapter_id counts when the model means the base") {
  CHECK(with(R"("model":"sql")")->generation.adapters == std::vector<named_adapter>{{"sql"}});
  CHECK(with(R"("model":"org/name")")->generation.adapters == std::vector<named_adapter>{{"org/name"}});
  CHECK(with(R"("model":"tgi","adapter_id":"sql")")->generation.adapters ==
        std::vector<named_adapter>{{"sql"}});
  CHECK(with(R"("model":"sql","adapter_id":"sql")")->generation.adapters ==
        std::vector<named_adapter>{{"sql"}});
  CHECK(with(R"("model":"sql","adapter_id":null)")->generation.adapters ==
        std::vector<named_adapter>{{"sql"}});
  CHECK(with(R"("model":"http://127.0.0.1:80")")->generation.adapters.empty());
  CHECK(with(R"("model":"alias")")->model == "alias");
  CHECK(with(R"("model":"")")->model == "base-model");
}

TEST_CASE("base:adapter and base::adapter name an adapter, with any name of the base before the colon") {
  auto adapter = [](const std::string& model) {
    auto read = with(R"("model":")" + model + "\"");
    REQUIRE(read);
    CHECK(read->model == model);
    auto& all = read->generation.adapters;
    REQUIRE(all.size() <= 1);
    return all.empty() ? std::string() : all[0].name;
  };
  for (std::string base : {"base-model", "alias", "tgi", "dummy"})
    for (std::string colon : {":", "::"}) {
      CHECK(adapter(base + colon + "sql") == "sql");
      CHECK(adapter(base + colon + "org/name") == "org/name");
    }
  // Not the base before the colon, or too many of them: a name like any other, which nobody has.
  for (std::string other : {"other:sql", "other::sql", "tgi:::sql", ":sql", "::sql", "TGI:sql", "sql:tgi"})
    CHECK(adapter(other) == other);
  // A name behind the colon is an adapter's, never the base again.
  CHECK(adapter("tgi:dummy") == "dummy");
  for (std::string whole : {"http://127.0.0.1:8080", "https://host:8080/v1"})
    CHECK(adapter(whole).empty());
  CHECK(with(R"("model":"tgi:sql","adapter_id":"sql")"));
  CHECK_FALSE(with(R"("model":"tgi:sql","adapter_id":"chat")"));
}

TEST_CASE("an id of the base may hold colons and slashes itself") {
  auto info = test_info();
  info.model_id = "org/qwen:0.5b";
  info.served_model_names = {"qwen:0.5b", "odd:"};
  auto adapter = [&](const std::string& model) {
    auto out = adapter_of_model(model, info);
    REQUIRE(out);
    return *out;
  };
  for (auto base : {"org/qwen:0.5b", "qwen:0.5b", "odd:"})
    CHECK(adapter(base).empty());
  CHECK(adapter("org/qwen:0.5b:sql") == "sql");
  CHECK(adapter("qwen:0.5b::org/sql") == "org/sql");
  CHECK(adapter("odd::sql") == "sql");
  CHECK(adapter("org/qwen:sql") == "org/qwen:sql");
}

TEST_CASE("a colon with nothing behind it is refused, not taken as the base") {
  for (std::string model : {"tgi:", "base-model::", "alias:"}) {
    auto refused = with(R"("model":")" + model + "\"");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::invalid);
    CHECK(refused.error().param == "model");
    auto base = model.substr(0, model.find(':'));
    CHECK(refused.error().text == "Input validation error: `model` names no adapter behind the colon of `" +
                                      model + "`; write `" + base + "` for the base or `" + base +
                                      ":` and the adapter's name");
  }
}

TEST_CASE("LoRAX's extra fields count at top level") {
  auto all =
      with(R"("model":"sql","adapter_source":"hub","api_token":"t","repetition_penalty":1.5,"top_k":4,)"
           R"("ignore_eos_token":true)");
  REQUIRE(all);
  CHECK(all->generation.ignore_eos);
  CHECK((all->generation.sampling.repetition_penalty == 1.5f && all->generation.sampling.top_k == 4));
  CHECK_FALSE(with(R"("ignore_eos":false,"ignore_eos_token":true)")->generation.ignore_eos);
}

TEST_CASE("stream options say which chunks carry usage") {
  CHECK(with(R"("stream":true)")->wishes.usage == usage_chunks::none);
  CHECK(with(R"("stream":true,"stream_options":{"include_usage":true})")->wishes.usage == usage_chunks::last);
  CHECK(with(R"("stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true})")
            ->wishes.usage == usage_chunks::every);
  CHECK_FALSE(with(R"("stream":true,"stream_options":{"include_usage":1})"));
  CHECK_FALSE(with(R"("stream":true,"stream_options":5)"));
}

TEST_CASE("fields about tokens, choices and log-probabilities reach the generation") {
  auto all = with(
      R"("n":2,"best_of":3,"logprobs":4,"echo":true,"presence_penalty":-1.5,"min_p":0.25,"min_tokens":2,"max_tokens":5,)"
      R"("logit_bias":{"7":-100,"8":1.5},"allowed_token_ids":[3,1],"stop_token_ids":[9],"bad_words":["no","never"])");
  REQUIRE(all);
  auto& g = all->generation;
  CHECK(g.choices == 2);
  CHECK(g.best_of == 3u);
  CHECK(g.top_logprobs == 4);
  CHECK(g.prompt_logprobs == 4u);
  CHECK((all->wishes.logprobs && all->wishes.echo && !all->wishes.prompt_logprobs));
  CHECK(g.prompt_tokens_wanted);
  CHECK(g.sampling.presence_penalty == -1.5f);
  CHECK(g.sampling.min_p == 0.25f);
  CHECK(g.sampling.min_tokens == 2);
  CHECK(g.logit_bias == std::vector<token_bias>{{7, -100}, {8, 1.5f}});
  CHECK(g.allowed_token_ids == std::vector<token_id>{3, 1});
  CHECK(g.stop_token_ids == std::vector<token_id>{9});
  CHECK(g.bad_words == std::vector<std::string>{"no", "never"});
  CHECK_FALSE(with(R"("n":2,"best_of":2)")->generation.best_of);  // all of them are answered
  auto none = with(R"("logprobs":false,"prompt_logprobs":0)");
  REQUIRE(none);
  CHECK_FALSE(none->wishes.logprobs);
  CHECK(none->wishes.prompt_logprobs);
  CHECK(none->generation.prompt_logprobs == 0u);
  CHECK(with(R"("logprobs":0)")->wishes.logprobs);
}

TEST_CASE("what a client says itself is noted, so that no default of an adapter touches it") {
  auto said =
      with(R"("temperature":1,"max_completion_tokens":3,"stop":null,"presence_penalty":0)")->generation.given;
  CHECK((said.temperature && said.max_new_tokens && said.presence_penalty));
  CHECK_FALSE((said.stop || said.top_k || said.top_p || said.typical_p || said.min_p ||
               said.repetition_penalty || said.frequency_penalty));
  auto none = with(R"("logprobs":1)")->generation.given;
  CHECK_FALSE((none.temperature || none.max_new_tokens || none.stop));
}
