// From a command word to the file that would run. Exec contract 7.2, 13.2. Learns about files through
// FileProbe only.
#pragma once

#include <string>
#include <string_view>

#include "policy/engine.h"
#include "policy/file_probe.h"

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

// Directories that only the system's owner is expected to write to.
bool is_system_directory_file(std::string_view real_path);

}  // namespace hostclaw::policy
