// SPDX-License-Identifier: Apache-2.0
// How a command of the client ended, and the exit status that says so. There are two generations of them: the
// ones of the skill and of clients up to 1.4 (0 to 7), and the ones since 1.5 (the command's own status, 124,
// 125). Source: HostLink contract, section 5.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "hostlink/proto/replies.h"

namespace hostclaw::hostlink {

enum class ExitCodes { kClassic, kRemote };

enum class Ending {
  kOk,
  kRemoteStatus,  // the command ran and ended with a status other than 0
  kNotConnected,
  kNotAuthenticated,
  kRefused,  // the daemon said error, bad_request or not_found
  kTimeout,
  kProtocol,  // no answer, or none that can be read
  kUsage,     // the command line, or the configuration of the client
  kLocal,     // a file of this side cannot be read or written
};

struct Outcome {
  Ending ending = Ending::kOk;
  int status = 0;  // for kRemoteStatus: 1 to 255
};

int exit_status(const Outcome& outcome, ExitCodes codes);

// Of an error of this client: by its code.
Outcome outcome_of(const Error& error);
// Of a reply's status; for `ok` and `timeout` with the command's own status.
Outcome outcome_of(const ReplyHead& head, std::int64_t exit_code = 0);

}  // namespace hostclaw::hostlink
