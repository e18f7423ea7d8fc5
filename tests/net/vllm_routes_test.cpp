// vLLM's two routes: bodies, texts and codes to the letter.
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr auto load = "/v1/load_lora_adapter";
constexpr auto unload = "/v1/unload_lora_adapter";
const std::string sql = R"({"lora_name":"sql","lora_path":"some/where"})";

std::string error_body(const std::string& message, const std::string& type, const std::string& param,
                       int code, const std::string& word) {
  auto quoted = param.empty() ? "null" : "\"" + param + "\"";
  return R"({"error":{"message":")" + message + R"(","type":")" + type + R"(","param":)" + quoted +
         R"(,"code":)" + std::to_string(code) + R"(},"error_type":")" + word + R"("})";
}

}  // namespace

TEST_CASE("vLLM's load waits for its end and answers in plain text") {
  test_server s;
  s.adapters.job.state = job_state::done;
  auto reply = ask(s.port(), "POST", load, sql);
  CHECK(reply.status == 200);
  CHECK(reply.fields["content-type"] == "text/plain; charset=utf-8");
  CHECK(reply.body == "Success: LoRA adapter 'sql' added successfully.");
  auto call = s.adapters.last();
  CHECK(call.when == answer_when::ended);
  CHECK(call.load.name == "sql");
  CHECK(call.load.source == "some/where");
  CHECK(call.load.policy == load_policy::refuse);
  CHECK(
      ask(s.port(), "POST", load,
          R"({"lora_name":"o/b","lora_path":"p","load_inplace":true,"is_3d_lora_weight":false,"lora_int_id":7,"x":[]})")
          .status == 200);
  CHECK(s.adapters.last().load.policy == load_policy::replace);
  CHECK(ask(s.port(), "POST", std::string(load) + "?x=1", sql).status == 200);
}

TEST_CASE("vLLM's load refuses in vLLM's words") {
  test_server s;
  auto refused = [&](const std::string& body) {
    auto reply = ask(s.port(), "POST", load, body);
    return std::to_string(reply.status) + " " + reply.body;
  };
  const std::string both = "Both 'lora_name' and 'lora_path' must be provided.";
  for (auto body :
       {"{}", R"({"lora_path":"p"})", R"({"lora_name":"","lora_path":"p"})", R"({"lora_name":null})"})
    CHECK(refused(body) == "400 " + error_body(both, "InvalidUserInput", "lora_name", 400, "validation"));
  for (auto body : {R"({"lora_name":"a"})", R"({"lora_name":"a","lora_path":""})"})
    CHECK(refused(body) == "400 " + error_body(both, "InvalidUserInput", "lora_path", 400, "validation"));
  CHECK_THAT(refused(R"({"lora_name":1,"lora_path":"p"})"),
             Catch::Contains(R"("type":"BadRequestError","param":"lora_name","code":400)"));
  CHECK_THAT(refused(R"({"lora_name":"a","lora_path":"p","load_inplace":"yes"})"),
             Catch::Contains(R"("type":"BadRequestError","param":"load_inplace","code":400)"));
  for (auto name : {"../a", "base-model", "tgi", "a/b/c"})
    CHECK_THAT(refused(R"({"lora_name":")" + std::string(name) + R"(","lora_path":"p"})"),
               Catch::Contains(R"("param":"lora_name","code":400},"error_type":"invalid_name"})"));
  CHECK(s.adapters.calls() == 0);

  auto failing = [&](error why) {
    s.adapters.failure = std::move(why);
    return refused(sql);
  };
  CHECK(failing(fail(errc::invalid, "ours", "already_loaded")) ==
        "400 " +
            error_body("The lora adapter 'sql' has already been loaded. If you want to load the adapter in "
                       "place, set 'load_inplace' to True.",
                       "InvalidUserInput", "lora_name", 400, "already_loaded"));
  for (auto word : {"missing_file", "hub_not_found"})
    CHECK(failing(fail(errc::unknown_adapter, "ours", word)) ==
          "404 " + error_body("Loading lora sql failed: No adapter found for some/where", "NotFoundError",
                              "lora_path", 404, word));
  CHECK(failing(fail(errc::bad_adapter,
                     "LoRA rank 64 is greater than max_lora_rank 16. (tensor base_model.x.lora_A.weight)",
                     "rank_too_large")) ==
        "400 " + error_body("LoRA rank 64 is greater than max_lora_rank 16.", "BadRequestError", "", 400,
                            "rank_too_large"));
  for (auto word : {"unsupported_dora", "unsupported_modules_to_save", "unsupported_bias", "shape_mismatch",
                    "bad_config", "source_changed"})
    CHECK(failing(fail(errc::bad_adapter, "ours", word)) ==
          "400 " + error_body("ours", "BadRequestError", "", 400, word));
  CHECK(failing(fail(errc::invalid, "ours", "path_not_allowed", "source")) ==
        "400 " + error_body("ours", "BadRequestError", "source", 400, "path_not_allowed"));
  CHECK_THAT(failing(fail(errc::overloaded, "ours")), Catch::StartsWith("429 "));
  CHECK_THAT(failing(fail(errc::out_of_memory, "ours", "memory_in_use")),
             Catch::StartsWith("409 ") && Catch::Contains("ConflictError"));
  s.adapters.failure.reset();
  s.adapters.job.state = job_state::failed;
  s.adapters.job.failure = fail(errc::bad_adapter, "ours", "unsupported_dora");
  CHECK(refused(sql) == "400 " + error_body("ours", "BadRequestError", "", 400, "unsupported_dora"));
  s.adapters.job.failure.reset();
  s.adapters.job.state = job_state::cancelled;
  CHECK_THAT(refused(sql), Catch::StartsWith("409 "));
}

TEST_CASE("vLLM's unload drains, answers at once and knows a name only while it serves") {
  test_server s;
  const std::string body = R"({"lora_name":"sql","lora_int_id":3})";
  auto reply = ask(s.port(), "POST", unload, body);
  CHECK(reply.status == 200);
  CHECK(reply.fields["content-type"] == "text/plain; charset=utf-8");
  CHECK(reply.body == "Success: LoRA adapter 'sql' removed successfully.");
  CHECK(s.adapters.last().what == "unload");
  CHECK(s.adapters.last().unload.mode == unload_mode::drain);
  CHECK(s.adapters.last().when == answer_when::accepted);
  s.adapters.job.state = job_state::done;
  s.adapters.job.changed = true;
  CHECK(ask(s.port(), "POST", unload, body).status == 200);
  auto unknown = error_body("The lora adapter 'sql' cannot be found.", "NotFoundError", "lora_name", 404,
                            "adapter_not_found");
  s.adapters.job.changed = false;
  auto again = ask(s.port(), "POST", unload, body);
  CHECK(again.status == 404);
  CHECK(again.body == unknown);
  s.adapters.failure = fail(errc::unknown_adapter, "ours");
  auto never = ask(s.port(), "POST", unload, body);
  CHECK(never.status == 404);
  CHECK(never.body == unknown);
  s.adapters.failure = fail(errc::internal, "ours");
  CHECK(ask(s.port(), "POST", unload, body).status == 500);
  for (auto nameless : {"{}", R"({"lora_name":""})", R"({"lora_int_id":3})"}) {
    auto missing = ask(s.port(), "POST", unload, nameless);
    CHECK(missing.status == 400);
    CHECK(missing.body == error_body("'lora_name' needs to be provided to unload a LoRA adapter.",
                                     "InvalidUserInput", "lora_name", 400, "validation"));
  }
  CHECK(ask(s.port(), "POST", unload, R"({"lora_name":[]})").status == 400);
}
