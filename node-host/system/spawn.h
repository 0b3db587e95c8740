// Starts one program from descriptors, never from names.
//
// The child: leads a new session and process group; has every signal at its default and none blocked; has
// exactly the three given descriptors as 0-2 and no other (one exception below); starts in the given
// directory; keeps umask, resource limits and nice value of this process.
//
// Scripts. The kernel runs a `#!` file by handing its *name* to the interpreter, so a script cannot be
// started from a descriptor that closes on exec. There are two forms:
//   kScriptByDescriptor  the interpreter gets /dev/fd/97 (an O_PATH descriptor of the judged file, the only
//   extra
//                        one that reaches a child). Exact, but `dirname "$0"` no longer finds the neighbours.
//   kScriptByPath        the interpreter gets the path. `launch_form` chooses it only where everyone who
//   could
//                        re-point the path could as well rewrite the text of the script (path_ownership.h),
//                        so that binding the name would protect nothing; the caller checks the identity just
//                        before.
// A file that is neither a program nor has a `#!` line is ENOEXEC: no shell is ever guessed.
//
// Thread rule: safe from any thread. A child that was started here must be given to `forget_child` when it
// has been reaped; reap_orphans (process_tree.h) leaves it alone until then.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/system/file_handles.h"

namespace hostclaw::node_host {

enum class LaunchForm { kProgram, kScriptByDescriptor, kScriptByPath };

// How the regular file behind `executable` must be started; `path` is the absolute path that was judged.
LaunchForm launch_form(int executable, const std::string& path);

struct SpawnRequest {
  int executable = -1;  // O_PATH is enough
  LaunchForm form = LaunchForm::kProgram;
  std::string path;  // for kScriptByPath
  // Byte for byte what the program receives. Requires: argv is not empty, no element holds a NUL byte.
  const std::vector<std::string>& argv;
  const std::vector<std::string>& environment;  // NAME=value
  int directory = -1;                           // O_PATH is enough
  std::array<int, 3> stdio{-1, -1, -1};
  bool want_exit_descriptor = true;
};

struct SpawnedChild {
  std::int64_t pid = 0;
  UniqueFd exit_descriptor;  // pidfd, readable when the child has ended; none on kernels before 5.3
};

// Returns after the program has been started. Errors: the errno name of the step that failed, as the kernel
// said it (ENOENT, EACCES, ENOEXEC, E2BIG, EAGAIN, EMFILE...).
Result<SpawnedChild> spawn(const SpawnRequest& request);

void forget_child(std::int64_t pid);
bool is_our_child(std::int64_t pid);

}  // namespace hostclaw::node_host
