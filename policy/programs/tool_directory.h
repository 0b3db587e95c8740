// SPDX-License-Identifier: Apache-2.0
// Directories whose configuration a tool obeys (git, docker compose): which of them nobody but root and this
// process's user can change. Learns about files through FileProbe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model/engine_context.h"

namespace hostclaw::policy {

// True when the configuration that `tool` (an executable_token) would find from `directory` on is out of
// everybody else's reach: for git the directories up to the repository, its `.git`, configuration and hooks;
// for docker the compose files of the directory. False for other tools, and for what it does not know to look
// through (a bare repository, a linked worktree). `disturbed`: another program runs before it and may change
// what lies in the directories, so that only a repository or compose file in this very one counts. Cost: a
// few looks for each directory up to the root.
bool only_we_configure(std::string_view tool, const std::string& directory, bool disturbed,
                       const EngineContext& context);

// `git -C DIR ...` taken apart: the real directory in which the rest runs, beginning at `cwd`, and the rest.
// nullopt when it does not begin so, or DIR is not there.
struct MovedCommand {
  std::string directory;
  std::vector<std::string> argv;
};
std::optional<MovedCommand> moved_git(const std::vector<std::string>& argv, const std::string& cwd,
                                      const EngineContext& context);

}  // namespace hostclaw::policy
