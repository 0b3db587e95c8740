// SPDX-License-Identifier: Apache-2.0
#include "cli/clawlink_probe.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <ctime>
#include <memory>

#include "base/clock.h"
#include "base/maybe_tls_stream.h"
#include "base/text.h"
#include "clawlink/model/wire_text.h"

namespace hostclaw::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::chrono::milliseconds kRelayPatience{1'000};
constexpr std::size_t kMostRelayBytes = 64 * 1024;
constexpr std::size_t kMostPemBytes = 1024 * 1024;
// Refused before a token is asked for: to ask without one would count as a guess, and slow the relay's
// answers down.
constexpr const char* kStranger = "\r\nOrigin: http://doctor.invalid";
constexpr auto kProbeTuple = asio::as_tuple(asio::use_awaitable);

using X509Pointer = std::unique_ptr<X509, void (*)(X509*)>;

std::string sha256_of(X509* certificate) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (certificate == nullptr || X509_digest(certificate, EVP_sha256(), bytes, &size) != 1) return {};
  return to_hex(std::span<const std::uint8_t>(bytes, size));
}

// Where it can be asked from here.
std::string address_of(const RelaySettings& settings) {
  if (settings.host == "0.0.0.0" || settings.host == "localhost") return "127.0.0.1";
  return settings.host == "::" ? "::1" : settings.host;
}

class RelayProbe {
 public:
  explicit RelayProbe(const RelaySettings& settings) : settings_(settings) {}

  RelayAnswer run() {
    // An address of this machine, and nothing secret is said: whose certificate it is, is looked at
    // elsewhere.
    if (settings_.tls()) context_.emplace(asio::ssl::context::tls_client);
    asio::co_spawn(io_, talk(), asio::detached);
    io_.run();
    return std::move(answer_);
  }

 private:
  bool wants_token() const {
    return settings_.token_source != TokenSource::kNone || settings_.require_credentials;
  }

  void ended(RelayAnswer::Kind kind, const std::string& detail) {
    answer_.kind = kind;
    answer_.detail = detail;
  }

  asio::awaitable<void> talk() {
    error_code failed;
    const std::string host = address_of(settings_);
    const auto address = asio::ip::make_address(host, failed);
    if (failed) co_return ended(RelayAnswer::Kind::kNobody, host + " is no address");
    const asio::ip::tcp::endpoint endpoint(address, static_cast<std::uint16_t>(settings_.port));
    boost::beast::tcp_stream connecting(io_);
    connecting.expires_after(kRelayPatience);
    const auto [refused] = co_await connecting.async_connect(endpoint, kProbeTuple);
    if (refused) co_return ended(RelayAnswer::Kind::kNobody, refused.message());
    MaybeTlsStream stream =
        context_ ? MaybeTlsStream(std::move(connecting), *context_) : MaybeTlsStream(std::move(connecting));
    stream.tcp().expires_after(kRelayPatience);
    if (stream.tls() != nullptr) {
      const auto [unsecured] = co_await stream.async_handshake(asio::ssl::stream_base::client, kProbeTuple);
      if (unsecured) co_return ended(RelayAnswer::Kind::kSilent, "TLS: " + unsecured.message());
      const X509Pointer shown(SSL_get1_peer_certificate(stream.tls()->native_handle()), X509_free);
      answer_.certificate_sha256 = sha256_of(shown.get());
    }
    const std::string request = "GET / HTTP/1.1\r\nHost: " + (address.is_v6() ? "[" + host + "]" : host) +
                                ":" + std::to_string(settings_.port) + "\r\nConnection: close" +
                                (wants_token() ? kStranger : "") + "\r\n\r\n";
    const auto [unsent, sent] = co_await asio::async_write(stream, asio::buffer(request), kProbeTuple);
    if (unsent) co_return ended(RelayAnswer::Kind::kSilent, unsent.message());
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMostRelayBytes);
    const auto [unread, size] = co_await http::async_read(stream, buffer, parser, kProbeTuple);
    if (unread) co_return ended(RelayAnswer::Kind::kSilent, unread.message());
    read(parser.get().body());
  }

  void read(const std::string& text) {
    const auto body = parse_json(text);
    const std::string code = body ? clawlink::text_member(*body, "code") : std::string();
    answer_.wants_token = code == "ORIGIN_REFUSED" || code == "UNAUTHORIZED";
    const bool is_relay =
        body && clawlink::text_member(*body, "service").find("ClawLink") != std::string::npos;
    if (!is_relay && !answer_.wants_token)
      return ended(RelayAnswer::Kind::kOther, "what answers there is no relay");
    answer_.kind = RelayAnswer::Kind::kRelay;
    answer_.version = clawlink::text_member(*body, "version");
    if (const auto online = body->find("agents_online"); online != body->end() && online->is_number_integer())
      answer_.agents_online = online->get<std::int64_t>();
    if (const auto time = body->find("server_time"); time != body->end()) {
      if (const auto there = clawlink::read_time(*time)) answer_.clock_ahead_ms = unix_ms_now() - *there;
    }
  }

  const RelaySettings& settings_;
  asio::io_context io_{1};
  std::optional<asio::ssl::context> context_;
  RelayAnswer answer_;
};

using BioPointer = std::unique_ptr<BIO, int (*)(BIO*)>;

BioPointer reading(const std::string& text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
}

Result<X509Pointer> read_certificate(const std::string& path) {
  const auto text = read_input(path, kMostPemBytes);
  if (!text) return make_error("CERTIFICATE_UNREADABLE", text.error().message);
  X509Pointer certificate(PEM_read_bio_X509(reading(*text).get(), nullptr, nullptr, nullptr), X509_free);
  if (!certificate) return make_error("CERTIFICATE_UNREADABLE", path + " holds no certificate in PEM");
  return certificate;
}

// 0 when it cannot be read. Seconds of a day have no leap in certificates.
std::int64_t unix_ms_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  using namespace std::chrono;
  const sys_days month{year(parts.tm_year + 1900) / (parts.tm_mon + 1) / 1};
  const auto at =
      month + days(parts.tm_mday - 1) + hours(parts.tm_hour) + minutes(parts.tm_min) + seconds(parts.tm_sec);
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

// Nobody is asked for a pass phrase.
int no_pass_phrase(char*, int, int, void*) { return -1; }

}  // namespace

RelayAnswer ask_relay(const RelaySettings& settings) { return RelayProbe(settings).run(); }

Result<CertificateLook> look_at_certificate(const std::string& path) {
  const auto certificate = read_certificate(path);
  if (!certificate) return certificate.error();
  return CertificateLook{unix_ms_of(X509_get0_notBefore(certificate->get())),
                         unix_ms_of(X509_get0_notAfter(certificate->get())), sha256_of(certificate->get())};
}

Result<void> check_key_of(const std::string& certificate_path, const std::string& key_path) {
  const auto certificate = read_certificate(certificate_path);
  if (!certificate) return make_error("KEY_UNREADABLE", certificate.error().message);
  const auto text = read_input(key_path, kMostPemBytes);
  if (!text) return make_error("KEY_UNREADABLE", text.error().message);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      PEM_read_bio_PrivateKey(reading(*text).get(), nullptr, no_pass_phrase, nullptr), EVP_PKEY_free);
  if (!key) return make_error("KEY_UNREADABLE", key_path + " holds no key in PEM, or one with a pass phrase");
  if (X509_check_private_key(certificate->get(), key.get()) != 1)
    return make_error("KEY_UNREADABLE", key_path + " is not the key of " + certificate_path);
  return {};
}

}  // namespace hostclaw::cli
