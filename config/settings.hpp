#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_file.hpp"
#include "core/error.hpp"
#include "core/log.hpp"

namespace lorica {

/// How the engine computes.
enum class compute_dtype : std::uint8_t { automatic, float32, bfloat16, int8, fp8 };

/// Of the processor.
enum class instruction_set : std::uint8_t { portable, avx2, avx_vnni, avx512 };

/// What computes; automatic: CUDA where this build and the machine have it.
enum class device_choice : std::uint8_t { automatic, cpu, cuda };

/// The settings of `lorica serve`, merged and checked; what is absent is decided at start.
struct serve_settings {
  std::string model_id;
  std::string revision;
  std::string huggingface_hub_cache;  ///< empty: decided by `HF_HOME` and others
  std::vector<std::string> served_model_names;
  std::string chat_template;  ///< a file; empty: the model's own
  std::string lora_adapters;
  double watermark_gamma = 0.5;
  float watermark_delta = 2.0f;
  bool prefix_caching = true;
  bool first_come_first_served = false;  ///< `--schedule-policy fcfs`
  std::uint32_t inter_token_target = 0;  ///< milliseconds; 0: none
  std::uint32_t queue_age_limit = 0;     ///< milliseconds; 0: none
  bool skip_bad_adapters = false;
  std::vector<std::string> adapter_roots;
  std::string dynamic_adapters;                ///< `off`, `root`, `hub`
  std::vector<std::string> dynamic_hub_allow;  ///< organisations
  bool base_for_unknown = false;               ///< `--unknown-adapter base`
  std::uint64_t adapter_host_memory = 0;
  std::uint64_t adapter_device_memory = 0;  ///< 0: as `adapter_host_memory`
  bool evict_least_recent = false;          ///< by last use only
  std::uint32_t adapter_wait = 0;           ///< seconds
  std::uint32_t adapter_drain_after = 0;    ///< seconds
  std::string hostname;
  std::uint16_t port = 0;
  device_choice device = device_choice::automatic;
  double cuda_memory_fraction = 1;
  std::optional<std::vector<std::uint32_t>>
      cuda_graphs;             ///< rows, ascending; empty: none; absent: decided at start
  bool deterministic = false;  ///< on a CUDA device
  compute_dtype dtype = compute_dtype::automatic;
  compute_dtype adapter_dtype = compute_dtype::automatic;
  compute_dtype kv_cache_dtype = compute_dtype::automatic;
  std::optional<instruction_set> instructions;  ///< absent: the widest that runs
  std::optional<std::uint32_t> threads;
  std::optional<std::uint64_t> kv_memory;
  std::uint32_t max_concurrent_requests = 0;
  std::optional<std::uint32_t> max_input_tokens;
  std::optional<std::uint32_t> max_total_tokens;
  std::uint32_t max_batch_prefill_tokens = 0;
  std::optional<std::uint32_t> max_batch_total_tokens;
  std::uint32_t max_batch_size = 0;
  std::uint32_t max_stop_sequences = 0;
  std::uint32_t max_best_of = 0;
  std::uint32_t max_top_n_tokens = 0;
  std::uint32_t max_client_batch_size = 0;
  std::uint32_t validation_workers = 0;
  std::string api_key;
  std::string api_key_file;
  std::string admin_api_key;
  std::string admin_api_key_file;
  std::string tls_cert;
  std::string tls_key;
  std::uint32_t max_connections = 0;
  std::uint32_t max_connections_per_address = 0;  ///< 0: no limit
  std::uint32_t half_close_grace = 0;             ///< seconds; 0: without end
  std::uint64_t payload_limit = 0;
  std::vector<std::string> cors_allow_origin;
  std::string predict_route;                       ///< empty: none beside `/vertex`
  std::string health_route;                        ///< empty: none beside `/health`
  std::uint32_t graceful_termination_timeout = 0;  ///< seconds
  std::string data_dir;
  std::string packed_cache;  ///< a directory, or `off`; empty: decided by `XDG_CACHE_HOME` and `HOME`
  bool json_output = false;
  log_level least_log_level = log_level::info;
  std::vector<std::string> warnings;  ///< to log once the log is set up
};

/// Values as text by flag name (alias names allowed), as a parser of flags delivers them.
using flag_values = std::map<std::string, std::string, std::less<>>;

/// Value of an environment variable, or nothing; handed in so that tests own it.
using environment_reader = std::function<std::optional<std::string>(const std::string&)>;

/// Merges flags over environment over file over defaults and checks every value. An `errc::bad_config` says
/// which setting, from where, what was given and what is allowed.
result<serve_settings> merge_settings(const flag_values& flags, const environment_reader& environment,
                                      const file_values& file = {});

/// Reads the file that `--config` names, by flag or environment, and merges everything.
result<serve_settings> load_settings(const flag_values& flags, const environment_reader& environment);

/// The settings as Markdown, for docs/configuration.md.
std::string settings_markdown();

}  // namespace lorica
