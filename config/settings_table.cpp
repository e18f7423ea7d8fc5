// A table: long because every setting of a TGI deployment has its row.

#include "config/setting.hpp"

namespace lorica {
namespace {

using enum setting_kind;
using enum setting_use;

constexpr std::int64_t million = 1'000'000;
constexpr std::int64_t tebi = std::int64_t{1} << 40;

constexpr setting table[] = {
    {.flag = "model-id", .environment = "MODEL_ID",
     .text = "The base model: a directory in Hugging Face layout or a .gguf file. Required."},
    {.flag = "served-model-name", .environment = "SERVED_MODEL_NAME",
     .text = "Public id of the base model; further names after commas. Default: the name in the file, or the directory's."},
    {.flag = "lora-adapters", .environment = "LORA_ADAPTERS",
     .text = "Adapters to load at start: name=path, separated by commas."},
    {.flag = "skip-bad-adapters", .environment = "SKIP_BAD_ADAPTERS", .kind = flag, .fallback = "false",
     .text = "Start without the adapters that are refused, instead of stopping."},
    {.flag = "hostname", .environment = "HOSTNAME", .fallback = "127.0.0.1",
     .text = "Address to listen on. From the environment only an IP address or localhost counts."},
    {.flag = "port", .environment = "PORT", .kind = integer, .fallback = "3000",
     .text = "Port to listen on; 0 takes a free one.", .least = 0, .most = 65535},
    {.flag = "dtype", .environment = "DTYPE", .kind = choice, .fallback = "auto",
     .text = "How the engine computes: float32 is the exact mode; auto is bfloat16 weights with float32 sums.",
     .choices = "auto|float32|bfloat16|float16"},
    {.flag = "threads", .environment = "LORICA_THREADS", .kind = integer,
     .text = "Compute threads. Default: the cores this process may use.", .least = 1, .most = 256},
    {.flag = "kv-memory", .environment = "LORICA_KV_MEMORY", .kind = bytes,
     .text = "Bytes for the KV cache, with K, M or G after the number. Default: a quarter of the available memory, "
             "at most what the limits can use.",
     .least = 1 << 20, .most = 64 * tebi},
    {.flag = "max-concurrent-requests", .environment = "MAX_CONCURRENT_REQUESTS", .kind = integer,
     .fallback = "128", .text = "Requests inside the server at once; above it the answer is 429.", .least = 1,
     .most = million},
    {.flag = "max-input-tokens", .environment = "MAX_INPUT_TOKENS", .kind = integer,
     .text = "Longest prompt in tokens. Default: max-total-tokens - 1.", .least = 1, .most = 16 * million,
     .alias = "max-input-length"},
    {.flag = "max-total-tokens", .environment = "MAX_TOTAL_TOKENS", .kind = integer,
     .text = "Prompt and generated tokens of one request. Default: what model and KV memory allow.", .least = 2,
     .most = 16 * million},
    {.flag = "max-batch-prefill-tokens", .environment = "MAX_BATCH_PREFILL_TOKENS", .kind = integer,
     .fallback = "256", .text = "Prompt tokens computed in one step; longer prompts are cut into chunks.", .least = 1,
     .most = 65536},
    {.flag = "max-batch-total-tokens", .environment = "MAX_BATCH_TOTAL_TOKENS", .kind = integer,
     .text = "Tokens of all running requests, counted at their longest. Default: what the KV memory holds.",
     .least = 2, .most = 1000 * million},
    {.flag = "max-batch-size", .environment = "MAX_BATCH_SIZE", .kind = integer, .fallback = "64",
     .text = "Sequences that run at once.", .least = 1, .most = 4096},
    {.flag = "max-stop-sequences", .environment = "MAX_STOP_SEQUENCES", .kind = integer, .fallback = "4",
     .text = "Stop strings of one request.", .least = 0, .most = 1024},
    {.flag = "max-best-of", .environment = "MAX_BEST_OF", .kind = integer, .fallback = "2",
     .text = "Largest best_of of one request.", .least = 1, .most = 64},
    {.flag = "max-client-batch-size", .environment = "MAX_CLIENT_BATCH_SIZE", .kind = integer, .fallback = "4",
     .text = "Prompts in one request.", .least = 1, .most = 1024},
    {.flag = "validation-workers", .environment = "VALIDATION_WORKERS", .kind = integer, .fallback = "2",
     .text = "Tokenizer threads.", .least = 1, .most = 32},
    {.flag = "api-key", .environment = "API_KEY",
     .text = "Key that clients send as a bearer token. Prefer the environment: flags show in process lists."},
    {.flag = "payload-limit", .environment = "PAYLOAD_LIMIT", .kind = bytes, .fallback = "2000000",
     .text = "Largest request body in bytes; above it the answer is 413.", .least = 1024, .most = 1 << 30},
    {.flag = "cors-allow-origin", .environment = "CORS_ALLOW_ORIGIN",
     .text = "Origins that browsers may call from, separated by commas. Default: none."},
    {.flag = "graceful-termination-timeout", .environment = "GRACEFUL_TERMINATION_TIMEOUT", .kind = integer,
     .fallback = "90", .text = "Seconds that running requests get after SIGTERM.", .least = 0, .most = 86400},
    {.flag = "data-dir", .environment = "LORICA_DATA_DIR",
     .text = "Directory for state that survives a restart; made if missing. Adapters given at start leave none."},
    {.flag = "json-output", .environment = "JSON_OUTPUT", .kind = flag, .fallback = "false",
     .text = "Log one JSON object per line."},
    {.flag = "log-level", .environment = "LORICA_LOG_LEVEL", .kind = choice, .fallback = "info",
     .text = "Least level that is logged.", .choices = "debug|info|warn|error"},

    // Known from TGI, without effect here.
    {.flag = "max-waiting-tokens", .environment = "MAX_WAITING_TOKENS",
     .text = "Prefill joins every step, so there is nothing to tune.", .use = harmless},
    {.flag = "waiting-served-ratio", .environment = "WAITING_SERVED_RATIO",
     .text = "Prefill joins every step, so there is nothing to tune.", .use = harmless},
    {.flag = "cuda-graphs", .environment = "CUDA_GRAPHS", .text = "This build computes on the CPU.", .use = harmless},
    {.flag = "cuda-memory-fraction", .environment = "CUDA_MEMORY_FRACTION",
     .text = "This build computes on the CPU; see --kv-memory.", .use = harmless},
    {.flag = "disable-custom-kernels", .environment = "DISABLE_CUSTOM_KERNELS", .text = "There is one set of kernels.",
     .use = harmless},
    {.flag = "disable-grammar-support", .environment = "DISABLE_GRAMMAR_SUPPORT",
     .text = "Requests with a grammar are refused anyway.", .use = harmless},
    {.flag = "max-top-n-tokens", .environment = "MAX_TOP_N_TOKENS", .text = "top_n_tokens above 0 is refused anyway.",
     .use = harmless},
    {.flag = "prometheus-port", .environment = "PROMETHEUS_PORT", .text = "Metrics are served on the main port at /metrics.",
     .use = harmless},
    {.flag = "otlp-service-name", .environment = "OTLP_SERVICE_NAME", .text = "No traces are sent.", .use = harmless},
    {.flag = "usage-stats", .environment = "USAGE_STATS", .text = "Nothing is ever reported.", .use = harmless},
    {.flag = "huggingface-hub-cache", .environment = "HUGGINGFACE_HUB_CACHE",
     .text = "Models and adapters are read from the paths given.", .use = harmless},
    {.flag = "weights-cache-override", .environment = "WEIGHTS_CACHE_OVERRIDE",
     .text = "Models and adapters are read from the paths given.", .use = harmless},
    {.flag = "trust-remote-code", .environment = "TRUST_REMOTE_CODE", .text = "Code from a model repository is never run.",
     .use = harmless},
    {.flag = "master-addr", .environment = "MASTER_ADDR", .text = "There is one process.", .use = harmless},
    {.flag = "master-port", .environment = "MASTER_PORT", .text = "There is one process.", .use = harmless},
    {.flag = "shard-uds-path", .environment = "SHARD_UDS_PATH", .text = "There is one process.", .use = harmless},

    // Known from TGI and refused: silence would change what the user gets.
    {.flag = "num-shard", .environment = "NUM_SHARD", .text = "one process serves the model; use 1", .use = refused,
     .neutral = "1"},
    {.flag = "sharded", .environment = "SHARDED", .text = "one process serves the model; use false", .use = refused,
     .neutral = "false|0"},
    {.flag = "revision", .environment = "REVISION", .text = "models are local; give the path of that revision",
     .use = refused, .neutral = "main"},
    {.flag = "quantize", .environment = "QUANTIZE", .text = "give a .gguf file in the wanted format instead",
     .use = refused},
    {.flag = "speculate", .environment = "SPECULATE", .text = "speculative decoding is not served; use 0",
     .use = refused, .neutral = "0"},
    {.flag = "kv-cache-dtype", .environment = "KV_CACHE_DTYPE", .text = "the KV cache follows --dtype", .use = refused},
    {.flag = "rope-scaling", .environment = "ROPE_SCALING", .text = "scaling comes from the model's own files",
     .use = refused},
    {.flag = "rope-factor", .environment = "ROPE_FACTOR", .text = "scaling comes from the model's own files",
     .use = refused},
    {.flag = "enable-prefill-logprobs", .environment = "ENABLE_PREFILL_LOGPROBS",
     .text = "log-probabilities of prompt tokens are not served; use false", .use = refused, .neutral = "false|0"},
    {.flag = "tokenizer-config-path", .environment = "TOKENIZER_CONFIG_PATH",
     .text = "the tokenizer is read from the model's own files", .use = refused},
    {.flag = "watermark-gamma", .environment = "WATERMARK_GAMMA", .text = "watermarks are not served", .use = refused},
    {.flag = "watermark-delta", .environment = "WATERMARK_DELTA", .text = "watermarks are not served", .use = refused},
    {.flag = "otlp-endpoint", .environment = "OTLP_ENDPOINT", .text = "traces are not sent; see /metrics",
     .use = refused},
    {.flag = "ngrok", .environment = "NGROK", .text = "tunnels are not opened; use false", .use = refused,
     .neutral = "false|0"},
    {.flag = "ngrok-authtoken", .environment = "NGROK_AUTHTOKEN", .text = "tunnels are not opened", .use = refused},
    {.flag = "ngrok-edge", .environment = "NGROK_EDGE", .text = "tunnels are not opened", .use = refused},
};

}  // namespace

std::span<const setting> serve_settings_table() { return table; }

const setting* find_setting(std::string_view flag_name) {
  for (auto& row : table)
    if (row.flag == flag_name || (!row.alias.empty() && row.alias == flag_name)) return &row;
  return nullptr;
}

}  // namespace lorica
