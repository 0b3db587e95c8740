// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/ruling.h"

#include <catch2/catch.hpp>
#include <functional>
#include <vector>

namespace hostclaw::policy {
namespace {

// A listed command that everything speaks for.
SecurityFacts good() {
  SecurityFacts facts;
  facts.known = Known::kFiles;
  facts.security = Security::kAllowlist;
  facts.ask = Ask::kOnMiss;
  facts.listed = true;
  return facts;
}

using Change = std::function<void(SecurityFacts&)>;

struct Rung {
  const char* name;
  Change change;  // what speaks against it
  Ruling ruling;
};

// Everything that can speak against a command, in the order in which it counts. Each row makes `good()` worse
// in one way.
const std::vector<Rung>& ladder() {
  using F = SecurityFacts;
  static const std::vector<Rung> rungs = {
      {"members", [](F& f) { f.members_refused = true; }, Ruling::kMembersRefused},
      {"malformed", [](F& f) { f.malformed = true; }, Ruling::kMalformed},
      {"policy changed", [](F& f) { f.policy_changed = true; }, Ruling::kPolicyChanged},
      {"directory", [](F& f) { f.directory_misleads = true; }, Ruling::kDirectoryMisleads},
      {"own program", [](F& f) { f.uses_this_program = true; }, Ruling::kSelfUse},
      {"policy denies", [](F& f) { f.security = Security::kDeny; }, Ruling::kPolicyDenies},
      {"rule denies", [](F& f) { f.rule = RuleEffect::kDeny; }, Ruling::kRuleDenies},
      {"doubt denies", [](F& f) { f.in_doubt = RuleEffect::kDeny; }, Ruling::kDoubtDenies},
      {"inline code", [](F& f) { f.carries_inline_code = true; }, Ruling::kInlineCode},
      {"wrapper", [](F& f) { f.wrapper_missing = true; }, Ruling::kWrapperMissing},
      {"rule asks", [](F& f) { f.rule = RuleEffect::kAsk; }, Ruling::kRuleAsks},
      {"audit", [](F& f) { f.concerns_audit = true; }, Ruling::kAsk},
      {"ask always", [](F& f) { f.ask = Ask::kAlways; }, Ruling::kAsk},
      {"doubt asks", [](F& f) { f.in_doubt = RuleEffect::kAsk; }, Ruling::kDoubtAsks},
      {"unbound", [](F& f) { f.unbound = true; }, Ruling::kUnbound},
      {"other shell", [](F& f) { f.text_of_other_shell = true; }, Ruling::kOtherShell},
      {"padded", [](F& f) { f.padded_safe_bin_text = true; }, Ruling::kPaddedSafeBin},
      {"screen", [](F& f) { f.wants_screen_recording = true; }, Ruling::kScreenRecording},
      {"agent", [](F& f) { f.use_cannot_be_recorded = true; }, Ruling::kUseNotRecordable},
      {"review", [](F& f) { f.review_is_no_answer = true; }, Ruling::kReviewIsNoAnswer},
  };
  return rungs;
}

int severity(Ruling ruling) {
  switch (ruling) {
    case Ruling::kAllow:
      return 0;
    case Ruling::kRuleAsks:
    case Ruling::kAsk:
    case Ruling::kDoubtAsks:
    case Ruling::kInlineCode:
      return 1;
    default:
      return 2;
  }
}

// Every combination of what the order looks at; a few facts that behave alike are left out of it.
void for_each_combination(const std::function<void(const SecurityFacts&)>& look) {
  const std::vector<std::optional<RuleEffect>> effects = {std::nullopt, RuleEffect::kAllow, RuleEffect::kAsk,
                                                          RuleEffect::kDeny};
  for (const Security security : {Security::kDeny, Security::kAllowlist, Security::kFull}) {
    for (const Ask ask : {Ask::kOff, Ask::kOnMiss, Ask::kAlways}) {
      for (const LocalAnswer answer :
           {LocalAnswer::kNone, LocalAnswer::kGranted, LocalAnswer::kCovered, LocalAnswer::kDenied,
            LocalAnswer::kUnanswered, LocalAnswer::kChanged}) {
        for (const auto& rule : effects) {
          for (const auto& doubt : effects) {
            for (unsigned bits = 0; bits < 256; ++bits) {
              SecurityFacts facts;
              facts.known = Known::kFiles;
              facts.security = security;
              facts.ask = ask;
              facts.answer = answer;
              facts.rule = rule;
              facts.in_doubt = doubt;
              facts.approved =
                  (bits & 1U) != 0 || answer == LocalAnswer::kGranted || answer == LocalAnswer::kCovered;
              facts.listed = (bits & 2U) != 0 && security == Security::kAllowlist;
              facts.granted_for_good = (bits & 4U) != 0;
              facts.carries_inline_code = (bits & 8U) != 0;
              facts.wrapper_missing = (bits & 16U) != 0;
              facts.concerns_audit = (bits & 32U) != 0;
              facts.unbound = (bits & 64U) != 0;
              facts.uses_this_program = (bits & 128U) != 0;
              look(facts);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("ruling: a command that everything speaks for runs") {
  CHECK(rule_on(good()) == Ruling::kAllow);
  SecurityFacts full = good();
  full.security = Security::kFull;
  full.listed = false;
  CHECK(rule_on(full) == Ruling::kAllow);
}

TEST_CASE("ruling: each thing that speaks against it counts, and the earlier one is told") {
  const std::vector<Rung>& rungs = ladder();
  for (std::size_t i = 0; i < rungs.size(); ++i) {
    SecurityFacts facts = good();
    rungs[i].change(facts);
    INFO(rungs[i].name);
    CHECK(rule_on(facts) == rungs[i].ruling);
    for (std::size_t later = i + 1; later < rungs.size(); ++later) {
      SecurityFacts both = good();
      rungs[later].change(both);
      rungs[i].change(both);
      INFO(rungs[later].name);
      CHECK(rule_on(both) == rungs[i].ruling);
    }
  }
}

TEST_CASE("ruling: nothing is decided by facts that are not known yet") {
  // Everything speaks against it, and each step only sees its own.
  for (const Rung& rung : ladder()) {
    SecurityFacts facts = good();
    rung.change(facts);
    facts.known = Known::kNothing;
    INFO(rung.name);
    CHECK(rule_on(facts) == Ruling::kLookFurther);
  }
  SecurityFacts facts = good();
  for (const Known known : {Known::kRequest, Known::kPolicy, Known::kCommand}) {
    facts.known = known;
    CHECK(rule_on(facts) == Ruling::kLookFurther);
  }
  // What is refused without looking at files never looks at them.
  facts.rule = RuleEffect::kDeny;
  CHECK(rule_on(facts) == Ruling::kRuleDenies);
}

TEST_CASE("ruling: where nobody answered, what would ask is refused") {
  struct Row {
    Change change;
    Ruling ruling;
  };
  using F = SecurityFacts;
  const Row rows[] = {
      {[](F& f) { f.rule = RuleEffect::kAsk; }, Ruling::kUnanswered},
      {[](F& f) { f.concerns_audit = true; }, Ruling::kUnanswered},
      {[](F& f) { f.in_doubt = RuleEffect::kAsk; }, Ruling::kUnanswered},
      {[](F& f) { f.listed = false; }, Ruling::kMiss},  // ask is off then: askFallback decides
      {[](F& f) {
         f.security = Security::kDeny;
         f.denies_as_unanswered = true;
       },
       Ruling::kUnanswered},
      {[](F& f) { f.security = Security::kDeny; }, Ruling::kPolicyDenies},
      {[](F& f) { f.rule = RuleEffect::kDeny; }, Ruling::kRuleDenies},
      {[](F&) {}, Ruling::kAllow},
  };
  for (const Row& row : rows) {
    SecurityFacts facts = good();
    facts.answer = LocalAnswer::kUnanswered;
    facts.ask = Ask::kOff;
    row.change(facts);
    CHECK(rule_on(facts) == row.ruling);
  }
}

TEST_CASE("ruling: neither approval nor answer nor grant opens what policy or a rule denies") {
  for_each_combination([](const SecurityFacts& facts) {
    const bool denied = facts.security == Security::kDeny || facts.rule == RuleEffect::kDeny ||
                        facts.in_doubt == RuleEffect::kDeny || facts.uses_this_program ||
                        facts.wrapper_missing || facts.unbound || facts.answer == LocalAnswer::kDenied ||
                        facts.answer == LocalAnswer::kChanged;
    if (denied && severity(rule_on(facts)) == 0) FAIL("denied, and would run");
    if ((facts.security == Security::kDeny || facts.rule == RuleEffect::kDeny ||
         facts.in_doubt == RuleEffect::kDeny || facts.uses_this_program) &&
        severity(rule_on(facts)) != 2)
      FAIL("denied, and would only be asked about");
  });
}

TEST_CASE("ruling: without approval nothing runs that a rule, the policy or a miss asks about") {
  for_each_combination([](const SecurityFacts& facts) {
    if (facts.approved) return;
    const bool missed = facts.security == Security::kAllowlist && !facts.listed && !facts.granted_for_good;
    const bool asked = facts.rule == RuleEffect::kAsk || facts.in_doubt == RuleEffect::kAsk ||
                       facts.ask == Ask::kAlways || facts.concerns_audit || missed ||
                       facts.carries_inline_code;
    if (asked && rule_on(facts) == Ruling::kAllow) FAIL("asked about, and would run");
  });
}

// A rule that asks puts a question where there was a refusal for want of an entry; it lets nothing run.
TEST_CASE("ruling: one more rule lets nothing run that did not") {
  for_each_combination([](const SecurityFacts& facts) {
    const int now = severity(rule_on(facts));
    for (const RuleEffect effect : {RuleEffect::kAsk, RuleEffect::kDeny}) {
      SecurityFacts stricter = facts;
      // A rule that is there already and is stricter wins.
      if (facts.rule == RuleEffect::kDeny || (facts.rule == RuleEffect::kAsk && effect == RuleEffect::kAsk))
        continue;
      stricter.rule = effect;
      const int then = severity(rule_on(stricter));
      if (then == 0 && now != 0) FAIL("a rule lets it run");
      if (effect == RuleEffect::kDeny && then < now) FAIL("a rule that denies made it looser");
    }
  });
}

}  // namespace
}  // namespace hostclaw::policy
