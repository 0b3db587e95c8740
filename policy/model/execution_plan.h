// SPDX-License-Identifier: Apache-2.0
// What will be spawned: the analysed programs themselves, never a rendered text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/model/file_probe.h"
#include "policy/model/types.h"

namespace hostclaw::policy {

// A shell builtin that is run inside the host instead of a program. Only those that cannot run other code.
enum class Builtin { kNone, kTrue, kFalse, kColon, kCd, kPwd };

// A file that the program will read as a program, judged together with it.
struct ScriptOperand {
  std::size_t index = 0;  // in argv; 0: the executable itself
  std::string path;       // real path
  FileIdentity identity;
  std::optional<std::string> sha256;  // lower-case hex, when the decision is bound to the content
};

// A file that a plan binds by its content.
struct PlanOperand {
  std::size_t argv_index = 0;
  std::string path;
  std::string sha256;
  friend bool operator==(const PlanOperand&, const PlanOperand&) = default;
};

struct PlannedCommand {
  // Exactly what the program receives, byte for byte, empty arguments included.
  std::vector<std::string> argv;
  // Absolute path whose file was judged. Empty only under security=full for a name that PATH does not hold
  // (the launch then fails with ENOENT, as upstream) and for a builtin.
  std::string executable;
  FileIdentity identity;  // of `executable` when it was judged; `known` is false when it was not
  // Where a person was asked and `executable` is one file with many names: the path of the name it is called
  // by, which is what a grant is for. Else empty.
  std::string called_as;
  // Of `executable`, lower-case hex, when a rule about this very content decided.
  std::optional<std::string> content_sha256;
  Builtin builtin = Builtin::kNone;
  // Set when a shell's script was what the list allowed, or a plan binds a file: those bytes are what may
  // run.
  std::optional<ScriptOperand> script;
};

enum class Connector { kFirst, kAnd, kOr, kSequence };  // how a pipeline joins the one before it

struct PlannedPipeline {
  Connector connector = Connector::kFirst;
  bool negate = false;  // `! a | b`
  std::vector<PlannedCommand> commands;
  // Same length as commands: true when `|&` follows the command, which joins its stderr to the pipe.
  std::vector<bool> stderr_to_pipe;
};

// Pipelines run one after the other as a POSIX shell would; the exit status is that of the last one that ran.
struct ExecutionPlan {
  std::vector<PlannedPipeline> pipelines;
  std::string cwd;  // absolute directory to start in
  FileIdentity cwd_identity;
  Environment environment;  // complete environment of the children

  bool empty() const { return pipelines.empty(); }
};

}  // namespace hostclaw::policy
