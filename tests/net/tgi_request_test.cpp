#include "net/tgi_request.hpp"

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"

using namespace lorica;
using lorica::testing::test_info;

namespace {

result<tgi_request> read(const std::string& json, tgi_surface surface = tgi_surface::plain,
                         const server_info& info = test_info()) {
  auto body = parse_json(json);
  REQUIRE(body);
  return read_tgi_request(*body, surface, info, 42);
}

result<tgi_request> parameters(const std::string& fields, tgi_surface surface = tgi_surface::plain) {
  return read(R"({"inputs":"a","parameters":{)" + fields + "}}", surface);
}

}  // namespace

TEST_CASE("every native field is refused with TGI's own words") {
  struct expectation {
    std::string fields;
    std::string text;
  };
  const expectation table[] = {
      {R"("best_of":3)", "`best_of` must be > 0 and <= 2. Given: 3"},
      {R"("best_of":0)", "`best_of` must be > 0 and <= 2. Given: 0"},
      {R"("best_of":2)", "you must use sampling when `best_of` is > 1"},
      {R"("best_of":2,"do_sample":true,"seed":1)", "`seed` must not be set when `best_of` > 1"},
      {R"("temperature":0)", "`temperature` must be strictly positive"},
      {R"("temperature":-1.5)", "`temperature` must be strictly positive"},
      {R"("temperature":1e300)", "`temperature` is beyond single precision"},
      {R"("temperature":"hot")", "`temperature` must be a number. Given: string"},
      {R"("repetition_penalty":0)", "`repetition_penalty` must be strictly positive"},
      {R"("frequency_penalty":2.1)", "`frequency_penalty` must be >= -2.0 and <= 2.0"},
      {R"("frequency_penalty":-2.1)", "`frequency_penalty` must be >= -2.0 and <= 2.0"},
      {R"("top_k":0)", "`top_k` must be strictly positive"},
      {R"("top_k":-3)", "`top_k` must be strictly positive"},
      {R"("top_k":4294967296)", "`top_k` is too large"},
      {R"("top_k":99999999999999999999)", "`top_k` is too large"},
      {R"("top_k":-99999999999999999999)", "`top_k` is too small"},
      {R"("seed":18446744073709551616)", "`seed` is too large"},
      {R"("top_p":1.0000000000000002)", "`top_p` must be > 0.0 and < 1.0"},
      {R"("frequency_penalty":2.0000000000000004)", "`frequency_penalty` must be >= -2.0 and <= 2.0"},
      {R"("temperature":1e300)", "`temperature` is beyond single precision"},
      {R"("top_k":1.5)", "`top_k` must be an integer. Given: number"},
      {R"("top_p":1.0)", "`top_p` must be > 0.0 and < 1.0"},
      {R"("top_p":0)", "`top_p` must be > 0.0 and < 1.0"},
      {R"("typical_p":1)", "`typical_p` must be > 0.0 and < 1.0"},
      {R"("typical_p":0)", "`typical_p` must be > 0.0 and < 1.0"},
      {R"("mirostat":2)", "`mirostat` is not served; leave it out"},
      {R"("mirostat_tau":5.0)", "`mirostat_tau` is not served; leave it out"},
      {R"("mirostat_eta":0.1)", "`mirostat_eta` is not served; leave it out"},
      {R"("max_new_tokens":0)", "`max_new_tokens` must be strictly positive"},
      {R"("max_new_tokens":-5)", "`max_new_tokens` must be strictly positive"},
      {R"("max_new_tokens":1025)", "`max_new_tokens` must be <= 1024. Given: 1025"},
      {R"("max_new_tokens":18446744073709551615)", "`max_new_tokens` is too large"},
      {R"("stop":["a","b","c","d","e"])", "`stop` supports up to 4 stop sequences. Given: 5"},
      {R"("stop":[""])", "`stop` must not hold an empty string"},
      {R"("stop":"a")", "`stop` must be a list of strings. Given: string"},
      {R"("stop":[1])", "`stop` must be a list of strings. Given: array"},
      {R"("truncate":0)", "`truncate` must be strictly positive and less than 1023. Given: 0"},
      {R"("truncate":1024)", "`truncate` must be strictly positive and less than 1023. Given: 1024"},
      {R"("top_n_tokens":6)", "`top_n_tokens` must be >= 0 and <= 5. Given: 6"},
      {R"("top_n_tokens":-1)", "`top_n_tokens` must be >= 0 and <= 5. Given: -1"},
      {R"("grammar":{"type":"json","value":{}})", "grammar is not supported"},
      {R"("seed":-1)", "`seed` must be an unsigned integer of 64 bits. Given: number"},
      {R"("do_sample":1)", "`do_sample` must be a boolean. Given: number"},
      {R"("adapter_id":5)", "`adapter_id` must be a string. Given: number"},
      {R"("watermark":1)", "`watermark` must be a boolean. Given: number"},
      {R"("presence_penalty":2.5)", "`presence_penalty` must be >= -2.0 and <= 2.0"},
      {R"("return_k_alternatives":0)", "`return_k_alternatives` must be strictly positive"},
      {R"("return_k_alternatives":21)", "`return_k_alternatives` must be <= 20. Given: 21"},
      {R"("apply_chat_template":true)", "`apply_chat_template` is not served; leave it out"},
      {R"("response_format":{"type":"json_object"})", "`response_format` is not served; leave it out"},
      {R"("api_token":5)", "`api_token` must be a string. Given: number"},
  };
  for (auto& row : table) {
    INFO(row.fields);
    auto got = parameters(row.fields);
    REQUIRE_FALSE(got);
    CHECK((got.error().code == errc::invalid || got.error().code == errc::unsupported));
    CHECK(got.error().text == "Input validation error: " + row.text);
    CHECK_FALSE(got.error().param.empty());
  }
}

TEST_CASE("streams refuse what only whole answers can have") {
  auto best_of = parameters(R"("best_of":2,"do_sample":true)", tgi_surface::stream);
  REQUIRE_FALSE(best_of);
  CHECK(best_of.error().text ==
        "Input validation error: `best_of` != 1 is not supported when streaming tokens");
  auto details = parameters(R"("decoder_input_details":true)", tgi_surface::stream);
  REQUIRE_FALSE(details);
  CHECK(details.error().text ==
        "Input validation error: `decoder_input_details` == true is not supported when streaming tokens");
  CHECK(parameters(R"("best_of":1)", tgi_surface::stream));
}

TEST_CASE("a server without best_of says so") {
  auto info = test_info();
  info.max_best_of = 1;
  auto got = read(R"({"inputs":"a","parameters":{"best_of":2,"do_sample":true}})", tgi_surface::plain, info);
  REQUIRE_FALSE(got);
  CHECK(got.error().text == "Input validation error: `best_of` != 1 is not allowed for this endpoint");
}

TEST_CASE("inputs must be there, a string and not empty; the body an object") {
  CHECK(read(R"({"inputs":""})").error().text == "Input validation error: `inputs` cannot be empty");
  CHECK(read(R"({})").error().text == "Input validation error: `inputs` is missing; it must be a string");
  CHECK(read(R"({"inputs":5})").error().text ==
        "Input validation error: `inputs` must be a string. Given: number");
  CHECK(read(R"({"inputs":"a","parameters":[]})").error().text ==
        "Input validation error: `parameters` must be an object. Given: array");
  CHECK(read("[]").error().code == errc::malformed);
}

TEST_CASE("sampling is on without parameters, off with them, and on again by any warper") {
  CHECK(read(R"({"inputs":"a"})")->generation.sampling.sample);
  CHECK(read(R"({"inputs":"a","parameters":null})")->generation.sampling.sample);
  CHECK_FALSE(parameters("")->generation.sampling.sample);
  CHECK_FALSE(parameters(R"("do_sample":null)")->generation.sampling.sample);
  CHECK(parameters(R"("do_sample":true)")->generation.sampling.sample);
  CHECK(parameters(R"("temperature":0.5)")->generation.sampling.sample);
  CHECK(parameters(R"("top_k":5)")->generation.sampling.sample);
  CHECK(parameters(R"("top_p":0.5)")->generation.sampling.sample);
  CHECK(parameters(R"("typical_p":0.5)")->generation.sampling.sample);
  CHECK_FALSE(parameters(R"("temperature":1.0,"repetition_penalty":1.2)")->generation.sampling.sample);
}

TEST_CASE("all served fields arrive") {
  auto got = parameters(
      R"("best_of":2,"temperature":0.5,"repetition_penalty":1.1,"frequency_penalty":0.25,"top_k":3,"top_p":0.9,"typical_p":0.8,)"
      R"("max_new_tokens":7,"truncate":9,"stop":["x"],"return_full_text":true,"details":true,"adapter_id":"sql",)"
      R"("decoder_input_details":true,"ignore_eos_token":true,"watermark":true,"unknown_field":[1])");
  REQUIRE(got);
  auto& g = got->generation;
  CHECK(std::get<std::string>(g.prompts.at(0)) == "a");
  CHECK(g.mark == test_info().mark);
  CHECK_FALSE(parameters(R"("watermark":false)")->generation.mark);
  CHECK((g.choices == 2 && g.best_of == 2u));  // all are told, the best first
  CHECK(g.sampling == sampling_params{true, 0.5f, 3, 0.9f, 0.8f, 1.1f, 0.25f, 42});
  CHECK(g.max_new_tokens == 7u);
  CHECK(g.truncate == 9u);
  CHECK(g.stop == std::vector<std::string>{"x"});
  CHECK(g.adapters == std::vector<named_adapter>{{"sql"}});
  CHECK(g.ignore_eos);
  CHECK(g.prompt_tokens_wanted);
  CHECK((got->details && got->return_full_text && got->prompt_details));
  CHECK(parameters(R"("seed":18446744073709551615)")->generation.sampling.seed == UINT64_MAX);
}

TEST_CASE("a stop string stays in the text on native routes, as in TGI") {
  CHECK(parameters(R"("stop":["x"])")->generation.include_stop);
}

TEST_CASE("the nulls and neutral values that clients send change nothing") {
  auto got = read(
      R"({"inputs":"a","stream":false,"parameters":{"adapter_id":null,"adapter_source":null,"merged_adapters":null,)"
      R"("api_token":null,"best_of":null,"do_sample":false,"max_new_tokens":20,"ignore_eos_token":false,)"
      R"("repetition_penalty":null,"return_full_text":false,"seed":null,"stop":[],"temperature":null,"top_k":null,)"
      R"("top_p":null,"truncate":null,"typical_p":null,"mirostat":0,"watermark":false,"response_format":null,)"
      R"("decoder_input_details":false,"return_k_alternatives":null,"details":true,"top_n_tokens":null,"grammar":null}})");
  REQUIRE(got);
  CHECK(got->generation.adapters.empty());
  CHECK(got->generation.choices == 1);
}

TEST_CASE("names of the base mean the base, on the root the field stream decides") {
  for (auto name : {"", "tgi", "dummy", "base-model", "alias", "http://127.0.0.1:8080", "https://x/y"})
    CHECK(parameters(R"("adapter_id":")" + std::string(name) + "\"")->generation.adapters.empty());
  CHECK(parameters(R"("adapter_id":"Tgi")")->generation.adapters == std::vector<named_adapter>{{"Tgi"}});
  CHECK(read(R"({"inputs":"a","stream":true})", tgi_surface::root)->stream);
  CHECK_FALSE(read(R"({"inputs":"a","stream":true})", tgi_surface::plain)->stream);
  CHECK(read(R"({"inputs":"a","stream":false})", tgi_surface::stream)->stream);
}

TEST_CASE("what a native client says itself is noted, do_sample as the temperature") {
  auto said = parameters(R"("do_sample":false,"stop":[],"max_new_tokens":4)")->generation.given;
  CHECK((said.temperature && said.stop && said.max_new_tokens));
  CHECK_FALSE((said.top_k || said.top_p || said.typical_p || said.repetition_penalty));
  CHECK_FALSE(parameters(R"("top_k":3)")->generation.given.temperature);
}

TEST_CASE("alternatives of TGI and LoRAX are one wish of the generation") {
  auto both = parameters(R"("top_n_tokens":2,"return_k_alternatives":4)");
  REQUIRE(both);
  CHECK((both->top_tokens == 2 && both->alternatives == 4 && both->generation.top_logprobs == 4));
  auto one = parameters(R"("top_n_tokens":3)");
  CHECK((one->top_tokens == 3 && one->alternatives == 0 && one->generation.top_logprobs == 3));
}

TEST_CASE("numbers count as they are meant, whichever way they are written") {
  auto got = parameters(R"("max_new_tokens":5.0,"seed":1e3,"top_p":0.9999999999999999,"temperature":1e-300)");
  REQUIRE(got);
  CHECK(got->generation.max_new_tokens == 5u);
  CHECK(got->generation.sampling.seed == 1000);
  CHECK(got->generation.sampling.top_p < 1);
  CHECK(got->generation.sampling.temperature > 0);
}
