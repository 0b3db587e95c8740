// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/v2_requests.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "hostlink/proto/replies.h"
#include "hostlink/proto/v2_messages.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kReadAtMost = 262'144;
// The end of a request comes with its answer.
constexpr std::chrono::seconds kUntilEnd{2};

Error peer_is_odd(const std::string& what) { return make_error("PROTOCOL_ERROR", "the daemon " + what); }
Error lost(const std::string& what) { return make_error("CONNECTION_LOST", what); }

}  // namespace

class V2Requests::OneRequest final : public Exchange {
 public:
  OneRequest(V2Requests& requests, std::uint32_t stream) : requests_(requests), stream_(stream) {}

  Result<void> send_data(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (over()) return lost("the daemon takes no more");
      if (window_.available() == 0) {
        if (const auto next = next_frame({}); !next) return next;
        continue;
      }
      const std::size_t count = std::min({bytes.size(), window_.available(), v2::kMaxDataPayload});
      if (const auto sent = send(v2::Kind::kStdin, bytes.substr(0, count)); !sent) return sent;
      window_.sent(count);
      bytes.remove_prefix(count);
    }
    return {};
  }

  Result<void> send_trailer(std::string_view payload) override {
    if (over()) return lost("the daemon takes no more");
    return send(v2::Kind::kMessage, payload);
  }

  Result<std::string_view> receive() override {
    given_.clear();
    for (;;) {
      if (whole_) {
        whole_ = false;
        given_ = std::exchange(message_, {});
        return std::string_view(given_);
      }
      if (!data_.empty()) {
        given_ = std::exchange(data_, {});
        if (const std::uint32_t credit = received_.consumed(given_.size()); credit != 0) {
          std::string frame;
          v2::append_credit(frame, stream_, {v2::Channel::kStdout, credit});
          if (const auto sent = write_all(*requests_.link_.stream, frame); !sent) return sent.error();
        }
        return std::string_view(given_);
      }
      if (exit_)
        return lost(exit_->head.error_msg.empty() ? "the daemon ended the transfer" : exit_->head.error_msg);
      if (const auto next = next_frame({}); !next) return next.error();
    }
  }

  // Until the daemon has said its last word.
  Result<void> finish(const Deadline& deadline) {
    while (!exit_)
      if (const auto next = next_frame(deadline); !next) return next;
    return {};
  }

 private:
  // An answer that came before it was asked for, or the end.
  bool over() const { return whole_ || exit_.has_value(); }

  Result<void> send(v2::Kind kind, std::string_view payload) {
    std::string frame;
    v2::append_frame(frame, kind, stream_, payload);
    return write_all(*requests_.link_.stream, frame);
  }

  // Takes one frame in, or more bytes for it.
  Result<void> next_frame(const Deadline& deadline) {
    const auto frame = requests_.decoder_.next();
    if (requests_.decoder_.problem() != v2::FrameProblem::kNone)
      return peer_is_odd("sent " + std::string(v2::frame_problem_text(requests_.decoder_.problem())));
    return frame ? take(*frame) : requests_.read_frames(deadline);
  }

  Result<void> take(const v2::Frame& frame) {
    if (frame.kind == v2::Kind::kPing) return send_pong(frame.payload);
    if (frame.kind == v2::Kind::kGoodbye) return lost(v2::parse_goodbye(frame.payload).message);
    if (frame.stream != stream_) return {};
    switch (frame.kind) {
      case v2::Kind::kMessage:
        // One that fills its frame goes on in the next.
        message_.append(frame.payload);
        whole_ = frame.payload.size() < v2::kMaxJsonPayload;
        return {};
      case v2::Kind::kStdout:
        if (!received_.received(frame.payload.size())) return peer_is_odd("sends more than it may");
        data_.append(frame.payload);
        return {};
      case v2::Kind::kCredit: {
        const auto credit = v2::credit_from(frame.payload);
        if (!credit || credit->channel != v2::Channel::kStdin || !window_.add(credit->bytes))
          return peer_is_odd("gives credit that cannot be");
        return {};
      }
      case v2::Kind::kExit: {
        auto exit = v2::parse_exit(frame.payload);
        if (!exit) return exit.error();
        exit_ = std::move(*exit);
        requests_.ended_ = true;
        whole_ = whole_ || !message_.empty();
        // What was refused before it began has no other answer.
        if (!whole_ && exit_->head.status != ReplyStatus::kOk && data_.empty()) {
          message_ = build_failure(exit_->head);
          whole_ = true;
        }
        return {};
      }
      default:
        return {};
    }
  }

  Result<void> send_pong(std::string_view payload) {
    std::string frame;
    v2::append_frame(frame, v2::Kind::kPong, 0, payload);
    return write_all(*requests_.link_.stream, frame);
  }

  V2Requests& requests_;
  const std::uint32_t stream_;
  v2::SendWindow window_;
  v2::ReceiveWindow received_;
  std::string message_;
  bool whole_ = false;  // message_ is a reply
  std::string data_;
  std::string given_;
  std::optional<v2::Exit> exit_;
};

V2Requests::V2Requests(V2Link link) : link_(std::move(link)), buffer_(kReadAtMost, '\0') {
  decoder_.append(link_.read_already);
}

bool V2Requests::served_by(const V2Link& link) {
  return std::find(link.features.begin(), link.features.end(), "requests") != link.features.end();
}

Result<std::unique_ptr<Exchange>> V2Requests::begin(std::string_view request) {
  if (!ended_) {
    OneRequest before(*this, stream_);
    if (const auto finished = before.finish(Deadline::in(kUntilEnd)); !finished)
      return lost("the request before was left in its middle");
  }
  ended_ = false;
  auto one = std::make_unique<OneRequest>(*this, ++stream_);
  std::string frame;
  v2::append_frame(frame, v2::Kind::kOpen, stream_, request);
  if (const auto sent = write_all(*link_.stream, frame); !sent) return sent.error();
  return std::unique_ptr<Exchange>(std::move(one));
}

Result<void> V2Requests::read_frames(const Deadline& deadline) {
  const auto bytes = read_some(*link_.stream, buffer_.data(), buffer_.size(), deadline);
  if (!bytes) return bytes.error();
  if (*bytes == 0) return lost("the daemon closed the connection in the middle of an answer");
  decoder_.append({buffer_.data(), *bytes});
  return {};
}

}  // namespace hostclaw::hostlink
