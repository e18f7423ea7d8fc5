#include "app/serve.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stop_token>

#include "actors/runtime.hpp"
#include "adapters/names.hpp"
#include "app/adapter_sources.hpp"
#include "app/chat_source.hpp"
#include "app/engine_choice.hpp"
#include "app/listed_adapters.hpp"
#include "app/model_source.hpp"
#include "app/stop_signals.hpp"
#include "app/version.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/metrics.hpp"
#include "core/server_info.hpp"
#include "core/unused_memory.hpp"
#include "model/families.hpp"
#include "model/weights.hpp"
#include "net/server.hpp"
#include "text/tokenizer.hpp"

namespace lorica {
namespace {

constexpr int failed = 1;
constexpr int bad_settings = 2;

/// Why the main thread stops waiting.
enum class stop_reason : int { none, signal, fatal };

int report(const error& e) {
  log_error("{}{}", e.text, e.reason.empty() ? "" : " (" + e.reason + ")");
  return e.code == errc::bad_config ? bad_settings : failed;
}

credential_sources sources_of(const serve_settings& s) {
  return {s.api_key, s.api_key_file, s.admin_api_key, s.admin_api_key_file, s.tls_cert, s.tls_key};
}

/// Reads keys and certificate again; what cannot be read changes nothing.
void reload(const serve_settings& s, server& http) {
  auto secrets = read_credentials(sources_of(s));
  if (!secrets) return log_error("SIGHUP: keys and certificate stay as they were: {}", secrets.error().text);
  http.replace(*std::move(secrets));
  log_info("SIGHUP: keys and certificate were read again");
}

/// Every connection is a descriptor; the default of many systems is 1024, what may be had is more.
void raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

/// Everything between settings and a listening server, in the order in which it depends on each other.
struct parts {
  std::shared_ptr<const model_weights> weights;
  model_config model;  ///< of the weights, under the name that the operator knows
  std::shared_ptr<const tokenizer> vocabulary;
  std::shared_ptr<const chat_format> chat;
  chosen_engine engine;
};

result<parts> load(const serve_settings& s, const model_source& source) {
  parts p;
  auto weights = open_model(source.path);
  if (!weights) return std::move(weights).error();
  p.weights = *std::move(weights);
  p.model = p.weights->config();
  if (!source.name.empty()) p.model.name = source.name;
  auto vocabulary = open_tokenizer(source.path);
  if (!vocabulary) return std::move(vocabulary).error();
  p.vocabulary = *std::move(vocabulary);
  auto chat = find_chat_format(source.path, s.chat_template);
  if (!chat) return std::move(chat).error();
  p.chat = *std::move(chat);
  auto& model = p.model;
  if (p.vocabulary->size() > model.vocab)
    return fail(errc::bad_model,
                fmt::format("the tokenizer has {} ids and the model {} rows for them; they do not "
                            "belong together",
                            p.vocabulary->size(), model.vocab));

  auto engine = make_engine(s, p.weights, p.vocabulary->size());
  if (!engine) return std::move(engine).error();
  p.engine = *std::move(engine);
  log_info("model {} ({}): {} layers, {}; adapters in {}", model.name, to_string(model.arch), model.layers,
           p.engine.engine->description(), p.engine.adapter_numbers);
  if (model.rope.kind == rope_config::scaling::longrope)
    log_info("longrope: {} factors, since the longest request has {} tokens and the model was trained for {}",
             p.engine.kv.max_total_tokens > model.rope.original_max_positions ? "long" : "short",
             p.engine.kv.max_total_tokens, model.rope.original_max_positions);
  return p;
}

server_info describe(const serve_settings& s, const parts& p) {
  server_info out;
  out.model_id = s.served_model_names.empty() ? p.model.name : s.served_model_names.front();
  if (!s.served_model_names.empty())
    out.served_model_names.assign(s.served_model_names.begin() + 1, s.served_model_names.end());
  out.model_dtype = p.engine.numbers;
  out.adapter_dtype = p.engine.adapter_numbers;
  out.kv_cache_dtype = p.engine.kv_numbers;
  out.device = p.engine.device;
  out.accelerator = p.engine.engine->device();
  out.isa = p.engine.engine->description();
  out.version = LORICA_VERSION;
  out.commit = LORICA_COMMIT;
  out.started =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  out.max_concurrent_requests = s.max_concurrent_requests;
  out.max_best_of = s.max_best_of;
  out.max_stop_sequences = s.max_stop_sequences;
  out.max_top_n_tokens = s.max_top_n_tokens;
  out.max_total_tokens = p.engine.kv.max_total_tokens;
  out.max_input_tokens = s.max_input_tokens.value_or(p.engine.kv.max_total_tokens - 1);
  out.max_batch_total_tokens =
      s.max_batch_total_tokens.value_or(p.engine.kv.blocks * p.engine.engine->limits().block_tokens);
  out.max_batch_prefill_tokens = s.max_batch_prefill_tokens;
  out.validation_workers = s.validation_workers;
  out.max_client_batch_size = s.max_client_batch_size;
  out.mark = {s.watermark_gamma, s.watermark_delta};
  return out;
}

/// What is taken once and for all; adapters have gauges of their own.
void publish_memory(metrics& counters, const executor_limits& limits) {
  auto say = [&](const char* part, std::uint64_t bytes) {
    counters
        .make_gauge("lorica_memory_bytes", "Bytes that a part takes for the life of the process.",
                    {{"part", part}})
        .set(static_cast<double>(bytes));
  };
  say("weights", limits.weight_bytes);
  say("kv", limits.kv_bytes);
  say("workspace", limits.workspace_bytes);
}

void publish_device(metrics& counters, const chosen_engine& engine) {
  counters
      .make_gauge("lorica_device_info", "What computes; the value is 1.",
                  {{"device", engine.device}, {"engine", engine.engine->description()}})
      .set(1);
  const auto told = engine.engine->device();
  if (!told) return;
  const auto say = [&](const char* state, std::uint64_t bytes) {
    counters
        .make_gauge("lorica_device_memory_bytes",
                    "Memory of the device that computes: all of it, and what this server took.",
                    {{"name", told->name}, {"state", state}})
        .set(static_cast<double>(bytes));
  };
  say("all", told->memory_bytes);
  say("taken", told->taken_bytes);
  counters
      .make_gauge("lorica_device_graph_rows",
                  "The most sequences for which a step that only generates is recorded; 0: none is.",
                  {{"name", told->name}})
      .set(told->graph_rows.empty() ? 0 : told->graph_rows.back());
}

runtime_options actor_options(const serve_settings& s, const server_info& info, std::uint64_t adapter_bytes,
                              std::vector<startup_adapter> adapters) {
  runtime_options out;
  out.model_id = info.model_id;
  out.max_input_tokens = info.max_input_tokens;
  out.max_total_tokens = info.max_total_tokens;
  out.max_sequences = s.max_batch_size;
  out.max_batch_prefill_tokens = s.max_batch_prefill_tokens;
  out.max_batch_total_tokens = s.max_batch_total_tokens.value_or(0);
  out.tokenizer_workers = s.validation_workers;
  out.adapters = std::move(adapters);
  out.prefix_caching = s.prefix_caching;
  out.policy = s.first_come_first_served ? schedule_policy::fcfs : schedule_policy::fair;
  out.inter_token_target = std::chrono::milliseconds(s.inter_token_target);
  out.queue_age_limit = std::chrono::milliseconds(s.queue_age_limit);
  out.skip_bad_adapters = s.skip_bad_adapters;
  out.adapter_bytes = adapter_bytes;
  out.eviction = s.evict_least_recent ? eviction_policy::lru : eviction_policy::gdsf;
  out.dynamic = {s.dynamic_adapters == "off"   ? dynamic_mode::off
                 : s.dynamic_adapters == "hub" ? dynamic_mode::hub
                                               : dynamic_mode::root,
                 !s.adapter_roots.empty(), s.dynamic_hub_allow};
  out.base_for_unknown = s.base_for_unknown;
  out.adapter_wait = std::chrono::seconds(s.adapter_wait);
  out.adapter_drain_after = std::chrono::seconds(s.adapter_drain_after);
  return out;
}

result<server_options> front_options(const serve_settings& s, credentials secrets) {
  server_options out;
  out.host = s.hostname;
  out.port = s.port;
  out.secrets = std::move(secrets);
  out.max_connections = s.max_connections;
  out.max_connections_each_address = s.max_connections_per_address;
  out.half_close_grace = std::chrono::seconds(s.half_close_grace);
  out.cors_allow_origin = s.cors_allow_origin;
  out.payload_limit = s.payload_limit;
  auto extra = extra_routes::make(s.predict_route, s.health_route);
  if (!extra) return extra.error();
  out.extra = *std::move(extra);
  return out;
}

/// Prints where the server is and a request to try; standard output, so that scripts can wait for it.
void print_ready(const serve_settings& s, const server_info& info, std::uint16_t port,
                 const status_snapshot& status) {
  std::vector<std::string> ready;
  for (auto& a : status.adapters)
    if (a.state == "ready") ready.push_back(a.name);
  auto host = s.hostname.find(':') == std::string::npos ? s.hostname : "[" + s.hostname + "]";
  bool tls = !s.tls_cert.empty();
  auto url = fmt::format("{}://{}:{}", tls ? "https" : "http", host, port);
  std::string adapter;
  if (!ready.empty()) adapter = fmt::format(R"("adapter_id": "{}", )", ready.front());
  fmt::print("Lorica {} is ready on {} with {} and {} adapter{}: {}\nTry:\n", LORICA_VERSION, url,
             info.model_id, ready.size(), ready.size() == 1 ? "" : "s", fmt::join(ready, ", "));
  fmt::print(
      "  curl -s {}/generate -H 'content-type: application/json' "
      "-d '{{\"inputs\": \"Once upon a time\", \"parameters\": {{{}\"max_new_tokens\": 40}}}}'\n",
      url, adapter);
  std::fflush(stdout);
}

/// Waits until something ends the service.
stop_reason wait_for_end(const std::atomic<stop_reason>& reason) {
  reason.wait(stop_reason::none);
  return reason.load();
}

/// Sets the reason once; later ones do not count.
void end_with(std::atomic<stop_reason>& reason, stop_reason why) {
  auto expected = stop_reason::none;
  if (reason.compare_exchange_strong(expected, why)) reason.notify_all();
}

/// From loaded parts to the end of the process. The order of the locals is the order of taking apart,
/// reversed.
result<stop_reason> run(const serve_settings& s, server_options front, parts p,
                        std::vector<startup_adapter> adapters, std::shared_ptr<const adapter_roots> roots) {
  std::atomic<stop_reason> reason{stop_reason::none};
  metrics counters;
  steady_clock_source clock;
  auto info = describe(s, p);
  publish_memory(counters, p.engine.engine->limits());
  publish_device(counters, p.engine);
  if (auto ok = check_names(adapters, info); !ok) return ok.error();
  auto options = actor_options(s, info, p.engine.adapter_bytes, std::move(adapters));
  options.on_fatal = [&reason](const std::string& why) {
    log_error("a part of the server died: {}", why);
    end_with(reason, stop_reason::fatal);
  };
  auto read = reader_of(p.model, options.max_adapter_rank, roots, cache_of(s));
  runtime_parts living_parts{
      std::move(p.engine.engine), p.vocabulary, p.model, counters, clock, std::move(read), [roots] {
        return list_roots(*roots);
      }};
  living_parts.chat = p.chat;
  auto hub = open_hub(cache_of(s), clock);
  if (!hub) return std::move(hub).error();
  living_parts.hub = *std::move(hub);
  if (auto ok = open_catalogue(s, *p.weights, living_parts); !ok) return ok.error();
  auto actors = start_runtime(std::move(options), std::move(living_parts));
  if (!actors) return std::move(actors).error();
  runtime& living = **actors;

  server http(std::move(front),
              {living.generations(), living.tokens(), living.status(), counters, info, &living.adapters()});
  if (auto ok = http.start(); !ok) return fail(errc::io, ok.error().text);
  std::stop_source hurry;
  stop_listener signals(
      [&](int count) {
        log_info("{}", count == 1 ? "signal: draining" : "another signal: ending now");
        end_with(reason, stop_reason::signal);
        if (count > 1) hurry.request_stop();
        if (!living.status().snapshot()->ready) living.interrupt();
      },
      [&] { reload(s, http); });

  auto ready = living.wait_until_ready();
  if (!ready && reason.load() == stop_reason::none) {
    http.stop();
    return ready.error();
  }
  give_back_unused_memory();  // the start read and freed more than what stays
  if (ready) print_ready(s, info, http.port(), *living.status().snapshot());
  auto why = wait_for_end(reason);
  http.drain();
  auto grace = std::chrono::seconds(why == stop_reason::signal ? s.graceful_termination_timeout : 0);
  bool all_done = living.drain(grace, hurry.get_token());
  http.wait_until_idle(std::chrono::seconds(5));
  http.stop();
  log_info("ended, {}", all_done ? "all requests done" : "some requests cut short");
  return why;
}

}  // namespace

int serve(const serve_settings& s) {
  block_stop_signals();
  block_hangup();
  start_log(s.json_output, s.least_log_level);
  for (auto& warning : s.warnings)
    log_warn("{}", warning);
  auto secrets = read_credentials(sources_of(s));
  if (!secrets) return report(secrets.error());
  auto front = front_options(s, *std::move(secrets));
  if (!front) return report(front.error());
  raise_descriptor_limit();
  auto listed = parse_adapter_list(s.lora_adapters);
  if (!listed) return report(listed.error());
  auto roots = adapter_roots::open(s.adapter_roots);
  if (!roots) return report(roots.error());
  auto cache = cache_of(s);
  auto hub = hub_options_of(cache);
  if (!hub) return report(hub.error());
  auto source = find_model(s.model_id, s.revision, cache);
  if (!source) return report(source.error());
  auto adapters = find_adapters(*std::move(listed), source->adapter, cache, s.skip_bad_adapters,
                                hub->offline ? hub_use::offline : hub_use::online);
  if (!adapters) return report(adapters.error());
  auto loaded = load(s, *source);
  if (!loaded) return report(loaded.error());
  auto end = run(s, *std::move(front), *std::move(loaded), *std::move(adapters),
                 std::make_shared<const adapter_roots>(*std::move(roots)));
  if (!end) return report(end.error());
  return *end == stop_reason::signal ? 0 : failed;
}

}  // namespace lorica
