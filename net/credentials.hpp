#pragma once

#include <memory>
#include <string>

#include "core/error.hpp"
#include "net/key_list.hpp"

namespace lorica {

class tls_context;

/// Where keys and certificate are; every text may be empty.
struct credential_sources {
  std::string api_key = {};
  std::string api_key_file = {};
  std::string admin_api_key = {};
  std::string admin_api_key_file = {};
  std::string tls_cert = {};  ///< PEM, with its chain; goes together with `tls_key`
  std::string tls_key = {};
};

/// What the server lets in by, and what it shows of itself. A value; its parts are shared and do not change.
struct credentials {
  key_list clients;                        ///< empty: every route is open but those of the administration
  key_list administration;                 ///< empty: those are for callers on this machine, see `rights`
  std::shared_ptr<const tls_context> tls;  ///< null: plain HTTP
};

/// Reads the files. Fails with `errc::bad_config` naming the setting and what would work.
result<credentials> read_credentials(const credential_sources& from);

}  // namespace lorica
