// SPDX-License-Identifier: Apache-2.0
// One stream type for TCP and for TLS over TCP, so that everything above it is compiled once. Which of the
// two it is, is decided when it is made. Completions and buffers lose their types at this border, so that
// everything below it is compiled once too: that was half of the time and code of whatever reads a WebSocket.
//
// Thread rule and lifetime: those of beast::tcp_stream and beast::ssl_stream. Meets Beast's AsyncStream and
// SyncStream; get_lowest_layer() of a stream above it is this object, tcp() the socket's stream below.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

namespace hostclaw {

// What is called with an error_code and the results when an operation on a stream has ended, of whatever
// type. Its executor and cancellation slot are those of the handler it was made from. Called once at most.
template <class... Results>
class StreamCompletion {
 public:
  using executor_type = boost::asio::any_io_executor;
  using cancellation_slot_type = boost::asio::cancellation_slot;
  using error_code = boost::system::error_code;

  // `otherwise`: where a handler without an executor of its own runs.
  template <class Handler>
  StreamCompletion(Handler handler, const executor_type& otherwise)
      : executor_(boost::asio::get_associated_executor(handler, otherwise)),
        slot_(boost::asio::get_associated_cancellation_slot(handler)),
        held_(std::make_unique<Held<Handler>>(std::move(handler))) {}

  executor_type get_executor() const noexcept { return executor_; }
  cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }
  void operator()(error_code error, Results... results) {
    HeldBase& held = *held_;
    held.complete(std::move(held_), error, results...);
  }

 private:
  struct HeldBase {
    virtual ~HeldBase() = default;
    virtual void complete(std::unique_ptr<HeldBase> self, error_code error, Results... results) = 0;
  };
  template <class Handler>
  struct Held final : HeldBase {
    explicit Held(Handler&& given) : handler(std::move(given)) {}
    void complete(std::unique_ptr<HeldBase> self, error_code error, Results... results) override {
      // The memory of an operation is free before its handler runs, which may begin the next one.
      Handler called(std::move(handler));
      self.reset();
      called(error, results...);
    }
    Handler handler;
  };

  executor_type executor_;
  cancellation_slot_type slot_;
  std::unique_ptr<HeldBase> held_;
};

// The beginning of a sequence of buffers: as many as one call to the system takes.
template <class Buffer>
class BufferRun {
 public:
  using value_type = Buffer;
  using const_iterator = const Buffer*;

  template <class Buffers>
  explicit BufferRun(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end && count_ < entries_.size(); ++at) {
      const Buffer entry(*at);
      if (entry.size() != 0) entries_[count_++] = entry;
    }
  }
  const_iterator begin() const { return entries_.data(); }
  const_iterator end() const { return entries_.data() + count_; }

 private:
  std::array<Buffer, 16> entries_;
  std::size_t count_ = 0;
};

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
    start_read(BufferRun<boost::asio::mutable_buffer>(buffers),
               completion<std::size_t>(std::forward<Handler>(handler)));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    start_write(BufferRun<boost::asio::const_buffer>(buffers),
                completion<std::size_t>(std::forward<Handler>(handler)));
  }
  // Requires: tls(). Completes with an error_code.
  template <class Token>
  auto async_handshake(boost::asio::ssl::stream_base::handshake_type side, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code)>(
        [this, side](auto handler) { start_handshake(side, completion<>(std::move(handler))); }, token);
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
    stream.start_teardown(role, stream.completion<>(std::forward<Handler>(handler)));
  }

 private:
  template <class... Results, class Handler>
  StreamCompletion<Results...> completion(Handler&& handler) {
    return StreamCompletion<Results...>(std::decay_t<Handler>(std::forward<Handler>(handler)),
                                        get_executor());
  }
  void start_read(const BufferRun<boost::asio::mutable_buffer>& buffers,
                  StreamCompletion<std::size_t> completion);
  void start_write(const BufferRun<boost::asio::const_buffer>& buffers,
                   StreamCompletion<std::size_t> completion);
  void start_handshake(boost::asio::ssl::stream_base::handshake_type side, StreamCompletion<> completion);
  void start_teardown(boost::beast::role_type role, StreamCompletion<> completion);

  std::variant<Tcp, Tls> layer_;
};

}  // namespace hostclaw
