// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/websocket.h"

#include <openssl/x509.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "base/maybe_tls_stream.h"
#include "base/sha256.h"
#include "base/tls_roots.h"
#include "base/utf8.h"
#include "node-host/loop/use_tuple.h"

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

std::vector<tcp::endpoint> system_lookup(const std::string& host, std::uint16_t port, error_code& failed) {
  asio::io_context io{1};
  tcp::resolver resolver(io);
  std::vector<tcp::endpoint> found;
  for (const auto& entry : resolver.resolve(host, std::to_string(port), failed))
    found.push_back(entry.endpoint());
  return found;
}

// One lookup of a name. Nothing in it belongs to the loop, which may be gone when the thread of the lookup
// ends.
struct Lookup {
  std::mutex mutex;
  std::function<void()> answer;  // empty: nobody waits any more
  bool done = false;
  std::vector<tcp::endpoint> found;
  error_code failed;
};

void look_up_now(const std::shared_ptr<Lookup>& lookup, const NameLookup& look, const std::string& host,
                 std::uint16_t port) {
  error_code failed;
  std::vector<tcp::endpoint> found = look(host, port, failed);
  const std::lock_guard hold(lookup->mutex);
  if (!lookup->answer) return;
  lookup->done = true;
  lookup->found = std::move(found);
  lookup->failed = failed;
  lookup->answer();
}

// Whoever waits for it has gone, however that came.
class Leaving {
 public:
  explicit Leaving(std::shared_ptr<Lookup> lookup) : lookup_(std::move(lookup)) {}
  ~Leaving() {
    const std::lock_guard hold(lookup_->mutex);
    lookup_->answer = nullptr;
  }
  Leaving(const Leaving&) = delete;
  Leaving& operator=(const Leaving&) = delete;

 private:
  const std::shared_ptr<Lookup> lookup_;
};

}  // namespace

// One attempt: its deadline, and its way to be given up. What waits at the moment is ended by `interrupt`.
class ConnectAttempt {
 public:
  ConnectAttempt(const GatewayEndpoint& endpoint, const WebSocketOptions& options)
      : endpoint_(endpoint),
        stop_(options.stop),
        lookup_(options.lookup ? options.lookup : NameLookup(system_lookup)),
        deadline_(std::chrono::steady_clock::now() + options.connect_timeout) {}
  ~ConnectAttempt() { interrupt({}); }
  ConnectAttempt(const ConnectAttempt&) = delete;
  ConnectAttempt& operator=(const ConnectAttempt&) = delete;

  void interrupt(std::function<void()> how) {
    if (stop_) stop_->end_ = std::move(how);
  }
  bool stopped() const { return stop_ && stop_->stopped(); }
  std::chrono::steady_clock::time_point deadline() const { return deadline_; }
  const GatewayEndpoint& endpoint() const { return endpoint_; }

  // What to say of a step that ended with `failed`.
  Error error(const error_code& failed) const {
    if (stopped()) return make_error("CONNECT_STOPPED", "the attempt was given up");
    return connect_error(endpoint_, failed);
  }

  // The addresses of a name, on a thread of its own: nothing can end a lookup of the system's. Asio's
  // resolver would make the end of the program wait for it.
  asio::awaitable<Result<std::vector<tcp::endpoint>>> look_up() {
    const auto lookup = std::make_shared<Lookup>();
    const auto answered = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, deadline_);
    lookup->answer = [executor = answered->get_executor(), waiting = std::weak_ptr(answered)] {
      asio::post(executor, [waiting] {
        if (const auto timer = waiting.lock()) timer->cancel();
      });
    };
    const Leaving leaving(lookup);
    interrupt([waiting = std::weak_ptr(answered)] {
      if (const auto timer = waiting.lock()) timer->cancel();
    });
    try {
      std::thread(look_up_now, lookup, lookup_, endpoint_.host, endpoint_.port).detach();
    } catch (const std::system_error& refused) {
      co_return error(refused.code());
    }
    if (!stopped()) co_await answered->async_wait(kTuple);
    interrupt({});
    const std::lock_guard hold(lookup->mutex);
    if (stopped()) co_return error({});
    if (!lookup->done) co_return error(beast::error::timeout);
    if (lookup->failed) co_return error(lookup->failed);
    co_return std::move(lookup->found);
  }

 private:
  const GatewayEndpoint& endpoint_;
  const std::shared_ptr<ConnectStop> stop_;
  const NameLookup lookup_;
  const std::chrono::steady_clock::time_point deadline_;
};

namespace {

asio::awaitable<Result<void>> connect_tcp(ConnectAttempt& attempt, beast::tcp_stream& stream) {
  const GatewayEndpoint& endpoint = attempt.endpoint();
  error_code error;
  std::vector<tcp::endpoint> addresses;
  if (const auto literal = asio::ip::make_address(endpoint.host, error); !error) {
    addresses.push_back({literal, endpoint.port});
  } else {
    auto found = co_await attempt.look_up();
    if (!found) co_return found.error();
    addresses = std::move(*found);
  }
  if (attempt.stopped()) co_return attempt.error({});
  attempt.interrupt([&stream] { stream.close(); });
  const auto [failed, chosen] = co_await stream.async_connect(addresses, kTuple);
  attempt.interrupt({});
  if (failed || attempt.stopped()) co_return attempt.error(failed);
  stream.socket().set_option(tcp::no_delay(true), error);
  co_return Result<void>();
}

asio::awaitable<Result<void>> handshake_tls(ConnectAttempt& attempt, MaybeTlsStream& stream) {
  const GatewayEndpoint& endpoint = attempt.endpoint();
  MaybeTlsStream::Tls& tls = *stream.tls();
  SSL_set_tlsext_host_name(tls.native_handle(), endpoint.host.c_str());
  if (endpoint.tls_fingerprint.empty()) tls.set_verify_callback(ssl::host_name_verification(endpoint.host));
  attempt.interrupt([&stream] { stream.tcp().close(); });
  const auto [failed] = co_await stream.async_handshake(ssl::stream_base::client, kTuple);
  attempt.interrupt({});
  if (failed == beast::error::timeout || attempt.stopped()) co_return attempt.error(failed);
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

  asio::awaitable<Result<void>> upgrade(ConnectAttempt& attempt, const WebSocketOptions& options) {
    const GatewayEndpoint& endpoint = attempt.endpoint();
    // What is left of the time; Beast takes a time that is over as none.
    const auto left = std::max<std::chrono::steady_clock::duration>(
        attempt.deadline() - std::chrono::steady_clock::now(), std::chrono::milliseconds(1));
    stream_.set_option(websocket::stream_base::timeout{left, websocket::stream_base::none(), false});
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
    attempt.interrupt([this] { tcp_layer().close(); });
    const auto [failed] =
        co_await stream_.async_handshake(response, endpoint.host_header(), endpoint.target(), kTuple);
    attempt.interrupt({});
    if (attempt.stopped()) co_return attempt.error(failed);
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

asio::awaitable<Result<std::string>> get_over(ConnectAttempt& attempt, MaybeTlsStream& stream,
                                              std::string target, std::size_t max_body_bytes) {
  const GatewayEndpoint& endpoint = attempt.endpoint();
  attempt.interrupt([&stream] { stream.tcp().close(); });
  http::request<http::empty_body> request{http::verb::get, target, 11};
  request.set(http::field::host, endpoint.host_header());
  request.set(http::field::accept, "application/json");
  const auto [write_failed, written] = co_await http::async_write(stream, request, kTuple);
  if (write_failed) co_return attempt.error(write_failed);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(max_body_bytes);
  const auto [read_failed, size] = co_await http::async_read(stream, buffer, parser, kTuple);
  attempt.interrupt({});
  if (read_failed == http::error::body_limit) {
    co_return make_error("HTTP_TOO_LARGE",
                         "the answer is larger than " + std::to_string(max_body_bytes) + " bytes");
  }
  if (read_failed || attempt.stopped()) co_return attempt.error(read_failed);
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

Result<Line> make_line(const asio::any_io_executor& executor, const ConnectAttempt& attempt,
                       const WebSocketOptions& options) {
  const GatewayEndpoint& endpoint = attempt.endpoint();
  beast::tcp_stream tcp(executor);
  tcp.expires_at(attempt.deadline());
  if (!endpoint.tls) return Line{nullptr, MaybeTlsStream(std::move(tcp))};
  auto context = make_tls_context(endpoint, options);
  if (!context) return context.error();
  return Line{*context, MaybeTlsStream(std::move(tcp), **context)};
}

// TCP, then TLS where the endpoint wants it, its certificate checked.
asio::awaitable<Result<void>> connect_line(ConnectAttempt& attempt, MaybeTlsStream& stream) {
  if (auto connected = co_await connect_tcp(attempt, stream.tcp()); !connected) co_return connected.error();
  if (stream.tls() != nullptr) co_return co_await handshake_tls(attempt, stream);
  co_return Result<void>();
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<WebSocket>>> WebSocket::connect(GatewayEndpoint endpoint,
                                                                       WebSocketOptions options) {
  ConnectAttempt attempt(endpoint, options);
  if (attempt.stopped()) co_return attempt.error({});
  auto line = make_line(co_await asio::this_coro::executor, attempt, options);
  if (!line) co_return line.error();
  if (auto connected = co_await connect_line(attempt, line->stream); !connected) co_return connected.error();
  auto connection = std::make_unique<Connection>(std::move(line->context), std::move(line->stream));
  if (auto upgraded = co_await connection->upgrade(attempt, options); !upgraded) co_return upgraded.error();
  co_return std::unique_ptr<WebSocket>(std::move(connection));
}

asio::awaitable<Result<std::string>> http_get(GatewayEndpoint endpoint, std::string target,
                                              std::size_t max_body_bytes, WebSocketOptions options) {
  ConnectAttempt attempt(endpoint, options);
  if (attempt.stopped()) co_return attempt.error({});
  auto line = make_line(co_await asio::this_coro::executor, attempt, options);
  if (!line) co_return line.error();
  if (auto connected = co_await connect_line(attempt, line->stream); !connected) co_return connected.error();
  co_return co_await get_over(attempt, line->stream, std::move(target), max_body_bytes);
}

}  // namespace hostclaw::node_host
