// SPDX-License-Identifier: Apache-2.0
// Frames of protocol 1 over a stream. Requires: used by one thread. Errors: CONNECTION_LOST, TIMED_OUT,
// PROTOCOL_ERROR (the peer does not keep to the frames), and those of parse_reply.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "hostlink/client/stream.h"
#include "hostlink/proto/frame.h"
#include "hostlink/proto/replies.h"

namespace hostclaw::hostlink {

class FrameChannel {
 public:
  explicit FrameChannel(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}

  Result<void> send(std::string_view payload, const Deadline& deadline = {});
  // The payload stays until the next call.
  Result<std::string_view> receive(const Deadline& deadline = {});
  Result<Reply> receive_reply(const Deadline& deadline = {});

  // For protocol 2, behind the opening: the stream, and what was read of it already.
  std::unique_ptr<Stream> take_stream() { return std::move(stream_); }
  std::string_view unread() const { return std::string_view(read_).substr(used_, end_ - used_); }
  const Stream& stream() const { return *stream_; }

 private:
  std::unique_ptr<Stream> stream_;
  FrameDecoder decoder_;
  std::string read_;  // of one size, once it is used
  std::size_t used_ = 0;
  std::size_t end_ = 0;
};

}  // namespace hostclaw::hostlink
