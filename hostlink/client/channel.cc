// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/channel.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kReadAtOnce = 262'144;

}  // namespace

Result<void> FrameChannel::send(std::string_view payload, const Deadline& deadline) {
  if (payload.empty() || payload.size() > kMaxFramePayload)
    return make_error("PROTOCOL_ERROR",
                      "a request of " + std::to_string(payload.size()) + " bytes fits no frame");
  // A short one goes out in one piece; a long one is not copied for its header.
  if (payload.size() <= kMaxUnauthenticatedPayload)
    return write_all(*stream_, encode_frame(payload), deadline);
  const auto header = frame_header(payload.size());
  if (const auto sent = write_all(*stream_, {header.data(), header.size()}, deadline); !sent) return sent;
  return write_all(*stream_, payload, deadline);
}

Result<std::string_view> FrameChannel::receive(const Deadline& deadline) {
  for (;;) {
    const FrameStep step = decoder_.feed(unread());
    used_ += step.consumed;
    if (step.event == FrameEvent::kFrame) return decoder_.payload();
    if (step.event != FrameEvent::kNeedMore)
      return make_error("PROTOCOL_ERROR", "what answers there is no HostLink daemon");
    used_ = end_ = 0;
    read_.resize(kReadAtOnce);
    const auto bytes = read_some(*stream_, read_.data(), read_.size(), deadline);
    if (!bytes) return bytes.error();
    end_ = *bytes;
    if (*bytes == 0) {
      return make_error("CONNECTION_LOST",
                        decoder_.between_frames()
                            ? "the daemon closed the connection without an answer"
                            : "the daemon closed the connection in the middle of an answer");
    }
  }
}

Result<Reply> FrameChannel::receive_reply(const Deadline& deadline) {
  const auto payload = receive(deadline);
  if (!payload) return payload.error();
  return parse_reply(*payload);
}

}  // namespace hostclaw::hostlink
