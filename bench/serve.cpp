#include "bench/serve.hpp"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "bench/serve_report.hpp"
#include "bench/serve_run.hpp"
#include "core/json.hpp"
#include "net/http_client.hpp"

namespace lorica::bench {
namespace {

/// The first name of /v1/models.
result<std::string> first_model(const serve_options& o) {
  auto client = http_client::open({.url = o.base_url, .key = o.key});
  if (!client) return client.error();
  auto reply = client->send({.target = "/v1/models"});
  if (!reply) return reply.error();
  auto body = parse_json(reply->body);
  auto data = body ? body->find("data") : nullptr;
  auto list = data ? data->as_array() : nullptr;
  auto id = list && !list->empty() ? list->front().find("id") : nullptr;
  auto name = id ? id->as_string() : nullptr;
  if (!name)
    return fail(errc::bad_config, "--model is missing, and the server's /v1/models names none (status " +
                                      std::to_string(reply->status) + "); give the name");
  return *name;
}

result<std::vector<planned_request>> plan_of(const serve_options& o) {
  if (o.what == dataset::s_lora) return plan(o.s_lora);
  if (o.what == dataset::punica) return plan(o.punica);
  return plan(o.random);
}

std::string local_date() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
  return text;
}

result<void> save(const std::string& path, const std::string& json) {
  std::error_code ec;
  auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ec);
  std::ofstream file(path);
  file << json << '\n';
  if (!file.flush()) return fail(errc::io, "--result-filename: the file '" + path + "' cannot be written");
  return {};
}

}  // namespace

result<void> serve(serve_options o) {
  auto plan = plan_of(o);
  if (!plan) return plan.error();
  auto client = stream_client::open({.url = o.base_url, .key = o.key});
  if (!client) return client.error();
  if (o.model.empty()) {
    auto model = first_model(o);
    if (!model) return model.error();
    o.model = *std::move(model);
  }
  if (auto ready = try_server(*client, o, *plan); !ready) return ready.error();
  auto run = send_all(*client, o, *plan);
  auto metrics = measure(run.outcomes, run.duration, o.bounds, o.percents);
  const auto date = local_date();
  auto json = result_json(o, *plan, run, metrics, date);
  std::fputs(result_table(o, run, metrics).c_str(), stderr);
  if (o.save_result) return save(result_path(o, date), json);
  std::puts(json.c_str());
  return {};
}

}  // namespace lorica::bench
