// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/outcome.h"

#include <algorithm>

#include "base/text.h"

namespace hostclaw::hostlink {

int exit_status(const Outcome& outcome, ExitCodes codes) {
  const bool classic = codes == ExitCodes::kClassic;
  switch (outcome.ending) {
    case Ending::kOk:
      return 0;
    case Ending::kRemoteStatus:
      return classic ? 1 : std::clamp(outcome.status, 1, 255);
    case Ending::kTimeout:
      return classic ? 5 : 124;
    case Ending::kNotConnected:
      return classic ? 2 : 125;
    case Ending::kNotAuthenticated:
      return classic ? 3 : 125;
    case Ending::kRefused:
    case Ending::kLocal:
      return classic ? 4 : 125;
    case Ending::kProtocol:
      return classic ? 6 : 125;
    case Ending::kUsage:
      return classic ? 7 : 125;
  }
  return 125;
}

Outcome outcome_of(const Error& error) {
  if (is_one_of(error.code, {"CONNECT_FAILED", "CONNECT_TIMED_OUT", "TLS_FAILED"}))
    return {Ending::kNotConnected, 0};
  if (error.code == "NOT_AUTHENTICATED") return {Ending::kNotAuthenticated, 0};
  if (is_one_of(error.code, {"USAGE", "TARGETS_INVALID", "TOKEN_MISSING", "PLAIN_TCP_REFUSED",
                             "TRANSPORT_MISSING", "PROTOCOL_2_NEEDED"}))
    return {Ending::kUsage, 0};
  if (is_one_of(error.code, {"LOCAL_FILE", "DIGEST_DIFFERS", "NO_SPACE"})) return {Ending::kLocal, 0};
  if (error.code == "REFUSED") return {Ending::kRefused, 0};
  if (error.code == "WAIT_TIMED_OUT") return {Ending::kTimeout, 0};
  return {Ending::kProtocol, 0};
}

Outcome outcome_of(const ReplyHead& head, std::int64_t exit_code) {
  switch (head.status) {
    case ReplyStatus::kOk:
      if (exit_code == 0) return {};
      // A daemon's own numbers below zero are no status of a command.
      if (exit_code < 0) return {Ending::kRefused, 0};
      return {Ending::kRemoteStatus, static_cast<int>(std::min<std::int64_t>(exit_code, 255))};
    case ReplyStatus::kTimeout:
      return {Ending::kTimeout, 0};
    case ReplyStatus::kAuthFailed:
      return {Ending::kNotAuthenticated, 0};
    case ReplyStatus::kError:
    case ReplyStatus::kBadRequest:
    case ReplyStatus::kNotFound:
      return {Ending::kRefused, 0};
  }
  return {Ending::kProtocol, 0};
}

}  // namespace hostclaw::hostlink
