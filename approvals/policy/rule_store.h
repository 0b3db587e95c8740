// SPDX-License-Identifier: Apache-2.0
// The owner's rules in the database, and what mode=observe saw.
//
// A rule is stored only after its examples were verified; every change is a row of the audit chain and counts
// the change counter up, in the same transaction. Rules that cannot be read are not forgotten: while they
// cannot, nothing may run. Thread rule: the thread that owns the store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"
#include "policy/decide/engine.h"
#include "policy/rules/rules.h"

namespace hostclaw::approvals {

enum class RuleSource { kOwner, kStarter };
std::string_view to_string(RuleSource value);  // owner | starter

struct StoredRule {
  policy::Rule rule;
  RuleSource source = RuleSource::kOwner;
  std::int64_t updated_at_ms = 0;
};

inline constexpr std::size_t kMostRules = 20'000;

// By id. Errors: RULES_UNREADABLE (a row that is no rule, or whose examples fail), STORE_*.
Result<std::vector<StoredRule>> stored_rules(Store& store);
// Grows with every change; 0 before the first.
Result<std::int64_t> rules_generation(Store& store);

enum class PutRules {
  kAdd,      // a rule whose id exists replaces it
  kReplace,  // the owner's rules are exactly these afterwards; starter rules stay
};
// All of them or none. A rule without an id gets one from its effect and program. Errors: RULE_INVALID,
// RULE_EXAMPLE_FAILED, RULES_TOO_MANY, STORE_*. Answers the ids, in the order given.
Result<std::vector<std::string>> put_rules(Store& store, std::vector<policy::Rule> rules, PutRules how,
                                           const Actor& actor);
// Errors: RULE_NOT_FOUND, STORE_*.
Result<void> remove_rule(Store& store, const std::string& id, const Actor& actor);

// The shipped starter set on or off; an owner's rule with the same id stays as it is. Answers how many rules
// of the set are stored afterwards.
Result<std::size_t> switch_starter_rules(Store& store, bool on, const Actor& actor);

// The rules of one set (Rule::of_template) are exactly these afterwards. Answers how many. Errors also:
// RULE_INVALID for an id that a rule outside of the set has.
Result<std::size_t> put_rule_set(Store& store, const std::string& set, std::vector<policy::Rule> rules,
                                 const Actor& actor);
// Answers how many were removed. Errors: RULE_NOT_FOUND when the set has none.
Result<std::size_t> remove_rule_set(Store& store, const std::string& set, const Actor& actor);

// The rules as the engine wants them, read again only when the change counter changed.
class RuleCache {
 public:
  // Sets settings.rules. Rules that cannot be read deny everything: settings.security_limit becomes deny.
  void apply(Store& store, policy::EngineSettings& settings);
  // Why the last apply() denied everything; empty when it did not.
  const std::string& problem() const { return problem_; }

 private:
  std::shared_ptr<const policy::RuleSet> rules_;
  std::int64_t generation_ = -1;
  std::int64_t epoch_ = 0;  // of the store, when they were read
  std::string problem_;
};

// ---- mode=observe

struct Observation {
  std::string agent;    // empty: none was given
  std::string verdict;  // ask | deny: what it would have been
  std::string code;
  std::string subject;  // the rule's id, else the program
  std::int64_t count = 0;
  std::int64_t first_at_ms = 0;
  std::int64_t last_at_ms = 0;
  std::string last_command;
};

// Counts one observed run. At most 5 000 different ones are kept; the one seen longest ago goes first.
Result<void> record_observation(Store& store, const policy::RunEvaluation& evaluation, std::int64_t now_ms);
// Most often seen first. `agent` empty: of all agents.
Result<std::vector<Observation>> observations(Store& store, const std::string& agent);
Result<void> clear_observations(Store& store, const Actor& actor);

}  // namespace hostclaw::approvals
