// SPDX-License-Identifier: Apache-2.0
// The frames of protocol 2, behind the proof of hostlink/proto/v2_hello.h. Pure; an object belongs to one
// thread.
//
// Eight bytes of header: kind (u8), payload length (u24), stream (u32), big-endian. Streams are opened by the
// client, which counts them up from 1; a number is never used twice. Stream 0 is the connection itself. What
// may be sent on the three channels of a stream is limited by credit: kInitialCredit bytes each at first,
// more by kCredit frames. docs/hostlink-protocol.md has the whole.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::hostlink::v2 {

enum class Kind : std::uint8_t {
  // from the client
  kOpen = 0x01,      // JSON, hostlink/proto/v2_messages.h: a run, or a request of protocol 1
  kStdin = 0x02,     // bytes
  kStdinEnd = 0x03,  // nothing
  kSignal = 0x04,    // a name without SIG, as INT
  kResize = 0x05,    // columns, rows, width, height in pixels: four u16
  kCancel = 0x06,    // nothing: end what this stream runs; its kExit still comes
  // from the daemon
  kStarted = 0x21,    // JSON: what was asked for runs now
  kStdout = 0x22,     // bytes
  kStderr = 0x23,     // bytes
  kStdoutEnd = 0x24,  // nothing
  kStderrEnd = 0x25,  // nothing
  kExit = 0x26,       // JSON: how it ended, or why it was refused; the last of its stream
  // from both
  kMessage = 0x41,  // JSON: on a stream that is a request, a reply or trailer of protocol 1
  kCredit = 0x42,   // channel (u8: 0 stdin, 1 stdout, 2 stderr) and bytes more (u32)
  kPing = 0x43,     // eight bytes, stream 0
  kPong = 0x44,     // the same eight bytes, stream 0
  kGoodbye = 0x45,  // JSON with code and message, stream 0; then the connection is closed
};

enum class Side { kClient, kDaemon };
enum class Channel : std::uint8_t { kStdin = 0, kStdout = 1, kStderr = 2 };

inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kMaxDataPayload = 131'072;
inline constexpr std::size_t kMaxJsonPayload = 4'194'304;
inline constexpr std::uint32_t kInitialCredit = 524'288;
// More than this at once means a peer that does not count.
inline constexpr std::uint32_t kMaxCredit = 0x7FFFFFFF;

struct Frame {
  Kind kind = Kind::kPing;
  std::uint32_t stream = 0;
  std::string_view payload;  // until the next call of the decoder
};

enum class FrameProblem {
  kNone,
  kUnknownKind,  // kinds from 0x80 on are left out without a word: later peers may send them
  kWrongSide,    // a kind that only this end may send
  kTooLong,
  kWrongLength,  // of a kind whose length is fixed
  kWrongStream,  // stream 0 where a stream belongs, or the reverse
};
std::string_view frame_problem_text(FrameProblem problem);

// Incremental, and never holds more than one frame beside what it was given last.
class Decoder {
 public:
  // What this end reads: frames of the other one.
  explicit Decoder(Side reader) : reader_(reader) {}

  void append(std::string_view bytes);
  // The next whole frame; nothing when more bytes are needed or a problem stands.
  std::optional<Frame> next();
  FrameProblem problem() const { return problem_; }
  bool between_frames() const { return bytes_.size() == read_; }

 private:
  FrameProblem judge(std::uint8_t kind, std::size_t length, std::uint32_t stream) const;

  Side reader_;
  FrameProblem problem_ = FrameProblem::kNone;
  std::string bytes_;
  std::size_t read_ = 0;
};

std::array<char, kHeaderBytes> header(Kind kind, std::uint32_t stream, std::size_t payload_size);
// Appends one frame. Requires: a payload within the limit of its kind.
void append_frame(std::string& out, Kind kind, std::uint32_t stream, std::string_view payload = {});

struct Credit {
  Channel channel = Channel::kStdin;
  std::uint32_t bytes = 0;
};
void append_credit(std::string& out, std::uint32_t stream, Credit credit);
std::optional<Credit> credit_from(std::string_view payload);

struct WindowSize {
  std::uint16_t columns = 0;
  std::uint16_t rows = 0;
  std::uint16_t width = 0;
  std::uint16_t height = 0;
  friend bool operator==(const WindowSize&, const WindowSize&) = default;
};
void append_resize(std::string& out, std::uint32_t stream, WindowSize size);
std::optional<WindowSize> window_size_from(std::string_view payload);

// What may still be sent on one channel.
class SendWindow {
 public:
  std::size_t available() const { return available_; }
  void sent(std::size_t bytes) { available_ -= bytes; }  // requires: at most available()
  bool add(std::uint32_t bytes);                         // false: the peer gives more than can be counted

 private:
  std::size_t available_ = kInitialCredit;
};

// What the peer may still send on one channel, and when it is given more.
class ReceiveWindow {
 public:
  // False: the peer sends more than it may.
  bool received(std::size_t bytes);
  // Bytes that this end has got rid of. The credit to send now; 0 for none yet, so that not every write costs
  // a frame.
  std::uint32_t consumed(std::size_t bytes);

 private:
  std::size_t available_ = kInitialCredit;
  std::size_t owed_ = 0;
};

}  // namespace hostclaw::hostlink::v2
