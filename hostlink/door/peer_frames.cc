// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/peer_frames.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadBytes = 65'536;
constexpr std::size_t kFirstReadBytes = 4096;
// While it moves, a payload may take as long as it likes.
constexpr std::chrono::seconds kBetweenPieces{30};
constexpr std::size_t kLeastRate = 262'144;  // bytes of a payload in a second

}  // namespace

PeerFrames::PeerFrames(std::shared_ptr<PeerStream> stream, std::size_t held_cap)
    : stream_(std::move(stream)), decoder_(kMaxFramePayload, held_cap) {}

asio::awaitable<Result<std::string>> PeerFrames::read(
    const std::function<asio::awaitable<bool>(std::string_view)>& on_held) {
  bool known = false;
  for (;;) {
    const FrameStep step = decoder_.feed(std::string_view(buffer_).substr(begin_, end_ - begin_));
    begin_ += step.consumed;
    switch (step.event) {
      case FrameEvent::kFrame:
        if (known) stream_->bound(std::nullopt);
        co_return decoder_.take_payload();
      case FrameEvent::kHeld:
        if (on_held) known = co_await on_held(decoder_.payload());
        if (!known) co_return make_error("FRAME_UNWANTED", "a long request of somebody who is not known");
        decoder_.set_held_cap(kMaxFramePayload);
        // For all of it, as for what is written.
        stream_->bound(kBetweenPieces + std::chrono::seconds(claimed() / kLeastRate));
        continue;
      case FrameEvent::kBadMagic:
      case FrameEvent::kOverCap:
      case FrameEvent::kEmptyFrame:
        co_return make_error("FRAME_INVALID", "the peer does not speak this protocol");
      case FrameEvent::kNeedMore:
        break;
    }
    begin_ = end_ = 0;
    // A peer that says nothing or little costs little.
    if (buffer_.size() < kReadBytes) buffer_.resize(known || reads_much_ ? kReadBytes : kFirstReadBytes);
    if (known) stream_->expires_after(kBetweenPieces);
    const auto count = co_await stream_->read_some(buffer_.data(), buffer_.size());
    if (!count) co_return count.error();
    end_ = *count;
  }
}

asio::awaitable<Result<std::string>> PeerFrames::read_at_most(std::size_t most) {
  reads_much_ = true;
  decoder_.set_payload_cap(most);
  decoder_.set_held_cap(most);
  stream_->expires_after(kBetweenPieces);
  co_return co_await read(nullptr);
}

asio::awaitable<Result<std::string>> PeerFrames::read_data() {
  co_return co_await read_at_most(kMaxStreamFramePayload);
}

asio::awaitable<Result<std::string>> PeerFrames::read_trailer() {
  co_return co_await read_at_most(kMaxUnauthenticatedPayload);
}

std::string PeerFrames::take_rest() {
  std::string rest = buffer_.substr(begin_, end_ - begin_);
  begin_ = end_ = 0;
  return rest;
}

asio::awaitable<Result<void>> PeerFrames::write(std::string_view payload) {
  constexpr std::size_t kWrittenAtOnce = 1'048'576;
  const auto header = frame_header(payload.size());
  std::string first(header.data(), header.size());
  // Small answers go in one piece.
  const std::size_t together = std::min<std::size_t>(payload.size(), kReadBytes);
  first.append(payload.substr(0, together));
  payload.remove_prefix(together);
  // For all of it: who reads a little now and then does not keep it for hours.
  stream_->expires_after(kBetweenPieces + std::chrono::seconds(payload.size() / kLeastRate));
  if (auto sent = co_await stream_->write(first); !sent) co_return sent;
  while (!payload.empty()) {
    if (auto sent = co_await stream_->write(payload.substr(0, kWrittenAtOnce)); !sent) co_return sent;
    payload.remove_prefix(std::min(payload.size(), kWrittenAtOnce));
  }
  co_return Result<void>();
}

}  // namespace hostclaw::hostlink
