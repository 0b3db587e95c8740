// SPDX-License-Identifier: Apache-2.0
// Nobody sits before a run: what would ask a person asks nobody, and waits until the run is out of time.
// Children are told so in the words that git, its credential managers and ssh understand, so that they fail
// at once and say why.
//
//   GIT_TERMINAL_PROMPT=0      git asks for no name and no password on a terminal
//   GCM_INTERACTIVE=never      Git Credential Manager shows no window
//   SSH_ASKPASS_REQUIRE=force  ssh (8.4 and later) does not look for a terminal; on Windows it would find the
//                              run's console, which nobody sees
//   SSH_ASKPASS=hostclaw       what ssh and git ask instead: this program, which answers nothing, fails and
//                              says on standard error what was asked (cli/askpass.h)
//
// A variable that the run has already, from the host's environment or the request, stays as it is.
// GIT_SSH_COMMAND, GIT_ASKPASS and GIT_EDITOR are left alone: they would override what the owner has in git's
// configuration (core.sshCommand, core.askPass, core.editor).
//
// Pure; safe from any thread.
#pragma once

#include <string>

#include "node-host/run/run_environment.h"
#include "policy/model/types.h"

namespace hostclaw::node_host {

// `askpass`: the absolute path of this program; empty when unknown, then ssh is told to ask nobody at all.
void set_unattended_defaults(RunEnvironment& environment, const std::string& askpass,
                             policy::Platform platform);

// Windows: NoDefaultCurrentDirectoryInExePath=1, by which cmd.exe and others that start programs by bare
// names (batch files, npm's shims) do not look into the working directory first, as the search that is judged
// does not. Not to be overridden by anybody: what was judged is what is found.
void set_search_rules(RunEnvironment& environment, policy::Platform platform);

}  // namespace hostclaw::node_host
