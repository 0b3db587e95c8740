// SPDX-License-Identifier: Apache-2.0
// The gateway's side of the device signature, written from the protocol alone: it shares no code with the
// node's signing, so that both can be wrong only independently.
// Source: transport contract sections 2.5, 2.6 and 2.8. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"

namespace hostclaw::devgateway {

struct DeviceRefusal {
  std::string message;
  std::string code;    // details.code
  std::string reason;  // details.reason, may be empty
};

struct VerifiedDevice {
  std::string device_id;
  std::string public_key;  // canonical base64url
  int layout = 0;          // 3 or 2: which payload layout the signature covers
};

// `params` are connect params that passed the schema and hold a device. `now_ms` is the gateway's clock.
std::optional<DeviceRefusal> verify_device(const Json& params, const std::string& expected_nonce,
                                           std::int64_t now_ms, VerifiedDevice& verified);

// Field 8 of the payload: the first present of token, deviceToken, bootstrapToken.
std::string signed_token_of(const Json& params);

}  // namespace hostclaw::devgateway
