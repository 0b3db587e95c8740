// SPDX-License-Identifier: Apache-2.0
#include "policy/decision_codes.h"

#include <algorithm>
#include <array>

namespace hostclaw::policy {
namespace {

constexpr std::array kCodes = {
    // allowed
    DecisionCode{"ALLOWED_BY_POLICY", "document", "security=full: everything may run."},
    DecisionCode{"ALLOWED_BY_LIST", "document",
                 "Every command is listed, allowed by a rule, a safe bin, a builtin or a skill."},
    DecisionCode{"ALLOWED_BY_GRANT", "document", "An allow-always grant covers exactly this command."},
    DecisionCode{"ALLOWED_BY_APPROVAL", "document", "A person approved this very plan."},
    DecisionCode{"ALLOWED_BY_ANSWER", "document",
                 "A person allowed it on this node, for this time or by a standing grant."},
    DecisionCode{"ALLOWED_BY_FALLBACK", "document", "Nobody answered in time and askFallback lets it run."},
    DecisionCode{"ALLOWED_TO_OBSERVE", "node-policy",
                 "This node only observes; would_have says what it would have been."},
    // rules
    DecisionCode{"RULE_DENY", "rule", "A rule of the node's owner refuses this command."},
    DecisionCode{"RULE_ASK", "rule", "A rule of the node's owner wants a person to decide."},
    DecisionCode{"RULE_NOT_EXCLUDED", "rule",
                 "A text hides whether a rule that denies or asks applies, so it is taken as if it could."},
    // this program itself
    DecisionCode{"SELF_POLICY", "node-policy",
                 "It would change this node's own policy, answers, keys, record or service: no run may, "
                 "whatever the list says and whoever approves."},
    DecisionCode{"SELF_PRIVATE", "node-policy",
                 "It would show what others ran here; a run sees its own with `hostclaw runs`."},
    // the host
    DecisionCode{"HOST_EXHAUSTED", "host",
                 "This host has run out of file descriptors, processes or memory; nothing was decided."},
    // the request
    DecisionCode{"REQUEST_INVALID", "request", "The parameters are malformed; nothing was decided."},
    DecisionCode{"RAW_COMMAND_MISMATCH", "request", "rawCommand is not what command says."},
    DecisionCode{"PLAN_INVALID", "request", "systemRunPlan is malformed."},
    DecisionCode{"APPROVAL_INVALID", "request", "The approval members contradict each other or the plan."},
    DecisionCode{"ENVIRONMENT_REJECTED", "request", "The request sets a variable that no request may set."},
    // who asks
    DecisionCode{
        "ORIGIN_MEMBER_REFUSED", "origin",
        "The request claims an identity, an approval or a policy that its door does not take from it."},
    // policy
    DecisionCode{"SECURITY_DENY", "document", "The policy denies every command."},
    DecisionCode{"POLICY_MALFORMED", "document",
                 "The stored policy cannot be read, so everything is denied."},
    DecisionCode{"ASK_ALWAYS", "document", "The policy asks a person about every command."},
    DecisionCode{"ANSWERED_DENY", "answer", "A person on this node refused it."},
    DecisionCode{"UNANSWERED", "answer", "Nobody answered in time and askFallback is deny."},
    DecisionCode{"CHANGED_SINCE_ASKED", "binding", "What would run is not what the person was asked about."},
    DecisionCode{"POLICY_CHANGED", "binding", "The policy changed after the approval was prepared."},
    DecisionCode{"AGENT_MISSING", "document",
                 "An entry matches, but its use cannot be recorded without an agentId."},
    // analysis
    DecisionCode{"NOT_ANALYSABLE", "analysis", "The shell text is more than simple commands."},
    DecisionCode{"NOT_BINDABLE", "analysis", "The way in which the shell is started hides what it will run."},
    DecisionCode{"EMPTY_COMMAND", "analysis", "There is no command to judge."},
    DecisionCode{"WRAPPER_BLOCKED", "analysis",
                 "The command runs another one in a way that cannot be judged."},
    DecisionCode{"SHELL_UNTRUSTED", "analysis",
                 "A program named like a shell lies outside the system's directories."},
    DecisionCode{"SHELL_OPAQUE", "analysis", "The text is in another shell's language."},
    DecisionCode{"BUILTIN_REFUSED", "analysis",
                 "A shell builtin is used in a way that could run other code."},
    DecisionCode{"MISLEADING_TEXT", "analysis",
                 "The command holds characters that make it look like another one."},
    DecisionCode{"NUL_IN_ARGUMENT", "analysis",
                 "An argument holds a NUL, where the system would cut it off."},
    DecisionCode{"CARRIED_CODE", "analysis", "A listed program is told to run other code."},
    DecisionCode{"INLINE_EVAL", "analysis", "Code on a command line needs an explicit approval."},
    DecisionCode{"WINDOWS_CMD", "analysis",
                 "cmd.exe text needs an approval under an allowlist, unless it is one program."},
    DecisionCode{"STEERING_ENVIRONMENT", "analysis",
                 "The request sets a variable that chooses files, programs or options."},
    DecisionCode{"EXECUTION_PLAN_MISS", "analysis", "The command cannot be planned without a shell."},
    DecisionCode{"BATCH_FILE", "analysis", "A Windows batch file can misread its arguments."},
    DecisionCode{"PATH_SUSPICIOUS", "analysis",
                 "The command word names the file in a way that can be re-pointed."},
    // matching
    DecisionCode{"ALLOWLIST_MISS", "document", "No entry matches."},
    DecisionCode{"ALLOWLIST_MISS_ARGUMENTS", "document",
                 "An entry for the program exists, but not for these arguments."},
    DecisionCode{"PROGRAM_REPLACEABLE", "document",
                 "An entry names the program, and others can put another file in its place."},
    DecisionCode{"EXECUTABLE_NOT_FOUND", "document", "The program was not found, so no entry can match."},
    // binding
    DecisionCode{"EXECUTABLE_UNRESOLVED", "binding", "A wrapper in front of the command was not found."},
    DecisionCode{"CWD_NOT_CANONICAL", "binding", "The working directory is missing or can be re-pointed."},
    DecisionCode{"OPERAND_UNBOUND", "binding", "The script that would run is not part of the plan."},
    DecisionCode{"OPERAND_CHANGED", "binding", "The script changed after it was approved."},
    DecisionCode{"OPERAND_UNBINDABLE", "binding", "What would run cannot be bound to the approval."},
    DecisionCode{"SCREEN_RECORDING", "node-policy", "This node has no screen to record."},
};

}  // namespace

std::span<const DecisionCode> decision_codes() { return kCodes; }

const DecisionCode* find_decision_code(std::string_view code) {
  const auto it =
      std::find_if(kCodes.begin(), kCodes.end(), [&](const DecisionCode& item) { return item.code == code; });
  return it == kCodes.end() ? nullptr : &*it;
}

bool is_observable(std::string_view code) {
  if (code == "SECURITY_DENY" || code == "POLICY_MALFORMED" || code == "AGENT_MISSING" ||
      code == "NUL_IN_ARGUMENT" || code == "EMPTY_COMMAND" || code == "EXECUTABLE_NOT_FOUND")
    return false;
  const std::string_view layer = layer_of(code);
  return layer == "rule" || layer == "document" || layer == "analysis";
}

std::string_view layer_of(std::string_view code) {
  const DecisionCode* found = find_decision_code(code);
  return found == nullptr ? "document" : found->layer;
}

}  // namespace hostclaw::policy
