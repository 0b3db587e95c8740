// SPDX-License-Identifier: Apache-2.0
// One layer of a wrapper, read by its own option grammar. Used by unwrap_command and find_shell_wrapper only.
// Pure; safe from any thread.
#pragma once

#include <optional>
#include <string>

#include "policy/programs/wrappers.h"

namespace hostclaw::policy {

struct WrapperStep {
  enum class Kind {
    kNotAWrapper,
    kUnwrapped,  // `inner` runs, the wrapper only adds what its grammar allows
    kModifying,  // `inner` is known, but environment, cwd or files are changed: blocked for matching
    kBlocked,    // what runs is not known, or the wrapper may never be looked through
  };
  Kind kind = Kind::kNotAWrapper;
  LayerKind layer = LayerKind::kDispatch;
  bool transparent = true;
  std::size_t index = 0;  // of inner's first word; UnwrappedCommand::kNotASuffix when it came out of text
  Argv inner;
  std::string reason;
};

// env nice nohup timeout stdbuf flock time caffeinate sandbox-exec arch xcrun, and those that are always
// blocked.
WrapperStep unwrap_dispatch(const Argv& argv, bool macos);
// busybox, toybox
WrapperStep unwrap_multiplexer(const Argv& argv);
// command, builtin, exec
WrapperStep unwrap_carrier(const Argv& argv);
// npm npx pnpm yarn bunx: blocked for what runs another package's program
WrapperStep judge_package_manager(const Argv& argv);

}  // namespace hostclaw::policy
