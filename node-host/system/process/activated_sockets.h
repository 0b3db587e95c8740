// SPDX-License-Identifier: Apache-2.0
// A socket that the service manager has opened for this process before it started it: systemd's socket
// activation, sd_listen_fds(3). Requires: called once, before a child is started and before the process
// detaches from its terminal (the variables name a process id).
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

struct ActivatedSocket {
  UniqueFd socket;   // close-on-exec: it is this process's alone
  std::string path;  // where it lies; `@name` for an abstract one
};

// Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment, so that no command sees them.
// nullopt: nothing was passed to this process. Errors: SOCKET_UNUSABLE when what was passed is not exactly
// one listening Unix stream socket.
Result<std::optional<ActivatedSocket>> take_activated_socket();

}  // namespace hostclaw::node_host
