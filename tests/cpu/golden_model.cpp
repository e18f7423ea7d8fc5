#include "tests/cpu/golden_model.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "adapters/reader.hpp"
#include "core/json.hpp"

namespace lorica::testing {
namespace {

template <class T>
T must(result<T> r) {
  if (!r) throw std::runtime_error(r.error().text);
  return *std::move(r);
}

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

planner_options plan_of(const executor_limits& l, const model_config& m, std::uint32_t chunk) {
  planner_options o;
  o.block_tokens = l.block_tokens;
  o.blocks = l.blocks;
  o.max_sequences = l.max_sequences;
  o.max_rows = l.max_rows;
  o.max_positions = l.max_positions;
  o.max_prefill_tokens = chunk;
  o.eos = m.eos;
  return o;
}

}  // namespace

std::unique_ptr<executor> make_cpu(const std::shared_ptr<const model_weights>& weights, const drive& how,
                                   std::uint32_t blocks) {
  cpu_options o;
  o.mode = how.mode;
  o.threads = how.threads;
  o.block_tokens = how.block_tokens;
  o.blocks = blocks;
  o.max_sequences = how.max_sequences;
  o.logits_bytes = how.logits_bytes;
  o.max_rows = how.max_sequences + how.chunk;
  o.max_positions = std::min<std::uint32_t>(weights->config().max_positions, 512);
  o.token_ids = how.token_ids;
  o.instructions = how.instructions;
  return must(make_cpu_executor(weights, o));
}

std::vector<std::pair<std::string, float>> shares_of(const golden_case& c) {
  if (c.adapter.empty()) return c.composition;
  return {{c.adapter, 1.0f}};
}

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
  std::uint32_t enough = 0;
  for (auto& c : cases)
    enough += static_cast<std::uint32_t>((c.prompt.size() + c.tokens.size()) / how.block_tokens + 1);
  auto engine = make(weights, how, how.blocks ? how.blocks : enough);
  auto options = plan_of(engine->limits(), weights->config(), how.chunk);
  options.prefix_caching = how.prefix_caching;
  options.policy = how.policy;
  planner plan(std::move(options));
  std::map<std::string, adapter_version> versions;
  std::map<adapter_version, std::shared_ptr<const packed_adapter>> packed;
  outcome out;
  out.answers.resize(cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto& c = cases[i];
    sequence s;
    for (auto& [name, weight] : shares_of(c)) {
      if (!versions.contains(name)) {
        auto loaded = must(read_adapter(adapter_folder + "/" + name, weights->config(), {}, {}));
        versions[name] = loaded.weights.version;
        auto& adapter = packed[loaded.weights.version] = must(engine->packer().pack(loaded.weights, {}));
        if (auto ok = engine->attach(adapter); !ok) throw std::runtime_error(ok.error().text);
      }
      s.composition.push_back({versions[name], weight});
    }
    s.combine = c.combine;
    s.id = i;
    s.prompt = c.prompt;
    s.max_new_tokens = static_cast<std::uint32_t>(c.tokens.size());
    s.sampling = c.sampling;
    s.top_logprobs = c.top_logprobs;
    s.prompt_logprobs = c.prompt_logprobs;
    if (auto ok = plan.submit(s); !ok) throw std::runtime_error(ok.error().text);
  }
  std::size_t ended = 0;
  auto take = [&](const plan_outcome& o) {
    for (auto& t : o.scored)
      out.answers[t.id].prompt.push_back({t.token, t.logprob, t.rank, t.top});
    for (auto& t : o.tokens) {
      out.answers[t.id].tokens.push_back(t.token);
      out.answers[t.id].logprobs.push_back(t.logprob);
      out.answers[t.id].told.push_back({t.token, t.logprob, t.rank, t.top});
    }
    for (auto& e : o.ended)
      if (!e.how) throw std::runtime_error(e.how.error().text);
    ended += o.ended.size();
  };
  while (ended < cases.size()) {
    auto step = plan.next_step();
    auto wanted = plan.lease_wanted();
    for (auto& version : wanted)
      take(plan.lease_granted(version, packed.at(version)));
    if (!step && wanted.empty()) throw std::runtime_error("the planner stands still");
    if (!step) continue;
    for (auto id : step->preempted)
      if (!out.answers[id].tokens.empty() || !out.answers[id].prompt.empty()) out.preempted.insert(id);
    take(plan.complete(must(engine->execute(*step->work))));
  }
  out.preemptions = plan.stats().preemptions;
  out.prefix_hits = plan.stats().prefix_hits;
  return out;
}

}  // namespace lorica::testing
