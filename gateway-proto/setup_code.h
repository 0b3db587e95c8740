// SPDX-License-Identifier: Apache-2.0
// Setup codes and join URLs. Source: transport contract section 4. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "gateway-proto/endpoint.h"

namespace hostclaw::gateway_proto {

struct SetupCode {
  // Tried in order; the first is `url` with the pin, the others carry none.
  std::vector<GatewayEndpoint> candidates;
  std::string bootstrap_token;     // secret, single use
  std::int64_t expires_at_ms = 0;  // 0: not stated
};

inline constexpr std::size_t kMaxSetupCodeBytes = 24'576;

// base64url of a JSON object, optional `oc-pair://` prefix, surrounding white space ignored.
// Errors: SETUP_CODE_INVALID, SETUP_CODE_EXPIRED (compared with `now_ms`). Messages never quote the code.
Result<SetupCode> parse_setup_code(std::string_view text, std::int64_t now_ms);

// The JSON object itself, as a join URL answers it.
Result<SetupCode> parse_setup_object(std::string_view json_text, std::int64_t now_ms);

// https://host[/base]/j/<22 base64url characters>; plain http only for loopback; no query, fragment,
// userinfo.
struct JoinUrl {
  GatewayEndpoint endpoint;  // host, port, tls
  std::string target;        // path of the GET
};
bool looks_like_join_url(std::string_view text);
Result<JoinUrl> parse_join_url(std::string_view text);  // Errors: SETUP_CODE_INVALID

}  // namespace hostclaw::gateway_proto
