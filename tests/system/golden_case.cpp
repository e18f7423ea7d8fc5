#include "tests/system/golden_case.hpp"

#include <cmath>
#include <fstream>
#include <sstream>

#include "core/json.hpp"
#include "tests/catch.hpp"

namespace lorica::testing {
namespace {

value parsed(std::string_view text) {
  auto json = parse_json(text);
  INFO(text);
  REQUIRE(json);
  return *std::move(json);
}

/// Member of an object that must be there.
const value& at(const value& object, std::string_view key) {
  auto member = object.find(key);
  INFO("member " << key);
  REQUIRE(member != nullptr);
  return *member;
}

std::vector<std::int64_t> ids(const value& list) {
  std::vector<std::int64_t> out;
  for (auto& id : *list.as_array())
    out.push_back(*id.as_int());
  return out;
}

/// The field that names several adapters.
void write_adapters(json_writer& w, const golden_case& g) {
  if (g.adapters.empty()) return;
  w.key(g.merged ? "merged_adapters" : "adapters");
  if (!g.merged) {
    w.begin_array();
    for (auto& [name, weight] : g.adapters)
      w.begin_object().key("id").string(name).key("weight").number(weight).end_object();
    w.end_array();
    return;
  }
  w.begin_object().key("ids").begin_array();
  for (auto& [name, weight] : g.adapters)
    w.string(name);
  w.end_array().key("weights").begin_array();
  for (auto& [name, weight] : g.adapters)
    w.number(weight);
  w.end_array().key("merge_strategy").string("linear").end_object();
}

/// Who must answer.
std::string answering(const golden_case& g) {
  auto out = g.adapter;
  for (auto& [name, weight] : g.adapters)
    out.append(out.empty() ? "" : ",").append(name);
  return out;
}

std::string native_body(const golden_case& g, delivery how) {
  json_writer w;
  w.begin_object().key("inputs").string(*g.prompt).key("parameters").begin_object();
  if (!g.adapter.empty()) w.key("adapter_id").string(g.adapter);
  write_adapters(w, g);
  w.key("max_new_tokens").unsigned_integer(g.max_new_tokens).key("details").boolean(true);
  w.key("decoder_input_details").boolean(how == delivery::plain);
  return w.end_object().end_object().take();
}

std::string completion_body(const golden_case& g, delivery how) {
  json_writer w;
  w.begin_object().key("model").string(g.adapter);
  write_adapters(w, g);
  w.key("prompt").begin_array();
  for (auto id : g.prompt_ids)
    w.integer(id);
  w.end_array().key("max_tokens").unsigned_integer(g.max_new_tokens).key("temperature").integer(0);
  if (how == delivery::streamed) {
    w.key("stream").boolean(true).key("stream_options").begin_object();
    w.key("include_usage").boolean(true).end_object();
  }
  return w.end_object().take();
}

void check_tokens(const golden_case& g, const value::array& tokens) {
  std::vector<std::int64_t> given;
  double worst = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    given.push_back(*at(tokens[i], "id").as_int());
    if (i < g.logprobs.size())
      worst = std::max(worst, std::abs(at(tokens[i], "logprob").number() - g.logprobs[i]));
  }
  CHECK(given == g.tokens);
  CHECK(worst < 1e-3);
}

/// What `details` tells, plain or at the end of a stream.
void check_details(const golden_case& g, const value& details) {
  CHECK(*at(details, "finish_reason").as_string() == g.finish);
  CHECK(at(details, "generated_tokens").number() == static_cast<double>(g.tokens.size()));
  CHECK(at(details, "prompt_tokens").number() == static_cast<double>(g.prompt_ids.size()));
}

void check_native_plain(const golden_case& g, const std::string& body) {
  auto json = parsed(body);
  CHECK(*at(json, "generated_text").as_string() == g.text);
  auto& details = at(json, "details");
  check_details(g, details);
  check_tokens(g, *at(details, "tokens").as_array());
  std::vector<std::int64_t> prompt;
  for (auto& token : *at(details, "prefill").as_array())
    prompt.push_back(*at(token, "id").as_int());
  CHECK(prompt == g.prompt_ids);
}

void check_native_stream(const golden_case& g, const std::string& body) {
  value::array tokens;
  std::string pieces;
  auto all = events(body);
  REQUIRE_FALSE(all.empty());
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto json = parsed(all[i]);
    CHECK(*at(json, "index").as_int() == static_cast<std::int64_t>(i + 1));
    auto& token = at(json, "token");
    if (!*at(token, "special").as_bool()) pieces += *at(token, "text").as_string();
    tokens.push_back(token);
    CHECK((json.find("generated_text") != nullptr) == (i + 1 == all.size()));
  }
  check_tokens(g, tokens);
  CHECK(pieces == g.text);
  auto last = parsed(all.back());
  CHECK(*at(last, "generated_text").as_string() == g.text);
  check_details(g, at(last, "details"));
}

void check_usage(const golden_case& g, const value& usage) {
  CHECK(at(usage, "prompt_tokens").number() == static_cast<double>(g.prompt_ids.size()));
  CHECK(at(usage, "completion_tokens").number() == static_cast<double>(g.tokens.size()));
}

void check_completion(const golden_case& g, const std::vector<value>& parts) {
  std::string text, finish;
  for (auto& part : parts) {
    for (auto& choice : *at(part, "choices").as_array()) {
      text += *at(choice, "text").as_string();
      if (auto reason = choice.find("finish_reason")) finish += *reason->as_string();
    }
  }
  CHECK(text == g.text);
  CHECK(finish == (g.finish == "length" ? "length" : "stop"));
  check_usage(g, at(parts.back(), "usage"));
}

void check_completion_stream(const golden_case& g, const std::string& body) {
  auto all = events(body);
  REQUIRE(all.size() >= 2);
  CHECK(all.back() == "[DONE]");
  all.pop_back();
  std::vector<value> parts;
  for (auto& event : all)
    parts.push_back(parsed(event));
  check_completion(g, parts);
}

}  // namespace

std::vector<golden_case> golden_cases(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto list = parsed(text.str());
  std::vector<golden_case> out;
  for (auto& c : *list.as_array()) {
    golden_case g;
    if (auto name = c.find("adapter")) g.adapter = *name->as_string();
    g.merged = c.find("merged") != nullptr;
    if (auto shares = g.merged ? c.find("merged") : c.find("composition"))
      for (auto& share : *shares->as_array())
        g.adapters.emplace_back(*share.as_array()->at(0).as_string(), share.as_array()->at(1).number());
    if (auto prompt = c.find("prompt")) g.prompt = *prompt->as_string();
    g.prompt_ids = ids(at(c, "prompt_ids"));
    g.tokens = ids(at(c, "token_ids"));
    for (auto& p : *at(c, "logprobs").as_array())
      g.logprobs.push_back(p.number());
    g.text = *at(c, "text").as_string();
    g.finish = *at(c, "finish").as_string();
    // Room for one more where the file does not say: then the end id is what ends it.
    auto most = c.find("max_new_tokens");
    g.max_new_tokens =
        most ? static_cast<std::uint64_t>(*most->as_int()) : g.tokens.size() + (g.finish == "length" ? 0 : 1);
    out.push_back(std::move(g));
  }
  return out;
}

http_reply ask(std::uint16_t port, const golden_case& g, delivery how) {
  if (!g.prompt) return exchange(port, "POST", "/v1/completions", completion_body(g, how));
  return exchange(port, "POST", how == delivery::plain ? "/generate" : "/generate_stream",
                  native_body(g, how));
}

void check_answer(const golden_case& g, delivery how, const http_reply& reply) {
  INFO("adapter '" << answering(g) << "', prompt of " << g.prompt_ids.size()
                   << (g.prompt ? " as text" : " as ids")
                   << (how == delivery::plain ? ", plain" : ", streamed") << ", status " << reply.status);
  REQUIRE(reply.status == 200);
  REQUIRE(reply.complete);
  auto answered = reply.headers.find("x-adapter-id");
  CHECK((answered == reply.headers.end() ? "" : answered->second) == answering(g));
  if (g.prompt && how == delivery::plain) check_native_plain(g, reply.body);
  if (g.prompt && how == delivery::streamed) check_native_stream(g, reply.body);
  if (!g.prompt && how == delivery::plain) check_completion(g, {parsed(reply.body)});
  if (!g.prompt && how == delivery::streamed) check_completion_stream(g, reply.body);
}

}  // namespace lorica::testing
