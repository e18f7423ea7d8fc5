#include "net/info_api.hpp"

#include "core/json.hpp"
#include "net/http_error.hpp"

namespace lorica {

http_reply show_health(const api_context& context) {
  auto now = context.status.snapshot();
  bool well = now->ready && now->healthy && !now->draining && !context.gate.draining();
  return well ? http_reply{} : error_reply(api_style::native, fail(errc::unavailable, "unhealthy"));
}

namespace {

void write_accelerator(json_writer& w, const std::optional<device_report>& d) {
  if (!d) {
    w.key("device_name").null().key("device_memory_bytes").null().key("device_memory_taken_bytes").null();
    w.key("cuda_graphs").null().key("deterministic").boolean(true);
    return;
  }
  w.key("device_name").string(d->name);
  w.key("device_memory_bytes").unsigned_integer(d->memory_bytes);
  w.key("device_memory_taken_bytes").unsigned_integer(d->taken_bytes);
  w.key("cuda_graphs").begin_array();
  for (auto rows : d->graph_rows)
    w.unsigned_integer(rows);
  w.end_array().key("deterministic").boolean(d->deterministic);
}

}  // namespace

http_reply show_info(const api_context& context) {
  auto& i = context.info;
  json_writer w;
  w.begin_object().key("model_id").string(i.model_id).key("model_sha").null();
  w.key("model_dtype").string(i.model_dtype).key("model_device_type").string(i.device);
  w.key("model_pipeline_tag").string("text-generation");
  w.key("max_concurrent_requests").unsigned_integer(i.max_concurrent_requests);
  w.key("max_best_of").unsigned_integer(i.max_best_of);
  w.key("max_stop_sequences").unsigned_integer(i.max_stop_sequences);
  w.key("max_top_n_tokens").unsigned_integer(i.max_top_n_tokens);
  w.key("max_input_tokens").unsigned_integer(i.max_input_tokens);
  w.key("max_input_length").unsigned_integer(i.max_input_tokens);
  w.key("max_total_tokens").unsigned_integer(i.max_total_tokens);
  w.key("max_batch_total_tokens").unsigned_integer(i.max_batch_total_tokens);
  w.key("max_batch_prefill_tokens").unsigned_integer(i.max_batch_prefill_tokens);
  w.key("validation_workers").unsigned_integer(i.validation_workers);
  w.key("max_client_batch_size").unsigned_integer(i.max_client_batch_size);
  write_accelerator(w, i.accelerator);
  w.key("adapter_dtype")
      .string(i.adapter_dtype)
      .key("kv_cache_dtype")
      .string(i.kv_cache_dtype)
      .key("isa")
      .string(i.isa)
      .key("router")
      .string("lorica")
      .key("version")
      .string(i.version);
  w.key("sha").string(i.commit).key("docker_label").null().end_object();
  return json_reply(200, w.take());
}

http_reply show_metrics(const api_context& context) {
  http_reply out;
  out.content_type = "text/plain; version=0.0.4";
  out.body = context.status.metrics_text();
  return out;
}

}  // namespace lorica
