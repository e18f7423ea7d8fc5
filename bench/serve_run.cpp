#include "bench/serve_run.hpp"

#include <fmt/format.h>

#include <deque>
#include <limits>
#include <memory>
#include <random>

#include "bench/completion_stream.hpp"
#include "bench/machine_load.hpp"
#include "bench/process_tree.hpp"
#include "core/json.hpp"

namespace lorica::bench {
namespace {

using clock = stream_client::clock;

double seconds(clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

/// The message of an OpenAI-like error body, or the status.
std::string refusal(const client_reply& reply) {
  auto body = parse_json(reply.body);
  auto error = body ? body->find("error") : nullptr;
  auto message = error ? error->find("message") : nullptr;
  auto text = message ? message->as_string() : error ? error->as_string() : nullptr;
  return text ? fmt::format("status {}: {}", reply.status, *text) : fmt::format("status {}", reply.status);
}

/// Requests under way, and those that wait for their time or their turn.
class sender {
 public:
  sender(stream_client& client, const serve_options& o, const std::vector<planned_request>& plan)
      : client_(client), options_(o), plan_(plan), outcomes_(plan.size()) {}

  std::vector<request_outcome> run() {
    start_ = clock::now();
    arrive();
    client_.run();
    return std::move(outcomes_);
  }

 private:
  clock::time_point due(std::size_t index) const {
    return start_ +
           std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(plan_[index].arrival));
  }

  void arrive() {
    for (; next_ < plan_.size() && due(next_) <= clock::now(); ++next_)
      waiting_.push_back(next_);
    if (next_ < plan_.size()) client_.at(due(next_), [this] { arrive(); });
    send();
  }

  void send() {
    while (!waiting_.empty() && (options_.max_concurrency == 0 || under_way_ < options_.max_concurrency)) {
      const auto index = waiting_.front();
      waiting_.pop_front();
      ++under_way_;
      send(index);
    }
  }

  void send(std::size_t index) {
    auto& out = outcomes_[index];
    auto body = body_of(options_, plan_[index], index);
    out.prompt = plan_[index].prompt;
    const auto now = clock::now();
    out.start = seconds(now - start_);
    out.queue = seconds(now - due(index));
    auto reader = std::make_shared<completion_stream>(out, now, options_.save_detailed);
    client_.post(options_.endpoint, std::move(body),
                 {[reader](std::string_view line) { reader->line(line, clock::now()); },
                  [this, reader, index](result<client_reply> said) { ended(index, *reader, said); }});
  }

  void ended(std::size_t index, completion_stream& reader, const result<client_reply>& said) {
    auto& out = outcomes_[index];
    if (!said)
      out.error = said.error().text;
    else if (said->status != 200)
      out.error = refusal(*said);
    else
      reader.end();
    --under_way_;
    send();
  }

  stream_client& client_;
  const serve_options& options_;
  const std::vector<planned_request>& plan_;
  std::vector<request_outcome> outcomes_;
  clock::time_point start_;
  std::deque<std::size_t> waiting_;
  std::size_t next_ = 0;  // to arrive
  std::uint32_t under_way_ = 0;
};

constexpr std::uint64_t shared_by_all = std::numeric_limits<std::uint64_t>::max();

/// Tokens that the seed and `stream` decide.
void write_tokens(json_writer& json, const serve_options& o, std::uint64_t stream, std::uint32_t count) {
  std::seed_seq mixed{static_cast<std::uint32_t>(o.seed), static_cast<std::uint32_t>(o.seed >> 32),
                      static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  std::mt19937 random(mixed);
  std::uniform_int_distribution<token_id> id(o.token_ids.first, o.token_ids.second - 1);
  for (std::uint32_t i = 0; i < count; ++i)
    json.unsigned_integer(id(random));
}

void write_adapter(json_writer& json, const serve_options& o, std::uint32_t adapter) {
  if (o.style != lora_style::llama_cpp) return;
  // A request that names none gets all of them at their full scale, so the base is asked for by a scale of 0.
  const bool base = adapter == planned_request::none;
  json.key("lora").begin_array().begin_object().key("id").unsigned_integer(base ? 0 : adapter);
  json.key("scale").number(base ? 0 : 1).end_object().end_array();
}

}  // namespace

std::string body_of(const serve_options& o, const planned_request& r, std::uint64_t index) {
  const bool by_name = o.style == lora_style::openai && r.adapter != planned_request::none;
  json_writer json;
  json.begin_object().key("model").string(by_name ? o.adapters[r.adapter] : o.model);
  json.key("prompt").begin_array();
  write_tokens(json, o, shared_by_all, r.shared);
  write_tokens(json, o, index, r.prompt - r.shared);
  json.end_array().key("max_tokens").unsigned_integer(r.output).key("temperature").number(o.temperature);
  json.key("stream")
      .boolean(true)
      .key("stream_options")
      .begin_object()
      .key("include_usage")
      .boolean(true)
      .end_object();
  if (o.ignore_eos) json.key("ignore_eos").boolean(true);
  write_adapter(json, o, r.adapter);
  return json.end_object().take();
}

result<void> try_server(stream_client& client, const serve_options& o,
                        const std::vector<planned_request>& plan) {
  std::vector<planned_request> first(1 + o.warmups, plan.front());
  auto here = o;
  here.seed = o.seed + 1;  // other prompts than the run's, which a prefix cache would know
  for (auto& r : first)
    r.arrival = 0;
  for (auto part : {std::size_t{1}, first.size() - 1}) {
    std::vector<planned_request> some(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(part));
    for (auto& outcome : sender(client, here, some).run())
      if (!outcome.success)
        return fail(errc::unavailable,
                    "The first request failed, so none of the others was sent: " + outcome.error);
  }
  return {};
}

serve_run send_all(stream_client& client, const serve_options& o, const std::vector<planned_request>& plan) {
  serve_run out;
  const auto& pids = o.server_processes;
  const auto before = pids.empty() ? std::nullopt : processor_seconds(pids);
  machine_load load;
  const auto start = clock::now();
  out.outcomes = sender(client, o, plan).run();
  out.duration = seconds(clock::now() - start);
  out.client_cpu = load.own();
  out.steal = load.steal();
  const auto after = before ? processor_seconds(pids) : std::nullopt;
  if (!after) return out;
  out.server_cpu = *after - *before;
  out.foreign = load.foreign(*out.server_cpu);
  out.server_bytes = resident_bytes(pids);
  return out;
}

}  // namespace lorica::bench
