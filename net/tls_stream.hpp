#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "net/byte_stream.hpp"
#include "net/tls_context.hpp"

namespace lorica {

/// What `tls_context` hides from headers.
struct tls_context::implementation {
  boost::asio::ssl::context context{boost::asio::ssl::context::tls_server};
};

/// A server's end of a TLS connection over `wire`.
std::unique_ptr<byte_stream> make_tls_stream(byte_stream::socket wire,
                                             std::shared_ptr<const tls_context> tls);

}  // namespace lorica
