// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/websocket_client.h"

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
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
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> messages;
  std::optional<CloseInfo> closed;
  bool reading = true;
};

class Line {
 public:
  Line(MaybeTlsStream layer, std::shared_ptr<Inbox> inbox)
      : socket_(std::move(layer)), inbox_(std::move(inbox)) {}

  Result<void> open(const ClientEndpoint& endpoint, const Headers& headers) {
    if (Result<void> connected = connect_layers(endpoint); !connected) return connected;
    websocket::response_type response;
    socket_.set_option(websocket::stream_base::decorator([headers](websocket::request_type& request) {
      for (const auto& [name, value] : headers) request.set(name, value);
    }));
    socket_.read_message_max(64U * 1024 * 1024);
    error_code error;
    socket_.handshake(response, endpoint.host + ":" + endpoint.port, endpoint.target, error);
    if (error == websocket::error::upgrade_declined) {
      return make_error("UPGRADE_REFUSED",
                        "HTTP " + std::to_string(response.result_int()) + " " + response.body());
    }
    if (error) return make_error("CONNECT_FAILED", error.message());
    return {};
  }

  Result<HttpAnswer> get(const ClientEndpoint& endpoint, const std::string& target, const Headers& headers) {
    if (Result<void> connected = connect_layers(endpoint); !connected) return connected.error();
    http::request<http::empty_body> request(http::verb::get, target, 11);
    request.set(http::field::host, endpoint.host + ":" + endpoint.port);
    for (const auto& [name, value] : headers) request.set(name, value);
    error_code error;
    http::write(socket_.next_layer(), request, error);
    http::response<http::string_body> response;
    beast::flat_buffer buffer;
    if (!error) http::read(socket_.next_layer(), buffer, response, error);
    if (error) return make_error("CONNECT_FAILED", error.message());
    HttpAnswer answer{static_cast<int>(response.result_int()), response.body(), {}};
    for (const auto& field : response) {
      answer.headers.emplace(to_lower_ascii(std::string(field.name_string())), std::string(field.value()));
    }
    return answer;
  }

  void read() {
    socket_.async_read(buffer_, [this](error_code error, std::size_t) {
      if (error) return ended(error);
      bool go_on = true;
      {
        const std::lock_guard lock(inbox_->mutex);
        inbox_->messages.push_back(beast::buffers_to_string(buffer_.data()));
        go_on = inbox_->reading;
      }
      buffer_.consume(buffer_.size());
      inbox_->changed.notify_all();
      if (go_on) read();
    });
  }

  void write(std::string data, bool text) {
    queue_.push_back({std::move(data), text, 0});
    write_next();
  }

  void close(std::uint16_t code, std::string reason) {
    queue_.push_back({std::move(reason), false, code});
    write_next();
  }

  void drop() { socket_.next_layer().tcp().close(); }

 private:
  struct Outgoing {
    std::string data;
    bool text;
    std::uint16_t close_code;
  };

  Result<void> connect_layers(const ClientEndpoint& endpoint) {
    error_code error;
    tcp::resolver resolver(socket_.get_executor());
    const auto addresses = resolver.resolve(endpoint.host, endpoint.port, error);
    if (!error) socket_.next_layer().tcp().connect(addresses, error);
    MaybeTlsStream::Tls* const tls = socket_.next_layer().tls();
    if (tls && !error) tls->handshake(asio::ssl::stream_base::client, error);
    if (error) return make_error("CONNECT_FAILED", error.message());
    return {};
  }

  void write_next() {
    if (writing_ || queue_.empty()) return;
    writing_ = true;
    const Outgoing& item = queue_.front();
    const auto done = [this](error_code error, std::size_t = 0) {
      writing_ = false;
      queue_.pop_front();
      if (!error) write_next();
    };
    if (item.close_code != 0) {
      websocket::close_reason reason(static_cast<websocket::close_code>(item.close_code));
      reason.reason = item.data;
      return socket_.async_close(reason, done);
    }
    socket_.text(item.text);
    socket_.async_write(asio::buffer(item.data), done);
  }

  void ended(error_code error) {
    CloseInfo info;
    if (error == websocket::error::closed) {
      info.code = socket_.reason().code == websocket::close_code::none
                      ? 1005
                      : static_cast<std::uint16_t>(socket_.reason().code);
      info.reason = std::string(socket_.reason().reason.data(), socket_.reason().reason.size());
    }
    {
      const std::lock_guard lock(inbox_->mutex);
      inbox_->closed = info;
    }
    inbox_->changed.notify_all();
  }

  websocket::stream<MaybeTlsStream, false> socket_;
  beast::flat_buffer buffer_;
  std::deque<Outgoing> queue_;
  bool writing_ = false;
  std::shared_ptr<Inbox> inbox_;
};

std::unique_ptr<Line> make_line(asio::io_context& context, asio::ssl::context& tls, bool use_tls,
                                std::shared_ptr<Inbox> inbox) {
  beast::tcp_stream stream(context);
  MaybeTlsStream layer = use_tls ? MaybeTlsStream(std::move(stream), tls) : MaybeTlsStream(std::move(stream));
  return std::make_unique<Line>(std::move(layer), std::move(inbox));
}

}  // namespace

struct WebSocketClient::Impl {
  asio::io_context context{1};
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  std::unique_ptr<Line> line;
  std::thread thread;
};

Result<ClientEndpoint> parse_client_url(const std::string& url) {
  ClientEndpoint endpoint;
  std::string rest;
  if (url.starts_with("ws://")) {
    rest = url.substr(5);
  } else if (url.starts_with("wss://")) {
    endpoint.tls = true;
    rest = url.substr(6);
  } else {
    return make_error("URL_INVALID", "the gateway URL must start with ws:// or wss://");
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string::npos) {
    endpoint.target = rest.substr(slash);
    rest.resize(slash);
  }
  endpoint.port = endpoint.tls ? "443" : "80";
  if (const std::size_t colon = rest.rfind(':');
      colon != std::string::npos && rest.find(']', colon) == rest.npos) {
    endpoint.port = rest.substr(colon + 1);
    rest.resize(colon);
  }
  if (rest.size() > 2 && rest.front() == '[') rest = rest.substr(1, rest.size() - 2);
  endpoint.host = rest;
  if (endpoint.host.empty() || endpoint.port.empty())
    return make_error("URL_INVALID", "the gateway URL has no host");
  return endpoint;
}

WebSocketClient::WebSocketClient() : impl_(std::make_shared<Impl>()) {}

Result<std::unique_ptr<WebSocketClient>> WebSocketClient::connect(const ClientEndpoint& endpoint,
                                                                  const Headers& headers) {
  std::unique_ptr<WebSocketClient> client(new WebSocketClient());
  Impl& impl = *client->impl_;
  impl.line = make_line(impl.context, impl.tls, endpoint.tls, impl.inbox);
  if (Result<void> opened = impl.line->open(endpoint, headers); !opened) return opened.error();
  asio::post(impl.context, [&impl] { impl.line->read(); });
  impl.thread = std::thread([&impl] {
    const auto work = asio::make_work_guard(impl.context);
    impl.context.run();
  });
  return client;
}

WebSocketClient::~WebSocketClient() {
  if (!impl_->thread.joinable()) return;
  if (!closed()) {
    bool reading = false;
    {
      const std::lock_guard lock(impl_->inbox->mutex);
      reading = impl_->inbox->reading;
    }
    if (reading) {
      close();
      wait_closed(std::chrono::seconds(2));
    }
  }
  impl_->context.stop();
  impl_->thread.join();
}

void WebSocketClient::send(std::string text) {
  asio::post(impl_->context,
             [this, text = std::move(text)]() mutable { impl_->line->write(std::move(text), true); });
}

void WebSocketClient::send_binary(std::string bytes) {
  asio::post(impl_->context,
             [this, bytes = std::move(bytes)]() mutable { impl_->line->write(std::move(bytes), false); });
}

void WebSocketClient::close(std::uint16_t code, std::string reason) {
  asio::post(impl_->context, [this, code, reason = std::move(reason)]() mutable {
    impl_->line->close(code, std::move(reason));
  });
}

void WebSocketClient::drop() {
  asio::post(impl_->context, [this] { impl_->line->drop(); });
}

std::optional<std::string> WebSocketClient::receive(std::chrono::milliseconds timeout) {
  Inbox& inbox = *impl_->inbox;
  std::unique_lock lock(inbox.mutex);
  inbox.changed.wait_for(lock, timeout, [&] { return !inbox.messages.empty() || inbox.closed.has_value(); });
  if (inbox.messages.empty()) return std::nullopt;
  std::string message = std::move(inbox.messages.front());
  inbox.messages.pop_front();
  return message;
}

std::optional<CloseInfo> WebSocketClient::wait_closed(std::chrono::milliseconds timeout) {
  Inbox& inbox = *impl_->inbox;
  std::unique_lock lock(inbox.mutex);
  inbox.changed.wait_for(lock, timeout, [&] { return inbox.closed.has_value(); });
  return inbox.closed;
}

bool WebSocketClient::closed() const {
  const std::lock_guard lock(impl_->inbox->mutex);
  return impl_->inbox->closed.has_value();
}

void WebSocketClient::stop_reading() {
  const std::lock_guard lock(impl_->inbox->mutex);
  impl_->inbox->reading = false;
}

Result<HttpAnswer> http_get(const ClientEndpoint& endpoint, const std::string& target,
                            const Headers& headers) {
  asio::io_context context(1);
  asio::ssl::context tls(asio::ssl::context::tls_client);
  return make_line(context, tls, endpoint.tls, std::make_shared<Inbox>())->get(endpoint, target, headers);
}

}  // namespace hostclaw::devgateway
