// SPDX-License-Identifier: Apache-2.0
#include "policy/model/decision_codes.h"

#include <algorithm>
#include <array>

namespace hostclaw::policy {
namespace {

using Row = DecisionCodeFacts;
constexpr bool kObservable = true;
constexpr bool kUnobserved = false;  // also refused by a node that only observes

constexpr std::array kCodes = {
    Row{DecisionCode::kNone, "", DecisionLayer::kNone, kUnobserved, "Nothing was decided.", ""},
    // allowed
    Row{DecisionCode::kAllowedByPolicy, "ALLOWED_BY_POLICY", DecisionLayer::kDocument, kUnobserved,
        "security=full: everything may run.", ""},
    Row{DecisionCode::kAllowedByList, "ALLOWED_BY_LIST", DecisionLayer::kDocument, kUnobserved,
        "Every command is listed, allowed by a rule, a safe bin, a builtin or a skill.", ""},
    Row{DecisionCode::kAllowedByGrant, "ALLOWED_BY_GRANT", DecisionLayer::kDocument, kUnobserved,
        "An allow-always grant covers exactly this command.", ""},
    Row{DecisionCode::kAllowedByApproval, "ALLOWED_BY_APPROVAL", DecisionLayer::kDocument, kUnobserved,
        "A person approved this very plan.", ""},
    Row{DecisionCode::kAllowedByAnswer, "ALLOWED_BY_ANSWER", DecisionLayer::kDocument, kUnobserved,
        "A person allowed it on this node, for this time or by a standing grant.", ""},
    Row{DecisionCode::kAllowedByFallback, "ALLOWED_BY_FALLBACK", DecisionLayer::kDocument, kUnobserved,
        "Nobody answered in time and askFallback lets it run.", ""},
    Row{DecisionCode::kAllowedToObserve, "ALLOWED_TO_OBSERVE", DecisionLayer::kNodePolicy, kUnobserved,
        "This node only observes; would_have says what it would have been.", ""},
    // rules
    Row{DecisionCode::kRuleDeny, "RULE_DENY", DecisionLayer::kRule, kObservable,
        "A rule of the node's owner refuses this command.", ""},
    Row{DecisionCode::kRuleAsk, "RULE_ASK", DecisionLayer::kRule, kObservable,
        "A rule of the node's owner wants a person to decide.", ""},
    Row{DecisionCode::kRuleNotExcluded, "RULE_NOT_EXCLUDED", DecisionLayer::kRule, kObservable,
        "A text hides whether a rule that denies or asks applies, so it is taken as if it could.", ""},
    // this program itself
    Row{DecisionCode::kSelfPolicy, "SELF_POLICY", DecisionLayer::kNodePolicy, kUnobserved,
        "It would change this node's own policy, answers, keys, record or service: no run may, whatever the "
        "list says and whoever approves.",
        ""},
    Row{DecisionCode::kSelfPrivate, "SELF_PRIVATE", DecisionLayer::kNodePolicy, kUnobserved,
        "It would show what others ran here; a run sees its own with `hostclaw runs`.", "hostclaw runs"},
    // the host
    Row{DecisionCode::kHostExhausted, "HOST_EXHAUSTED", DecisionLayer::kHost, kUnobserved,
        "This host has run out of file descriptors, processes or memory; nothing was decided.",
        "hostclaw doctor"},
    Row{DecisionCode::kFilesNotAnswering, "FILES_NOT_ANSWERING", DecisionLayer::kHost, kUnobserved,
        "A file system did not answer in time when the command's files were looked at; nothing was decided.",
        "findmnt"},
    Row{DecisionCode::kRecordFailed, "RECORD_FAILED", DecisionLayer::kRecord, kUnobserved,
        "It would be allowed, but its row could not be written, and nothing runs without one.",
        "hostclaw status"},
    Row{DecisionCode::kAdmissionFull, "ADMISSION_FULL", DecisionLayer::kAdmission, kUnobserved,
        "This node has too many commands waiting.", "send the request again later"},
    // the request
    Row{DecisionCode::kRequestInvalid, "REQUEST_INVALID", DecisionLayer::kRequest, kUnobserved,
        "The parameters are malformed; nothing was decided.", ""},
    Row{DecisionCode::kRawCommandMismatch, "RAW_COMMAND_MISMATCH", DecisionLayer::kRequest, kUnobserved,
        "rawCommand is not what command says.", ""},
    Row{DecisionCode::kPlanInvalid, "PLAN_INVALID", DecisionLayer::kRequest, kUnobserved,
        "systemRunPlan is malformed.", ""},
    Row{DecisionCode::kApprovalInvalid, "APPROVAL_INVALID", DecisionLayer::kRequest, kUnobserved,
        "The approval members contradict each other or the plan.", ""},
    Row{DecisionCode::kEnvironmentRejected, "ENVIRONMENT_REJECTED", DecisionLayer::kRequest, kUnobserved,
        "The request sets a variable that no request may set.", ""},
    // who asks
    Row{DecisionCode::kOriginMemberRefused, "ORIGIN_MEMBER_REFUSED", DecisionLayer::kOrigin, kUnobserved,
        "The request claims an identity, an approval or a policy that its door does not take from it.", ""},
    Row{DecisionCode::kOriginNotGranted, "ORIGIN_NOT_GRANTED", DecisionLayer::kOrigin, kUnobserved,
        "Whoever asks was not given the right to run commands, or to read or write files.",
        "hostclaw hostlink token list"},
    // files
    Row{DecisionCode::kFileGranted, "FILE_GRANTED", DecisionLayer::kFiles, kUnobserved,
        "The file lies in a directory that the caller may reach.", ""},
    Row{DecisionCode::kFileOutsideRoots, "FILE_OUTSIDE_ROOTS", DecisionLayer::kFiles, kUnobserved,
        "The file lies in no directory that the caller may reach.", "hostclaw hostlink token list"},
    Row{DecisionCode::kFileDenied, "FILE_DENIED", DecisionLayer::kFiles, kUnobserved,
        "A pattern of the token keeps this file from its caller.", "hostclaw hostlink token list"},
    Row{DecisionCode::kFileUnreachable, "FILE_UNREACHABLE", DecisionLayer::kFiles, kUnobserved,
        "The path cannot be followed to a file.", ""},
    // policy
    Row{DecisionCode::kSecurityDeny, "SECURITY_DENY", DecisionLayer::kDocument, kUnobserved,
        "The policy denies every command.", "hostclaw exec-policy show"},
    Row{DecisionCode::kPolicyMalformed, "POLICY_MALFORMED", DecisionLayer::kDocument, kUnobserved,
        "The stored policy cannot be read, so everything is denied.", "hostclaw approvals get"},
    Row{DecisionCode::kAskAlways, "ASK_ALWAYS", DecisionLayer::kDocument, kObservable,
        "The policy asks a person about every command.", ""},
    Row{DecisionCode::kAnsweredDeny, "ANSWERED_DENY", DecisionLayer::kAnswer, kUnobserved,
        "A person on this node refused it.", "hostclaw audit tail --kind answer"},
    Row{DecisionCode::kUnanswered, "UNANSWERED", DecisionLayer::kAnswer, kUnobserved,
        "Nobody answered in time and askFallback is deny.",
        "hostclaw approvals watch, then send the request again"},
    Row{DecisionCode::kChangedSinceAsked, "CHANGED_SINCE_ASKED", DecisionLayer::kBinding, kUnobserved,
        "What would run is not what the person was asked about.", "send the request again"},
    Row{DecisionCode::kPolicyChanged, "POLICY_CHANGED", DecisionLayer::kBinding, kUnobserved,
        "The policy changed after the approval was prepared.", ""},
    Row{DecisionCode::kAgentMissing, "AGENT_MISSING", DecisionLayer::kDocument, kUnobserved,
        "An entry matches, but its use cannot be recorded without an agentId.",
        "send agentId with the request"},
    // analysis
    Row{DecisionCode::kNotAnalysable, "NOT_ANALYSABLE", DecisionLayer::kAnalysis, kObservable,
        "The shell text is more than simple commands.", ""},
    Row{DecisionCode::kNotBindable, "NOT_BINDABLE", DecisionLayer::kAnalysis, kObservable,
        "The way in which the shell is started hides what it will run.", ""},
    Row{DecisionCode::kEmptyCommand, "EMPTY_COMMAND", DecisionLayer::kAnalysis, kUnobserved,
        "There is no command to judge.", ""},
    Row{DecisionCode::kWrapperBlocked, "WRAPPER_BLOCKED", DecisionLayer::kAnalysis, kObservable,
        "The command runs another one in a way that cannot be judged.", ""},
    Row{DecisionCode::kShellUntrusted, "SHELL_UNTRUSTED", DecisionLayer::kAnalysis, kObservable,
        "A program named like a shell lies outside the system's directories.", ""},
    Row{DecisionCode::kShellOpaque, "SHELL_OPAQUE", DecisionLayer::kAnalysis, kObservable,
        "The text is in another shell's language.", ""},
    Row{DecisionCode::kBuiltinRefused, "BUILTIN_REFUSED", DecisionLayer::kAnalysis, kObservable,
        "A shell builtin is used in a way that could run other code.", ""},
    Row{DecisionCode::kMisleadingText, "MISLEADING_TEXT", DecisionLayer::kAnalysis, kObservable,
        "The command holds characters that make it look like another one.", ""},
    Row{DecisionCode::kNulInArgument, "NUL_IN_ARGUMENT", DecisionLayer::kAnalysis, kUnobserved,
        "An argument holds a NUL, where the system would cut it off.", ""},
    Row{DecisionCode::kCarriedCode, "CARRIED_CODE", DecisionLayer::kAnalysis, kObservable,
        "A listed program is told to run other code.", ""},
    Row{DecisionCode::kInlineEval, "INLINE_EVAL", DecisionLayer::kAnalysis, kObservable,
        "Code on a command line needs an explicit approval.", "approve the request at the gateway"},
    Row{DecisionCode::kWindowsCmd, "WINDOWS_CMD", DecisionLayer::kAnalysis, kObservable,
        "cmd.exe text needs an approval under an allowlist, unless it is one program.", ""},
    Row{DecisionCode::kSteeringEnvironment, "STEERING_ENVIRONMENT", DecisionLayer::kAnalysis, kObservable,
        "The request sets a variable that chooses files, programs or options.",
        "leave the variable out, or have the request approved"},
    Row{DecisionCode::kExecutionPlanMiss, "EXECUTION_PLAN_MISS", DecisionLayer::kAnalysis, kObservable,
        "The command cannot be planned without a shell.", ""},
    Row{DecisionCode::kBatchFile, "BATCH_FILE", DecisionLayer::kAnalysis, kObservable,
        "A Windows batch file can misread its arguments.", ""},
    Row{DecisionCode::kPathSuspicious, "PATH_SUSPICIOUS", DecisionLayer::kAnalysis, kObservable,
        "The command word names the file in a way that can be re-pointed.", ""},
    // matching
    Row{DecisionCode::kAllowlistMiss, "ALLOWLIST_MISS", DecisionLayer::kDocument, kObservable,
        "No entry matches.", ""},
    Row{DecisionCode::kAllowlistMissArguments, "ALLOWLIST_MISS_ARGUMENTS", DecisionLayer::kDocument,
        kObservable, "An entry for the program exists, but not for these arguments.", ""},
    Row{DecisionCode::kProgramReplaceable, "PROGRAM_REPLACEABLE", DecisionLayer::kDocument, kObservable,
        "An entry names the program, and others can put another file in its place.", ""},
    Row{DecisionCode::kExecutableNotFound, "EXECUTABLE_NOT_FOUND", DecisionLayer::kDocument, kUnobserved,
        "The program was not found, so no entry can match.", ""},
    // binding
    Row{DecisionCode::kExecutableUnresolved, "EXECUTABLE_UNRESOLVED", DecisionLayer::kBinding, kUnobserved,
        "A wrapper in front of the command was not found.", ""},
    Row{DecisionCode::kCwdNotCanonical, "CWD_NOT_CANONICAL", DecisionLayer::kBinding, kUnobserved,
        "The working directory is missing or can be re-pointed.", ""},
    Row{DecisionCode::kOperandUnbound, "OPERAND_UNBOUND", DecisionLayer::kBinding, kUnobserved,
        "The script that would run is not part of the plan.", ""},
    Row{DecisionCode::kOperandChanged, "OPERAND_CHANGED", DecisionLayer::kBinding, kUnobserved,
        "The script changed after it was approved.", ""},
    Row{DecisionCode::kOperandUnbindable, "OPERAND_UNBINDABLE", DecisionLayer::kBinding, kUnobserved,
        "What would run cannot be bound to the approval.", ""},
    Row{DecisionCode::kScreenRecording, "SCREEN_RECORDING", DecisionLayer::kNodePolicy, kUnobserved,
        "This node has no screen to record.", ""},
};

// Every code has its row, at its place, with a name of its own and a sentence.
constexpr bool is_complete(std::span<const Row> rows) {
  if (rows.size() != static_cast<std::size_t>(DecisionCode::kCount)) return false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].code != static_cast<DecisionCode>(i) || rows[i].meaning.empty()) return false;
    if (rows[i].name.empty() != (i == 0) || (rows[i].layer == DecisionLayer::kNone) != (i == 0)) return false;
    for (std::size_t other = 0; other < i; ++other) {
      if (rows[other].name == rows[i].name) return false;
    }
  }
  return true;
}
static_assert(is_complete(kCodes), "every DecisionCode has one row, in the order of the enum");

using Way = ReasonFacts;

constexpr std::array kReasons = {
    Way{Reason::kNone, DecisionCode::kNone, ""},
    Way{Reason::kCommandMissing, DecisionCode::kRequestInvalid, "There is no command."},
    Way{Reason::kCommandTooLarge, DecisionCode::kRequestInvalid,
        "The command is larger than any that a system starts."},
    Way{Reason::kRawCommandAlone, DecisionCode::kRequestInvalid, "rawCommand came without command."},
    Way{Reason::kRawCommandDiffers, DecisionCode::kRawCommandMismatch,
        "rawCommand does not say what command says."},
    Way{Reason::kPlanMalformed, DecisionCode::kPlanInvalid, "systemRunPlan is no plan."},
    Way{Reason::kApprovalSourceUnknown, DecisionCode::kApprovalInvalid, "approvalSource is no source."},
    Way{Reason::kApprovalSourceWithApproval, DecisionCode::kApprovalInvalid,
        "approvalSource and a person's approval exclude each other."},
    Way{Reason::kApprovalSourceWithoutPlan, DecisionCode::kApprovalInvalid,
        "approvalSource came without the plan that it is about."},
    Way{Reason::kApprovalWithoutPlan, DecisionCode::kApprovalInvalid,
        "An approval came without the plan that was approved."},
    Way{Reason::kApprovalWithoutSnapshot, DecisionCode::kApprovalInvalid,
        "The plan does not say under which policy it was prepared."},
    Way{Reason::kAssignmentRefused, DecisionCode::kEnvironmentRejected,
        "The command sets variables that no request may set"},
    Way{Reason::kVariableRefused, DecisionCode::kEnvironmentRejected,
        "The request sets variables that no request may set"},
    Way{Reason::kCwdMissing, DecisionCode::kCwdNotCanonical, "The working directory does not exist."},
    Way{Reason::kCwdNoDirectory, DecisionCode::kCwdNotCanonical, "The working directory is none."},
    Way{Reason::kCwdBySymlink, DecisionCode::kCwdNotCanonical,
        "A link on the way to the working directory can be re-pointed."},
    Way{Reason::kWrapperMissing, DecisionCode::kExecutableUnresolved,
        "A program in front of the command was not found."},
    Way{Reason::kProgramMissing, DecisionCode::kExecutableUnresolved, "The program was not found."},
    Way{Reason::kScriptMissing, DecisionCode::kOperandUnbindable, "The script does not exist."},
    Way{Reason::kScriptUnreadable, DecisionCode::kOperandUnbindable, "The script cannot be read."},
    Way{Reason::kScriptNoFile, DecisionCode::kOperandUnbindable, "The script is no file."},
    Way{Reason::kDispatchOptions, DecisionCode::kOperandUnbindable,
        "Options in front of the command change its directory."},
    Way{Reason::kStartupFiles, DecisionCode::kOperandUnbindable, "The shell reads files of its own first."},
    Way{Reason::kStartupEnvironment, DecisionCode::kOperandUnbindable,
        "A variable of this node makes shells read a file first."},
    Way{Reason::kRuntimeOptions, DecisionCode::kOperandUnbindable,
        "Options make the interpreter load other code or change its directory."},
    Way{Reason::kHiddenCommand, DecisionCode::kOperandUnbindable,
        "What will run cannot be told from the words."},
};

constexpr bool is_complete(std::span<const Way> ways) {
  if (ways.size() != static_cast<std::size_t>(Reason::kCount)) return false;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (ways[i].reason != static_cast<Reason>(i) || ways[i].text.empty() != (i == 0)) return false;
    if ((ways[i].code == DecisionCode::kNone) != (i == 0)) return false;
  }
  return true;
}
static_assert(is_complete(kReasons), "every Reason has one row, in the order of the enum");

}  // namespace

std::span<const DecisionCodeFacts> decision_codes() { return kCodes; }

const DecisionCodeFacts& facts_of(DecisionCode code) { return kCodes.at(static_cast<std::size_t>(code)); }

const ReasonFacts& facts_of(Reason reason) { return kReasons.at(static_cast<std::size_t>(reason)); }

std::string_view to_string(DecisionCode code) { return facts_of(code).name; }

std::string_view to_string(DecisionLayer layer) {
  switch (layer) {
    case DecisionLayer::kNone:
      return "";
    case DecisionLayer::kOrigin:
      return "origin";
    case DecisionLayer::kRequest:
      return "request";
    case DecisionLayer::kHost:
      return "host";
    case DecisionLayer::kRecord:
      return "record";
    case DecisionLayer::kAdmission:
      return "admission";
    case DecisionLayer::kNodePolicy:
      return "node-policy";
    case DecisionLayer::kDocument:
      return "document";
    case DecisionLayer::kRule:
      return "rule";
    case DecisionLayer::kAnswer:
      return "answer";
    case DecisionLayer::kAnalysis:
      return "analysis";
    case DecisionLayer::kFiles:
      return "files";
    case DecisionLayer::kBinding:
      return "binding";
  }
  return "";
}

std::optional<DecisionCode> decision_code_from(std::string_view name) {
  if (name.empty()) return std::nullopt;
  const auto it = std::find_if(kCodes.begin(), kCodes.end(),
                               [&](const DecisionCodeFacts& row) { return row.name == name; });
  return it == kCodes.end() ? std::nullopt : std::optional(it->code);
}

}  // namespace hostclaw::policy
