// The names of fields that the readers of requests know are those that the description has. A name counts as
// known when a value that no field can have is refused. The names that are tried are all of the description
// and all words in quotes in the sources of the readers, so a field that is read and not described is found.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/openapi_document.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

using names = std::set<std::string>;

const names& candidates() {
  static const names all = [] {
    auto out = all_property_names();
    const std::regex quoted("\"([a-z][a-z0-9_]{0,40})\"");
    for (auto room : {"/net", "/core"})
      for (auto& file : std::filesystem::directory_iterator(LORICA_SOURCE_DIR + std::string(room))) {
        if (file.path().extension() != ".cpp") continue;
        std::stringstream text;
        text << std::ifstream(file.path()).rdbuf();
        auto words = text.str();
        for (std::sregex_iterator at(words.begin(), words.end(), quoted), end; at != end; ++at)
          out.insert((*at)[1]);
      }
    return out;
  }();
  return all;
}

/// An object inside a request, and where the description has it.
struct place {
  std::string method, path, schema;
  std::string before, behind;                 ///< of the object's members
  std::map<std::string, std::string> needed;  ///< members without which the request is refused
};

struct refusal {
  std::string text;   ///< empty: the request is taken
  std::string param;  ///< OpenAI routes have it
};

refusal refusal_of(const raw_reply& reply) {
  if (reply.status != 400 && reply.status != 422) {
    CHECK(reply.status / 100 == 2);
    return {};
  }
  auto body = parse_json(reply.body);
  REQUIRE(body);
  auto why = body->find("error");
  REQUIRE(why);
  auto text = why->as_string() ? *why->as_string() : *why->find("message")->as_string();
  if (auto colon = text.find("error: "); colon != std::string::npos) text = text.substr(colon + 7);
  auto param = why->find("param");
  return {text, param ? *param->as_string() : std::string()};
}

/// The one of `tried` that a refusal is about: the last or first part of its param, the first word in quotes,
/// or the first word.
std::string blamed(const refusal& why, const names& tried) {
  auto last = why.param.substr(why.param.rfind('.') + 1);
  if (tried.contains(last)) return last;
  if (auto first = why.param.substr(0, why.param.find_first_of(".[")); tried.contains(first)) return first;
  for (auto pattern : {"[`']([a-z0-9_]+)[`']", "([a-z0-9_]+)"}) {
    const std::regex word(pattern);
    for (std::sregex_iterator at(why.text.begin(), why.text.end(), word), end; at != end; ++at)
      if (tried.contains((*at)[1])) return (*at)[1];
  }
  return {};
}

bool says_unknown(const std::string& text) {
  return text.find("is not a field of this body") != std::string::npos ||
         text.find("is no default") != std::string::npos;
}

std::string request_with(const place& where, const names& tried, const std::string& wrong) {
  std::string members;
  auto add = [&](const std::string& name, const std::string& json) {
    members += (members.empty() ? "\"" : ",\"") + name + "\":" + json;
  };
  for (auto& name : tried)
    add(name, wrong);
  for (auto& [name, json] : where.needed)
    if (!tried.contains(name)) add(name, json);
  return where.before + "{" + members + "}" + where.behind;
}

/// Sends all names with a wrong value, takes the one that is refused away, and goes on until nothing is
/// refused.
names known_at(std::uint16_t port, const place& where, const std::string& wrong) {
  names known, tried = candidates();
  while (true) {
    auto why = refusal_of(ask(port, where.method, where.path, request_with(where, tried, wrong)));
    if (why.text.empty()) return known;
    INFO(why.text);
    auto name = blamed(why, tried);
    REQUIRE(!name.empty());
    tried.erase(name);
    if (!says_unknown(why.text)) known.insert(name);
  }
}

const place places[] = {
    {"POST", "/generate", "/components/schemas/GenerateRequest", "", "", {{"inputs", R"("a")"}}},
    {"POST",
     "/generate",
     "/components/schemas/GenerateParameters",
     R"({"inputs":"a","parameters":)",
     "}",
     {}},
    {"POST",
     "/generate",
     "/components/schemas/WeightedAdapters/items",
     R"({"inputs":"a","parameters":{"adapters":[)",
     "]}}",
     {{"id", R"("sql")"}}},
    {"POST",
     "/generate",
     "/components/schemas/MergedAdapters",
     R"({"inputs":"a","parameters":{"merged_adapters":)",
     "}}",
     {{"ids", R"(["sql"])"}, {"weights", "[1]"}}},
    {"POST", "/tokenize", "/components/schemas/TokenizeRequest", "", "", {{"inputs", R"("a")"}}},
    {"POST", "/v1/completions", "/components/schemas/CompletionRequest", "", "", {{"prompt", R"("a")"}}},
    {"POST",
     "/v1/chat/completions",
     "/components/schemas/ChatRequest",
     "",
     "",
     {{"messages", R"([{"role":"user","content":"a"}])"}}},
    {"POST",
     "/chat_tokenize",
     "/components/schemas/ChatTokenizeRequest",
     "",
     "",
     {{"messages", R"([{"role":"user","content":"a"}])"}}},
    {"POST",
     "/v1/load_lora_adapter",
     "/components/schemas/VllmLoad",
     "",
     "",
     {{"lora_name", R"("a")"}, {"lora_path", R"("a")"}}},
    {"POST",
     "/v1/unload_lora_adapter",
     "/components/schemas/VllmUnload",
     "",
     "",
     {{"lora_name", R"("sql")"}}},
    {"PUT", "/v1/adapters/sql", "/components/schemas/LoadAdapter", "", "", {{"source", R"("a")"}}},
    {"PUT", "/v1/adapters/sql", "/components/schemas/Defaults", R"({"source":"a","defaults":)", "}", {}},
    {"PUT", "/v1/adapters", "/components/schemas/DeclaredSet", "", "", {{"adapters", "[]"}}},
    {"PUT",
     "/v1/adapters",
     "/components/schemas/DeclaredSet/properties/adapters/items",
     R"({"adapters":[)",
     "]}",
     {{"name", R"("a")"}, {"source", R"("a")"}}},
};

}  // namespace

TEST_CASE("every field that a reader knows is described, and every field that is described is known") {
  test_server s;
  CHECK(candidates().size() > 250);
  for (auto& where : places) {
    INFO(where.method << " " << where.path << " " << where.schema);
    names known;
    for (auto wrong : {"[[{}]]", "-7.5", R"("?")", "true"})
      known.merge(known_at(s.port(), where, wrong));
    CHECK(known == properties_of(schema_at(where.schema)));
  }
}

TEST_CASE("every parameter of a query that is known is described, and the reverse") {
  test_server s;
  const std::pair<std::string, std::string> routes[] = {{"GET", "/v1/adapters"},
                                                        {"PUT", "/v1/adapters"},
                                                        {"PUT", "/v1/adapters/{name}"},
                                                        {"DELETE", "/v1/adapters/{name}"}};
  for (auto& [method, path] : routes) {
    INFO(method << " " << path);
    names known, described;
    for (auto& name : candidates()) {
      auto target = path.substr(0, path.find('{')) + (path.ends_with('}') ? "sql" : "") + "?" + name + "=%3F";
      auto body = method == "PUT" ? R"({"source":"a"})" : "";
      if (ask(s.port(), method, target, body).body.find("is not a parameter") == std::string::npos)
        known.insert(name);
    }
    auto lower = method == "GET" ? "get" : method == "PUT" ? "put" : "delete";
    auto& operation = *described_api().find("paths")->find(path)->find(lower);
    for (auto& parameter : *operation.find("parameters")->as_array()) {
      auto target = parameter.find("$ref");
      auto& at = target ? schema_at(target->as_string()->substr(1)) : parameter;
      if (*at.find("in")->as_string() == "query") described.insert(*at.find("name")->as_string());
    }
    CHECK(known == described);
  }
}
