// SPDX-License-Identifier: Apache-2.0
// What a process inherited from whoever started it, put into a known state. On Windows nothing of it is
// inherited.
#pragma once

#include <cstdint>
#include <string>

namespace hostclaw::node_host {

// SIGCHLD at its default (ignored, it would lose every exit code), no signal blocked, 0 to 2 open (a database
// must never become one of them), everything above closed on exec. SIGHUP stays ignored where it was: nohup.
// Requires: called first in main().
void settle_inherited_state();

// For a process that serves: writing where nobody reads is an error, not its end. Children are not affected.
void ignore_broken_pipes();

// Makes room for `wanted` open files, as far as this process may, and answers how many there may be now.
// Children keep the limit that was inherited. Requires: called before the first spawn().
std::uint64_t raise_descriptor_limit(std::uint64_t wanted);

// The value of a variable, which is then gone from the environment and, on Linux, from what /proc shows of
// it: programs of the same account could read it there. Empty: it was not set. Requires: one thread.
std::string take_environment_secret(const char* name);

// Other processes of this account cannot read the memory of this one any more, nor what /proc shows of its
// environment and files; there is no core dump and no debugger but root's. Programs that it starts are as
// ever. Windows: nothing.
void keep_memory_private();

}  // namespace hostclaw::node_host
