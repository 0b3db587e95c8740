// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "approvals/platform/private_files.h"
#include "base/sha256.h"
#include "hostlink/door/hostlink_door.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

constexpr long kCertificateSeconds = 10L * 365 * 24 * 3600;
constexpr std::string_view kExporterLabel = "EXPORTER-Channel-Binding";
constexpr std::size_t kExporterBytes = 32;

struct Free {
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { ::X509_free(certificate); }
  void operator()(BIO* memory) const { ::BIO_free(memory); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Error tls_failed(const std::string& what) { return make_error("TLS_FAILED", what); }

std::string text_in(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pin_of(ssl::context& context) {
  X509* const certificate = ::SSL_CTX_get0_certificate(context.native_handle());
  unsigned char* bytes = nullptr;
  const int size = certificate == nullptr ? -1 : ::i2d_X509(certificate, &bytes);
  if (size <= 0) return {};
  const std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  ::OPENSSL_free(bytes);
  return sha256_hex(der);
}

Owned<X509> make_certificate(EVP_PKEY* key, const std::string& name) {
  Owned<X509> certificate(::X509_new());
  if (!certificate) return nullptr;
  ::X509_set_version(certificate.get(), 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate.get()), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate.get()), kCertificateSeconds);
  ::X509_set_pubkey(certificate.get(), key);
  X509_NAME* const subject = ::X509_get_subject_name(certificate.get());
  ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.data()),
                               static_cast<int>(name.size()), -1, 0);
  ::X509_set_issuer_name(certificate.get(), subject);
  return ::X509_sign(certificate.get(), key, ::EVP_sha256()) > 0 ? std::move(certificate) : nullptr;
}

Result<void> make_identity(const std::string& certificate_path, const std::string& key_path,
                           const std::string& name) {
  std::string curve = "P-256";
  const Owned<EVP_PKEY> key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data()));
  const Owned<BIO> key_text(::BIO_new(::BIO_s_mem()));
  const Owned<BIO> text(::BIO_new(::BIO_s_mem()));
  if (!key || !key_text || !text) return tls_failed("a key could not be made");
  const Owned<X509> certificate = make_certificate(key.get(), name);
  if (!certificate || ::PEM_write_bio_X509(text.get(), certificate.get()) != 1 ||
      ::PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return tls_failed("a certificate could not be made");
  if (auto kept = approvals::create_private_file(key_path, text_in(key_text.get())); !kept) return kept;
  return approvals::create_private_file(certificate_path, text_in(text.get()));
}

}  // namespace

Result<TlsIdentity> read_tls_identity(const std::string& certificate, const std::string& key) {
  TlsIdentity identity;
  identity.context = std::make_shared<ssl::context>(ssl::context::tls_server);
  ::SSL_CTX_set_min_proto_version(identity.context->native_handle(), TLS1_3_VERSION);
  error_code error;
  identity.context->use_certificate_chain_file(certificate, error);
  if (error) return make_error("CONFIG_INVALID", "tls_cert: " + certificate + ": " + error.message());
  identity.context->use_private_key_file(key, ssl::context::pem, error);
  if (error) return make_error("CONFIG_INVALID", "tls_key: " + key + ": " + error.message());
  identity.pin = pin_of(*identity.context);
  return identity;
}

Result<TlsIdentity> own_tls_identity(const std::string& directory, const std::string& name) {
  const std::string certificate = directory + "/hostlink-cert.pem";
  const std::string key = directory + "/hostlink-key.pem";
  if (!approvals::file_exists(certificate)) {
    if (auto made = make_identity(certificate, key, name); !made) return made.error();
  }
  return read_tls_identity(certificate, key);
}

Result<std::string> own_pin(const std::string& state_directory) {
  if (!approvals::file_exists(state_directory + "/hostlink-cert.pem"))
    return make_error("TLS_NO_CERTIFICATE", "this host has no certificate of its own yet",
                      "tls = true in the configuration file, and hostclaw hostlink serve");
  auto identity = own_tls_identity(state_directory, "");
  if (!identity) return identity.error();
  return identity->pin;
}

TlsStream::TlsStream(Socket socket, std::string address, std::shared_ptr<ssl::context> context)
    : PeerStream(std::move(socket), std::move(address)), context_(std::move(context)) {}

asio::awaitable<Result<void>> TlsStream::handshake() {
  const auto [silent] = co_await socket_.async_wait(Socket::wait_read, asio::as_tuple(asio::use_awaitable));
  if (silent) co_return error_of(silent);
  tls_.emplace(socket_, *context_);
  const auto [error] =
      co_await tls_->async_handshake(ssl::stream_base::server, asio::as_tuple(asio::use_awaitable));
  if (error) co_return error_of(error);
  co_return Result<void>();
}

asio::awaitable<Result<std::size_t>> TlsStream::read_some(char* buffer, std::size_t most) {
  const auto [error, count] =
      co_await tls_->async_read_some(asio::buffer(buffer, most), asio::as_tuple(asio::use_awaitable));
  if (error) co_return error_of(error);
  co_return count;
}

asio::awaitable<Result<void>> TlsStream::write(std::string_view bytes) {
  const auto [error, count] =
      co_await asio::async_write(*tls_, asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
  if (error) co_return error_of(error);
  co_return Result<void>();
}

std::string TlsStream::channel_binding() {
  std::string bytes(kExporterBytes, '\0');
  const int made =
      ::SSL_export_keying_material(tls_->native_handle(), reinterpret_cast<unsigned char*>(bytes.data()),
                                   bytes.size(), kExporterLabel.data(), kExporterLabel.size(), nullptr, 0, 0);
  return made == 1 ? bytes : std::string();
}

}  // namespace hostclaw::hostlink
