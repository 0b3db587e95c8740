// SPDX-License-Identifier: Apache-2.0
// The frames of HostLink: eight bytes of header (magic "HLNK" and the payload's length, both big-endian u32),
// then the payload. Pure; an object belongs to one thread.
//
// The decoder is incremental and allocates by what has arrived, never by what a header claims. Two limits may
// be changed at any time: the payload cap, beyond which a header is refused, and the held cap, at which the
// decoder stops and lets its owner look at the beginning of a long payload (protocol 1 has its token in
// there) before it takes more. Source: HostLink contract, section 3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hostclaw::hostlink {

inline constexpr std::uint32_t kFrameMagic = 0x484C4E4B;
inline constexpr std::size_t kFrameHeaderBytes = 8;
inline constexpr std::size_t kMaxFramePayload = 134'217'728;
// Enough for every request but `put` and a very long command; what comes before a token is known.
inline constexpr std::size_t kMaxUnauthenticatedPayload = 65'536;
// Members and elements of a request: an argv and an environment of thousands.
inline constexpr std::size_t kMaxValues = 65'536;
// What a data frame of a stream carries at most.
inline constexpr std::size_t kMaxStreamFramePayload = 4'194'304;

enum class FrameEvent {
  kNeedMore,    // everything given was taken, no frame is complete
  kFrame,       // payload() is one whole payload; the next feed begins another
  kHeld,        // payload() is the beginning of one that is longer than the held cap: raise it or hang up
  kBadMagic,    // the peer does not speak this; final
  kOverCap,     // the header claims more than the payload cap; final
  kEmptyFrame,  // a length of zero, which ends a connection like its end does; final
};

struct FrameStep {
  FrameEvent event = FrameEvent::kNeedMore;
  std::size_t consumed = 0;  // of the bytes given; what is left is to be given again
};

class FrameDecoder {
 public:
  explicit FrameDecoder(std::size_t payload_cap = kMaxFramePayload, std::size_t held_cap = kMaxFramePayload)
      : payload_cap_(payload_cap), held_cap_(held_cap) {}

  FrameStep feed(std::string_view bytes);

  void set_payload_cap(std::size_t bytes) { payload_cap_ = bytes; }
  void set_held_cap(std::size_t bytes) { held_cap_ = bytes; }

  std::string_view payload() const { return payload_; }
  std::string take_payload();
  // Of the frame being read, as its header says; 0 between frames.
  std::size_t claimed() const { return claimed_; }
  // Whether the end of the connection here is an end between two frames.
  bool between_frames() const { return header_size_ == 0 || complete_; }

 private:
  FrameStep read_header(std::string_view bytes);
  FrameEvent judge_header();

  std::size_t payload_cap_;
  std::size_t held_cap_;
  std::array<char, kFrameHeaderBytes> header_{};
  std::size_t header_size_ = 0;
  std::size_t claimed_ = 0;
  bool complete_ = false;
  FrameEvent failed_ = FrameEvent::kNeedMore;
  std::string payload_;
};

std::array<char, kFrameHeaderBytes> frame_header(std::size_t payload_size);
// Requires: 1 to kMaxFramePayload bytes.
std::string encode_frame(std::string_view payload);

}  // namespace hostclaw::hostlink
