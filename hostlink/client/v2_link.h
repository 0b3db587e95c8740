// SPDX-License-Identifier: Apache-2.0
// The client's end of protocol 2: the opening, and one run on its connection. Used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "hostlink/client/session.h"
#include "hostlink/proto/v2_messages.h"

namespace hostclaw::hostlink {

struct V2Link {
  std::unique_ptr<Stream> stream;
  std::string read_already;  // frames that came together with the daemon's last word of the opening
  std::string node;
  std::vector<std::string> features;
};

// Nothing when the daemon is an older one: then a new connection has to be made for protocol 1, which is this
// function's caller's to decide. Errors: those of connect_to, NOT_AUTHENTICATED, PROTOCOL_ERROR (also: the
// daemon cannot prove that it knows the token).
Result<std::optional<V2Link>> open_v2(const Session& session);

struct LiveRun {
  v2::OpenRun open;
  int input = -1;  // what goes to its stdin; -1 for nothing
  int output = 1;
  int error = 2;
};

// Asks for the run and passes everything on until its end: stdin, both outputs as they come, signals of this
// process, the window's size. Signals are taken over for that time, and given back. Requires: SIGPIPE is
// ignored. Errors: CONNECTION_LOST, PROTOCOL_ERROR,
// LOCAL_FILE.
Result<v2::Exit> run_live(V2Link link, const LiveRun& run);

}  // namespace hostclaw::hostlink
