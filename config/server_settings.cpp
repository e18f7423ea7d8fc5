#include "config/setting_groups.hpp"

namespace lorica {
namespace {

using enum setting_kind;

constexpr std::int64_t million = 1'000'000;

constexpr setting rows[] = {
    {.flag = "hostname",
     .environment = "HOSTNAME",
     .fallback = "127.0.0.1",
     .text = "Address to listen on. From the environment only an IP address or localhost counts."},
    {.flag = "port",
     .environment = "PORT",
     .kind = integer,
     .fallback = "3000",
     .text = "Port to listen on; 0 takes a free one.",
     .least = 0,
     .most = 65535},
    {.flag = "api-key",
     .environment = "API_KEY",
     .text = "Key that clients send as a bearer token. Prefer the environment: flags show in process lists.",
     .secret = true},
    {.flag = "api-key-file",
     .environment = "API_KEY_FILE",
     .text = "A file of further such keys, one a line, or as sha256: and the 64 hex digits of its hash; "
             "lines that begin with # do not count. SIGHUP reads it again."},
    {.flag = "admin-api-key",
     .environment = "ADMIN_API_KEY",
     .text = "Bearer token for routes that change adapters; it opens all others too. Without it these routes "
             "answer only to callers on this machine.",
     .secret = true},
    {.flag = "admin-api-key-file",
     .environment = "ADMIN_API_KEY_FILE",
     .text = "The same as api-key-file for keys of the administration."},
    {.flag = "tls-cert",
     .environment = "LORICA_TLS_CERT",
     .text = "PEM file with the server's certificate and the chain behind it; with it and tls-key the port "
             "speaks HTTPS only. SIGHUP reads both again."},
    {.flag = "tls-key",
     .environment = "LORICA_TLS_KEY",
     .text = "PEM file with the certificate's private key, without a passphrase."},
    {.flag = "max-connections",
     .environment = "LORICA_MAX_CONNECTIONS",
     .kind = integer,
     .fallback = "15000",
     .text = "Connections at once; 32 more are kept for health and metrics. Fewer where the process may not "
             "open so many files.",
     .least = 1,
     .most = million},
    {.flag = "max-connections-per-address",
     .environment = "LORICA_MAX_CONNECTIONS_PER_ADDRESS",
     .kind = integer,
     .fallback = "4096",
     .text = "Connections at once from one IPv4 address or one /64 of IPv6; further ones are closed. 0: no "
             "limit.",
     .least = 0,
     .most = million},
    {.flag = "half-close-grace",
     .environment = "LORICA_HALF_CLOSE_GRACE",
     .kind = integer,
     .fallback = "3",
     .text = "Seconds that a request without a stream goes on after its client has closed its sending side, "
             "which may mean that it is gone. 0: to its end.",
     .least = 0,
     .most = 3600},
    {.flag = "payload-limit",
     .environment = "PAYLOAD_LIMIT",
     .kind = bytes,
     .fallback = "2000000",
     .text = "Largest request body in bytes; above it the answer is 413. Four times as much on "
             "/v1/completions and /invocations, whose prompts may be token ids.",
     .least = 1024,
     .most = 1 << 30},
    {.flag = "cors-allow-origin",
     .environment = "CORS_ALLOW_ORIGIN",
     .kind = list,
     .text = "Origins that browsers may call from, separated by commas. Default: none."},
    {.flag = "predict-route",
     .environment = "AIP_PREDICT_ROUTE",
     .text = "A path beside /vertex with the same meaning; Vertex AI sets it."},
    {.flag = "health-route",
     .environment = "AIP_HEALTH_ROUTE",
     .text = "A path beside /health with the same meaning; Vertex AI sets it."},
    {.flag = "graceful-termination-timeout",
     .environment = "GRACEFUL_TERMINATION_TIMEOUT",
     .kind = integer,
     .fallback = "90",
     .text = "Seconds that running requests get after SIGTERM.",
     .least = 0,
     .most = 86400},
    {.flag = "data-dir",
     .environment = "LORICA_DATA_DIR",
     .text = "Directory for the catalogue of adapters, which survives a restart; made if missing. Default: "
             "none, and what was loaded at run time is forgotten at the end."},
    {.flag = "packed-cache",
     .environment = "LORICA_PACKED_CACHE",
     .text = "Directory for packed weights, which make the next start shorter; made if missing, safe to "
             "delete, at most 8 files and 16 GiB. off keeps none. Default: $XDG_CACHE_HOME/lorica/packed, "
             "else ~/.cache/lorica/packed."},
    {.flag = "json-output",
     .environment = "JSON_OUTPUT",
     .kind = flag,
     .fallback = "false",
     .text = "Log one JSON object per line."},
    {.flag = "log-level",
     .environment = "LORICA_LOG_LEVEL",
     .kind = choice,
     .fallback = "info",
     .text = "Least level that is logged.",
     .choices = "debug|info|warn|error"},
};

}  // namespace

std::span<const setting> server_settings() {
  return rows;
}

}  // namespace lorica
