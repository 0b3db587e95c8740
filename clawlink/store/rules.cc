// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/rules.h"

#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {

using approvals::Statement;

Result<std::int64_t> add_rule(StoreSession& session, const Rule& rule, const std::string& by) {
  Result<void> done =
      session.database
          .statement("INSERT INTO rules (effect, verb, who, what, created_at_ms) VALUES (?, ?, ?, ?, ?)")
          .bind(rule.effect)
          .bind(rule.verb)
          .bind(rule.who)
          .bind(rule.what)
          .bind(session.now_ms)
          .run();
  if (!done) return done.error();
  const std::int64_t rule_id = sqlite3_last_insert_rowid(session.database.handle());
  done = session.record("rule", {{"rule", rule_id},
                                 {"by", by},
                                 {"effect", rule.effect},
                                 {"verb", rule.verb},
                                 {"who", rule.who},
                                 {"what", rule.what}});
  if (!done) return done.error();
  return rule_id;
}

Result<void> remove_rule(StoreSession& session, std::int64_t rule_id, const std::string& by) {
  if (Result<void> done =
          session.database.statement("DELETE FROM rules WHERE rule_id = ?").bind(rule_id).run();
      !done) {
    return done;
  }
  if (sqlite3_changes64(session.database.handle()) == 0)
    return make_error("RULE_UNKNOWN", "there is no rule " + std::to_string(rule_id),
                      "hostclaw clawlink rules list");
  return session.record("rule", {{"rule", rule_id}, {"by", by}, {"removed", true}});
}

Result<std::vector<Rule>> list_rules(StoreSession& session) {
  Statement query =
      session.database.statement("SELECT rule_id, effect, verb, who, what FROM rules ORDER BY rule_id");
  return approvals::read_rows(query, [](const Statement& row) {
    return Rule{row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4)};
  });
}

Result<void> judge(const std::vector<Rule>& rules, std::string_view verb, const Asker& who,
                   std::string_view what) {
  const Rule* for_others = nullptr;
  bool allowed = false;
  bool would_be = false;
  for (const Rule& rule : rules) {
    if (rule.verb != verb || !matches_pattern(rule.what, what)) continue;
    const bool fits = matches_pattern(rule.who, who.id);
    if (rule.effect == "deny" && fits)
      return make_error("FORBIDDEN", "rule " + std::to_string(rule.rule_id) + " of this relay forbids it");
    if (rule.effect != "allow") continue;
    would_be = would_be || fits;
    allowed = allowed || (fits && (who.proven || rule.who == "*"));
    if (for_others == nullptr) for_others = &rule;
  }
  if (allowed || for_others == nullptr) return {};
  return make_error("FORBIDDEN", "rule " + std::to_string(for_others->rule_id) +
                                     " of this relay allows it to " +
                                     (would_be ? "who shows an agent_token only" : "others only"));
}

Result<void> check_rules(StoreSession& session, const char* verb, const Asker& who, const std::string& what) {
  const Result<std::vector<Rule>> rules = list_rules(session);
  if (!rules) return rules.error();
  return judge(*rules, verb, who, what);
}

}  // namespace hostclaw::clawlink
