#include "node-host/websocket.h"

#include <openssl/x509.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <optional>

#include "base/maybe_tls_stream.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "node-host/tls_roots.h"
#include "node-host/use_tuple.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;
using gateway_proto::GatewayEndpoint;

constexpr std::chrono::milliseconds kCloseGrace{250};
constexpr std::size_t kRejectedBodyBytes = 2048;

std::string describe(const error_code& error) { return error.message(); }

Error connect_error(const GatewayEndpoint& endpoint, const error_code& error) {
  if (error == beast::error::timeout) {
    return make_error("CONNECT_TIMEOUT", "no answer from " + endpoint.host_header() + " in time");
  }
  return make_error("CONNECT_FAILED", "cannot reach " + endpoint.host_header() + ": " + describe(error));
}

Result<std::shared_ptr<ssl::context>> make_tls_context(const GatewayEndpoint& endpoint,
                                                       const WebSocketOptions& options) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  context->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  if (!endpoint.tls_fingerprint.empty()) {
    // The pin replaces CA and name checks: it is compared by us right after the handshake.
    context->set_verify_mode(ssl::verify_none);
    return context;
  }
  context->set_verify_mode(ssl::verify_peer);
  load_system_roots(context->native_handle());
  if (!options.extra_ca_file.empty()) {
    error_code error;
    context->load_verify_file(options.extra_ca_file, error);
    if (error) return make_error("TLS_FAILED", "cannot read the extra CA file " + options.extra_ca_file);
  }
  return context;
}

std::string leaf_fingerprint(SSL* tls) {
  const std::unique_ptr<X509, void (*)(X509*)> leaf(SSL_get1_peer_certificate(tls), X509_free);
  if (!leaf) return {};
  unsigned char* der = nullptr;
  const int length = i2d_X509(leaf.get(), &der);
  if (length <= 0) return {};
  std::string digest = sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(length)});
  OPENSSL_free(der);
  return digest;
}

asio::awaitable<Result<void>> connect_tcp(beast::tcp_stream& stream, const GatewayEndpoint& endpoint) {
  error_code error;
  const auto literal = asio::ip::make_address(endpoint.host, error);
  if (!error) {
    const auto [connect_failed] =
        co_await stream.async_connect(tcp::endpoint(literal, endpoint.port), kTuple);
    if (connect_failed) co_return connect_error(endpoint, connect_failed);
  } else {
    tcp::resolver resolver(co_await asio::this_coro::executor);
    const auto [resolve_failed, addresses] =
        co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kTuple);
    if (resolve_failed) co_return connect_error(endpoint, resolve_failed);
    const auto [connect_failed, chosen] = co_await stream.async_connect(addresses, kTuple);
    if (connect_failed) co_return connect_error(endpoint, connect_failed);
  }
  stream.socket().set_option(tcp::no_delay(true), error);
  co_return Result<void>();
}

asio::awaitable<Result<void>> handshake_tls(MaybeTlsStream& stream, const GatewayEndpoint& endpoint) {
  MaybeTlsStream::Tls& tls = *stream.tls();
  SSL_set_tlsext_host_name(tls.native_handle(), endpoint.host.c_str());
  if (endpoint.tls_fingerprint.empty()) tls.set_verify_callback(ssl::host_name_verification(endpoint.host));
  const auto [failed] = co_await stream.async_handshake(ssl::stream_base::client, kTuple);
  if (failed == beast::error::timeout) co_return connect_error(endpoint, failed);
  if (failed) {
    co_return make_error(
        "TLS_FAILED", "TLS with " + endpoint.host_header() + " failed: " + describe(failed),
        "pin the certificate with --tls-fingerprint, or add its CA with NODE_EXTRA_CA_CERTS");
  }
  if (endpoint.tls_fingerprint.empty()) co_return Result<void>();
  const std::string seen = leaf_fingerprint(tls.native_handle());
  if (seen != endpoint.tls_fingerprint) {
    co_return make_error(
        "TLS_PIN_MISMATCH",
        "the gateway's certificate is not the pinned one: pinned " + endpoint.tls_fingerprint + ", seen " +
            (seen.empty() ? "none" : seen),
        "if the certificate was renewed: hostclaw node run --tls --tls-fingerprint " + seen + " ...");
  }
  co_return Result<void>();
}

class Connection final : public WebSocket {
 public:
  Connection(std::shared_ptr<ssl::context> context, MaybeTlsStream layer)
      : context_(std::move(context)), stream_(std::move(layer)) {}

  beast::tcp_stream& tcp_layer() { return stream_.next_layer().tcp(); }

  asio::awaitable<Result<void>> upgrade(const GatewayEndpoint& endpoint, const WebSocketOptions& options) {
    stream_.set_option(
        websocket::stream_base::timeout{options.connect_timeout, websocket::stream_base::none(), false});
    stream_.set_option(
        websocket::stream_base::decorator([agent = options.user_agent](websocket::request_type& request) {
          if (!agent.empty()) request.set(http::field::user_agent, agent);
        }));
    stream_.read_message_max(options.max_message_bytes);
    stream_.auto_fragment(false);
    // A masked message leaves in pieces of this size, each a write of its own.
    stream_.write_buffer_bytes(kWriteBufferBytes);
    stream_.control_callback([this](websocket::frame_type, beast::string_view) { touch(); });
    tcp_layer().expires_never();
    websocket::response_type response;
    const auto [failed] =
        co_await stream_.async_handshake(response, endpoint.host_header(), endpoint.target(), kTuple);
    if (failed == websocket::error::upgrade_declined) {
      const std::string body = to_valid_utf8(std::string_view(response.body()).substr(0, kRejectedBodyBytes));
      co_return make_error("UPGRADE_REJECTED", "the gateway refused the WebSocket upgrade: HTTP " +
                                                   std::to_string(response.result_int()) +
                                                   (body.empty() ? "" : " " + body));
    }
    if (failed) co_return connect_error(endpoint, failed);
    touch();
    co_return Result<void>();
  }

  asio::awaitable<Result<std::string>> read() override {
    buffer_.clear();
    const auto [failed, size] =
        co_await stream_.async_read(buffer_, asio::bind_cancellation_slot(stop_reading_.slot(), kTuple));
    if (failed) {
      remember_end(failed);
      co_return make_error("CLOSED", describe(failed));
    }
    touch();
    std::string text = beast::buffers_to_string(buffer_.data());
    // A large message must not pin its buffer for the life of an idle connection.
    if (buffer_.capacity() > kKeepBufferBytes) buffer_ = beast::flat_buffer();
    co_return text;
  }

  asio::awaitable<Result<void>> write(std::string text) override {
    stream_.text(true);
    const auto [failed, size] = co_await stream_.async_write(asio::buffer(text), kTuple);
    if (failed) co_return make_error("CLOSED", describe(failed));
    co_return Result<void>();
  }

  asio::awaitable<void> close(int code, std::string reason) override {
    if (closing_) co_return;
    closing_ = true;
    asio::steady_timer grace(co_await asio::this_coro::executor, kCloseGrace);
    // The handler may be queued when the close has already finished; by then it must not touch this object.
    const auto waiting = std::make_shared<bool>(true);
    grace.async_wait([this, waiting](error_code stopped) {
      if (!stopped && *waiting) abort();
    });
    websocket::close_reason why;
    if (code != 0) why = websocket::close_reason(static_cast<websocket::close_code>(code), reason);
    if (close_.code == 1006) close_ = CloseInfo{code == 0 ? 1005 : code, reason};
    ended_ = true;
    co_await stream_.async_close(why, asio::bind_cancellation_slot(stop_closing_.slot(), kTuple));
    *waiting = false;
    abort();
  }

  // In Boost 1.81 async_close and a pending read can wait for each other (the peer's close frame already in
  // the read buffer); closing the socket alone wakes neither.
  void abort() override {
    error_code ignored;
    tcp_layer().socket().close(ignored);
    stop_closing_.emit(asio::cancellation_type::terminal);
    stop_reading_.emit(asio::cancellation_type::terminal);
  }

  CloseInfo close_info() const override { return close_; }
  std::chrono::steady_clock::time_point last_received() const override { return last_received_; }

 private:
  static constexpr std::size_t kKeepBufferBytes = 65'536;
  static constexpr std::size_t kWriteBufferBytes = 65'536;

  void touch() { last_received_ = std::chrono::steady_clock::now(); }

  void remember_end(const error_code& failed) {
    if (ended_) return;
    ended_ = true;
    if (failed == websocket::error::closed) {
      const websocket::close_reason& reason = stream_.reason();
      close_ = CloseInfo{reason.code == websocket::close_code::none ? 1005 : static_cast<int>(reason.code),
                         to_valid_utf8(std::string_view(reason.reason.data(), reason.reason.size()))};
    } else {
      close_ = CloseInfo{failed == websocket::error::message_too_big ? 1009 : 1006, describe(failed)};
    }
  }

  std::shared_ptr<ssl::context> context_;
  websocket::stream<MaybeTlsStream, false> stream_;
  asio::cancellation_signal stop_reading_;
  asio::cancellation_signal stop_closing_;
  beast::flat_buffer buffer_;
  CloseInfo close_;
  bool ended_ = false;
  bool closing_ = false;
  std::chrono::steady_clock::time_point last_received_ = std::chrono::steady_clock::now();
};

asio::awaitable<Result<std::string>> get_over(MaybeTlsStream& stream, const GatewayEndpoint& endpoint,
                                              std::string target, std::size_t max_body_bytes) {
  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, endpoint.host_header());
  request.set(http::field::accept, "application/json");
  const auto [write_failed, written] = co_await http::async_write(stream, request, kTuple);
  if (write_failed) co_return connect_error(endpoint, write_failed);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(max_body_bytes);
  const auto [read_failed, size] = co_await http::async_read(stream, buffer, parser, kTuple);
  if (read_failed == http::error::body_limit) {
    co_return make_error("HTTP_TOO_LARGE",
                         "the answer is larger than " + std::to_string(max_body_bytes) + " bytes");
  }
  if (read_failed) co_return connect_error(endpoint, read_failed);
  if (parser.get().result() != http::status::ok) {
    co_return make_error("HTTP_STATUS",
                         "the gateway answered HTTP " + std::to_string(parser.get().result_int()));
  }
  co_return std::move(parser.get().body());
}

// A stream that has not been connected, and what must outlive it.
struct Line {
  std::shared_ptr<ssl::context> context;  // null without TLS
  MaybeTlsStream stream;
};

Result<Line> make_line(const asio::any_io_executor& executor, const GatewayEndpoint& endpoint,
                       const WebSocketOptions& options) {
  beast::tcp_stream tcp(executor);
  tcp.expires_after(options.connect_timeout);
  if (!endpoint.tls) return Line{nullptr, MaybeTlsStream(std::move(tcp))};
  auto context = make_tls_context(endpoint, options);
  if (!context) return context.error();
  return Line{*context, MaybeTlsStream(std::move(tcp), **context)};
}

// TCP, then TLS where the endpoint wants it, its certificate checked.
asio::awaitable<Result<void>> connect_line(MaybeTlsStream& stream, const GatewayEndpoint& endpoint) {
  if (auto connected = co_await connect_tcp(stream.tcp(), endpoint); !connected) co_return connected.error();
  if (stream.tls() != nullptr) co_return co_await handshake_tls(stream, endpoint);
  co_return Result<void>();
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<WebSocket>>> WebSocket::connect(GatewayEndpoint endpoint,
                                                                       WebSocketOptions options) {
  auto line = make_line(co_await asio::this_coro::executor, endpoint, options);
  if (!line) co_return line.error();
  if (auto connected = co_await connect_line(line->stream, endpoint); !connected) co_return connected.error();
  auto connection = std::make_unique<Connection>(std::move(line->context), std::move(line->stream));
  if (auto upgraded = co_await connection->upgrade(endpoint, options); !upgraded) co_return upgraded.error();
  co_return std::unique_ptr<WebSocket>(std::move(connection));
}

asio::awaitable<Result<std::string>> http_get(GatewayEndpoint endpoint, std::string target,
                                              std::size_t max_body_bytes, WebSocketOptions options) {
  auto line = make_line(co_await asio::this_coro::executor, endpoint, options);
  if (!line) co_return line.error();
  if (auto connected = co_await connect_line(line->stream, endpoint); !connected) co_return connected.error();
  co_return co_await get_over(line->stream, endpoint, std::move(target), max_body_bytes);
}

}  // namespace hostclaw::node_host
