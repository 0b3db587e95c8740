// SPDX-License-Identifier: Apache-2.0
// Any bytes as a message of the gateway, and what is read out of it afterwards: handshake, invocations,
// refusals.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "gateway-proto/connect.h"
#include "gateway-proto/frame.h"
#include "gateway-proto/messages.h"

using namespace hostclaw;
using namespace hostclaw::gateway_proto;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_payload(const Json& payload) {
  if (const auto challenge = challenge_from(payload)) require(!challenge->nonce.empty());
  static_cast<void>(hello_ok_from(payload));
  static_cast<void>(cancelled_invoke_id(payload));
  static_cast<void>(pair_resolved_from(payload));
  const auto request = invoke_request_from(payload);
  if (!request) {
    require(!request.error().code.empty());
    return;
  }
  require(!request->id.empty() && !request->node_id.empty() && !request->command.empty());
  const std::string answer =
      invoke_result_params(*request, InvokeResult::failure("INVALID_REQUEST", request->command));
  require(static_cast<bool>(parse_json(encode_request("1", "node.invoke.result", answer))));
}

void check_refusal(const PeerError& error) {
  for (int bits = 0; bits < 64; ++bits) {
    CredentialState state;
    state.used_device_token = (bits & 1) != 0;
    state.used_shared = (bits & 2) != 0;
    state.used_bootstrap = (bits & 4) != 0;
    state.have_device_token = (bits & 8) != 0;
    state.endpoint_trusted = (bits & 16) != 0;
    state.retry_already_used = (bits & 32) != 0;
    const ConnectRefusal refusal = classify_connect_error(error, state);
    require(refusal.retry_after_ms >= 0);
    if (refusal.advice == ConnectAdvice::kRetryWithDeviceToken)
      require(state.have_device_token && state.endpoint_trusted && !state.retry_already_used);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Frame> frame = decode_frame(text);
  if (!frame) {
    require(!frame.error().code.empty());
    return 0;
  }
  if (const auto* response = std::get_if<ResponseFrame>(&*frame)) {
    require(response->ok == !response->error.has_value());
    if (response->error) check_refusal(*response->error);
    check_payload(response->payload);
  } else if (const auto* event = std::get_if<EventFrame>(&*frame)) {
    require(!event->event.empty());
    check_payload(event->payload);
    check_refusal(peer_error_from(event->payload));
  } else {
    require(!std::get<IgnoredFrame>(*frame).why.empty());
  }
  return 0;
}
