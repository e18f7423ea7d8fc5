#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "adapters/hub_url.hpp"
#include "core/error.hpp"
#include "files/hub_cache.hpp"

namespace lorica {

/// How the Hub is asked and where its files go. Plain data; the token is never shown.
struct hub_options {
  hub_url endpoint;      ///< its target is a prefix of every path; "/" for none
  std::string token;     ///< sent to the endpoint only; empty: none
  hub_cache cache;       ///< where files go, shared with huggingface_hub
  bool offline = false;  ///< nothing is asked; the cache has it or not
  bool links = true;     ///< snapshots are links to blobs; otherwise the files themselves
  std::vector<std::string>
      redirect_domains;  ///< hosts that redirects may lead to, with what is below them; empty: any
  std::string user_agent = "lorica";

  std::uint64_t max_bytes = std::uint64_t{4} << 30;  ///< of all files of one adapter
  std::chrono::milliseconds connect{10'000};         ///< for one address
  std::chrono::milliseconds reply{10'000};           ///< from asking to the end of the header
  std::chrono::milliseconds stall{10'000};           ///< a body must bring `min_bytes` in each such time
  std::uint64_t min_bytes = 10'240;
  std::chrono::seconds total{1800};  ///< from `start` to the end of one fetch

  unsigned retries = 5;                      ///< of one request
  std::chrono::milliseconds back_off{1000};  ///< before the first retry; doubles
  std::chrono::milliseconds longest_back_off{8000};
  std::chrono::seconds longest_retry_after{300};  ///< a Hub that wants a longer pause is unreachable
  std::size_t max_transfers = 4;                  ///< at a time
  std::size_t max_fetches = 1024;                 ///< running and waiting
};

/// What the environment says about the Hub, value by value; empty: not said.
struct hub_values {
  std::string endpoint;                ///< `HF_ENDPOINT`
  std::string token;                   ///< `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`
  std::string token_path;              ///< `HF_TOKEN_PATH`
  std::string hf_home;                 ///< `HF_HOME`
  std::string xdg_cache_home;          ///< `XDG_CACHE_HOME`
  std::string home;                    ///< `HOME`
  std::string offline;                 ///< `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`
  std::string disable_implicit_token;  ///< `HF_HUB_DISABLE_IMPLICIT_TOKEN`: no token is used
  std::string disable_symlinks;        ///< `HF_HUB_DISABLE_SYMLINKS`
  std::string etag_timeout;            ///< `HF_HUB_ETAG_TIMEOUT`, seconds
  std::string download_timeout;        ///< `HF_HUB_DOWNLOAD_TIMEOUT`, seconds
};

/// Options with these values and defaults for the rest: endpoint `https://huggingface.co`, token from its
/// file
/// (`HF_TOKEN_PATH`, else `token` beside the default cache) when none is said, offline and so on on for `1`,
/// `on`, `yes`, `true`. Fails with `errc::bad_config`; the text names the variable, never the token.
result<hub_options> make_hub_options(const hub_values& values, hub_cache cache);

}  // namespace lorica
