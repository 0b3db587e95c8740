// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/rule_store.h"

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;
using policy::Rule;
using policy::RuleEffect;

const Actor kActor{"cli", "tester"};

Rule deny_reset() {
  Rule rule;
  rule.id = "no-reset";
  rule.effect = RuleEffect::kDeny;
  rule.program = "git";
  rule.arguments = {{"...", "reset", "..."}};
  rule.note = "commit first";
  rule.match = {{"git", "reset"}};
  rule.not_match = {{"git", "log"}};
  return rule;
}

std::string rule_ids(Store& store) {
  std::string ids;
  for (const StoredRule& stored : must(stored_rules(store))) ids += (ids.empty() ? "" : " ") + stored.rule.id;
  return ids;
}

std::int64_t audit_rows(Store& store, const char* kind) {
  Statement query = store.database().statement("SELECT count(*) FROM audit WHERE kind = ?");
  REQUIRE(must(query.bind(std::string_view(kind)).step()));
  return query.integer(0);
}

policy::EngineSettings applied(RuleCache& cache, Store& store) {
  policy::EngineSettings settings;
  cache.apply(store, settings);
  return settings;
}

policy::RunEvaluation observed_run(const char* agent, const char* program, policy::Verdict verdict,
                                   policy::DecisionCode code) {
  policy::RunEvaluation run;
  run.agent_id = agent;
  run.argv = {program, "x"};
  run.command_text = std::string(program) + " x";
  run.would_have.emplace();
  run.would_have->verdict = verdict;
  run.would_have->set_code(code);
  return run;
}

TEST_CASE("a rule is stored with everything it says, and survives a new process", "[rules]") {
  TemporaryDirectory base;
  Rule rule = deny_reset();
  rule.agent = "main";
  rule.content_sha256 = std::string(64, 'a');
  rule.expires_at_ms = 1234;
  {
    auto store = open_store(base.path());
    must(put_rules(*store, {rule}, PutRules::kAdd, kActor));
  }
  auto store = open_store(base.path());
  const auto stored = must(stored_rules(*store));
  REQUIRE(stored.size() == 1);
  CHECK(policy::rule_to_json(stored[0].rule) == policy::rule_to_json(rule));
  CHECK(stored[0].source == RuleSource::kOwner);
  CHECK(stored[0].updated_at_ms > 0);
}

TEST_CASE("a rule whose examples fail is not stored, and neither are those beside it", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  Rule good = deny_reset();
  Rule bad = deny_reset();
  bad.id = "bad";
  bad.match.push_back({"git", "log"});
  CHECK(code_of(put_rules(*store, {good, bad}, PutRules::kAdd, kActor)) == "RULE_EXAMPLE_FAILED");
  CHECK(rule_ids(*store).empty());
  CHECK(must(rules_generation(*store)) == 0);
  CHECK(audit_rows(*store, "rule-write") == 0);
}

TEST_CASE("ids are given where they are missing, and refused where they could not be typed", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  Rule rule = deny_reset();
  rule.id.clear();
  CHECK(must(put_rules(*store, {rule, rule}, PutRules::kAdd, kActor)) ==
        std::vector<std::string>{"deny-git", "deny-git-2"});
  for (const char* id : {"-x", "a b", "a\nb"}) {
    rule.id = id;
    CHECK(code_of(put_rules(*store, {rule}, PutRules::kAdd, kActor)) == "RULE_INVALID");
  }
  rule.id = "twice";
  CHECK(code_of(put_rules(*store, {rule, rule}, PutRules::kAdd, kActor)) == "RULE_INVALID");
}

TEST_CASE("a rule that would be stored as another one is not stored", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  Rule rule = deny_reset();
  rule.directory = "/opt/caf\xe9";  // not UTF-8: as text it would be another directory
  CHECK(code_of(put_rules(*store, {rule}, PutRules::kAdd, kActor)) == "RULE_INVALID");
  CHECK(rule_ids(*store).empty());
  rule.directory = "/opt/caf\xc3\xa9";
  CHECK(put_rules(*store, {rule}, PutRules::kAdd, kActor).has_value());
}

TEST_CASE("replacing leaves exactly the rules that were given, and the starter set", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(switch_starter_rules(*store, true, kActor));
  Rule first = deny_reset();
  Rule second = deny_reset();
  second.id = "second";
  must(put_rules(*store, {first}, PutRules::kAdd, kActor));
  must(put_rules(*store, {second}, PutRules::kReplace, kActor));
  must(switch_starter_rules(*store, false, kActor));
  CHECK(rule_ids(*store) == "second");
}

TEST_CASE("the starter set is switched on and off in one step, and never takes an owner's rule", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  Rule own = deny_reset();
  own.id = policy::starter_rules().front().id;
  must(put_rules(*store, {own}, PutRules::kAdd, kActor));
  CHECK(must(switch_starter_rules(*store, true, kActor)) == policy::starter_rules().size() - 1);
  CHECK(must(stored_rules(*store)).size() == policy::starter_rules().size());
  CHECK(must(switch_starter_rules(*store, true, kActor)) == policy::starter_rules().size() - 1);
  CHECK(must(switch_starter_rules(*store, false, kActor)) == 0);
  CHECK(rule_ids(*store) == own.id);
}

TEST_CASE("a set of rules is stored, replaced and removed as one, and takes nobody else's rule", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  Rule first = deny_reset();
  first.id = "set.first";
  first.directory = "/srv/app";
  Rule second = deny_reset();
  second.id = "set.second";
  must(put_rules(*store, {deny_reset()}, PutRules::kAdd, kActor));
  CHECK(must(put_rule_set(*store, "set", {first, second}, kActor)) == 2);
  CHECK(rule_ids(*store) == "no-reset set.first set.second");
  CHECK(must(stored_rules(*store))[1].rule.of_template == "set");
  CHECK(must(stored_rules(*store))[1].rule.directory == "/srv/app");
  CHECK(must(put_rule_set(*store, "set", {second}, kActor)) == 1);
  CHECK(rule_ids(*store) == "no-reset set.second");
  CHECK(audit_rows(*store, "rule-write") == 4);
  // Another set, and a rule of the owner.
  CHECK(code_of(put_rule_set(*store, "other", {second}, kActor)) == "RULE_INVALID");
  Rule taken = deny_reset();
  CHECK(code_of(put_rule_set(*store, "set", {taken}, kActor)) == "RULE_INVALID");
  Rule broken = first;
  broken.match.clear();
  CHECK(code_of(put_rule_set(*store, "set", {broken}, kActor)) == "RULE_EXAMPLE_FAILED");
  CHECK(rule_ids(*store) == "no-reset set.second");
  const auto before = must(rules_generation(*store));
  CHECK(must(remove_rule_set(*store, "set", kActor)) == 1);
  CHECK(must(rules_generation(*store)) == before + 1);
  CHECK(rule_ids(*store) == "no-reset");
  CHECK(code_of(remove_rule_set(*store, "set", kActor)) == "RULE_NOT_FOUND");
}

TEST_CASE("every change of a rule is a row of the audit chain with before and after", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(put_rules(*store, {deny_reset()}, PutRules::kAdd, kActor));
  must(put_rules(*store, {deny_reset()}, PutRules::kAdd, kActor));  // the same: nothing changed
  CHECK(audit_rows(*store, "rule-write") == 1);
  must(remove_rule(*store, "no-reset", kActor));
  CHECK(audit_rows(*store, "rule-write") == 2);
  Statement last = store->database().statement("SELECT body FROM audit ORDER BY sequence DESC LIMIT 1");
  REQUIRE(must(last.step()));
  const std::string body = last.text(0);
  CHECK(body.find("commit first") != std::string::npos);
  CHECK(body.find("tester") != std::string::npos);
  CHECK(code_of(remove_rule(*store, "no-reset", kActor)) == "RULE_NOT_FOUND");
}

TEST_CASE("the cache reads rules again when another connection changed them, and not before", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  auto other = open_store(base.path());
  RuleCache cache;
  const auto first = applied(cache, *store).rules;
  REQUIRE(first);
  CHECK(first->empty());
  CHECK(applied(cache, *store).rules == first);
  must(put_rules(*other, {deny_reset()}, PutRules::kAdd, kActor));
  const auto second = applied(cache, *store).rules;
  REQUIRE(second->rules().size() == 1);
  CHECK(applied(cache, *store).rules == second);
  must(remove_rule(*other, "no-reset", kActor));
  CHECK(applied(cache, *store).rules->empty());
}

TEST_CASE("a stored rule that cannot be read denies everything until it is removed", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(put_rules(*store, {deny_reset()}, PutRules::kAdd, kActor));
  RuleCache cache;
  CHECK(applied(cache, *store).security_limit == policy::Security::kFull);
  must(store->database().execute("UPDATE rules SET body = '{\"id\":\"no-reset\"}'"));
  must(store->database().execute("UPDATE rule_state SET generation = generation + 1"));
  CHECK(applied(cache, *store).security_limit == policy::Security::kDeny);
  CHECK(cache.problem().find("no-reset") != std::string::npos);
  CHECK(code_of(stored_rules(*store)) == "RULES_UNREADABLE");
  must(remove_rule(*store, "no-reset", kActor));
  CHECK(applied(cache, *store).security_limit == policy::Security::kFull);
  CHECK(cache.problem().empty());
}

TEST_CASE("a rule table that is gone denies everything", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->database().execute("DROP TABLE rule_state"));
  RuleCache cache;
  CHECK(applied(cache, *store).security_limit == policy::Security::kDeny);
}

TEST_CASE("observed runs are counted per agent, reason and program", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  const auto miss = observed_run("main", "id", policy::Verdict::kAsk, policy::DecisionCode::kAllowlistMiss);
  must(record_observation(*store, miss, 10));
  must(record_observation(*store, miss, 30));
  must(record_observation(
      *store, observed_run("other", "id", policy::Verdict::kAsk, policy::DecisionCode::kAllowlistMiss), 20));
  auto ruled = observed_run("main", "git", policy::Verdict::kDeny, policy::DecisionCode::kRuleDeny);
  ruled.rules = {"no-reset"};
  must(record_observation(*store, ruled, 40));
  policy::RunEvaluation plain;  // nothing was set aside: not counted
  must(record_observation(*store, plain, 50));

  const auto all = must(observations(*store, ""));
  REQUIRE(all.size() == 3);
  CHECK(all[0].count == 2);
  CHECK(all[0].agent == "main");
  CHECK(all[0].subject == "id");
  CHECK(all[0].first_at_ms == 10);
  CHECK(all[0].last_at_ms == 30);
  CHECK(all[0].last_command == "id x");
  const auto main = must(observations(*store, "main"));
  REQUIRE(main.size() == 2);
  CHECK(main[1].subject == "no-reset");
  CHECK(main[1].verdict == "deny");
  must(clear_observations(*store, kActor));
  CHECK(must(observations(*store, "")).empty());
}

TEST_CASE("an observed command is shown without its secrets", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  auto run = observed_run("main", "curl", policy::Verdict::kAsk, policy::DecisionCode::kAllowlistMiss);
  run.command_text = "curl --password=hunter2 http://h";
  must(record_observation(*store, run, 1));
  CHECK(must(observations(*store, ""))[0].last_command == "curl --password=*** http://h");
}

TEST_CASE("observations are bounded, and the one seen longest ago goes first", "[rules]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->transaction([&]() -> Result<void> {
    for (int i = 0; i < 5'003; ++i) {
      const std::string program = "p" + std::to_string(i);
      auto run =
          observed_run("main", program.c_str(), policy::Verdict::kAsk, policy::DecisionCode::kAllowlistMiss);
      if (auto done = record_observation(*store, run, i); !done) return done;
    }
    return {};
  }));
  const auto all = must(observations(*store, ""));
  CHECK(all.size() == 5'000);
  CHECK(all.back().subject == "p3");
}

}  // namespace
}  // namespace hostclaw::approvals
