// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/websocket_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <deque>
#include <set>
#include <thread>

#include "base/maybe_tls_stream.h"
#include "base/text.h"

namespace hostclaw::devgateway {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using boost::system::error_code;

// Above the protocol's limits, which the gateway's logic enforces with a close frame of its own: a message
// that Beast itself refuses is followed by a reset, and the peer may never see the code.
constexpr std::size_t kMaxMessage = 64U * 1024 * 1024;

// How long a peer may take to answer a close frame.
constexpr std::chrono::seconds kCloseGrace(2);

class AsioScheduler : public Scheduler {
 public:
  explicit AsioScheduler(asio::io_context& context) : context_(context) {}

  std::uint64_t after(std::chrono::milliseconds delay, std::function<void()> task) override {
    const std::uint64_t id = ++last_id_;
    auto timer = std::make_unique<asio::steady_timer>(context_, delay);
    timer->async_wait([this, id, task = std::move(task)](error_code error) {
      if (error || timers_.erase(id) == 0) return;
      task();
    });
    timers_.emplace(id, std::move(timer));
    return id;
  }

  void cancel(std::uint64_t timer) override { timers_.erase(timer); }
  void clear() { timers_.clear(); }

 private:
  asio::io_context& context_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, std::unique_ptr<asio::steady_timer>> timers_;
};

// What a session needs of the server it belongs to.
struct SessionOwner {
  TransportEvents* events = nullptr;
  std::uint64_t last_connection_id = 0;
  std::set<std::shared_ptr<void>> sessions;
};

struct Outgoing {
  enum class Kind { kText, kBinary, kRaw, kPing, kClose };
  Kind kind = Kind::kText;
  std::string data;
  std::uint16_t code = 0;  // of a close frame
};

std::multimap<std::string, std::string> headers_of(const http::request<http::string_body>& request) {
  std::multimap<std::string, std::string> out;
  for (const auto& field : request) {
    out.emplace(to_lower_ascii(std::string_view(field.name_string().data(), field.name_string().size())),
                std::string(field.value().data(), field.value().size()));
  }
  return out;
}

// One accepted connection: HTTP request, then perhaps a WebSocket.
class Session : public Connection, public std::enable_shared_from_this<Session> {
 public:
  Session(MaybeTlsStream layer, std::shared_ptr<SessionOwner> owner)
      : owner_(std::move(owner)), socket_(std::in_place, std::move(layer)), grace_(socket_->get_executor()) {
    error_code ignored;
    const auto peer = tcp_layer().socket().remote_endpoint(ignored);
    request_.remote_address = peer.address().to_string();
    request_.tls = socket_->next_layer().tls() != nullptr;
    loopback_ = peer.address().is_loopback();
    id_ = ++owner_->last_connection_id;
  }

  void start() {
    owner_->sessions.insert(this->shared_from_this());
    tcp_layer().expires_after(std::chrono::seconds(15));
    MaybeTlsStream& layer = socket_->next_layer();
    if (layer.tls() == nullptr) return read_request();
    layer.async_handshake(asio::ssl::stream_base::server,
                          [self = this->shared_from_this()](error_code error) {
                            if (!error) return self->read_request();
                            if (self->owner_->events)
                              self->owner_->events->on_handshake_failed(error.message());
                            self->forget();
                          });
  }

  std::uint64_t id() const override { return id_; }
  const HttpRequest& request() const override { return request_; }
  bool loopback() const override { return loopback_; }
  void send_text(std::string text) override { enqueue({Outgoing::Kind::kText, std::move(text), 0}); }
  void send_binary(std::string bytes) override { enqueue({Outgoing::Kind::kBinary, std::move(bytes), 0}); }
  void send_raw_bytes(std::string bytes) override { enqueue({Outgoing::Kind::kRaw, std::move(bytes), 0}); }
  void ping(std::string payload) override { enqueue({Outgoing::Kind::kPing, std::move(payload), 0}); }

  void close(std::uint16_t code, std::string reason) override {
    if (ending_) return;
    closing_code_ = code;
    enqueue({Outgoing::Kind::kClose, reason.substr(0, 123), code});
    ending_ = true;
  }

  void drop() override {
    ending_ = true;
    if (!socket_) return;
    tcp_layer().close();
  }

 private:
  beast::tcp_stream& tcp_layer() { return socket_->next_layer().tcp(); }
  void forget() { owner_->sessions.erase(this->shared_from_this()); }

  void read_request() {
    parser_.body_limit(65'536);
    http::async_read(socket_->next_layer(), buffer_, parser_,
                     [self = this->shared_from_this()](error_code error, std::size_t) {
                       if (error) {
                         if (self->owner_->events) self->owner_->events->on_handshake_failed(error.message());
                         return self->forget();
                       }
                       self->handle_request();
                     });
  }

  void handle_request() {
    http_request_ = parser_.release();
    request_.method = std::string(http_request_.method_string());
    request_.target = std::string(http_request_.target());
    request_.headers = headers_of(http_request_);
    request_.upgrade = websocket::is_upgrade(http_request_);
    if (!owner_->events) return forget();
    const std::optional<HttpReply> reply = owner_->events->on_http(request_);
    if (reply || !request_.upgrade) return answer_http(reply.value_or(HttpReply{}));
    accept_websocket();
  }

  void answer_http(const HttpReply& reply) {
    http_reply_.result(static_cast<unsigned>(reply.status));
    http_reply_.version(11);
    http_reply_.set(http::field::content_type, reply.content_type);
    http_reply_.set(http::field::cache_control, "no-store");
    http_reply_.keep_alive(false);
    http_reply_.body() = reply.body;
    http_reply_.prepare_payload();
    http::async_write(socket_->next_layer(), http_reply_,
                      [self = this->shared_from_this()](error_code, std::size_t) {
                        error_code ignored;
                        self->tcp_layer().socket().shutdown(tcp::socket::shutdown_send, ignored);
                        self->forget();
                      });
  }

  void accept_websocket() {
    tcp_layer().expires_never();
    socket_->set_option(
        websocket::stream_base::timeout{std::chrono::seconds(15), websocket::stream_base::none(), false});
    socket_->read_message_max(kMaxMessage);
    socket_->auto_fragment(false);
    socket_->control_callback([this](websocket::frame_type kind, beast::string_view payload) {
      if (kind != websocket::frame_type::pong || !owner_->events) return;
      owner_->events->on_pong(*this, std::string(payload.data(), payload.size()));
    });
    socket_->async_accept(http_request_, [self = this->shared_from_this()](error_code error) {
      if (error || !self->owner_->events) return self->forget();
      self->open_ = true;
      self->owner_->events->on_open(self);
      self->read();
      self->write_next();
    });
  }

  void read() {
    socket_->async_read(buffer_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return self->finish(error);
      std::string text = beast::buffers_to_string(self->buffer_.data());
      self->buffer_.consume(self->buffer_.size());
      if (self->owner_->events) self->owner_->events->on_text(*self, std::move(text));
      self->read();
    });
  }

  void finish(error_code error) {
    if (finished_) return;
    finished_ = true;
    ending_ = true;
    grace_.cancel();
    std::uint16_t code = closing_code_ != 0 ? closing_code_ : std::uint16_t{1006};
    std::string reason;
    if (error == websocket::error::closed) {
      code = socket_->reason().code == websocket::close_code::none
                 ? 1005
                 : static_cast<std::uint16_t>(socket_->reason().code);
      reason = std::string(socket_->reason().reason.data(), socket_->reason().reason.size());
    } else if (error == websocket::error::message_too_big) {
      code = 1009;
    }
    if (owner_->events) owner_->events->on_closed(*this, code, std::move(reason));
    forget();
  }

  void enqueue(Outgoing item) {
    if (ending_) return;
    queue_.push_back(std::move(item));
    write_next();
  }

  void write_next() {
    if (!open_ || writing_ || queue_.empty()) return;
    writing_ = true;
    auto self = this->shared_from_this();
    const auto done = [self](error_code error, std::size_t = 0) {
      self->writing_ = false;
      if (self->queue_.empty()) return;
      self->queue_.pop_front();
      if (!error) self->write_next();
    };
    Outgoing& item = queue_.front();
    switch (item.kind) {
      case Outgoing::Kind::kText:
      case Outgoing::Kind::kBinary:
        socket_->text(item.kind == Outgoing::Kind::kText);
        return socket_->async_write(asio::buffer(item.data), done);
      case Outgoing::Kind::kRaw:
        return asio::async_write(socket_->next_layer(), asio::buffer(item.data), done);
      case Outgoing::Kind::kPing:
        return socket_->async_ping(websocket::ping_data(item.data), done);
      case Outgoing::Kind::kClose:
        return write_close(item);
    }
  }

  void write_close(const Outgoing& item) {
    websocket::close_reason reason(static_cast<websocket::close_code>(item.code));
    if (item.code == 1005) reason = websocket::close_reason();
    reason.reason = item.data;
    const auto self = this->shared_from_this();
    // In Boost 1.81 async_close and a pending read wait for each other for ever when the peer's close frame
    // comes right behind a message. By then both close frames have been exchanged: end the line here.
    grace_.expires_after(kCloseGrace);
    grace_.async_wait([self](error_code stopped) {
      if (!stopped) self->give_up();
    });
    socket_->async_close(reason, [self](error_code) {
      self->grace_.cancel();
      self->writing_ = false;
      self->queue_.clear();
      if (!self->socket_) return;
      self->tcp_layer().close();
    });
  }

  void give_up() {
    const auto self = this->shared_from_this();
    drop();
    finish(asio::error::operation_aborted);
    // Operations that wait for the system end by themselves now. The two that wait for each other keep this
    // object alive until the stream goes.
    grace_.expires_after(std::chrono::milliseconds(100));
    grace_.async_wait([self](error_code) { self->socket_.reset(); });
  }

  std::shared_ptr<SessionOwner> owner_;
  // Emptied only to break the circle of two operations that wait for each other; see write_close().
  std::optional<websocket::stream<MaybeTlsStream, false>> socket_;
  asio::steady_timer grace_;
  beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  http::request<http::string_body> http_request_;
  http::response<http::string_body> http_reply_;
  HttpRequest request_;
  std::deque<Outgoing> queue_;
  std::uint64_t id_ = 0;
  std::uint16_t closing_code_ = 0;  // of the close frame that this side sent first
  bool loopback_ = false;
  bool open_ = false;
  bool writing_ = false;
  bool ending_ = false;
  bool finished_ = false;
};

}  // namespace

struct WebSocketServer::Impl {
  asio::io_context context{1};
  asio::ssl::context tls_context{asio::ssl::context::tls_server};
  AsioScheduler scheduler{context};
  std::shared_ptr<SessionOwner> owner = std::make_shared<SessionOwner>();
  std::unique_ptr<tcp::acceptor> acceptor;
  tcp::endpoint endpoint;
  bool tls = false;
  std::thread thread;

  Result<void> open_acceptor() {
    error_code error;
    acceptor = std::make_unique<tcp::acceptor>(context);
    acceptor->open(endpoint.protocol(), error);
    if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error) return make_error("LISTEN_FAILED", "cannot listen: " + error.message());
    endpoint = acceptor->local_endpoint(error);
    accept();
    return {};
  }

  void accept() {
    tcp::acceptor* listening = acceptor.get();
    acceptor->async_accept([self = this, listening](error_code error, tcp::socket socket) {
      if (self->acceptor.get() != listening) return;
      if (!error) self->serve(std::move(socket));
      if (error != asio::error::operation_aborted) self->accept();
    });
  }

  void serve(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    beast::tcp_stream stream(std::move(socket));
    MaybeTlsStream layer =
        tls ? MaybeTlsStream(std::move(stream), tls_context) : MaybeTlsStream(std::move(stream));
    std::make_shared<Session>(std::move(layer), owner)->start();
  }
};

WebSocketServer::WebSocketServer() : impl_(std::make_shared<Impl>()) {}
WebSocketServer::~WebSocketServer() { stop(); }

Result<void> WebSocketServer::start(const ListenSettings& settings, TransportEvents& events) {
  error_code error;
  if (settings.tls) {
    impl_->tls = true;
    impl_->tls_context.use_certificate_chain_file(settings.tls->certificate_chain, error);
    if (!error) {
      impl_->tls_context.use_private_key_file(settings.tls->private_key, asio::ssl::context::pem, error);
    }
    if (error) return make_error("TLS_FILES_INVALID", "cannot use the TLS files: " + error.message());
  }
  const asio::ip::address address = asio::ip::make_address(settings.address, error);
  if (error) return make_error("LISTEN_FAILED", "not an IP address to listen on");
  impl_->endpoint = tcp::endpoint(address, settings.port);
  impl_->owner->events = &events;
  if (Result<void> opened = impl_->open_acceptor(); !opened) return opened;
  impl_->thread = std::thread([impl = impl_.get()] {
    const auto work = asio::make_work_guard(impl->context);
    impl->context.run();
  });
  return {};
}

void WebSocketServer::stop() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->context, [impl = impl_.get()] {
    impl->owner->events = nullptr;
    impl->acceptor.reset();
    impl->scheduler.clear();
    impl->owner->sessions.clear();
    impl->context.stop();
  });
  impl_->thread.join();
}

std::uint16_t WebSocketServer::port() const { return impl_->endpoint.port(); }
Scheduler& WebSocketServer::scheduler() { return impl_->scheduler; }
void WebSocketServer::post(std::function<void()> task) { asio::post(impl_->context, std::move(task)); }
void WebSocketServer::pause_accepting() { impl_->acceptor.reset(); }
Result<void> WebSocketServer::resume_accepting() { return impl_->open_acceptor(); }

}  // namespace hostclaw::devgateway
