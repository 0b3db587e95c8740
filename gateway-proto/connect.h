// SPDX-License-Identifier: Apache-2.0
// The connect handshake: what a node sends, what the gateway answers, and what an answer means for the node.
// Source: transport contract sections 1.9, 2 and 3. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "gateway-proto/device_identity.h"
#include "gateway-proto/frame.h"

namespace hostclaw::gateway_proto {

struct Challenge {
  std::string nonce;
  std::int64_t ts_ms = 0;  // the gateway's clock; copied into signedAt, so our own clock does not matter
};

// Errors: FRAME_INVALID (blank nonce, ts that is not a usable number).
Result<Challenge> challenge_from(const Json& payload);

// The secrets that may go into `auth`. Exactly one of the forms of transport contract 2.7 is sent.
struct Credentials {
  std::string token;            // shared gateway token
  std::string password;         // shared gateway password; never signed
  std::string device_token;     // stored device token
  std::string bootstrap_token;  // from a setup code
  bool empty() const {
    return token.empty() && password.empty() && device_token.empty() && bootstrap_token.empty();
  }
};

struct ClientDescription {
  std::string display_name;
  std::string version;
  std::string platform;       // as describe_system() spells it
  std::string device_family;  // likewise; empty: not sent
  std::string instance_id;
  std::vector<std::string> caps;
  std::vector<std::string> commands;
  std::string path_env;  // empty: not sent
};

// How a node names its system. Gateways from 2026.6 to 2026.7 keep no command of a node whose platform and
// family they do not know together, and say so to nobody; every official host from 2026.6 on sends both.
// Hosts and gateways of protocol 3 knew the old form: Node's own name of the platform, no family. What a
// gateway has paired it compares at each connect, and protocol 3 takes `windows` for another machine than
// `win32`. Source: node commands contract, section 2.
enum class SystemForm { kCurrent, kOld };
// Requires Node's name of the platform: linux, win32 or darwin; another one is sent as it is, without a
// family.
void describe_system(ClientDescription& client, std::string_view platform, SystemForm form);

// Params of `connect`: protocol 3 to 4, role node, one frame form for both gateway generations.
// Absent members are absent, never null or empty.
Json connect_params(const ClientDescription& client, const Credentials& credentials,
                    const DeviceIdentity& identity, const Challenge& challenge);

struct HelloOk {
  int protocol = 0;
  std::string server_version;
  std::string connection_id;
  std::string auth_method;
  std::string device_token;  // secret; empty when none was handed out
  std::uint64_t max_payload = kMaxFrameBytes;
  std::int64_t tick_interval_ms = 30'000;
  bool takes_tools = false;  // it names node.pluginTools.update: who calls it elsewhere is disconnected
};

// Errors: FRAME_INVALID; PROTOCOL_UNSUPPORTED when the gateway speaks neither 3 nor 4.
Result<HelloOk> hello_ok_from(const Json& payload);

// Whether a gateway that calls itself so is older than this release of OpenClaw. A text that is no release of
// theirs
// (`YYYY.M.P`, anything behind it) is not.
bool is_release_before(std::string_view server_version, int year, int month, int patch);

// What a refused connect means for the node.
enum class ConnectAdvice {
  kRetry,                 // ordinary backoff
  kRetrySoon,             // gateway starting: wait retry_after_ms (100-2000), backoff does not grow
  kRetrySlowly,           // an operator has to act (device pairing, rate limit): keep trying at the slow pace
  kDropDeviceToken,       // the stored device token is no longer valid
  kRetryWithOldForm,      // one-shot: paired under the old names of the system, at once
  kRetryWithDeviceToken,  // one-shot: same shared token plus the stored device token, after 250 ms
  kFatal,                 // configuration or credentials must change: exit 1
};

struct ConnectRefusal {
  ConnectAdvice advice = ConnectAdvice::kRetry;
  std::string detail_code;  // details.code, e.g. PAIRING_REQUIRED; the top-level code when there is none
  std::string message;      // the gateway's sentence
  std::string reason;       // details.reason
  std::string request_id;   // pairing request to approve; empty when none
  std::int64_t retry_after_ms = 0;  // lower bound for the next attempt
  std::string next;                 // the command the operator must type next, or empty
};

struct CredentialState {
  bool used_device_token = false;  // the refused connect carried the stored device token
  bool used_shared = false;        // it carried a shared token or password
  bool used_bootstrap = false;
  bool have_device_token = false;   // one is stored
  bool endpoint_trusted = false;    // loopback, or wss with a pin
  bool retry_already_used = false;  // the one-shot retry of this outage is spent
  bool may_try_old_form = false;    // the refused connect had the current form, and the old one is untried
};

ConnectRefusal classify_connect_error(const PeerError& error, const CredentialState& state);

}  // namespace hostclaw::gateway_proto
