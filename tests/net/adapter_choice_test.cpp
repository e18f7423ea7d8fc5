#include "net/adapter_choice.hpp"

#include "core/json.hpp"
#include "net/completion_request.hpp"
#include "net/tgi_request.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"

using namespace lorica;
using lorica::testing::test_info;
using names = std::vector<named_adapter>;

namespace {

value parsed(const std::string& json) {
  auto body = parse_json(json);
  INFO(json);
  REQUIRE(body);
  return *std::move(body);
}

/// The same fields in a body of each dialect.
std::vector<result<generation_request>> read_both(const std::string& fields) {
  std::vector<result<generation_request>> out;
  auto native = read_tgi_request(parsed(R"({"inputs":"a","parameters":{)" + fields + "}}"),
                                 tgi_surface::plain, test_info(), 42);
  out.push_back(native ? result(native->generation) : native.error());
  auto openai = read_completion_request(parsed(R"({"prompt":"a",)" + fields + "}"), test_info(), 42);
  out.push_back(openai ? result(openai->generation) : openai.error());
  return out;
}

std::string list_of(std::size_t count) {
  std::string out = R"("adapters":[{"id":"a0"})";
  for (std::size_t i = 1; i < count; ++i)
    out.append(R"(,{"id":"a)").append(std::to_string(i)).append("\"}");
  return out.append("]");
}

}  // namespace

TEST_CASE("weighted adapters arrive in order, with 1 for a weight that is not given") {
  for (
      auto& got : read_both(
          R"("adapters":[{"id":"sql","weight":0.5},{"id":"org/chat"},{"id":"b","weight":null},{"id":"z","weight":-2}],)"
          R"("merged_adapters":null)")) {
    REQUIRE(got);
    CHECK(got->adapters == names{{"sql", 0.5f}, {"org/chat", 1}, {"b", 1}, {"z", -2}});
    CHECK(got->combine == combination::sum);
  }
  for (auto& got : read_both(R"("adapters":[{"id":"sql","weight":0}])"))
    CHECK(got->adapters == names{{"sql", 0}});
  for (auto& got : read_both(list_of(most_adapters)))
    CHECK(got->adapters.size() == most_adapters);
}

TEST_CASE("a list of one with weight 1 is that adapter") {
  auto lists = read_both(R"("adapters":[{"id":"sql","weight":1.0}])");
  auto plain = read_both(R"("adapter_id":"sql")");
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(lists[i]->adapters == plain[i]->adapters);
    CHECK(lists[i]->combine == plain[i]->combine);
  }
}

TEST_CASE("a linear merge arrives as LoRAX's clients send it") {
  for (auto fields :
       {R"("merged_adapters":{"ids":["a","b"],"weights":[2,0.25]})",
        R"("merged_adapters":{"ids":["a","b"],"weights":[2,0.25],"merge_strategy":"linear","density":1.0,)"
        R"("majority_sign_method":"total"})",
        R"("merged_adapters":{"ids":["a","b"],"weights":[2,0.25],"merge_strategy":"LINEAR","density":0,)"
        R"("majority_sign_method":"Frequency"})",
        R"("adapter_id":null,"adapters":null,"merged_adapters":{"ids":["a","b"],"weights":[2,0.25],)"
        R"("merge_strategy":null,"density":null,"majority_sign_method":null})",
        R"("adapter_id":"tgi","merged_adapters":{"ids":["a","b"],"weights":[2,0.25]})"}) {
    INFO(fields);
    for (auto& got : read_both(fields)) {
      REQUIRE(got);
      CHECK(got->adapters == names{{"a", 2}, {"b", 0.25f}});
      CHECK(got->combine == combination::linear);
    }
  }
  // LoRAX loads a single one as it is.
  for (auto& got : read_both(R"("merged_adapters":{"ids":["a"],"weights":[0.5]})")) {
    CHECK(got->adapters == names{{"a", 1}});
    CHECK(got->combine == combination::sum);
  }
}

TEST_CASE("what does not fit is refused with LoRAX's words, or by its name") {
  struct expectation {
    std::string fields;
    std::string text;
    std::string param;
  };
  const std::string both = "at most one of `adapter_id` or `adapters` may be provided";
  const std::string none = "at least one adapter ID must be provided when setting `adapters`";
  const std::string counts = "number of adapter IDs must match number of adapter weights";
  const expectation table[] = {
      {R"("adapter_id":"sql","adapters":[{"id":"a"}])", both, "adapters"},
      {R"("adapter_id":"sql","merged_adapters":{"ids":["a"],"weights":[1]})", both, "merged_adapters"},
      {R"("adapters":[{"id":"a"}],"merged_adapters":{"ids":["a"],"weights":[1]})", both, "adapters"},
      {R"("adapters":[])", none, "adapters"},
      {R"("adapters":{})", "`adapters` must be a list of objects with `id` and `weight`. Given: object",
       "adapters"},
      {R"("adapters":"a")", "`adapters` must be a list of objects with `id` and `weight`. Given: string",
       "adapters"},
      {R"("adapters":["a"])",
       "each of `adapters` must be an object with `id` and `weight`. Given: string (adapters[0])",
       "adapters[0].id"},
      {R"("adapters":[{"id":"a"},{"weight":1}])",
       "`id` is missing; it must be the name of an adapter (adapters[1])", "adapters[1].id"},
      {R"("adapters":[{"id":""}])", "`id` is missing; it must be the name of an adapter (adapters[0])",
       "adapters[0].id"},
      {R"("adapters":[{"id":5}])", "`id` must be a string. Given: number (adapters[0])", "adapters[0].id"},
      {R"("adapters":[{"id":"a","weight":"1"}])", "`weight` must be a number. Given: string (adapters[0])",
       "adapters[0].weight"},
      {R"("adapters":[{"id":"a","weight":1e300}])", "`weight` is beyond single precision (adapters[0])",
       "adapters[0].weight"},
      {R"("adapters":[{"id":"a","scale":1}])",
       "`scale` is not a field of this body; it has `id`, `weight` (adapters[0])", "adapters[0].scale"},
      {R"("adapters":[{"id":"a"},{"id":"b"},{"id":"a","weight":2}])",
       "`adapters` names `a` more than once; name each adapter once", "adapters"},
      {R"("adapters":[{"id":"tgi"}])", "`adapters` names `tgi`, which means the base; name adapters only",
       "adapters"},
      {list_of(9), "`adapters` takes up to 8 adapters. Given: 9", "adapters"},
      {R"("merged_adapters":[])",
       "`merged_adapters` must be an object with `ids` and `weights`. Given: array", "merged_adapters"},
      {R"("merged_adapters":{})", none, "merged_adapters.ids"},
      {R"("merged_adapters":{"ids":[],"weights":[]})", none, "merged_adapters.ids"},
      {R"("merged_adapters":{"ids":["a"]})", counts, "merged_adapters.weights"},
      {R"("merged_adapters":{"ids":["a","b"],"weights":[1]})", counts, "merged_adapters.weights"},
      {R"("merged_adapters":{"ids":["a"],"weights":[1,2]})", counts, "merged_adapters.weights"},
      {R"("merged_adapters":{"ids":"a","weights":[1]})", "`ids` must be a list of strings. Given: string",
       "merged_adapters.ids"},
      {R"("merged_adapters":{"ids":["a"],"weights":["1"]})",
       "`weights` must be a list of finite numbers of single precision. Given: array",
       "merged_adapters.weights"},
      {R"("merged_adapters":{"ids":["a"],"weights":[1e39]})",
       "`weights` must be a list of finite numbers of single precision. Given: array",
       "merged_adapters.weights"},
      {R"("merged_adapters":{"ids":["a","b"],"weights":[1,1],"merge_strategy":"ties","density":0.5})",
       "`merge_strategy` must be `linear`, the only one that is served. Given: ties; `adapters` gives the "
       "weighted sum of the adapters' updates",
       "merged_adapters.merge_strategy"},
      {R"("merged_adapters":{"ids":["a","b"],"weights":[1,1],"density":1.5})",
       "`density` must be >= 0.0 and <= 1.0", "merged_adapters.density"},
      {R"("merged_adapters":{"ids":["a","b"],"weights":[1,1],"density":-0.1})",
       "`density` must be >= 0.0 and <= 1.0", "merged_adapters.density"},
      {R"("merged_adapters":{"ids":["a","b"],"weights":[1,1],"majority_sign_method":"most"})",
       "`majority_sign_method` must be `total` or `frequency`", "merged_adapters.majority_sign_method"},
      {R"("merged_adapters":{"ids":["a","b"],"weights":[1,1],"weight":2})",
       "`weight` is not a field of this body; it has `ids`, `weights`, `merge_strategy`, `density`, "
       "`majority_sign_method`",
       "merged_adapters.weight"},
      {R"("merged_adapters":{"ids":["a","a"],"weights":[1,1]})",
       "`merged_adapters` names `a` more than once; name each adapter once", "merged_adapters"},
      {R"("merged_adapters":{"ids":["a","base-model"],"weights":[1,1]})",
       "`merged_adapters` names `base-model`, which means the base; name adapters only", "merged_adapters"},
      {R"("merged_adapters":{"ids":["a","b","c","d","e","f","g","h","i"],"weights":[1,1,1,1,1,1,1,1,1]})",
       "`merged_adapters` takes up to 8 adapters. Given: 9", "merged_adapters"},
  };
  for (auto& row : table) {
    INFO(row.fields);
    for (auto& got : read_both(row.fields)) {
      REQUIRE_FALSE(got);
      CHECK(got.error().code == errc::invalid);
      CHECK(got.error().text == "Input validation error: " + row.text);
      CHECK(got.error().param == row.param);
    }
  }
  for (auto strategy : {"dare_linear", "dare_ties", "TIES", "svd"})
    for (auto& got : read_both(R"("merged_adapters":{"ids":["a","b"],"weights":[1,1],"merge_strategy":")" +
                               std::string(strategy) + "\"}")) {
      INFO(strategy);
      REQUIRE_FALSE(got);
      CHECK(got.error().text.find("must be `linear`") != std::string::npos);
    }
}

TEST_CASE("a model that names an adapter excludes a list of adapters, one that means the base does not") {
  auto read = [](const std::string& fields) {
    return read_completion_request(parsed(R"({"prompt":"a",)" + fields + "}"), test_info(), 42);
  };
  for (auto fields : {R"("model":"sql","adapters":[{"id":"a"}])",
                      R"("model":"tgi","adapter_id":"sql","adapters":[{"id":"a"}])",
                      R"("model":"sql","merged_adapters":{"ids":["a"],"weights":[1]})"}) {
    auto got = read(fields);
    INFO(fields);
    REQUIRE_FALSE(got);
    CHECK(got.error().text ==
          "Input validation error: at most one of `adapter_id` or `adapters` may be provided");
  }
  auto got = read(R"("model":"base-model","adapters":[{"id":"a"},{"id":"b"}])");
  REQUIRE(got);
  CHECK(got->model == "base-model");
  CHECK(got->generation.adapters.size() == 2);
}

TEST_CASE("LoRAX's words for where an adapter comes from choose nothing, and what is not served is said") {
  for (auto fields : {R"("adapter_id":"sql","adapter_source":"hub","api_token":"hf_secret")",
                      R"("adapter_id":"sql","adapter_source":"local")",
                      R"("adapter_id":"sql","adapter_source":null,"api_token":null)"})
    for (auto& got : read_both(fields)) {
      INFO(fields);
      REQUIRE(got);
      CHECK(got->adapters == names{{"sql"}});
    }
  for (std::string source : {"s3", "pbase", "", "HUB"})
    for (auto& got :
         read_both(R"("adapter_id":"sql","api_token":"hf_secret","adapter_source":")" + source + "\"")) {
      INFO(source);
      REQUIRE_FALSE(got);
      CHECK(got.error().code == errc::invalid);
      CHECK(got.error().param == "adapter_source");
      CHECK_THAT(got.error().text,
                 Catch::Contains("`adapter_source` must be `hub` or `local`. Given: " + source) &&
                     !Catch::Contains("hf_secret"));
    }
}
