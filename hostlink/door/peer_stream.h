// SPDX-License-Identifier: Apache-2.0
// One connection of a peer: bytes in, bytes out, under a deadline; Unix socket, TCP and TLS are told apart
// when it is made and nowhere above. Thread rule: the executor's. An object is kept by whoever uses it
// (shared_ptr); close() ends every wait on it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::hostlink {

// In the place of an address: a Unix socket's peer.
inline constexpr const char* kLocalPeer = "unix";

class PeerStream : public std::enable_shared_from_this<PeerStream> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  PeerStream(Socket socket, std::string address);
  virtual ~PeerStream() = default;

  // Where it comes from, to be shown: "unix", or an address.
  const std::string& address() const { return address_; }
  bool is_local() const { return address_ == kLocalPeer; }
  boost::asio::any_io_executor executor() { return socket_.get_executor(); }
  Socket& socket() { return socket_; }

  // At least one byte. Errors: PEER_CLOSED (0 bytes: its end), PEER_FAILED, PEER_SLOW (the deadline).
  virtual boost::asio::awaitable<Result<std::size_t>> read_some(char* buffer, std::size_t most);
  // All of it. Errors: as above.
  virtual boost::asio::awaitable<Result<void>> write(std::string_view bytes);

  // What ties this very connection to both of its ends (RFC 9266): 32 bytes of TLS; empty without it.
  virtual std::string channel_binding() { return {}; }
  // Before the first byte. Errors: as read_some().
  virtual boost::asio::awaitable<Result<void>> handshake();

  // From now on waits end with PEER_SLOW after this time; nullopt: they do not.
  void expires_after(std::optional<std::chrono::milliseconds> time);
  // No wait goes on for longer than this from now, whatever expires_after() says; nullopt: that is over.
  // Requires: the bound is set before any other deadline.
  void bound(std::optional<std::chrono::milliseconds> time);
  // What the peer has sent and nobody wants is taken, so that closing does not take away what it was answered
  // (an unread byte makes the system reset the connection).
  void close_in_order();
  void close();
  bool closed() const { return !socket_.is_open(); }

 protected:
  Error error_of(const boost::system::error_code& error) const;

  Socket socket_;

 private:
  void arm();

  const std::string address_;
  boost::asio::steady_timer deadline_;
  std::optional<std::chrono::steady_clock::time_point> expires_;
  std::optional<std::chrono::steady_clock::time_point> bound_;
  bool armed_ = false;
  bool slow_ = false;
};

// Calls `gone` once when the peer of a stream has gone, for as long as this object lives.
class PeerWatch {
 public:
  PeerWatch(const std::shared_ptr<PeerStream>& stream, std::function<void()> gone);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;
  bool gone() const;

 private:
  struct State;
  static void wait(std::shared_ptr<State> state, bool for_bytes);
  std::shared_ptr<State> state_;
};

}  // namespace hostclaw::hostlink
