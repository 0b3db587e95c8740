// SPDX-License-Identifier: Apache-2.0
// Any bytes as frames of HostLink's protocol 2, at either end, and what their payloads say.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hostlink/proto/v2_frame.h"
#include "hostlink/proto/v2_hello.h"
#include "hostlink/proto/v2_messages.h"
#include "hostlink/proto/v2_scram.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_json(std::string_view payload) {
  if (const auto open = v2::parse_open_run(payload)) {
    const auto again = v2::parse_open_run(v2::build_open_run(*open));
    require(again.has_value() && again->argv == open->argv && again->command == open->command);
    require(again->workdir == open->workdir);
  }
  if (const auto end = v2::parse_exit(payload))
    require(v2::parse_exit(v2::build_exit(*end))->exit_code == end->exit_code);
  static_cast<void>(v2::parse_started(payload));
  static_cast<void>(v2::parse_goodbye(payload));
  static_cast<void>(v2::parse_proof(payload));
  if (const auto reply = parse_reply(payload)) {
    if (const auto challenge = v2::challenge_from(*reply); challenge && *challenge)
      require((*challenge)->iterations > 0 && !(*challenge)->salt.empty());
    static_cast<void>(v2::signature_from(*reply));
  }
}

void check_frames(v2::Side reader, std::string_view bytes, std::size_t piece) {
  v2::Decoder decoder(reader);
  while (!bytes.empty()) {
    decoder.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (const auto frame = decoder.next()) {
      require(frame->payload.size() <= v2::kMaxJsonPayload);
      static_cast<void>(v2::credit_from(frame->payload));
      static_cast<void>(v2::window_size_from(frame->payload));
      check_json(frame->payload);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_json(bytes);
  static_cast<void>(v2::token_key_id(bytes));
  check_frames(v2::Side::kClient, bytes, data[0] + std::size_t{1});
  check_frames(v2::Side::kDaemon, bytes, data[0] + std::size_t{1});
  return 0;
}
