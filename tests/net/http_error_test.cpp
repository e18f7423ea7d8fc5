#include "net/http_error.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("each error has its status and words in both styles") {
  struct expectation {
    errc code;
    int native;
    std::string native_type;
    int openai;
    std::string openai_type;
  };
  const expectation table[] = {
      {errc::malformed, 400, "validation", 400, "BadRequestError"},
      {errc::invalid, 422, "validation", 400, "BadRequestError"},
      {errc::unsupported, 422, "validation", 400, "BadRequestError"},
      {errc::template_failed, 422, "template_error", 400, "BadRequestError"},
      {errc::unknown_adapter, 404, "validation", 404, "NotFoundError"},
      {errc::bad_adapter, 424, "generation", 400, "BadRequestError"},
      {errc::unauthorized, 401, "authentication", 401, "authentication_error"},
      {errc::conflict, 409, "validation", 409, "ConflictError"},
      {errc::forbidden, 403, "authentication", 403, "PermissionDeniedError"},
      {errc::overloaded, 429, "overloaded", 429, "rate_limit_error"},
      {errc::generation_failed, 424, "generation", 500, "InternalServerError"},
      {errc::incomplete, 500, "incomplete_generation", 500, "InternalServerError"},
      {errc::unavailable, 503, "healthcheck", 503, "unavailable_error"},
      {errc::payload_too_large, 413, "validation", 413, "BadRequestError"},
      {errc::unsupported_media, 415, "validation", 415, "BadRequestError"},
      {errc::header_too_large, 431, "validation", 431, "BadRequestError"},
      {errc::wrong_method, 405, "validation", 405, "BadRequestError"},
      {errc::unknown_route, 404, "validation", 404, "NotFoundError"},
  };
  for (auto& row : table) {
    auto why = fail(row.code, "text");
    CHECK(status_of(api_style::native, why) == row.native);
    CHECK(status_of(api_style::openai, why) == row.openai);
    CHECK_THAT(error_body(api_style::native, why),
               Catch::Contains("\"error_type\":\"" + row.native_type + "\""));
    CHECK_THAT(error_body(api_style::openai, why), Catch::Contains("\"type\":\"" + row.openai_type + "\""));
  }
}

TEST_CASE("no error lacks a status") {
  for (int code = 0; code <= static_cast<int>(errc::internal); ++code) {
    auto why = fail(static_cast<errc>(code), "text");
    CHECK(status_of(api_style::native, why) >= 400);
    CHECK(status_of(api_style::openai, why) >= 400);
  }
}

TEST_CASE("error bodies have exactly the shapes of the two APIs") {
  auto why = fail(errc::unknown_adapter, "The model `x` does not exist.", {}, "model");
  CHECK(error_body(api_style::native, why) ==
        R"({"error":"The model `x` does not exist.","error_type":"validation"})");
  CHECK(
      error_body(api_style::openai, why) ==
      R"({"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404},)"
      R"("error_type":"validation"})");
  CHECK(error_body(api_style::native, fail(errc::generation_failed, "the step failed")) ==
        R"({"error":"Request failed during generation: the step failed","error_type":"generation"})");
}

TEST_CASE("a failed template's words are marked as such in both styles") {
  auto why = fail(errc::template_failed, "roles must alternate");
  CHECK(error_body(api_style::native, why) ==
        R"({"error":"Template error: roles must alternate","error_type":"template_error"})");
  CHECK_THAT(error_body(api_style::openai, why),
             Catch::Contains(R"("message":"Template error: roles must alternate")"));
}

TEST_CASE("overload asks for a pause, a missing key names the scheme, 503 closes") {
  auto overload = error_reply(api_style::native, fail(errc::overloaded, "Model is overloaded"));
  REQUIRE(overload.fields.size() == 1);
  CHECK(overload.fields[0].name == "Retry-After");
  CHECK_FALSE(overload.close);
  auto key = error_reply(api_style::openai, fail(errc::unauthorized, "no"));
  REQUIRE(key.fields.size() == 1);
  CHECK(key.fields[0].name == "WWW-Authenticate");
  CHECK(key.fields[0].value == "Bearer");
  CHECK(error_reply(api_style::native, fail(errc::unavailable, "no")).close);
}

TEST_CASE("a source that changed is a failed dependency in both styles, other refusals only natively") {
  auto changed = fail(errc::bad_adapter, "x changed", "source_changed");
  CHECK(status_of(api_style::native, changed) == 424);
  CHECK(status_of(api_style::openai, changed) == 424);
  CHECK(status_of(api_style::openai, fail(errc::bad_adapter, "x", "bad_config")) == 400);
  CHECK(status_of(api_style::openai, fail(errc::invalid, "x", "source_changed")) == 400);
}

TEST_CASE("an error can have another type than the table's") {
  auto reply = typed_error_reply("InvalidUserInput", fail(errc::invalid, "no", "word", "field"));
  CHECK(reply.status == 400);
  CHECK(
      reply.body ==
      R"({"error":{"message":"no","type":"InvalidUserInput","param":"field","code":400},"error_type":"word"})");
}

TEST_CASE("every status that is sent has its phrase") {
  for (int status : {200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 414,
                     415, 417, 422, 424, 429, 431, 500, 501, 503, 504}) {
    http_reply r;
    r.status = status;
    CHECK_THAT(reply_head(r, body_framing::length, connection_fate::keep),
               !Catch::StartsWith("HTTP/1.1 " + std::to_string(status) + " \r"));
  }
}

TEST_CASE("a reply's fields cannot begin a line of their own") {
  http_reply r;
  r.fields.push_back({"x-adapter-id", "a\r\nSet-Cookie: b"});
  CHECK(reply_head(r, body_framing::length, connection_fate::keep) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-adapter-id: aSet-Cookie: b\r\n\r\n");
}
