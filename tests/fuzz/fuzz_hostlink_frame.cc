// SPDX-License-Identifier: Apache-2.0
// Any bytes as frames of HostLink's protocol 1, and each payload as a request, a trailer and a reply. The
// first byte says how large the pieces are that the bytes come in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hostlink/proto/base64.h"
#include "hostlink/proto/frame.h"
#include "hostlink/proto/messages.h"
#include "hostlink/proto/replies.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_payload(std::string_view payload) {
  static_cast<void>(parse_stream_trailer(payload));
  static_cast<void>(peek_text_member(payload, "token"));
  if (const auto bytes = from_base64(payload)) require(base64_size(bytes->size()) == payload.size());
  if (const auto request = parse_request(payload)) {
    if (!request_fault(*request)) {
      const auto again = parse_request(build_request(*request));
      require(again.has_value() && again->type == request->type && again->command == request->command);
      require(again->path == request->path && again->job_id == request->job_id);
    }
  }
  if (const auto reply = parse_reply(payload)) {
    require(parse_reply(build_exec_reply(exec_reply_from(*reply))).has_value());
    require(parse_reply(build_tail_reply(tail_reply_from(*reply))).has_value());
    require(parse_reply(build_stat_reply(stat_reply_from(*reply))).has_value());
    static_cast<void>(space_reply_from(*reply));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] + std::size_t{1};
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_payload(bytes);
  FrameDecoder decoder(1 << 16, 64);
  while (!bytes.empty()) {
    std::string_view rest = bytes.substr(0, piece);
    bytes.remove_prefix(rest.size());
    while (!rest.empty()) {
      const FrameStep step = decoder.feed(rest);
      require(step.consumed <= rest.size());
      rest.remove_prefix(step.consumed);
      if (step.event == FrameEvent::kFrame) {
        require(decoder.payload().size() == decoder.claimed());
        check_payload(decoder.payload());
      } else if (step.event == FrameEvent::kHeld) {
        decoder.set_held_cap(1 << 16);
      } else if (step.event != FrameEvent::kNeedMore) {
        return 0;
      }
    }
  }
  return 0;
}
