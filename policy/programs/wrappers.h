// SPDX-License-Identifier: Apache-2.0
// Who really runs: programs that run another program (env, nice, timeout, ...), multiplexers (busybox), shell
// carriers (command, exec), shells with their inline text, script operands. Exec
// contract 8.1-8.3, 8.6, 11.3, 4.1 item 8. Advisories: GHSA-jj82-76v6-933r, GHSA-3fp5-v549-9v66,
// GHSA-cwpp-5962-q4f6, GHSA-48wf-g7cp-gr3m, GHSA-796m-2973-wc5q, GHSA-2cq5-mf3v-mx44, GHSA-r6qf-8968-wj9q,
// GHSA-vxx3-6hc9-7cc3, GHSA-6rcp-vxwf-3mfp.
//
// Pure; no look at the file system except through a FileProbe where one is taken. Safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/model/file_probe.h"
#include "policy/model/types.h"
#include "policy/shell/shell_text.h"

namespace hostclaw::policy {

using Argv = std::vector<std::string>;

// The name by which tables look a program up: the shorter of the POSIX and the Windows basename, lower-cased
// (ASCII), one trailing .exe/.cmd/.bat/.com removed. `SH`, `/any/sh`, `C:\x\sh.CMD` are all `sh`. Says
// nothing about the location.
std::string executable_token(std::string_view word);

// ---- shells
// -------------------------------------------------------------------------------------------------------

enum class ShellFamily {
  kNone,
  kPosix,       // ash bash dash fish ksh mksh sh yash zsh: text may be analysed
  kOpaque,      // csh elvish nu osh tcsh xonsh: text of another language, never executed for an allowlist
  kCmd,         // cmd
  kPowerShell,  // powershell pwsh
};
ShellFamily shell_family(std::string_view token);  // of an executable_token
bool is_multiplexer(std::string_view token);       // busybox toybox

// How a shell was told what to run. Built from an argv whose first element is the shell.
struct ShellInvocation {
  ShellFamily family = ShellFamily::kNone;
  std::string name;                    // executable_token
  std::optional<std::string> payload;  // inline text, trimmed, never empty (8.2)
  std::size_t payload_index = 0;       // of the element that holds the text
  bool attached =
      false;           // the text is part of an option element (`-cTEXT`, `--commands=TEXT`) or spans several
  bool login = false;  // -l, --login before the payload
  bool interactive = false;   // -i, --interactive before the payload
  bool startup_file = false;  // fish -C, nu --config..., --rcfile/--init-file
  bool reviewed_options =
      true;                  // only -c -e -u -l -o pipefail and clusters of them (17.1 item 3); cmd: /d /s /c
  bool errexit = false;      // -e: the shell would stop at the first failure
  bool pipefail = false;     // -o pipefail: changes the exit status of pipelines
  bool encoded = false;      // PowerShell -EncodedCommand: the payload is not text
  bool file = false;         // PowerShell -File: the payload is a path
  std::size_t trailing = 0;  // non-blank elements after the payload (they become $0 $1 ...)
  bool has_arguments = false;  // any element after argv[0]
};
// nullopt when argv[0] does not name a shell.
std::optional<ShellInvocation> read_shell_invocation(const Argv& argv);

// The gateway's carriers, exactly: ["/bin/sh","-lc",TEXT], ["/bin/sh","-c",TEXT],
// ["cmd.exe","/d","/s","/c",TEXT] (a bare `sh` counts as well). Text of these may be run as analysed
// programs; `-l` is then ignored (17.1 item 11).
bool is_gateway_carrier(const Argv& argv);

// How a rawCommand relates to argv (3.3).
enum class RawCommandForm {
  kAbsent,
  kCommandText,  // equals the command text of argv
  kPayload,      // equals the payload of a shell wrapper (form 2)
  kMismatch,
};
// `command_text` is the display form of argv.
RawCommandForm classify_raw_command(const Argv& argv, std::string_view raw_command,
                                    std::string_view command_text);

// What a command line that runs a shell amounts to, looking through every wrapper that can be parsed
// (8.1-8.3).
struct ShellWrapper {
  ShellInvocation invocation;
  Argv shell_argv;              // argv of the shell itself
  bool strictly_direct = true;  // no wrapper of any kind in front of the shell
  // argv[0 .. prefix) are the wrappers in front of the shell; npos when the shell came out of `env -S` text.
  std::size_t prefix = 0;
  bool modifying =
      false;  // a wrapper in front changes environment, cwd, files or identity: judge as a miss (17.1 item 4)
  // The text that may be judged as *the* command; nullopt: not bindable, judge as an argv (8.2). Always
  // nullopt with a modifying wrapper in front. Under hardened it may be used only if is_plain().
  std::optional<std::string> bindable;
  // Why it is not, one sentence; empty when bindable or without payload.
  std::string not_bindable_reason;

  // Only reviewed options, nothing after the text: the analysed commands mean the same without the shell.
  bool is_plain() const { return invocation.reviewed_options && invocation.trailing == 0; }
};
// nullopt when no shell is found. Windows shells are found on both platforms.
std::optional<ShellWrapper> find_shell_wrapper(const Argv& argv, RawCommandForm raw_command,
                                               Platform platform);

// `sh -ec TEXT`: gives the program the meaning it has under -e, where && can say it. False when it cannot:
// then the text is a miss, for running more than the shell would have run is another command.
bool apply_errexit(ShellProgram& program);

// ---- wrappers
// -----------------------------------------------------------------------------------------------------

inline constexpr std::size_t kMaxWrapperLayers = 4;

enum class LayerKind { kDispatch, kCarrier, kMultiplexer, kPackageManager };

struct WrapperLayer {
  LayerKind kind = LayerKind::kDispatch;
  std::string name;         // executable_token
  std::string word;         // as written
  std::size_t index = 0;    // in the argv that was given; of the layer's own first word
  bool transparent = true;  // false: the inner program is known but the wrapper changes what it means
};

struct UnwrappedCommand {
  static constexpr std::size_t kNotASuffix = static_cast<std::size_t>(-1);

  // The innermost program that is known. Equal to the argv given when there is no wrapper.
  Argv argv;
  // Where `argv` begins in the argv given; kNotASuffix when it was taken out of text (`env -S`, or joined).
  std::size_t index = 0;
  std::vector<WrapperLayer> layers;  // outermost first
  // A blocked command can never match, not even the universal pattern, a safe bin or a skill.
  bool blocked = false;
  std::string blocked_reason;  // one sentence

  bool unwrapped() const { return !layers.empty(); }
  bool has_layer(LayerKind kind) const;
  // False when a layer changes environment, files or argv[0] although OpenClaw looks through it (flock FILE,
  // `env -`, exec -a): hardened treats that as a miss.
  bool transparent() const;
};

struct UnwrapOptions {
  Platform platform = Platform::kPosix;
  bool macos = false;
  bool carriers = true;  // command, builtin, exec
};
// Unwraps up to kMaxWrapperLayers; one more is blocked. Package managers are never unwrapped for matching:
// their exec forms (npx, npm exec, pnpm dlx, yarn dlx, bunx) are blocked (17.1 item 10), their script forms
// are ordinary programs.
UnwrappedCommand unwrap_command(const Argv& argv, const UnwrapOptions& options = {});

// One layer of a package manager's exec form, for prepare (11.3): nullopt when argv is none.
struct PackageManagerExec {
  bool understood = false;
  Argv inner;
};
std::optional<PackageManagerExec> package_manager_exec(const Argv& argv);

// Keys of `env NAME=VALUE` in argv, through up to four layers, not inside `-S` text or shell text (4.1 item
// 8).
std::vector<std::string> env_assignment_keys(const Argv& argv);

// ---- operands
// -----------------------------------------------------------------------------------------------------

// The script that a shell would read (8.6): first operand after the options, or PowerShell's -File. nullopt
// when there is an inline payload, -s, a startup file, an opaque shell, or nothing.
struct ScriptCandidate {
  std::string word;       // as written
  std::size_t index = 0;  // in argv; arguments of the script follow it
};
std::optional<ScriptCandidate> find_script_candidate(const Argv& argv);

// True for programs that read a program from a file or text (8.8 names, shells, script runners).
bool is_interpreter_like(std::string_view token);

// Prepare's rules about operands that may change between approval and run (11.3).
struct MutableOperand {
  enum class Kind {
    kNone,                // nothing to bind
    kIndex,               // argv[index] is a file whose content must be bound
    kDispatchCwd,         // rule 1
    kStartupFiles,        // rule 2
    kStartupEnvironment,  // rule 3
    kRuntimeOptions,      // rule 4
    kUnbindable,          // rule 6: interpreter or runtime command without a file to bind
  };
  Kind kind = Kind::kNone;
  std::size_t index = 0;
};
struct MutableOperandInput {
  const Argv& argv;
  std::optional<std::string> shell_payload;  // bindable payload, when there is one
  std::string cwd;                           // absolute
  bool shell_startup_environment = false;    // BASH_ENV or ENV is set in the host process
  Platform platform = Platform::kPosix;
};
MutableOperand find_mutable_operand(const MutableOperandInput& input, FileProbe& files);

}  // namespace hostclaw::policy
