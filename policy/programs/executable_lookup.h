// SPDX-License-Identifier: Apache-2.0
// From a command word to the file that would run. Exec contract 7.2, 13.2. Learns about files through
// FileProbe only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/model/engine_context.h"
#include "policy/model/file_probe.h"

namespace hostclaw::policy {

struct ExecutableLookup {
  std::string word;        // as given
  bool path_like = false;  // holds a separator or starts with `~`: not searched in PATH
  bool found = false;      // a regular file with execute permission
  std::string path;        // of the file found, or the path that was tried; empty for a bare word not found
  std::string real_path;   // match subject: symlinks resolved, else `path`
  std::string name;        // basename of `path`
  FileFacts facts;
};

// `cwd` is absolute; `environment` is the complete environment of the child.
ExecutableLookup look_up_executable(std::string_view word, const std::string& cwd,
                                    const Environment& environment, const EngineContext& context);

// ---- what the file is ---------------------------------------------------------------------------------

// One file with many names (busybox, a coreutils of one binary): what it does goes by the name that it is
// called by. Told by the other names beside this one that lead to the same file, not by what the file is
// called. False when it is called by its own name. Cost: a walk over one directory.
bool is_multi_call(const ExecutableLookup& found, const EngineContext& context);

// What a list compares: the real path; of one of many names the path of that name, links in front resolved.
std::string called_path(const ExecutableLookup& found, const EngineContext& context);

// `found`, called by its own name, holds a program of the name `word` besides: another name beside it that
// leads to the same file. Cost: one look.
bool has_applet(const ExecutableLookup& found, std::string_view word, const EngineContext& context);

// The path to start it by: its real path, except where the name of the link tells the program what to be.
std::string stable_path(const ExecutableLookup& found);

// Lists of programs that are not the owner's (safe bins, skills) speak of a program, not of a name: the file
// is that program itself, in /bin, /usr/bin or one of `trusted`, and is called by a bare word or by a path
// there. `name`: as the list has it.
bool is_program_itself(const ExecutableLookup& found, std::string_view name,
                       const std::vector<std::string>& trusted, const EngineContext& context);

// The directory or file by which somebody else than root and this process's user could put another program in
// the place of the one found; empty when there is none.
std::string place_of_others(const ExecutableLookup& found, const EngineContext& context);

// In a directory of the system, and nobody but root and this process's user can put another file there.
bool is_system_program(const ExecutableLookup& found, const EngineContext& context);

// True when `program` was given as the absolute path to which its own bare name leads in this environment,
// and only root and this process's user can change what lies there: then word and path say the same. Never
// for what is relative to a directory.
bool name_leads_to_path(const ExecutableLookup& program, const std::string& cwd,
                        const Environment& environment, const EngineContext& context);

// Directories that only the system's owner is expected to write to.
bool is_system_directory_file(std::string_view real_path);

}  // namespace hostclaw::policy
