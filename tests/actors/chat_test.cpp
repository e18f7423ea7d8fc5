#include <future>

#include "actors/chat_encoder.hpp"
#include "core/json.hpp"
#include "tests/actors/fake_world.hpp"
#include "tests/actors/session_stage.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;
using Catch::Contains;

namespace {

/// A vocabulary with one more special token, which ends turns: `<end>`, where the template wrote it.
class turn_tokenizer final : public fake_tokenizer {
 public:
  static constexpr token_id end_id = 257;

  result<std::vector<token_id>> encode_rendered(const template_text& text) const override {
    std::vector<token_id> out;
    for (std::size_t at = 0; at < text.text.size();) {
      bool special = text.text.compare(at, 5, "<end>") == 0 && !text.marked(at, at + 5);
      out.push_back(special ? end_id : static_cast<unsigned char>(text.text[at]));
      at += special ? 5 : 1;
    }
    return out;
  }
  std::string_view bytes(token_id id) const override {
    return id == end_id ? std::string_view("<end>") : fake_tokenizer::bytes(id);
  }
  bool is_special(token_id id) const override { return id == end_id || fake_tokenizer::is_special(id); }
  std::uint32_t size() const override { return end_id + 1; }
};

std::shared_ptr<const chat_format> format_of(const std::string& source) {
  chat_template_source files;
  files.templates.push_back({"default", source});
  return std::make_shared<const chat_format>(std::move(files));
}

conversation_ptr chat(const std::string& messages) {
  auto list = parse_json(messages);
  REQUIRE(list);
  return std::make_shared<const conversation>(conversation{*list});
}

constexpr const char* turns =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";
constexpr const char* question = R"([{"role":"user","content":"q<end>"}])";

generation_defaults with_template(const std::string& source) {
  generation_defaults out;
  out.chat_template = source;
  return out;
}

/// A runtime whose model has the template `turns`.
struct chat_world : fake_world {
  explicit chat_world(std::function<void(runtime_options&)> change = {})
      : fake_world({}, std::move(change), default_limits(), std::make_shared<turn_tokenizer>(),
                   format_of(turns)) {}
};

}  // namespace

TEST_CASE("a conversation is rendered by the model's template, or by the adapter's own") {
  chat_encoder encoder(format_of(turns), std::make_shared<turn_tokenizer>());
  auto plain = encoder.render(*chat(question), nullptr, {});
  CHECK(plain->text.text == "u:q<end><end>a:");
  CHECK(plain->end_of_turn == turn_tokenizer::end_id);
  auto own = with_template("[{{ messages[0].content }}]");
  CHECK(encoder.render(*chat(question), &own, {})->text.text == "[q<end>]");
  CHECK_FALSE(encoder.render(*chat(question), &own, {})->end_of_turn);
  CHECK(encoder.kept() == 1);
  for (int i = 0; i < 100; ++i) {
    auto other = with_template(numbered("t", i));
    CHECK(encoder.render(*chat(question), &other, {})->text.text == numbered("t", i));
  }
  CHECK(encoder.kept() == chat_encoder::most_kept);
  auto broken = with_template("{% if %}");
  CHECK(encoder.render(*chat(question), &broken, {}).error().code == errc::bad_model);
  chat_encoder none(nullptr, std::make_shared<turn_tokenizer>());
  CHECK(none.render(*chat(question), nullptr, {}).error().code == errc::unsupported);
  CHECK(none.render(*chat(question), &own, {})->text.text == "[q<end>]");
}

TEST_CASE("an adapter's system prompt stands before conversations that have none") {
  chat_encoder encoder(format_of(turns), std::make_shared<turn_tokenizer>());
  generation_defaults defaults;
  defaults.system_prompt = "be brief";
  auto text = [&](const std::string& messages) {
    return encoder.render(*chat(messages), &defaults, {})->text.text;
  };
  CHECK(text(question) == "s:be brief<end>u:q<end><end>a:");
  CHECK(text(R"([{"role":"system","content":"S"},{"role":"user","content":"q"}])") == "s:S<end>u:q<end>a:");
  CHECK(text(R"([{"role":"developer","content":"D"},{"role":"user","content":"q"}])") ==
        "d:D<end>u:q<end>a:");
  CHECK(encoder.render(*chat(R"({})"), &defaults, {}).error().param == "messages");
}

TEST_CASE(
    "a chat's prompt is the template's, its special tokens cannot be forged, and the turn's end ends it") {
  stage s;
  s.vocabulary = std::make_shared<turn_tokenizer>();
  s.chat = format_of(turns);
  auto request = ask("");
  request.prompts = {chat(question)};
  auto session = s.start(request);
  REQUIRE(s.submitted.size() == 1);
  auto end = turn_tokenizer::end_id;
  CHECK(s.submitted[0]->prompts.at(0).ids ==
        std::vector<token_id>{'u', ':', 'q', '<', 'e', 'n', 'd', '>', end, 'a', ':'});
  CHECK(s.submitted[0]->sampling.rules->stops == std::vector<token_id>{end});
  s.give(session, {{0, 'h', -1.f, std::nullopt}});
  s.give(session, {{0, end, -1.f, finish_reason::stop_sequence}});
  REQUIRE(s.sink->is_done());
  CHECK(s.sink->at(0).end->reason == finish_reason::eos_token);
  CHECK(s.sink->at(0).end->text == "h");
  CHECK(std::holds_alternative<std::monostate>(s.sink->at(0).end->cause));
}

TEST_CASE("a stop token that the client asked for stays one; who ignores ends gets none of the template") {
  stage s;
  s.vocabulary = std::make_shared<turn_tokenizer>();
  s.chat = format_of(turns);
  auto request = ask("");
  request.prompts = {chat(question)};
  request.stop_token_ids = {turn_tokenizer::end_id};
  auto session = s.start(request);
  s.give(session, {{0, turn_tokenizer::end_id, -1.f, finish_reason::stop_sequence}});
  REQUIRE(s.sink->is_done());
  CHECK(s.sink->at(0).end->reason == finish_reason::stop_sequence);
  CHECK(std::get<token_id>(s.sink->at(0).end->cause) == turn_tokenizer::end_id);

  stage other;
  other.vocabulary = s.vocabulary;
  other.chat = s.chat;
  auto endless = ask("");
  endless.prompts = {chat(question)};
  endless.ignore_eos = true;
  other.start(endless);
  REQUIRE(other.submitted.size() == 1);
  CHECK_FALSE(other.submitted[0]->sampling.rules);
}

TEST_CASE("chats run to their end, and their refusals are the client's") {
  chat_world world;
  auto request = fake_world::ask("", "", 3);
  request.prompts = {chat(question)};
  auto sink = world.start(request).first;
  REQUIRE(sink->wait());
  CHECK(sink->at(0).end->generated_tokens == 3);
  request.prompts = {chat(R"([{"role":"user","content":5}])")};
  auto refused = world.start(request).first;
  REQUIRE(refused->wait());
  CHECK(refused->why()->code == errc::invalid);
  CHECK(refused->why()->param == "messages");
  std::promise<result<tokenized_chat>> answer;
  world.live->tokens().tokenize_chat(chat(question), [&](auto spans) { answer.set_value(std::move(spans)); });
  auto spans = answer.get_future().get();
  REQUIRE(spans);
  CHECK(spans->text == "u:q<end><end>a:");
  CHECK(spans->tokens.size() == spans->text.size());
  CHECK(world.at_rest());
}

TEST_CASE("each prompt of a list is answered as it is alone") {
  fake_world world;
  auto alone = [&](const std::string& prompt) {
    auto sink = world.start(fake_world::ask(prompt, "", 12)).first;
    REQUIRE(sink->wait());
    return sink->at(0).end->text;
  };
  const std::string first = alone("one"), second = alone("two"), third = alone("three three three");
  auto request = fake_world::ask("one", "", 12);
  request.prompts = {"one", std::vector<token_id>{'t', 'w', 'o'}, "three three three"};
  request.choices = 2;
  request.prompt_tokens_wanted = true;
  auto sink = world.start(request).first;
  REQUIRE(sink->wait());
  REQUIRE(sink->is_done());
  CHECK(sink->misorders() == 0);
  CHECK(sink->facts()->prompt_tokens == 3 + 3 + 17);
  REQUIRE(sink->facts()->prompts.size() == 3);
  CHECK(sink->facts()->prompts[1].size() == 3);
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < 6; ++i)
    texts.push_back(sink->at(i).end->text);
  CHECK(texts == std::vector<std::string>{first, first, second, second, third, third});
  CHECK(sink->at(3).end->seed == sink->at(1).end->seed);
  CHECK(world.at_rest());
}

TEST_CASE("one bad prompt of a list is one error for all, and lists have a bound") {
  fake_world world;
  auto request = fake_world::ask("one", "", 12);
  request.prompts = {"one", std::vector<token_id>{99'999}};
  auto sink = world.start(request).first;
  REQUIRE(sink->wait());
  CHECK(sink->why()->param == "prompt");
  request.prompts = {"one", "two"};
  request.choices = 65;
  auto many = world.start(request).first;
  REQUIRE(many->wait());
  CHECK_THAT(many->why()->text, Contains("2 prompts of 65 sequences each"));
  CHECK(world.at_rest());
}

TEST_CASE("of each prompt in a list its own best choices are answered") {
  stage s;
  auto request = ask("a");
  request.prompts = {"a", "b"};
  request.best_of = 2;
  auto session = s.start(request);
  REQUIRE(s.submitted.size() == 1);
  CHECK(sequences_of(*s.submitted[0]) == 4);
  s.give(session, {{0, 'a', -3.f, finish_reason::length},
                   {1, 'b', -1.f, finish_reason::length},
                   {2, 'c', -1.f, finish_reason::length},
                   {3, 'd', -2.f, finish_reason::length}});
  REQUIRE(s.sink->is_done());
  CHECK(s.sink->at(0).end->text == "b");
  CHECK(s.sink->at(1).end->text == "c");
  CHECK(s.sink->misorders() == 0);
}

TEST_CASE("log-probabilities of several prompts come in any order and reach their own") {
  stage s;
  auto request = ask("a");
  request.prompts = {"ab", "cde"};
  request.prompt_logprobs = 0;
  auto session = s.start(request);
  // Sequences 10 and 11; the second prompt's first token of the answer waits for the first prompt's words.
  s.give(session, {{1, 'x', -1.f, std::nullopt}}, {{11, 'd', -2.f, 1}, {11, 'e', -3.f, 1}});
  CHECK_FALSE(s.sink->facts());
  s.give(session, {{0, 'y', -1.f, std::nullopt}}, {{10, 'b', -4.f, 1}});
  REQUIRE(s.sink->facts());
  CHECK(s.sink->facts()->prompts.at(0).at(1).logprob == -4.f);
  CHECK(s.sink->facts()->prompts.at(1).at(2).logprob == -3.f);
  CHECK(s.sink->at(1).text == "x");
  // And the other way round: the first prompt is told, the second is waited for.
  stage other;
  session = other.start(request);
  other.give(session, {{0, 'y', -1.f, std::nullopt}}, {{10, 'b', -4.f, 1}});
  CHECK_FALSE(other.sink->facts());
  other.give(session, {}, {{11, 'd', -2.f, 1}, {11, 'e', -3.f, 1}});
  CHECK(other.sink->at(0).text == "y");
}
