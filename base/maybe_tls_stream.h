// One stream type for TCP and for TLS over TCP, so that everything above it is compiled once. Which of the
// two it is, is decided when it is made.
//
// Thread rule and lifetime: those of beast::tcp_stream and beast::ssl_stream. Meets Beast's AsyncStream and
// SyncStream; get_lowest_layer() of a stream above it is this object, tcp() the socket's stream below.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <utility>
#include <variant>

namespace hostclaw {

class MaybeTlsStream {
 public:
  using Tcp = boost::beast::tcp_stream;
  using Tls = boost::beast::ssl_stream<Tcp>;
  using executor_type = Tcp::executor_type;
  using error_code = boost::system::error_code;

  explicit MaybeTlsStream(Tcp tcp) : layer_(std::in_place_type<Tcp>, std::move(tcp)) {}
  // Requires: the context outlives this object.
  MaybeTlsStream(Tcp tcp, boost::asio::ssl::context& context)
      : layer_(std::in_place_type<Tls>, std::move(tcp), context) {}

  // nullptr without TLS. The TLS handshake is the owner's to make.
  Tls* tls() { return std::get_if<Tls>(&layer_); }
  Tcp& tcp() {
    Tls* const secured = tls();
    return secured ? secured->next_layer() : std::get<Tcp>(layer_);
  }
  executor_type get_executor() { return tcp().get_executor(); }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (Tls* const secured = tls()) return secured->async_read_some(buffers, std::forward<Handler>(handler));
    std::get<Tcp>(layer_).async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (Tls* const secured = tls()) return secured->async_write_some(buffers, std::forward<Handler>(handler));
    std::get<Tcp>(layer_).async_write_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, error_code& error) {
    Tls* const secured = tls();
    return secured ? secured->read_some(buffers, error) : std::get<Tcp>(layer_).read_some(buffers, error);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& error) {
    Tls* const secured = tls();
    return secured ? secured->write_some(buffers, error) : std::get<Tcp>(layer_).write_some(buffers, error);
  }

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    Tls* const secured = tls();
    return secured ? secured->read_some(buffers) : std::get<Tcp>(layer_).read_some(buffers);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    Tls* const secured = tls();
    return secured ? secured->write_some(buffers) : std::get<Tcp>(layer_).write_some(buffers);
  }

  // What Beast looks for when it ends a connection.
  friend void beast_close_socket(MaybeTlsStream& stream) { stream.tcp().close(); }
  friend void teardown(boost::beast::role_type role, MaybeTlsStream& stream, error_code& error) {
    using boost::beast::websocket::teardown;
    if (Tls* const secured = stream.tls()) return teardown(role, *secured, error);
    teardown(role, stream.tcp(), error);
  }
  template <class Handler>
  friend void async_teardown(boost::beast::role_type role, MaybeTlsStream& stream, Handler&& handler) {
    using boost::beast::websocket::async_teardown;
    if (Tls* const secured = stream.tls())
      return async_teardown(role, *secured, std::forward<Handler>(handler));
    async_teardown(role, stream.tcp(), std::forward<Handler>(handler));
  }

 private:
  std::variant<Tcp, Tls> layer_;
};

}  // namespace hostclaw
