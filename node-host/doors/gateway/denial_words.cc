// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/denial_words.h"

#include <array>
#include <span>
#include <utility>

#include "base/text.h"

namespace hostclaw::node_host {
namespace {

using policy::Decision;
using policy::Verdict;

using policy::DecisionCode;
using policy::Reason;

// What the message of a refused run begins with; peers compare it.
constexpr std::string_view kDenied = "SYSTEM_RUN_DENIED: ";
constexpr std::string_view kInvalidRequest = "INVALID_REQUEST";
constexpr std::string_view kApprovalRequired = "approval-required";
constexpr std::string_view kNotWritten = "approval-state-write-failed";
constexpr std::string_view kNotWrittenText = "approval state could not be persisted";
constexpr std::string_view kMissLine = "allowlist miss";
constexpr std::string_view kMissReason = "allowlist-miss";

enum class Form {
  kAllowed,      // never told as a refusal
  kMiss,         // nothing satisfies the command, for one reason or another; or it is only ever asked about
  kMalformed,    // told by Words of its Reason, and no event is sent
  kText,         // the text behind the prefix
  kNames,        // the text and the names that it is about
  kReason,       // the words of its Reason
  kRaw,          // the text without the prefix
  kUnavailable,  // not about the command
};

struct Words {
  DecisionCode code;
  Form form;
  std::string_view text;
  std::string_view event_reason;
};

constexpr Words miss(DecisionCode code) { return {code, Form::kMiss, kMissLine, kMissReason}; }
constexpr Words allowed(DecisionCode code) { return {code, Form::kAllowed, "", ""}; }
constexpr Words malformed(DecisionCode code) { return {code, Form::kMalformed, "", ""}; }
constexpr Words unavailable(DecisionCode code) { return {code, Form::kUnavailable, "", ""}; }
constexpr Words approval(DecisionCode code, std::string_view text) {
  return {code, Form::kText, text, kApprovalRequired};
}
constexpr Words not_written(DecisionCode code) { return {code, Form::kText, kNotWrittenText, kNotWritten}; }
constexpr Words by_reason(DecisionCode code) { return {code, Form::kReason, "", kApprovalRequired}; }
constexpr Words disabled(DecisionCode code) {
  return {code, Form::kRaw, "SYSTEM_RUN_DISABLED: security=deny", "security=deny"};
}

// How each code is told: in OpenClaw's words where it has some, in ours beside them. In the order of the
// enum.
constexpr std::array kWords = {
    allowed(DecisionCode::kNone),
    allowed(DecisionCode::kAllowedByPolicy),
    allowed(DecisionCode::kAllowedByList),
    allowed(DecisionCode::kAllowedByGrant),
    allowed(DecisionCode::kAllowedByApproval),
    allowed(DecisionCode::kAllowedByAnswer),
    allowed(DecisionCode::kAllowedByFallback),
    allowed(DecisionCode::kAllowedToObserve),
    Words{DecisionCode::kRuleDeny, Form::kText, "a rule of this node refuses it", "rule"},
    miss(DecisionCode::kRuleAsk),
    Words{DecisionCode::kRuleNotExcluded, Form::kText, "a rule of this node could apply", "rule"},
    Words{DecisionCode::kSelfPolicy, Form::kText, "a run does not change the policy of its own node",
          "self-policy"},
    Words{DecisionCode::kSelfPrivate, Form::kText, "a run sees its own runs only", "self-policy"},
    unavailable(DecisionCode::kHostExhausted),
    unavailable(DecisionCode::kFilesNotAnswering),
    not_written(DecisionCode::kRecordFailed),
    unavailable(DecisionCode::kAdmissionFull),
    malformed(DecisionCode::kRequestInvalid),
    malformed(DecisionCode::kRawCommandMismatch),
    malformed(DecisionCode::kPlanInvalid),
    malformed(DecisionCode::kApprovalInvalid),
    malformed(DecisionCode::kEnvironmentRejected),
    Words{DecisionCode::kOriginMemberRefused, Form::kNames, "members refused: ", "origin-member-refused"},
    miss(DecisionCode::kOriginNotGranted),
    allowed(DecisionCode::kFileGranted),
    miss(DecisionCode::kFileOutsideRoots),
    miss(DecisionCode::kFileDenied),
    miss(DecisionCode::kFileUnreachable),
    disabled(DecisionCode::kSecurityDeny),
    disabled(DecisionCode::kPolicyMalformed),
    not_written(DecisionCode::kAskAlways),
    approval(DecisionCode::kAnsweredDeny, "a person refused it"),
    approval(DecisionCode::kUnanswered, "approval required"),
    approval(DecisionCode::kChangedSinceAsked, "exec approval changed before execution"),
    approval(DecisionCode::kPolicyChanged, "exec approval policy changed; request approval again"),
    not_written(DecisionCode::kAgentMissing),
    miss(DecisionCode::kNotAnalysable),
    miss(DecisionCode::kNotBindable),
    miss(DecisionCode::kEmptyCommand),
    miss(DecisionCode::kWrapperBlocked),
    miss(DecisionCode::kShellUntrusted),
    miss(DecisionCode::kShellOpaque),
    miss(DecisionCode::kBuiltinRefused),
    miss(DecisionCode::kMisleadingText),
    miss(DecisionCode::kNulInArgument),
    miss(DecisionCode::kCarriedCode),
    miss(DecisionCode::kInlineEval),
    Words{DecisionCode::kWindowsCmd, Form::kText,
          "allowlist miss (Windows shell wrappers like cmd.exe /c require approval; approve once/always or "
          "run with --ask on-miss|always)",
          "allowlist-miss"},
    miss(DecisionCode::kSteeringEnvironment),
    Words{DecisionCode::kExecutionPlanMiss, Form::kText, "execution plan mismatch", "execution-plan-miss"},
    miss(DecisionCode::kBatchFile),
    miss(DecisionCode::kPathSuspicious),
    miss(DecisionCode::kAllowlistMiss),
    miss(DecisionCode::kAllowlistMissArguments),
    miss(DecisionCode::kProgramReplaceable),
    miss(DecisionCode::kExecutableNotFound),
    by_reason(DecisionCode::kExecutableUnresolved),
    by_reason(DecisionCode::kCwdNotCanonical),
    approval(DecisionCode::kOperandUnbound, "approval missing script operand binding"),
    approval(DecisionCode::kOperandChanged, "approval script operand changed before execution"),
    by_reason(DecisionCode::kOperandUnbindable),
    Words{DecisionCode::kScreenRecording, Form::kRaw, "PERMISSION_MISSING: screenRecording",
          "permission:screenRecording"},
};

constexpr bool is_complete(std::span<const Words> rows) {
  if (rows.size() != static_cast<std::size_t>(DecisionCode::kCount)) return false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].code != static_cast<DecisionCode>(i)) return false;
  }
  return true;
}
static_assert(is_complete(kWords), "every DecisionCode has its words at this door");

struct ReasonWords {
  Reason reason;
  std::string_view text;
};

constexpr std::array kReasonWords = {
    ReasonWords{Reason::kNone, ""},
    ReasonWords{Reason::kCommandMissing, "command required"},
    ReasonWords{Reason::kCommandTooLarge, "INVALID_REQUEST: command is larger than any that a system starts"},
    ReasonWords{Reason::kRawCommandAlone, "rawCommand requires params.command"},
    ReasonWords{Reason::kRawCommandDiffers, "INVALID_REQUEST: rawCommand does not match command"},
    ReasonWords{Reason::kPlanMalformed, "systemRunPlan invalid"},
    ReasonWords{Reason::kApprovalSourceUnknown, "approvalSource invalid"},
    ReasonWords{Reason::kApprovalSourceWithApproval,
                "approvalSource cannot be combined with explicit approval"},
    ReasonWords{Reason::kApprovalSourceWithoutPlan, "approvalSource requires matching systemRunPlan"},
    ReasonWords{Reason::kApprovalWithoutPlan, "explicit approval requires matching systemRunPlan"},
    ReasonWords{Reason::kApprovalWithoutSnapshot, "delayed approval requires a prepared policy snapshot"},
    ReasonWords{Reason::kAssignmentRefused, "command env assignment rejected"},
    ReasonWords{Reason::kVariableRefused, "environment override rejected"},
    ReasonWords{Reason::kCwdMissing, "approval requires an existing canonical cwd"},
    ReasonWords{Reason::kCwdNoDirectory, "approval requires cwd to be a directory"},
    ReasonWords{Reason::kCwdBySymlink, "approval requires canonical cwd (no symlink path components)"},
    ReasonWords{Reason::kWrapperMissing, "approval requires a resolved executable"},
    ReasonWords{Reason::kProgramMissing, "approval requires a stable executable path"},
    ReasonWords{Reason::kScriptMissing, "approval requires an existing script operand"},
    ReasonWords{Reason::kScriptUnreadable, "approval requires a readable script operand"},
    ReasonWords{Reason::kScriptNoFile, "approval requires a file script operand"},
    ReasonWords{Reason::kDispatchOptions, "approval cannot safely bind dispatch cwd options"},
    ReasonWords{Reason::kStartupFiles, "approval cannot safely bind shell startup files"},
    ReasonWords{Reason::kStartupEnvironment, "approval cannot safely bind shell startup environment"},
    ReasonWords{Reason::kRuntimeOptions, "approval cannot safely bind runtime code-loading or cwd options"},
    ReasonWords{Reason::kHiddenCommand, "approval cannot safely bind this interpreter/runtime command"},
};

constexpr bool is_complete(std::span<const ReasonWords> rows) {
  if (rows.size() != static_cast<std::size_t>(Reason::kCount)) return false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].reason != static_cast<Reason>(i) || rows[i].text.empty() != (i == 0)) return false;
  }
  return true;
}
static_assert(is_complete(kReasonWords), "every Reason has its words at this door");

std::string prefixed(std::string_view text) { return std::string(kDenied).append(text); }

std::string_view words_of(Reason reason) { return kReasonWords.at(static_cast<std::size_t>(reason)).text; }

const Words& words_of(DecisionCode code) { return kWords.at(static_cast<std::size_t>(code)); }

// The sentence about a request that is malformed.
std::string malformed_text(const Decision& decision) {
  const std::string_view text = words_of(decision.reason);
  if (decision.reason == Reason::kAssignmentRefused) {
    return prefixed(text) + " (blocked env assignment keys: " + join(decision.names, ", ") + ")";
  }
  if (decision.reason != Reason::kVariableRefused) return std::string(text);
  std::string which;
  if (!decision.names.empty()) which = "blocked override keys: " + join(decision.names, ", ");
  if (!decision.other_names.empty()) {
    if (!which.empty()) which += "; ";
    which += "invalid non-portable override keys: " + join(decision.other_names, ", ");
  }
  return prefixed(text) + " (" + which + ")";
}

// What is asked about is told in one way, whatever it is.
std::string asked(const Decision& decision) {
  std::string line = prefixed("approval required");
  if (decision.code == DecisionCode::kInlineEval)
    line += " (" + decision.detail + " requires explicit approval in strictInlineEval mode)";
  return line;
}

std::string refused(const Decision& decision, const Words& words) {
  switch (words.form) {
    case Form::kAllowed:
    case Form::kMalformed:
    case Form::kUnavailable:
    case Form::kMiss:
      return prefixed(kMissLine);
    case Form::kText:
      return prefixed(words.text);
    case Form::kNames:
      return prefixed(words.text) + join(decision.names, ", ");
    case Form::kReason:
      return prefixed(words_of(decision.reason));
    case Form::kRaw:
      return std::string(words.text);
  }
  return prefixed(kMissLine);
}

DenialWords unavailable_words(const Decision& decision) {
  if (decision.code == DecisionCode::kAdmissionFull)
    return {"UNAVAILABLE", "this node has too many commands waiting; try again", {}};
  return {
      "UNAVAILABLE",
      "UNAVAILABLE: " + decision.explanation + "; no policy was asked. Next, on the node: " + decision.next,
      {}};
}

// Why, and what helps, behind the first line.
std::string further_lines(const Decision& decision) {
  std::string out;
  if (decision.code == DecisionCode::kRecordFailed) {
    const std::string_view otherwise = facts_of(decision.code).next;
    return "\n" + decision.explanation +
           ". Next, on the node: " + (decision.next.empty() ? std::string(otherwise) : decision.next);
  }
  if (!decision.explanation.empty()) out += "\n" + decision.explanation;
  if (!decision.next.empty()) out += "\nNext: " + decision.next;
  return out;
}

}  // namespace

DenialWords denial_words(const Decision& decision) {
  if (decision.verdict == Verdict::kInvalid)
    return {std::string(kInvalidRequest), malformed_text(decision), {}};
  const Words& words = words_of(decision.code);
  if (words.form == Form::kUnavailable) return unavailable_words(decision);
  const bool asks = decision.verdict == Verdict::kAsk;
  const bool plain = words.event_reason.empty();
  return {"SYSTEM_RUN_DENIED", (asks ? asked(decision) : refused(decision, words)) + further_lines(decision),
          std::string(asks    ? kApprovalRequired
                      : plain ? kMissReason
                              : words.event_reason)};
}

DenialWords prepare_words(const Decision& refusal) {
  DenialWords words{std::string(kInvalidRequest), {}, {}};
  if (refusal.verdict != Verdict::kInvalid) {
    words.message = refusal.explanation;
  } else if (words_of(refusal.code).form != Form::kReason) {
    words.message = malformed_text(refusal);
  } else {
    words.message = prefixed(words_of(refusal.reason));
    if (!refusal.explanation.empty()) words.message += "\n" + refusal.explanation;
  }
  return words;
}

}  // namespace hostclaw::node_host
