#include "tests/cpu/golden_model.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "adapters/reader.hpp"
#include "bench/must.hpp"
#include "core/json.hpp"

namespace lorica::testing {
namespace {

using bench::must;

template <class Number>
std::vector<Number> numbers(const value& v) {
  std::vector<Number> out;
  for (auto& n : *v.as_array())
    out.push_back(static_cast<Number>(n.number()));
  return out;
}

std::vector<told_token> told_tokens(const value* list) {
  std::vector<told_token> out;
  if (!list) return out;
  for (auto& entry : *list->as_array()) {
    auto& t = out.emplace_back();
    t.logprob = entry.find("logprob")->number();
    auto rank = numbers<std::uint32_t>(*entry.find("rank"));
    t.first_rank = rank.at(0);
    t.last_rank = rank.at(1);
    for (auto& one : *entry.find("top")->as_array())
      t.top.emplace_back(static_cast<token_id>(*one.as_array()->at(0).as_int()),
                         one.as_array()->at(1).number());
  }
  return out;
}

}  // namespace

std::vector<golden_case> read_golden(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto json = must(parse_json(text.str()));
  const value* list = json.as_array() ? &json : json.find("cases");
  std::vector<golden_case> out;
  for (auto& c : *list->as_array()) {
    golden_case g;
    if (auto name = c.find("adapter")) g.adapter = *name->as_string();
    auto merged = c.find("merged");
    g.combine = merged ? combination::linear : combination::sum;
    if (auto shares = merged ? merged : c.find("composition"))
      for (auto& share : *shares->as_array())
        g.composition.emplace_back(*share.as_array()->at(0).as_string(),
                                   static_cast<float>(share.as_array()->at(1).number()));
    g.prompt = numbers<token_id>(*c.find("prompt_ids"));
    g.tokens = numbers<token_id>(*c.find("token_ids"));
    g.logprobs = numbers<double>(*c.find("logprobs"));
    g.prompt_told = told_tokens(c.find("prompt_told"));
    g.answer_told = told_tokens(c.find("answer_told"));
    out.push_back(std::move(g));
  }
  return out;
}

outcome run_all(const std::shared_ptr<const model_weights>& weights, const std::string& adapter_folder,
                const std::vector<golden_case>& cases, const drive& how, const executor_maker& make) {
  const adapter_source from_folder = [&](const std::string& name) {
    return must(read_adapter(adapter_folder + "/" + name, weights->config(), {}, {})).weights;
  };
  return run_all(weights, from_folder, cases, how, make);
}

golden_folder open_golden(const std::string& model, const std::string& cases) {
  const std::string golden = LORICA_TEST_DATA "/golden", path = golden + "/models/" + model,
                    file = path + "/model.gguf";
  return {must(open_model(std::filesystem::exists(file) ? file : path)), golden + "/adapters/" + model,
          read_golden(path + "/" + cases)};
}

}  // namespace lorica::testing
