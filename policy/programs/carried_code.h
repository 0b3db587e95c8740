// SPDX-License-Identifier: Apache-2.0
// Listed tools that carry other code to run: an interpreter's inline code, `find -exec`, `git -c
// core.pager=...`, `tar --to-command`, `ssh -o ProxyCommand=...`. In hardened mode such a use is asked about
// even when the tool is listed. A reviewed data table per tool (carried_code_table.cc), easy to extend; see
// its first lines for how. Pure; safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model/types.h"
#include "policy/programs/option_parser.h"

namespace hostclaw::policy {

struct CarriedCode {
  std::string tool;          // the table's name for it, e.g. git
  std::size_t argument = 0;  // index in argv of the argument that carries
  std::string reason;        // one sentence, e.g. "git -c sets configuration that can run other programs"
};

// `argv` is the effective argv (wrappers stripped). nullopt: nothing in it is known to carry code. Cost:
// linear in the text, times the rows of the tool; more than 8192 words of a tool in the table count as
// carrying.
// `platform` says which file swallows what is written to it.
std::optional<CarriedCode> carried_code(const std::vector<std::string>& argv,
                                        Platform platform = Platform::kPosix);

// Why a tool must not be allowed by its path alone after a `cd`: it reads configuration from the directory it
// stands in, and that can run programs (git, docker, ...). Empty when that is not so. `token` is an
// executable_token.
std::string working_directory_code(std::string_view token);

// What an allowlist entry for this program opens beyond the program itself, for warnings at store time; empty
// when nothing is known. `token` is an executable_token: a shell, an interpreter, or a tool of the table.
std::string general_door(std::string_view token);

// True when that hangs on the arguments (git, docker, curl), so that whoever judges them can close it: the
// engine asks about those that carry code, rules about the rest. False for shells, interpreters and whatever
// runs what it is given.
bool door_hangs_on_arguments(std::string_view token);

// What is known of the program's options; an empty grammar for a program that the table does not know. Lives
// as long as the process. `token` is an executable_token.
const OptionGrammar& known_options(std::string_view token);

}  // namespace hostclaw::policy
