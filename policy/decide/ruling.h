// SPDX-License-Identifier: Apache-2.0
// The order of the security checks of a run, from top to bottom: a function over plain facts. It looks at
// nothing and does nothing; whoever asks it gathers the facts, and words what comes of it (evaluate.cc).
//
// deny > ask > allow: nothing that asks stands in front of something that denies by policy or by rule, and no
// approval is looked at before those. Constant time; any thread. Tested as a table: ruling_test.cc.
#pragma once

#include <cstdint>
#include <optional>

#include "policy/decide/engine.h"
#include "policy/rules/rules.h"

namespace hostclaw::policy {

// How far the facts go. Each step costs more than the one before, so it is taken only where nothing has been
// decided by then.
enum class Known : std::uint8_t { kNothing, kRequest, kPolicy, kCommand, kFiles };

struct SecurityFacts {
  Known known = Known::kNothing;

  // kRequest: what the request says of itself.
  bool members_refused = false;  // it claims what its door does not take from it
  bool malformed = false;
  bool approved = false;  // a person, or who may speak for one, has approved this very request

  // kPolicy: what is in force for who asks.
  Security security = Security::kDeny;
  bool denies_as_unanswered = false;  // security=deny only because nobody answered in time
  Ask ask = Ask::kAlways;
  LocalAnswer answer = LocalAnswer::kNone;
  bool policy_changed = false;      // since the approval was prepared
  bool directory_misleads = false;  // its name alone says so

  // kCommand: what was understood of it.
  bool uses_this_program = false;      // on its own policy, record or others' runs
  std::optional<RuleEffect> rule;      // the strictest that applies
  std::optional<RuleEffect> in_doubt;  // what the owner wants where a rule could apply
  bool carries_inline_code = false;    // and this node wants a person to see such
  bool wrapper_missing = false;
  bool concerns_audit = false;  // the suppression of findings: whatever the list says, a person is asked
  bool listed = false;  // everything in it is satisfied, and nothing about the request speaks against it
  bool granted_for_good = false;

  // kFiles: what it would be bound to.
  bool unbound = false;
  bool text_of_other_shell = false;
  bool padded_safe_bin_text = false;
  bool wants_screen_recording = false;
  bool use_cannot_be_recorded = false;  // an entry's use or a grant without an agent
  bool review_is_no_answer = false;     // an automatic review approved, and the policy wants a person
};

enum class Ruling : std::uint8_t {
  kLookFurther,  // nothing is decided by what is known: gather the next step's facts and ask again
  kMembersRefused,
  kMalformed,
  kPolicyChanged,
  kDirectoryMisleads,
  kSelfUse,
  kUnanswered,
  kPolicyDenies,
  kRuleDenies,
  kDoubtDenies,
  kInlineCode,
  kWrapperMissing,
  kPersonDenied,
  kChangedSinceAsked,
  kRuleAsks,
  kAsk,
  kMiss,
  kDoubtAsks,
  kUnbound,
  kOtherShell,
  kPaddedSafeBin,
  kScreenRecording,
  kUseNotRecordable,
  kReviewIsNoAnswer,
  kAllow,
};

Ruling rule_on(const SecurityFacts& facts);

}  // namespace hostclaw::policy
