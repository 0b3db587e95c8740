// SPDX-License-Identifier: Apache-2.0
// What a process inherited from whoever started it, put into a known state. On Windows of all this only that
// Ctrl-C may have been switched off is inherited.
#pragma once

#include <cstdint>
#include <string>

namespace hostclaw::node_host {

// SIGCHLD at its default (ignored, it would lose every exit code), no signal blocked, 0 to 2 open (a database
// must never become one of them), everything above closed on exec. SIGHUP stays ignored where it was: nohup.
// Requires: called first in main().
void settle_inherited_state();

// For a process that serves. Windows ends a process as soon as it has taken notice that its console is closed
// or its user logs off; from now on that asks the process to stop (SIGBREAK) and is held up until it has, for
// as long as Windows allows (five seconds). Elsewhere a signal does no such thing. Requires: a handler for
// SIGBREAK is installed.
void hold_console_close();

// For a process that serves: writing where nobody reads is an error, not its end. Children are not affected.
void ignore_broken_pipes();

// The signals that this process ignores, signal n as bit n - 1: looked at once, and again after
// ignore_broken_pipes() and look_at_signals_again(). POSIX.
std::uint64_t ignored_signals();
void look_at_signals_again();

// Makes room for `wanted` open files, as far as this process may, and answers how many there may be now.
// Children keep the limit that was inherited; asked again, the higher one holds. Requires: called before the
// first spawn().
std::uint64_t raise_descriptor_limit(std::uint64_t wanted);

// The value of a variable, which is then gone from the environment and, on Linux, from what /proc shows of
// it: programs of the same account could read it there. Empty: it was not set. Requires: one thread.
std::string take_environment_secret(const char* name);

// Other processes of this account cannot read the memory of this one any more, nor what /proc shows of its
// environment and files; there is no core dump and no debugger but root's. Programs that it starts are as
// ever. Windows: nothing.
void keep_memory_private();

}  // namespace hostclaw::node_host
