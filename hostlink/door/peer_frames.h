// SPDX-License-Identifier: Apache-2.0
// Frames of protocol 1 over a peer's stream. Thread rule: the executor's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/door/peer_stream.h"
#include "hostlink/proto/frame.h"

namespace hostclaw::hostlink {

// What a transfer of a file needs of a connection, whichever protocol it speaks. Errors: PEER_*.
class TransferChannel {
 public:
  virtual ~TransferChannel() = default;
  virtual boost::asio::awaitable<Result<void>> write_reply(std::string_view payload) = 0;
  virtual boost::asio::awaitable<Result<void>> write_data(std::string_view bytes) = 0;  // at most 1 MiB
  virtual boost::asio::awaitable<Result<std::string>> read_data() = 0;                  // at least one byte
  virtual boost::asio::awaitable<Result<std::string>> read_trailer() = 0;
};

class PeerFrames final : public TransferChannel {
 public:
  // `held_cap`: how much of a payload is taken before its peer is known.
  PeerFrames(std::shared_ptr<PeerStream> stream, std::size_t held_cap);

  const std::shared_ptr<PeerStream>& stream() const { return stream_; }

  // One whole payload. `on_held` is asked once what to do with one that is longer than the held cap: it sees
  // the beginning, and answers whether the rest is wanted. Errors: PEER_*, FRAME_INVALID (bad magic, over the
  // cap, empty), FRAME_UNWANTED.
  boost::asio::awaitable<Result<std::string>> read(
      const std::function<boost::asio::awaitable<bool>(std::string_view)>& on_held);
  // The length of the payload that is being read, as its header says.
  std::size_t claimed() const { return decoder_.claimed(); }
  // What was read of the stream and is none of a frame yet.
  std::string take_rest();

  boost::asio::awaitable<Result<void>> write_reply(std::string_view payload) override {
    return write(payload);
  }
  boost::asio::awaitable<Result<void>> write_data(std::string_view bytes) override { return write(bytes); }
  boost::asio::awaitable<Result<std::string>> read_data() override;
  boost::asio::awaitable<Result<std::string>> read_trailer() override;
  boost::asio::awaitable<Result<void>> write(std::string_view payload);

 private:
  boost::asio::awaitable<Result<std::string>> read_at_most(std::size_t most);
  std::shared_ptr<PeerStream> stream_;
  FrameDecoder decoder_;
  std::string buffer_;
  bool reads_much_ = false;  // a transfer is under way
  std::size_t begin_ = 0;    // of what was read and not yet decoded
  std::size_t end_ = 0;
};

}  // namespace hostclaw::hostlink
