// SPDX-License-Identifier: Apache-2.0
// Why something is allowed, asked about or refused: every code that a decision can carry, in one table with
// its name, its layer, what it means and what to do next. Codes of every room stand here, so that a code is
// known wherever it is read; what a peer is told for each stands at the peer's door
// (node-host/doors/gateway/denial_words.cc). A code without its row does not compile.
//
// Rows of the record, traces and --json carry the names, which never change. Constant time; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hostclaw::policy {

enum class DecisionCode : std::uint8_t {
  kNone,  // nothing was decided
  // allowed
  kAllowedByPolicy,
  kAllowedByList,
  kAllowedByGrant,
  kAllowedByApproval,
  kAllowedByAnswer,
  kAllowedByFallback,
  kAllowedToObserve,
  // rules
  kRuleDeny,
  kRuleAsk,
  kRuleNotExcluded,
  // this program itself
  kSelfPolicy,
  kSelfPrivate,
  // the host
  kHostExhausted,
  kFilesNotAnswering,
  kRecordFailed,
  kAdmissionFull,
  // the request
  kRequestInvalid,
  kRawCommandMismatch,
  kPlanInvalid,
  kApprovalInvalid,
  kEnvironmentRejected,
  // who asks
  kOriginMemberRefused,
  kOriginNotGranted,
  // files
  kFileGranted,
  kFileOutsideRoots,
  kFileDenied,
  kFileUnreachable,
  // policy
  kSecurityDeny,
  kPolicyMalformed,
  kAskAlways,
  kAnsweredDeny,
  kUnanswered,
  kChangedSinceAsked,
  kPolicyChanged,
  kAgentMissing,
  // analysis
  kNotAnalysable,
  kNotBindable,
  kEmptyCommand,
  kWrapperBlocked,
  kShellUntrusted,
  kShellOpaque,
  kBuiltinRefused,
  kMisleadingText,
  kNulInArgument,
  kCarriedCode,
  kInlineEval,
  kWindowsCmd,
  kSteeringEnvironment,
  kExecutionPlanMiss,
  kBatchFile,
  kPathSuspicious,
  // matching
  kAllowlistMiss,
  kAllowlistMissArguments,
  kProgramReplaceable,
  kExecutableNotFound,
  // binding
  kExecutableUnresolved,
  kCwdNotCanonical,
  kOperandUnbound,
  kOperandChanged,
  kOperandUnbindable,
  kScreenRecording,
  kCount,  // how many there are; no code
};

// Who decided.
enum class DecisionLayer : std::uint8_t {
  kNone,
  kOrigin,
  kRequest,
  kHost,
  kRecord,
  kAdmission,
  kNodePolicy,
  kDocument,
  kRule,
  kAnswer,
  kAnalysis,
  kBinding,
  kFiles,
};

struct DecisionCodeFacts {
  DecisionCode code;
  std::string_view name;  // SCREAMING_SNAKE_CASE; of kNone empty
  DecisionLayer layer;
  bool observable;
  std::string_view meaning;  // one sentence
  std::string_view next;     // what helps, where a decision knows nothing more exact; may be empty
};

// In the order of the enum.
std::span<const DecisionCodeFacts> decision_codes();
const DecisionCodeFacts& facts_of(DecisionCode code);

std::string_view to_string(DecisionCode code);
std::string_view to_string(DecisionLayer layer);
inline DecisionLayer layer_of(DecisionCode code) { return facts_of(code).layer; }

// A refusal that mode=observe sets aside: what rules, lists, policy or analysis say about the command. Not
// one about a request that contradicts itself, or about something that cannot be found or bound.
inline bool is_observable(DecisionCode code) { return facts_of(code).observable; }

// JSON has the name. (Without this, the library would write the number of the enumerator.)
template <class AnyJson>
void to_json(AnyJson& json, DecisionCode code) {
  json = to_string(code);
}

// The code of this name, as rows have it; nullopt when there is none.
std::optional<DecisionCode> decision_code_from(std::string_view name);

// Which of its ways a refusal took, where its code has several and a peer has a word for each.
enum class Reason : std::uint8_t {
  kNone,
  // the request
  kCommandMissing,
  kCommandTooLarge,
  kRawCommandAlone,
  kRawCommandDiffers,
  kPlanMalformed,
  kApprovalSourceUnknown,
  kApprovalSourceWithApproval,
  kApprovalSourceWithoutPlan,
  kApprovalWithoutPlan,
  kApprovalWithoutSnapshot,
  kAssignmentRefused,  // Decision::names: which
  kVariableRefused,    // Decision::names, and other_names: those that are no portable names
  // what it is bound to
  kCwdMissing,
  kCwdNoDirectory,
  kCwdBySymlink,
  kWrapperMissing,
  kProgramMissing,
  kScriptMissing,
  kScriptUnreadable,
  kScriptNoFile,
  kDispatchOptions,
  kStartupFiles,
  kStartupEnvironment,
  kRuntimeOptions,
  kHiddenCommand,
  kCount,  // how many there are; no reason
};

struct ReasonFacts {
  Reason reason;
  DecisionCode code;      // whose way it is
  std::string_view text;  // one sentence; of kNone empty
};
const ReasonFacts& facts_of(Reason reason);
inline DecisionCode code_of(Reason reason) { return facts_of(reason).code; }

}  // namespace hostclaw::policy
