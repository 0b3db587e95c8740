// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <span>
#include <utility>

#include "base/sha256.h"
#include "base/text.h"
#include "hostlink/client/endpoint.h"

namespace hostclaw::hostlink {
namespace {

struct OpenSslDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using TlsContext = std::unique_ptr<SSL_CTX, OpenSslDeleter>;
using TlsSession = std::unique_ptr<SSL, OpenSslDeleter>;
using Certificate = std::unique_ptr<X509, OpenSslDeleter>;

constexpr std::string_view kBindingLabel = "EXPORTER-Channel-Binding";
constexpr std::size_t kBindingBytes = 32;

std::string tls_problem() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "the connection ended" : reason;
}

class TlsStream : public Stream {
 public:
  TlsStream(OwnedFd socket, TlsContext context, TlsSession session)
      : socket_(std::move(socket)), context_(std::move(context)), session_(std::move(session)) {}

  int fd() const override { return socket_.get(); }

  IoStep read_some(char* to, std::size_t size) override {
    std::size_t done = 0;
    ERR_clear_error();  // else SSL_get_error takes an older error for one of this step
    const int result = SSL_read_ex(session_.get(), to, size, &done);
    return step(result, done);
  }

  IoStep write_some(std::string_view bytes) override {
    std::size_t done = 0;
    ERR_clear_error();  // else SSL_get_error takes an older error for one of this step
    const int result = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &done);
    return step(result, done);
  }

  std::string channel_binding() const override {
    std::array<unsigned char, kBindingBytes> exported{};
    if (SSL_export_keying_material(session_.get(), exported.data(), exported.size(), kBindingLabel.data(),
                                   kBindingLabel.size(), nullptr, 0, 0) != 1)
      return {};
    return {exported.begin(), exported.end()};
  }

  std::string problem() const override { return problem_; }

  IoStep handshake() {
    ERR_clear_error();
    return step(SSL_connect(session_.get()), 1);
  }

 private:
  IoStep step(int result, std::size_t done) {
    if (result == 1) return {IoState::kDone, done};
    switch (SSL_get_error(session_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {IoState::kWantRead, 0};
      case SSL_ERROR_WANT_WRITE:
        return {IoState::kWantWrite, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {IoState::kClosed, 0};
      default:
        problem_ = tls_problem();
        return {IoState::kFailed, 0};
    }
  }

  OwnedFd socket_;
  TlsContext context_;
  TlsSession session_;
  std::string problem_;
};

Error tls_failed(const Endpoint& endpoint, const std::string& why, std::string next = {}) {
  return make_error("TLS_FAILED", "no TLS with " + endpoint_text(endpoint) + ": " + why, std::move(next));
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

Result<void> expect_name(SSL* session, const Endpoint& endpoint) {
  const std::string& name = endpoint.server_name.empty() ? endpoint.host : endpoint.server_name;
  if (is_address(name)) {
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name.c_str()) != 1)
      return tls_failed(endpoint, "the name " + name + " cannot be checked");
    return {};
  }
  if (SSL_set1_host(session, name.c_str()) != 1 || SSL_set_tlsext_host_name(session, name.c_str()) != 1)
    return tls_failed(endpoint, "the name " + name + " cannot be checked");
  return {};
}

Result<TlsContext> make_context(const Endpoint& endpoint) {
  // The machine's configuration of OpenSSL is not read: nothing there may weaken this, and reading takes
  // time.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1)
    return tls_failed(endpoint, tls_problem());
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (endpoint.authority_file.empty()) {
    if (endpoint.pin.empty())
      return tls_failed(endpoint, "neither a pin nor a certificate is given to know the daemon by",
                        "take the pin from `hostclaw hostlink pin` on the host, and give it with --pin");
    return context;  // the pin alone says who it is
  }
  if (SSL_CTX_load_verify_file(context.get(), endpoint.authority_file.c_str()) != 1)
    return tls_failed(endpoint, "cannot read the certificate " + endpoint.authority_file);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  return context;
}

Result<void> check_pin(SSL* session, const Endpoint& endpoint) {
  if (endpoint.pin.empty()) return {};
  const Certificate certificate(SSL_get1_peer_certificate(session));
  unsigned char* encoded = nullptr;
  const int size = certificate ? i2d_X509(certificate.get(), &encoded) : 0;
  if (size <= 0) return tls_failed(endpoint, "the daemon shows no certificate");
  const std::string digest =
      sha256_hex({reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)});
  OPENSSL_free(encoded);
  if (digest == endpoint.pin) return {};
  return tls_failed(endpoint, "its certificate has another pin: " + digest,
                    "compare it with `hostclaw hostlink pin` on the host");
}

Result<std::unique_ptr<Stream>> start_tls(OwnedFd socket, const Endpoint& endpoint,
                                          const Deadline& deadline) {
  Result<TlsContext> context = make_context(endpoint);
  if (!context) return context.error();
  TlsSession session(SSL_new(context->get()));
  if (!session || SSL_set_fd(session.get(), socket.get()) != 1) return tls_failed(endpoint, tls_problem());
  if (!endpoint.authority_file.empty()) {
    if (const auto named = expect_name(session.get(), endpoint); !named) return named.error();
  }
  SSL* const raw = session.get();
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(*context), std::move(session));
  for (IoStep step = stream->handshake(); step.state != IoState::kDone; step = stream->handshake()) {
    if (step.state == IoState::kClosed || step.state == IoState::kFailed) {
      const long verdict = SSL_get_verify_result(raw);
      return tls_failed(endpoint, verdict == X509_V_OK || endpoint.authority_file.empty()
                                      ? stream->problem()
                                      : X509_verify_cert_error_string(verdict));
    }
    if (!wait_for(stream->fd(), step.state == IoState::kWantWrite ? POLLOUT : POLLIN, deadline))
      return make_error("CONNECT_TIMED_OUT", "no TLS with " + endpoint_text(endpoint) + " in time");
  }
  if (const auto pinned = check_pin(raw, endpoint); !pinned) return pinned.error();
  return std::unique_ptr<Stream>(std::move(stream));
}

struct AddressesDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesDeleter>;

Result<Addresses> resolve(const Endpoint& endpoint) {
  // By itself, as RFC 6761 says: a container may have no hosts file, and no resolver may lead it elsewhere.
  const std::string host = endpoint.host == "localhost" ? "" : endpoint.host;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                    std::to_string(endpoint.port).c_str(), &wanted, &found);
  if (problem == 0) return Addresses(found);
  return make_error("CONNECT_FAILED", "cannot find " + endpoint.host + ": " + ::gai_strerror(problem));
}

// A peer that has gone without a word is noticed, though nothing limits how long a command may take.
void keep_alive(int socket) {
  const int on = 1, idle = 30, interval = 10, count = 6;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
  ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

}  // namespace

Result<std::unique_ptr<Stream>> connect_over_network(const Endpoint& endpoint, const Deadline& deadline) {
  const Result<Addresses> addresses = resolve(endpoint);
  if (!addresses) return addresses.error();
  Error last = make_error("CONNECT_FAILED", "no address for " + endpoint.host);
  for (const addrinfo* one = addresses->get(); one != nullptr; one = one->ai_next) {
    OwnedFd socket(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) continue;
    const int connected = ::connect(socket.get(), one->ai_addr, one->ai_addrlen);
    const auto done = finish_connect(socket.get(), connected, endpoint_text(endpoint), deadline);
    if (!done) {
      last = done.error();
      continue;
    }
    keep_alive(socket.get());
    if (endpoint.transport == Transport::kTcp) return make_plain_stream(std::move(socket));
    return start_tls(std::move(socket), endpoint, deadline);
  }
  return last;
}

}  // namespace hostclaw::hostlink
