// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/frame.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/text.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;

namespace {

const std::string kPing = R"({"version":1,"type":"ping","id":"1","token":"t"})";

std::string bytes_of(std::string_view hex) {
  const auto bytes = from_hex(hex);
  REQUIRE(bytes);
  return {bytes->begin(), bytes->end()};
}

// Every payload in `bytes`, given in pieces of `piece`, and what came at the end.
std::pair<std::vector<std::string>, FrameEvent> decode(const std::string& bytes, std::size_t piece,
                                                       std::size_t cap = kMaxFramePayload) {
  FrameDecoder decoder(cap);
  std::vector<std::string> payloads;
  FrameEvent last = FrameEvent::kNeedMore;
  for (std::size_t from = 0; from < bytes.size(); from += piece) {
    std::string_view rest = std::string_view(bytes).substr(from, piece);
    while (!rest.empty()) {
      const FrameStep step = decoder.feed(rest);
      last = step.event;
      rest.remove_prefix(step.consumed);
      if (step.event == FrameEvent::kFrame) {
        payloads.emplace_back(decoder.payload());
      } else if (step.event != FrameEvent::kNeedMore) {
        return {payloads, last};
      }
    }
  }
  return {payloads, last};
}

}  // namespace

TEST_CASE("the frame of a ping has the bytes that the contract gives") {
  CHECK(encode_frame(kPing) == bytes_of("484c4e4b00000030") + kPing);
}

TEST_CASE("frames are read whatever the pieces they come in") {
  const std::string bytes = encode_frame(kPing) + encode_frame("x") + encode_frame(std::string(300, 'y'));
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    CAPTURE(piece);
    const auto [payloads, last] = decode(bytes, piece);
    CHECK(payloads == std::vector<std::string>{kPing, "x", std::string(300, 'y')});
    CHECK(last == FrameEvent::kFrame);
  }
}

TEST_CASE("another magic is told by its first wrong byte, and stays told") {
  FrameDecoder decoder;
  CHECK(decoder.feed("HL").event == FrameEvent::kNeedMore);
  CHECK(decoder.feed("T").event == FrameEvent::kBadMagic);
  CHECK(decoder.feed(encode_frame(kPing)).event == FrameEvent::kBadMagic);
  CHECK(decoder.feed(encode_frame(kPing)).consumed == 0);
  CHECK(decode("GET / HTTP/1.1\r\n", 16).second == FrameEvent::kBadMagic);
}

TEST_CASE("a length of zero, one over the cap and one at the cap are three things") {
  CHECK(decode(bytes_of("484c4e4b00000000"), 8).second == FrameEvent::kEmptyFrame);
  CHECK(decode(bytes_of("484c4e4b08000001"), 8).second == FrameEvent::kOverCap);
  CHECK(decode(bytes_of("484c4e4bffffffff"), 8).second == FrameEvent::kOverCap);
  CHECK(decode(bytes_of("484c4e4b08000000"), 8).second == FrameEvent::kNeedMore);
  CHECK(decode(encode_frame("abcd"), 12, 4).second == FrameEvent::kFrame);
  CHECK(decode(encode_frame("abcde"), 13, 4).second == FrameEvent::kOverCap);
}

TEST_CASE("the cap may change between two frames") {
  FrameDecoder decoder(4);
  CHECK(decoder.feed(encode_frame("abcd")).event == FrameEvent::kFrame);
  decoder.set_payload_cap(5);
  CHECK(decoder.feed(encode_frame("abcde")).event == FrameEvent::kFrame);
  CHECK(decoder.take_payload() == "abcde");
}

TEST_CASE("a long payload is held at its beginning until somebody has looked") {
  FrameDecoder decoder(kMaxFramePayload, 10);
  const std::string bytes = encode_frame("0123456789abcdef");
  FrameStep step = decoder.feed(bytes);
  CHECK(step.event == FrameEvent::kHeld);
  CHECK(step.consumed == kFrameHeaderBytes + 10);
  CHECK(decoder.payload() == "0123456789");
  CHECK(decoder.claimed() == 16);
  std::string_view rest = std::string_view(bytes).substr(step.consumed);
  step = decoder.feed(rest);
  CHECK(step.event == FrameEvent::kHeld);
  CHECK(step.consumed == 0);
  decoder.set_held_cap(kMaxFramePayload);
  step = decoder.feed(rest);
  CHECK(step.event == FrameEvent::kFrame);
  CHECK(decoder.payload() == "0123456789abcdef");
  // A short one is never held.
  FrameDecoder other(kMaxFramePayload, 10);
  CHECK(other.feed(encode_frame("0123456789")).event == FrameEvent::kFrame);
}

TEST_CASE("a claimed length allocates nothing") {
  FrameDecoder decoder;
  CHECK(decoder.feed(bytes_of("484c4e4b08000000") + "x").event == FrameEvent::kNeedMore);
  CHECK(decoder.payload().size() == 1);
  CHECK(decoder.take_payload().capacity() < 4096);
}

TEST_CASE("an end between two frames is told from an end inside of one") {
  FrameDecoder decoder;
  CHECK(decoder.between_frames());
  decoder.feed("H");
  CHECK_FALSE(decoder.between_frames());
  decoder.feed(encode_frame("x").substr(1));
  CHECK(decoder.between_frames());
  decoder.feed(encode_frame("xy").substr(0, 9));
  CHECK_FALSE(decoder.between_frames());
}
