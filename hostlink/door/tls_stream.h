// SPDX-License-Identifier: Apache-2.0
// A peer's connection inside TLS 1.3, and the certificate that the door shows. Thread rule: the executor's.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "hostlink/door/peer_stream.h"

namespace hostclaw::hostlink {

struct TlsIdentity {
  std::shared_ptr<boost::asio::ssl::context> context;
  std::string pin;  // SHA-256 of the certificate, as the client's --pin takes it
};

// From files in PEM. Errors: CONFIG_INVALID naming the file.
Result<TlsIdentity> read_tls_identity(const std::string& certificate, const std::string& key);
// A certificate of this machine's own in `directory` (hostlink-cert.pem, hostlink-key.pem, 0600), made when
// there is none: an elliptic curve key, ten years. Clients know it by its pin. Errors: STORE_*, TLS_FAILED.
Result<TlsIdentity> own_tls_identity(const std::string& directory, const std::string& name);

class TlsStream final : public PeerStream {
 public:
  TlsStream(Socket socket, std::string address, std::shared_ptr<boost::asio::ssl::context> context);
  boost::asio::awaitable<Result<void>> handshake() override;
  boost::asio::awaitable<Result<std::size_t>> read_some(char* buffer, std::size_t most) override;
  boost::asio::awaitable<Result<void>> write(std::string_view bytes) override;
  std::string channel_binding() override;

 private:
  const std::shared_ptr<boost::asio::ssl::context> context_;
  // From the first byte on: it takes a hundred times the memory of a peer that says nothing.
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
};

}  // namespace hostclaw::hostlink
