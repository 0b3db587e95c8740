// SPDX-License-Identifier: Apache-2.0
// The client of HostLink as one function, for its own small executable and for hostclaw. POSIX alone; blocks
// until it is done; meant to be the whole of its process (SIGPIPE is ignored from then on).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::hostlink {

// `name` is the file name that the program was called by: `hostlink-cli` has the exit statuses of clients
// since 1.5, every other name that begins with `hostlink` those of the skill; any other name is that of a
// shim. `arguments` are without it. Returns the exit status.
int client_main(std::string_view name, std::vector<std::string> arguments);

// Whether a program called by that name is the client.
bool is_client_name(std::string_view name);

// Takes the value of -k and --token out of the process's own arguments, where others could read it. Call it
// when they have been copied.
void hide_token(int argc, char** argv);

}  // namespace hostclaw::hostlink
