// SPDX-License-Identifier: Apache-2.0
// Starts one program from descriptors, never from names.
//
// The child: leads a new session and process group; has every signal at its default and none blocked; has
// exactly the three given descriptors as 0-2 and no other (one exception below); starts in the given
// directory; keeps umask, resource limits and nice value of this process, and the limit of open files that
// this process inherited (process_start.h).
//
// Scripts. The kernel runs a `#!` file by handing its *name* to the interpreter, so a script cannot be
// started from a descriptor that closes on exec. There are two forms:
//   kScriptByDescriptor  the interpreter gets /dev/fd/97. Exact, above all when that is a sealed copy
//                        (content_binding.h), but `dirname "$0"` no longer finds the neighbours.
//   kScriptByPath        the interpreter gets the path. `launch_form` chooses it only where no one but root
//                        and this user could change what the path leads to (path_ownership.h); the caller
//                        checks identity and content just before.
// A file that the program is told to read (`sh FILE`) can be handed over too, as /dev/fd/98. These are the
// only descriptors beside 0-2 that ever reach a child.
// A file that is neither a program nor has a `#!` line is ENOEXEC: no shell is ever guessed.
//
// Windows. The program gets one command line, built so that the usual parser (CommandLineToArgvW, the C
// runtime) reads exactly argv from it; what starts is the real path of the handle that was judged. A batch
// file is started by the system's own cmd.exe, and only with arguments that cmd.exe cannot read as anything
// but arguments: others are EINVAL. No window, nothing inherited but the three handles, suspended until it is
// in `tree`.
//
// Thread rule: safe from any thread. A child that was started here must be given to `forget_child` when it
// has been reaped; reap_orphans (process_tree.h) leaves it alone until then.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

inline constexpr int kOperandDescriptor = 98;

enum class LaunchForm { kProgram, kScriptByDescriptor, kScriptByPath };

// How the regular file behind `executable` must be started; `path` is the absolute path that was judged.
// Windows: kScriptByPath for a batch file, else kProgram.
// `readable`: the same file, open for reading, or -1 where that is not at hand.
LaunchForm launch_form(NativeHandle executable, const std::string& path, NativeHandle readable = -1);

struct SpawnRequest {
  NativeHandle executable = -1;  // O_PATH is enough
  LaunchForm form = LaunchForm::kProgram;
  std::string path;  // for kScriptByPath
  // Byte for byte what the program receives. Requires: argv is not empty, no element holds a NUL byte.
  const std::vector<std::string>& argv;
  const std::vector<std::string>& environment;  // NAME=value
  NativeHandle directory = -1;                  // O_PATH is enough
  std::array<NativeHandle, 3> stdio{-1, -1, -1};
  bool terminal = false;      // stdio[0] becomes the controlling terminal of the program's session
  NativeHandle operand = -1;  // readable; the child gets it as kOperandDescriptor
  bool want_exit_descriptor = true;
  // What holds the child from its first instruction on: the directory of a control group (control_group.h);
  // on Windows a job object. Where the system does not let it in, the child starts outside of the group.
  NativeHandle tree = -1;
};

struct SpawnedChild {
  std::int64_t pid = 0;
  // A pidfd, readable when the child has ended; none on kernels before 5.3. Windows: the process.
  UniqueFd exit_descriptor;
  bool in_tree = false;  // `tree` holds it
};

// Returns after the program has been started. Errors: the errno name of the step that failed, as the kernel
// said it (ENOENT, EACCES, ENOEXEC, E2BIG, EAGAIN, EMFILE...).
Result<SpawnedChild> spawn(const SpawnRequest& request);

void forget_child(std::int64_t pid);
bool is_our_child(std::int64_t pid);

}  // namespace hostclaw::node_host
