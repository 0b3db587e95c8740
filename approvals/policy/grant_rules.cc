// SPDX-License-Identifier: Apache-2.0
// Which programs a click may never open for good.
#include "approvals/questions/questions.h"
#include "policy/document/pattern_index.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/inline_eval.h"
#include "policy/programs/wrappers.h"

namespace hostclaw::approvals {
namespace {

bool runs_what_it_is_given(const std::string& token) {
  return policy::shell_family(token) != policy::ShellFamily::kNone || policy::is_multiplexer(token) ||
         policy::is_interpreter_like(token) || policy::is_inline_eval_interpreter(token);
}

}  // namespace

std::string exact_grant_refusal(const AskedCommand& command) {
  if (command.argv.empty() || command.executable.empty()) return "the program is not known";
  // The name decides what many programs do, the file what really runs: both must be harmless.
  for (const std::string& word : {command.argv.front(), command.executable}) {
    const std::string token = policy::executable_token(word);
    if (runs_what_it_is_given(token)) return token + " runs whatever text or file it is given";
    std::vector<std::string> argv = command.argv;
    argv.front() = word;
    const policy::UnwrappedCommand inner = policy::unwrap_command(argv);
    if (inner.blocked || inner.unwrapped()) return token + " runs another program";
  }
  return {};
}

std::string lasting_grant_refusal(const AskedCommand& command) {
  if (std::string refusal = exact_grant_refusal(command); !refusal.empty()) return refusal;
  for (const std::string& word : {command.argv.front(), command.executable}) {
    std::vector<std::string> argv = command.argv;
    argv.front() = word;
    if (const auto carried = policy::carried_code(argv, policy::native_platform())) return carried->reason;
  }
  return {};
}

}  // namespace hostclaw::approvals
