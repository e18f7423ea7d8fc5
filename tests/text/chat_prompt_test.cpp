#include "text/chat_prompt.hpp"

#include "tests/text/template_cases.hpp"

namespace lorica {
namespace {

using Catch::Contains;

constexpr const char* plain =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

chat_format format_of(const std::string& source) {
  chat_template_source files;
  files.templates.push_back({"default", source});
  return chat_format(std::move(files));
}

result<template_text> render(const chat_format& format, const std::string& messages, bool generate = true,
                             bool go_on = false, const std::string& variables = "null") {
  conversation request{json(messages)};
  request.variables = json(variables);
  request.add_generation_prompt = generate;
  request.continue_final_message = go_on;
  return format.render(request, {});
}

void check_invalid(const std::string& messages, const std::string& text) {
  auto out = render(format_of(plain), messages);
  INFO(messages);
  REQUIRE_FALSE(out);
  CHECK(out.error().code == errc::invalid);
  CHECK(out.error().param == "messages");
  CHECK_THAT(out.error().text, Contains(text));
}

}  // namespace

TEST_CASE("messages are checked field by field") {
  check_invalid("{}", "messages must be a list");
  check_invalid("[]", "messages is empty");
  check_invalid("[1]", "messages[0] must be an object");
  check_invalid(R"([{"content":"x"}])", "messages[0].role must be a string");
  check_invalid(R"([{"role":1,"content":"x"}])", "messages[0].role");
  check_invalid(R"([{"role":"user","content":5}])", "messages[0].content is of kind number");
  check_invalid(R"([{"role":"user","content":[{"text":"x"}]}])", "messages[0].content[0].type is missing");
  check_invalid(R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])",
                "messages[0].content[0].type is 'image_url'; only text is served");
  check_invalid(R"([{"role":"user","content":[{"type":"text","text":1}]}])",
                "content[0].text must be a string");
  check_invalid(R"([{"role":"assistant","tool_calls":{}}])", "messages[0].tool_calls must be a list");
  check_invalid(R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}])",
                "messages[0].tool_calls[0].function.arguments must be the JSON text of an object");
  std::string many = "[";
  for (std::size_t i = 0; i <= most_messages; ++i)
    many += R"({"role":"user","content":"x"},)";
  many.back() = ']';
  check_invalid(many, "4096 are the most");
}

TEST_CASE("variables must not take the place of fields of the request") {
  auto format = format_of(plain);
  for (std::string name : {"messages", "tokenize", "add_generation_prompt", "tools", "chat_template"}) {
    auto out = render(format, R"([{"role":"user","content":"x"}])", true, false, "{\"" + name + "\":1}");
    REQUIRE_FALSE(out);
    CHECK(out.error().param == "chat_template_kwargs");
    CHECK_THAT(out.error().text, Contains("'" + name + "'"));
  }
  CHECK(render(format, R"([{"role":"user","content":"x"}])", true, false, R"({"other":1})"));
}

TEST_CASE("a content takes the form that the template wants") {
  const std::string parts =
      R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])";
  const std::string text = R"([{"role":"user","content":"a"}])";
  auto strings = format_of(plain);
  CHECK(strings.style("default")->takes_text);
  CHECK_FALSE(strings.style("default")->takes_parts);
  CHECK(render(strings, parts, false)->text == "<user>a\nb");
  auto trimming = format_of("{% for m in messages %}{{ m.content.strip() }}{% endfor %}");
  CHECK_FALSE(trimming.style("default")->takes_parts);
  CHECK(render(trimming, parts, false)->text == "a\nb");
  auto dumping = format_of("{% for m in messages %}{{ m.content | tojson }}{% endfor %}");
  CHECK_FALSE(dumping.style("default")->takes_parts);
  auto lists =
      format_of("{% for m in messages %}{% for p in m.content %}[{{ p['text'] }}]{% endfor %}{% endfor %}");
  CHECK_FALSE(lists.style("default")->takes_text);
  CHECK(lists.style("default")->takes_parts);
  CHECK(render(lists, parts)->text == "[a][b]");
  CHECK(render(lists, text)->text == "[a]");
  auto both = format_of(
      "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
      "{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}");
  CHECK(both.style("default")->takes_text);
  CHECK(both.style("default")->takes_parts);
  CHECK(render(both, parts)->text == "ab");
  CHECK(render(both, text)->text == "a");
}

TEST_CASE("arguments of tool calls take the form that the template wants") {
  const std::string loop = "{% for m in messages %}{% for c in m.tool_calls or [] %}";
  const std::string end = "{% endfor %}{{ m.content }}{% endfor %}";
  const std::string as_text =
      R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\": [1]}"}}]}])";
  const std::string as_object =
      R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":[1]}}}]}])";
  auto objects = format_of(loop + "{{ c.function.arguments | tojson }}" + end);
  CHECK_FALSE(objects.style("default")->arguments_as_text);
  CHECK(render(objects, as_text)->text == R"({"a": [1]})");
  CHECK(render(objects, as_object)->text == R"({"a": [1]})");
  auto texts = format_of(loop + "{{ '<' + c.function.arguments + '>' }}" + end);
  CHECK(texts.style("default")->arguments_as_text);
  CHECK(render(texts, as_text)->text == R"(<{"a": [1]}>)");
  CHECK(render(texts, as_object)->text == R"(<{"a":[1]}>)");
  auto none =
      render(objects, R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":""}}]}])");
  CHECK(none->text == "{}");
}

TEST_CASE("a final message is continued where it ends") {
  const std::string two = R"([{"role":"user","content":"q"},{"role":"assistant","content":"so far "}])";
  auto keeping = format_of("{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}");
  CHECK(render(keeping, two, false, true)->text == "<user>q<end><assistant>so far ");
  auto trimming = format_of("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}<end>{% endfor %}");
  CHECK(render(trimming, two, false, true)->text == "<user>q<end><assistant>so far");
  auto both = render(keeping, two, true, true);
  REQUIRE_FALSE(both);
  CHECK(both.error().code == errc::invalid);
  CHECK_THAT(both.error().text, Contains("add_generation_prompt"));
  auto hiding = format_of("{% for m in messages[:-1] %}{{ m.content }}{% endfor %}");
  CHECK_FALSE(render(hiding, two, false, true));
  CHECK_FALSE(render(keeping, R"([{"role":"assistant","content":null}])", false, true));
}

TEST_CASE("tools choose the template that is made for them") {
  chat_template_source files;
  files.templates = {{"default", "plain"}, {"tool_use", "{{ tools | length }} tools"}};
  chat_format format(std::move(files));
  conversation request{json(R"([{"role":"user","content":"x"}])")};
  request.add_generation_prompt = false;
  CHECK(format.render(request, {})->text == "plain");
  request.tools = json(R"([{"type":"function"}])");
  CHECK(format.render(request, {})->text == "1 tools");
  request.tools = json("[]");
  CHECK(format.render(request, {})->text == "plain");
  request.tools = json("[1]");
  auto out = format.render(request, {});
  REQUIRE_FALSE(out);
  CHECK_THAT(out.error().text, Contains("tools[0] must be an object"));
}

TEST_CASE("what stands behind an answer is found in the template's own words") {
  auto chatml =
      format_of("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}");
  CHECK(chatml.behind_answer() == "<|im_end|>\n");
  CHECK(chatml.with_template("{% for m in messages %}{{ m.content }}</s>{% endfor %}").behind_answer() ==
        "</s>");
  CHECK(format_of("{{ raise_exception('no') }}").behind_answer().empty());
  CHECK(chat_format(chat_template_source{}).behind_answer().empty());
}

TEST_CASE("variables take no name that the rendering has a meaning for") {
  chat_template_source files;
  files.templates.push_back({"default", "{{ bos_token }}{{ thinking }}"});
  files.special_tokens = {{"bos_token", "<s>"}};
  chat_format format(std::move(files));
  auto with = [&](const std::string& variables) {
    return render(format, R"([{"role":"user","content":"x"}])", true, false, variables);
  };
  CHECK(with(R"({"thinking":"on","unknown":1})")->text == "<s>on");
  for (auto name : {"bos_token", "messages", "raise_exception", "namespace", "strftime_now", "range"}) {
    auto out = with(std::string("{\"") + name + "\":\"x\"}");
    INFO(name);
    REQUIRE_FALSE(out);
    CHECK(out.error().param == "chat_template_kwargs");
  }
}

TEST_CASE("a model without a template says so, and one whose template is broken says why") {
  chat_format none(chat_template_source{});
  CHECK(none.empty());
  auto missing = render(none, R"([{"role":"user","content":"x"}])");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == errc::unsupported);
  auto broken = format_of("a\n{% if %}");
  CHECK_FALSE(broken.empty());
  CHECK(broken.style("default") == nullptr);
  auto why = render(broken, R"([{"role":"user","content":"x"}])");
  REQUIRE_FALSE(why);
  CHECK(why.error().code == errc::bad_model);
  CHECK_THAT(why.error().text, Contains("line 2"));
}

}  // namespace lorica
