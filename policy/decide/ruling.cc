// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/ruling.h"

namespace hostclaw::policy {

Ruling rule_on(const SecurityFacts& facts) {
  const auto asks = [&](Ruling ruling) {
    return facts.answer == LocalAnswer::kUnanswered ? Ruling::kUnanswered : ruling;
  };

  if (facts.known < Known::kRequest) return Ruling::kLookFurther;
  if (facts.members_refused) return Ruling::kMembersRefused;
  if (facts.malformed) return Ruling::kMalformed;

  if (facts.known < Known::kPolicy) return Ruling::kLookFurther;
  if (facts.policy_changed) return Ruling::kPolicyChanged;
  if (facts.directory_misleads) return Ruling::kDirectoryMisleads;

  if (facts.known < Known::kCommand) return Ruling::kLookFurther;
  // No policy, rule, list, grant or answer comes into this one.
  if (facts.uses_this_program) return Ruling::kSelfUse;

  // What denies, whoever has approved.
  if (facts.security == Security::kDeny)
    return facts.denies_as_unanswered ? Ruling::kUnanswered : Ruling::kPolicyDenies;
  if (facts.rule == RuleEffect::kDeny) return Ruling::kRuleDenies;
  if (facts.in_doubt == RuleEffect::kDeny) return asks(Ruling::kDoubtDenies);

  // Upstream looks at these two before it looks at any answer.
  if (facts.carries_inline_code && !facts.approved && facts.answer != LocalAnswer::kDenied &&
      facts.answer != LocalAnswer::kChanged)
    return Ruling::kInlineCode;
  if (facts.wrapper_missing) return Ruling::kWrapperMissing;
  if (facts.answer == LocalAnswer::kDenied) return Ruling::kPersonDenied;
  if (facts.answer == LocalAnswer::kChanged) return Ruling::kChangedSinceAsked;

  // What wants a person, unless one has spoken.
  const bool satisfied = facts.listed || facts.granted_for_good;
  const bool misses = facts.security == Security::kAllowlist && !satisfied;
  if (!facts.approved) {
    if (facts.rule == RuleEffect::kAsk) return asks(Ruling::kRuleAsks);
    if (facts.ask == Ask::kAlways || (facts.ask == Ask::kOnMiss && misses) || facts.concerns_audit)
      return asks(Ruling::kAsk);
    if (misses) return Ruling::kMiss;
    if (facts.in_doubt == RuleEffect::kAsk) return asks(Ruling::kDoubtAsks);
  }

  // It may run; is it still what was judged, and can it be held to that?
  if (facts.known < Known::kFiles) return Ruling::kLookFurther;
  if (facts.unbound) return Ruling::kUnbound;
  if (facts.listed && !facts.approved) {
    if (facts.text_of_other_shell) return Ruling::kOtherShell;
    if (facts.padded_safe_bin_text) return Ruling::kPaddedSafeBin;
  }
  if (facts.wants_screen_recording) return Ruling::kScreenRecording;
  if (facts.use_cannot_be_recorded) return Ruling::kUseNotRecordable;
  if (facts.review_is_no_answer) return Ruling::kReviewIsNoAnswer;
  return Ruling::kAllow;
}

}  // namespace hostclaw::policy
