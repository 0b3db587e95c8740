// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/dev_gateway.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/sha256.h"

namespace hostclaw::devgateway {

std::string certificate_fingerprint(const std::string& pem_path) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(pem_path.c_str(), "r"), BIO_free);
  if (!file) return {};
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
  unsigned char* der = nullptr;
  const int size = certificate ? i2d_X509(certificate.get(), &der) : 0;
  if (size <= 0) return {};
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return sha256_hex(bytes);
}

Result<std::unique_ptr<DevGateway>> DevGateway::start(const GatewaySettings& settings,
                                                      const ListenSettings& listen) {
  std::unique_ptr<DevGateway> out(new DevGateway());
  DevGateway* self = out.get();
  self->tls_ = listen.tls.has_value();
  if (listen.tls) self->fingerprint_ = certificate_fingerprint(listen.tls->certificate_chain);
  ServerControl control;
  control.url = [self] { return self->url(); };
  control.pause_accepting = [self] { self->server_.pause_accepting(); };
  control.resume_accepting = [self] {
    // The port may be taken for an instant after the listener went away; that shows up in the tests that ask.
    if (const Result<void> resumed = self->server_.resume_accepting(); !resumed) {
      self->journal_.add("handshake-failed", {{"why", resumed.error().message}});
    }
  };
  control.tls_fingerprint = self->fingerprint_;
  self->gateway_ =
      std::make_unique<Gateway>(settings, self->server_.scheduler(), self->journal_, std::move(control));
  if (Result<void> started = self->server_.start(listen, *self->gateway_); !started) return started.error();
  return out;
}

DevGateway::~DevGateway() { server_.stop(); }

std::uint16_t DevGateway::port() const { return server_.port(); }

std::string DevGateway::url() const {
  return std::string(tls_ ? "wss" : "ws") + "://127.0.0.1:" + std::to_string(server_.port());
}

std::string DevGateway::tls_fingerprint() const { return fingerprint_; }

std::future<Reply> DevGateway::call_async(const std::string& method, const Json& params) {
  auto promise = std::make_shared<std::promise<Reply>>();
  std::future<Reply> future = promise->get_future();
  server_.post([this, promise, method, params] {
    gateway_->call(method, params, [promise](Reply reply) { promise->set_value(std::move(reply)); });
  });
  return future;
}

Reply DevGateway::call(const std::string& method, const Json& params, std::chrono::milliseconds timeout) {
  std::future<Reply> future = call_async(method, params);
  if (future.wait_for(timeout) != std::future_status::ready) {
    return Reply::failure("NO_ANSWER", method + " was not answered in time");
  }
  return future.get();
}

}  // namespace hostclaw::devgateway
