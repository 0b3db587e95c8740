// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/v2_frame.h"

#include <utility>

namespace hostclaw::hostlink::v2 {
namespace {

enum class Sender { kClient, kDaemon, kBoth };

struct KindRule {
  Kind kind;
  Sender sender;
  std::size_t least;
  std::size_t most;
  bool of_connection;
};

constexpr KindRule kKindRules[] = {
    {Kind::kOpen, Sender::kClient, 2, kMaxJsonPayload, false},
    {Kind::kStdin, Sender::kClient, 1, kMaxDataPayload, false},
    {Kind::kStdinEnd, Sender::kClient, 0, 0, false},
    {Kind::kSignal, Sender::kClient, 1, 16, false},
    {Kind::kResize, Sender::kClient, 8, 8, false},
    {Kind::kCancel, Sender::kClient, 0, 0, false},
    {Kind::kStarted, Sender::kDaemon, 2, kMaxJsonPayload, false},
    {Kind::kStdout, Sender::kDaemon, 1, kMaxDataPayload, false},
    {Kind::kStderr, Sender::kDaemon, 1, kMaxDataPayload, false},
    {Kind::kStdoutEnd, Sender::kDaemon, 0, 0, false},
    {Kind::kStderrEnd, Sender::kDaemon, 0, 0, false},
    {Kind::kExit, Sender::kDaemon, 2, kMaxJsonPayload, false},
    {Kind::kMessage, Sender::kBoth, 2, kMaxJsonPayload, false},
    {Kind::kCredit, Sender::kBoth, 5, 5, false},
    {Kind::kPing, Sender::kBoth, 8, 8, true},
    {Kind::kPong, Sender::kBoth, 8, 8, true},
    {Kind::kGoodbye, Sender::kBoth, 2, kMaxJsonPayload, true},
};

// From here on a kind that is not known is none that has to be.
constexpr std::uint8_t kFirstOptionalKind = 0x80;

std::uint32_t read_number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

void append_number(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFFU);
}

}  // namespace

std::string_view frame_problem_text(FrameProblem problem) {
  switch (problem) {
    case FrameProblem::kNone:
      return "none";
    case FrameProblem::kUnknownKind:
      return "a frame of an unknown kind";
    case FrameProblem::kWrongSide:
      return "a frame that only the other end may send";
    case FrameProblem::kTooLong:
      return "a frame that is too long";
    case FrameProblem::kWrongLength:
      return "a frame of a wrong length";
    case FrameProblem::kWrongStream:
      return "a frame on a wrong stream";
  }
  return "";
}

FrameProblem Decoder::judge(std::uint8_t kind, std::size_t length, std::uint32_t stream) const {
  for (const KindRule& rule : kKindRules) {
    if (static_cast<std::uint8_t>(rule.kind) != kind) continue;
    const Sender own = reader_ == Side::kClient ? Sender::kClient : Sender::kDaemon;
    if (rule.sender == own) return FrameProblem::kWrongSide;
    if (rule.of_connection != (stream == 0)) return FrameProblem::kWrongStream;
    if (length > rule.most)
      return rule.least == rule.most ? FrameProblem::kWrongLength : FrameProblem::kTooLong;
    return length < rule.least ? FrameProblem::kWrongLength : FrameProblem::kNone;
  }
  if (kind < kFirstOptionalKind) return FrameProblem::kUnknownKind;
  return length > kMaxJsonPayload ? FrameProblem::kTooLong : FrameProblem::kNone;
}

void Decoder::append(std::string_view bytes) {
  // What was read goes away here and not in next(), whose payloads point into it.
  bytes_.erase(0, std::exchange(read_, 0));
  if (problem_ == FrameProblem::kNone) bytes_.append(bytes);
}

std::optional<Frame> Decoder::next() {
  while (problem_ == FrameProblem::kNone) {
    const std::string_view rest = std::string_view(bytes_).substr(read_);
    if (rest.size() < kHeaderBytes) return std::nullopt;
    const auto kind = static_cast<std::uint8_t>(rest[0]);
    const std::size_t length = read_number(rest.substr(1, 3));
    const std::uint32_t stream = read_number(rest.substr(4, 4));
    problem_ = judge(kind, length, stream);
    if (problem_ != FrameProblem::kNone || rest.size() - kHeaderBytes < length) return std::nullopt;
    read_ += kHeaderBytes + length;
    if (kind < kFirstOptionalKind)
      return Frame{static_cast<Kind>(kind), stream, rest.substr(kHeaderBytes, length)};
  }
  return std::nullopt;
}

std::array<char, kHeaderBytes> header(Kind kind, std::uint32_t stream, std::size_t payload_size) {
  std::string text(1, static_cast<char>(kind));
  append_number(text, static_cast<std::uint32_t>(payload_size), 3);
  append_number(text, stream, 4);
  std::array<char, kHeaderBytes> out{};
  text.copy(out.data(), out.size());
  return out;
}

void append_frame(std::string& out, Kind kind, std::uint32_t stream, std::string_view payload) {
  const auto head = header(kind, stream, payload.size());
  out.append(head.data(), head.size());
  out.append(payload);
}

void append_credit(std::string& out, std::uint32_t stream, Credit credit) {
  std::string payload(1, static_cast<char>(credit.channel));
  append_number(payload, credit.bytes, 4);
  append_frame(out, Kind::kCredit, stream, payload);
}

std::optional<Credit> credit_from(std::string_view payload) {
  if (payload.size() != 5 || static_cast<unsigned char>(payload[0]) > 2) return std::nullopt;
  return Credit{static_cast<Channel>(payload[0]), read_number(payload.substr(1))};
}

void append_resize(std::string& out, std::uint32_t stream, WindowSize size) {
  std::string payload;
  for (const std::uint16_t value : {size.columns, size.rows, size.width, size.height})
    append_number(payload, value, 2);
  append_frame(out, Kind::kResize, stream, payload);
}

std::optional<WindowSize> window_size_from(std::string_view payload) {
  if (payload.size() != 8) return std::nullopt;
  const auto at = [&](std::size_t i) {
    return static_cast<std::uint16_t>(read_number(payload.substr(i, 2)));
  };
  return WindowSize{at(0), at(2), at(4), at(6)};
}

bool SendWindow::add(std::uint32_t bytes) {
  if (bytes > kMaxCredit || available_ + bytes > kMaxCredit) return false;
  available_ += bytes;
  return true;
}

bool ReceiveWindow::received(std::size_t bytes) {
  if (bytes > available_) return false;
  available_ -= bytes;
  return true;
}

std::uint32_t ReceiveWindow::consumed(std::size_t bytes) {
  owed_ += bytes;
  if (owed_ < kInitialCredit / 4) return 0;
  available_ += owed_;
  return static_cast<std::uint32_t>(std::exchange(owed_, 0));
}

}  // namespace hostclaw::hostlink::v2
