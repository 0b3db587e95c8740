// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/denial_words.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace hostclaw::node_host {
namespace {

using policy::Decision;
using policy::Verdict;

constexpr std::string_view kDenied = "SYSTEM_RUN_DENIED: ";
constexpr std::string_view kApprovalRequired = "approval-required";
constexpr std::string_view kNotWritten = "approval-state-write-failed";
constexpr std::string_view kNotWrittenText = "approval state could not be persisted";
// Stands for Decision::detail.
constexpr std::string_view kDetail = "{}";

struct Words {
  std::string_view code;
  std::string_view reason;
  std::string_view text;  // behind the prefix
};

// Refusals that OpenClaw has words for, and ours beside them. What is asked about is told in one way.
constexpr std::array kWords = {
    Words{"AGENT_MISSING", kNotWritten, kNotWrittenText},
    Words{"ANSWERED_DENY", kApprovalRequired, "a person refused it"},
    Words{"ASK_ALWAYS", kNotWritten, kNotWrittenText},  // an automatic review was no answer
    Words{"CHANGED_SINCE_ASKED", kApprovalRequired, "exec approval changed before execution"},
    Words{"CWD_NOT_CANONICAL", kApprovalRequired, kDetail},
    Words{"EXECUTABLE_UNRESOLVED", kApprovalRequired, kDetail},
    Words{"EXECUTION_PLAN_MISS", "execution-plan-miss", "execution plan mismatch"},
    Words{"OPERAND_CHANGED", kApprovalRequired, "approval script operand changed before execution"},
    Words{"OPERAND_UNBINDABLE", kApprovalRequired, kDetail},
    Words{"OPERAND_UNBOUND", kApprovalRequired, "approval missing script operand binding"},
    Words{"ORIGIN_MEMBER_REFUSED", "origin-member-refused", "members refused: {}"},
    Words{"POLICY_CHANGED", kApprovalRequired, "exec approval policy changed; request approval again"},
    Words{"RECORD_FAILED", kNotWritten, kNotWrittenText},
    Words{"RULE_DENY", "rule", "a rule of this node refuses it"},
    Words{"RULE_NOT_EXCLUDED", "rule", "a rule of this node could apply"},
    Words{"SELF_POLICY", "self-policy", "a run does not change the policy of its own node"},
    Words{"SELF_PRIVATE", "self-policy", "a run sees its own runs only"},
    Words{"UNANSWERED", kApprovalRequired, "approval required"},
    Words{
        "WINDOWS_CMD", "allowlist-miss",
        "allowlist miss (Windows shell wrappers like cmd.exe /c require approval; approve once/always or run "
        "with --ask on-miss|always)"},
};

// The same without the prefix.
constexpr std::array kRawWords = {
    Words{"POLICY_MALFORMED", "security=deny", "SYSTEM_RUN_DISABLED: security=deny"},
    Words{"SCREEN_RECORDING", "permission:screenRecording", "PERMISSION_MISSING: screenRecording"},
    Words{"SECURITY_DENY", "security=deny", "SYSTEM_RUN_DISABLED: security=deny"},
};

// Nothing satisfies the command, for one reason or another; or it is only ever asked about, or malformed.
constexpr std::array<std::string_view, 24> kOrdinary = {"ALLOWLIST_MISS",       "ALLOWLIST_MISS_ARGUMENTS",
                                                        "APPROVAL_INVALID",     "BATCH_FILE",
                                                        "BUILTIN_REFUSED",      "CARRIED_CODE",
                                                        "EMPTY_COMMAND",        "ENVIRONMENT_REJECTED",
                                                        "INLINE_EVAL",          "EXECUTABLE_NOT_FOUND",
                                                        "MISLEADING_TEXT",      "NOT_ANALYSABLE",
                                                        "NOT_BINDABLE",         "NUL_IN_ARGUMENT",
                                                        "PATH_SUSPICIOUS",      "PLAN_INVALID",
                                                        "PROGRAM_REPLACEABLE",  "RAW_COMMAND_MISMATCH",
                                                        "REQUEST_INVALID",      "RULE_ASK",
                                                        "SHELL_OPAQUE",         "SHELL_UNTRUSTED",
                                                        "STEERING_ENVIRONMENT", "WRAPPER_BLOCKED"};

std::string filled(std::string_view text, const std::string& detail) {
  std::string out(text);
  if (const std::size_t at = out.find(kDetail); at != std::string::npos)
    out.replace(at, kDetail.size(), detail);
  return out;
}

struct FirstLine {
  std::string text;
  std::string_view reason;
};

FirstLine asked(const Decision& decision) {
  if (decision.code != "INLINE_EVAL") return {std::string(kDenied) + "approval required", kApprovalRequired};
  return {std::string(kDenied) + "approval required (" + decision.detail +
              " requires explicit approval in strictInlineEval mode)",
          kApprovalRequired};
}

FirstLine refused(const Decision& decision) {
  const auto same_code = [&](const Words& words) { return words.code == decision.code; };
  if (const auto it = std::find_if(kWords.begin(), kWords.end(), same_code); it != kWords.end())
    return {std::string(kDenied) + filled(it->text, decision.detail), it->reason};
  if (const auto it = std::find_if(kRawWords.begin(), kRawWords.end(), same_code); it != kRawWords.end())
    return {std::string(it->text), it->reason};
  return {std::string(kDenied) + "allowlist miss", "allowlist-miss"};
}

}  // namespace

DenialWords denial_words(const Decision& decision) {
  // Malformed: the sentence is OpenClaw's already, and no event is sent.
  if (decision.verdict == Verdict::kInvalid) return {"INVALID_REQUEST", decision.explanation, {}};
  if (decision.code == "ADMISSION_FULL")
    return {"UNAVAILABLE", "this node has too many commands waiting; try again", {}};
  if (decision.code == "HOST_EXHAUSTED")
    return {
        "UNAVAILABLE",
        "UNAVAILABLE: " + decision.explanation + "; no policy was asked. Next, on the node: " + decision.next,
        {}};
  FirstLine first = decision.verdict == Verdict::kAsk ? asked(decision) : refused(decision);
  DenialWords words{"SYSTEM_RUN_DENIED", std::move(first.text), std::string(first.reason)};
  if (decision.code == "RECORD_FAILED") {
    words.message += "\n" + decision.explanation +
                     ". Next, on the node: " + (decision.next.empty() ? "hostclaw status" : decision.next);
    return words;
  }
  if (!decision.explanation.empty()) words.message += "\n" + decision.explanation;
  if (!decision.next.empty()) words.message += "\nNext: " + decision.next;
  return words;
}

std::span<const std::string_view> codes_with_words() {
  static const std::vector<std::string_view> codes = [] {
    std::vector<std::string_view> all(kOrdinary.begin(), kOrdinary.end());
    for (const Words& words : kWords) all.push_back(words.code);
    for (const Words& words : kRawWords) all.push_back(words.code);
    all.push_back("HOST_EXHAUSTED");
    return all;
  }();
  return codes;
}

}  // namespace hostclaw::node_host
