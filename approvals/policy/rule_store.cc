// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/rule_store.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "approvals/shown/secret_masking.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

namespace hostclaw::approvals {
namespace {

constexpr std::int64_t kMostObservations = 5'000;
constexpr std::size_t kShownCommandBytes = 1'000;

Error unreadable(const std::string& id, const std::string& why) {
  return make_error("RULES_UNREADABLE", "the stored rule " + id + " cannot be used: " + why,
                    "hostclaw policy remove " + id);
}

Result<void> count_up(Database& database) {
  return database.execute(
      "INSERT INTO rule_state (slot, generation) VALUES (1, 1) "
      "ON CONFLICT (slot) DO UPDATE SET generation = generation + 1");
}

Result<void> record_change(Database& database, const Actor& actor, const std::string& id, Json before,
                           Json after) {
  const Result<AuditRow> row = append_audit_row(database, unix_ms_now(), "rule-write",
                                                {{"door", actor.door},
                                                 {"who", actor.who},
                                                 {"rule", id},
                                                 {"before", std::move(before)},
                                                 {"after", std::move(after)}});
  if (!row) return row.error();
  return {};
}

// The stored text of a rule, or null.
Result<Json> text_of(Database& database, const std::string& id) {
  Statement query = database.statement("SELECT body FROM rules WHERE id = ?");
  const Result<bool> found = query.bind(id).step();
  if (!found) return found.error();
  if (!*found) return Json();
  const Result<Json> value = parse_json(query.text_view(0));
  return value ? *value : Json(query.text(0));  // damaged: shown as it is
}

Result<void> write_rule(Database& database, const policy::Rule& rule, RuleSource source, const Actor& actor) {
  const Json after = policy::rule_to_json(rule);
  Result<Json> before = text_of(database, rule.id);
  if (!before) return before.error();
  Result<void> written = database
                             .statement(
                                 "INSERT INTO rules (id, source, updated_at_ms, body) VALUES (?, ?, ?, ?) "
                                 "ON CONFLICT (id) DO UPDATE SET source = excluded.source, "
                                 "updated_at_ms = excluded.updated_at_ms, body = excluded.body")
                             .bind(rule.id)
                             .bind(to_string(source))
                             .bind(unix_ms_now())
                             .bind(std::string_view(dump_json(after)))
                             .run();
  if (!written) return written;
  return *before == after ? Result<void>() : record_change(database, actor, rule.id, *before, after);
}

Result<void> erase_rule(Database& database, const std::string& id, const Actor& actor) {
  Result<Json> before = text_of(database, id);
  if (!before) return before.error();
  if (Result<void> gone = database.statement("DELETE FROM rules WHERE id = ?").bind(id).run(); !gone)
    return gone;
  return record_change(database, actor, id, *before, Json());
}

Result<std::vector<std::pair<std::string, std::string>>> ids_and_sources(Database& database) {
  Statement query = database.statement("SELECT id, source FROM rules ORDER BY id");
  return read_rows(query, [](const Statement& row) {
    return std::pair<std::string, std::string>(row.text(0), row.text(1));
  });
}

// `deny-docker`, `deny-docker-2`: short enough to type.
std::string new_id(const policy::Rule& rule, const std::set<std::string>& taken) {
  std::string base = std::string(policy::to_string(rule.effect)) + "-";
  for (const char c : rule.program.substr(rule.program.find_last_of('/') + 1)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    base += plain ? c : '-';
  }
  if (taken.count(base) == 0) return base;
  for (int number = 2;; ++number) {
    const std::string id = base + "-" + std::to_string(number);
    if (taken.count(id) == 0) return id;
  }
}

bool is_plain_id(const std::string& id) {
  return !id.empty() && id.size() <= 100 && id.front() != '-' &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.' || c == ':';
         });
}

Result<void> check_rules(std::vector<policy::Rule>& rules, std::set<std::string> taken) {
  std::set<std::string> given;
  for (policy::Rule& rule : rules) {
    if (rule.id.empty()) rule.id = new_id(rule, taken);
    if (!is_plain_id(rule.id)) {
      return make_error("RULE_INVALID",
                        "rule: id: must be 1 to 100 letters, digits and -_.: and not begin with -");
    }
    if (!given.insert(rule.id).second)
      return make_error("RULE_INVALID", "rule: id: " + rule.id + " is given twice");
    taken.insert(rule.id);
    if (Result<void> verified = policy::verify_rule(rule); !verified) return verified;
    // What is stored is text: one that could not be read back would stop the whole policy, and one that reads
    // back as another would hold for nothing.
    const Json json = policy::rule_to_json(rule);
    const auto stored = parse_json(dump_json(json));
    if (!stored || *stored != json)
      return make_error("RULE_INVALID", "rule " + rule.id + ": its words are not UTF-8");
    if (const auto read = policy::read_rule(*stored); !read) return read.error();
  }
  return {};
}

}  // namespace

std::string_view to_string(RuleSource value) { return value == RuleSource::kStarter ? "starter" : "owner"; }

Result<std::vector<StoredRule>> stored_rules(Store& store) {
  std::vector<StoredRule> out;
  Statement query =
      store.database().statement("SELECT id, source, updated_at_ms, body FROM rules ORDER BY id");
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    const std::string id = query.text(0);
    const Result<Json> value = parse_json(query.text_view(3));
    if (!value) return unreadable(id, value.error().message);
    Result<policy::Rule> rule = policy::read_rule(*value);
    if (!rule) return unreadable(id, rule.error().message);
    if (rule->id != id) return unreadable(id, "it says that it is " + rule->id);
    StoredRule stored;
    stored.rule = std::move(*rule);
    stored.source = query.text_view(1) == "starter" ? RuleSource::kStarter : RuleSource::kOwner;
    stored.updated_at_ms = query.integer(2);
    out.push_back(std::move(stored));
  }
}

Result<std::int64_t> rules_generation(Store& store) {
  return store.database().integer("SELECT generation FROM rule_state WHERE slot = 1");
}

Result<std::vector<std::string>> put_rules(Store& store, std::vector<policy::Rule> rules, PutRules how,
                                           const Actor& actor) {
  Database& database = store.database();
  return database.transaction([&]() -> Result<std::vector<std::string>> {
    const auto known = ids_and_sources(database);
    if (!known) return known.error();
    std::set<std::string> taken;
    for (const auto& [id, source] : *known) taken.insert(id);
    if (Result<void> checked = check_rules(rules, taken); !checked) return checked.error();
    std::vector<std::string> ids;
    for (const policy::Rule& rule : rules) ids.push_back(rule.id);
    if (how == PutRules::kReplace) {
      for (const auto& [id, source] : *known) {
        const bool given = std::find(ids.begin(), ids.end(), id) != ids.end();
        if (given || source == to_string(RuleSource::kStarter)) continue;
        if (Result<void> erased = erase_rule(database, id, actor); !erased) return erased.error();
      }
    }
    for (const policy::Rule& rule : rules) {
      if (Result<void> written = write_rule(database, rule, RuleSource::kOwner, actor); !written)
        return written.error();
    }
    const Result<std::int64_t> count = database.integer("SELECT count(*) FROM rules");
    if (!count) return count.error();
    if (*count > static_cast<std::int64_t>(kMostRules)) {
      return make_error("RULES_TOO_MANY", "a node keeps at most " + std::to_string(kMostRules) + " rules");
    }
    if (Result<void> counted = count_up(database); !counted) return counted.error();
    return ids;
  });
}

Result<void> remove_rule(Store& store, const std::string& id, const Actor& actor) {
  Database& database = store.database();
  return database.transaction([&]() -> Result<void> {
    const Result<Json> before = text_of(database, id);
    if (!before) return before.error();
    if (before->is_null())
      return make_error("RULE_NOT_FOUND", "there is no rule " + id, "hostclaw policy rules");
    if (Result<void> erased = erase_rule(database, id, actor); !erased) return erased;
    return count_up(database);
  });
}

Result<std::size_t> put_rule_set(Store& store, const std::string& set, std::vector<policy::Rule> rules,
                                 const Actor& actor) {
  return store.database().transaction([&]() -> Result<std::size_t> {
    const auto stored = stored_rules(store);
    if (!stored) return stored.error();
    for (const StoredRule& item : *stored) {
      const bool given = std::any_of(rules.begin(), rules.end(),
                                     [&](const policy::Rule& rule) { return rule.id == item.rule.id; });
      if (item.rule.of_template == set) {
        if (given) continue;
        if (Result<void> gone = erase_rule(store.database(), item.rule.id, actor); !gone) return gone.error();
      } else if (given) {
        return make_error("RULE_INVALID", "rule " + item.rule.id + " exists and is not of the set " + set,
                          "hostclaw policy explain " + item.rule.id);
      }
    }
    for (policy::Rule& rule : rules) rule.of_template = set;
    const auto ids = put_rules(store, std::move(rules), PutRules::kAdd, actor);
    if (!ids) return ids.error();
    return ids->size();
  });
}

Result<std::size_t> remove_rule_set(Store& store, const std::string& set, const Actor& actor) {
  return store.database().transaction([&]() -> Result<std::size_t> {
    const auto stored = stored_rules(store);
    if (!stored) return stored.error();
    std::size_t count = 0;
    for (const StoredRule& item : *stored) {
      if (item.rule.of_template != set) continue;
      if (Result<void> gone = erase_rule(store.database(), item.rule.id, actor); !gone) return gone.error();
      ++count;
    }
    if (count == 0) {
      return make_error("RULE_NOT_FOUND", "no rule is of the set " + set, "hostclaw policy template list");
    }
    if (Result<void> counted = count_up(store.database()); !counted) return counted.error();
    return count;
  });
}

Result<std::size_t> switch_starter_rules(Store& store, bool on, const Actor& actor) {
  Database& database = store.database();
  return database.transaction([&]() -> Result<std::size_t> {
    const auto known = ids_and_sources(database);
    if (!known) return known.error();
    std::set<std::string> owned;
    for (const auto& [id, source] : *known) {
      if (source != to_string(RuleSource::kStarter)) {
        owned.insert(id);
      } else if (Result<void> erased = on ? Result<void>() : erase_rule(database, id, actor); !erased) {
        return erased.error();
      }
    }
    std::size_t stored = 0;
    for (const policy::Rule& rule : policy::starter_rules()) {
      if (!on || owned.count(rule.id) != 0) continue;
      if (Result<void> written = write_rule(database, rule, RuleSource::kStarter, actor); !written)
        return written.error();
      ++stored;
    }
    if (Result<void> counted = count_up(database); !counted) return counted.error();
    return stored;
  });
}

void RuleCache::apply(Store& store, policy::EngineSettings& settings) {
  problem_.clear();
  const Result<std::int64_t> generation = rules_generation(store);
  if (!generation) {
    problem_ = generation.error().message;
  } else if (rules_ == nullptr || *generation != generation_ || epoch_ != store.epoch()) {
    const Result<std::vector<StoredRule>> stored = stored_rules(store);
    if (stored) {
      std::vector<policy::Rule> rules;
      for (const StoredRule& item : *stored) rules.push_back(item.rule);
      rules_ = std::make_shared<const policy::RuleSet>(std::move(rules));
      generation_ = *generation;
      epoch_ = store.epoch();
    } else {
      rules_ = nullptr;
      problem_ = stored.error().message;
    }
  }
  settings.rules = rules_;
  // A rule that was lost may have been the one that denies.
  if (!problem_.empty()) settings.security_limit = policy::Security::kDeny;
}

Result<void> record_observation(Store& store, const policy::RunEvaluation& evaluation, std::int64_t at_ms) {
  if (!evaluation.would_have) return {};
  std::string subject;
  if (!evaluation.rules.empty()) {
    subject = evaluation.rules.front();
  } else if (!evaluation.argv.empty()) {
    subject = evaluation.argv.front();
  }
  const auto shown = [](const std::string& text) {
    return to_valid_utf8(text.size() > kShownCommandBytes ? text.substr(0, kShownCommandBytes) : text);
  };
  Database& database = store.database();
  return database.transaction([&]() -> Result<void> {
    Result<void> written =
        database
            .statement(
                "INSERT INTO observed (agent, verdict, code, subject, count, first_at_ms, last_at_ms, "
                "last_command) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?6) "
                "ON CONFLICT (agent, verdict, code, subject) DO UPDATE SET count = count + 1, "
                "last_at_ms = excluded.last_at_ms, last_command = excluded.last_command")
            .bind(shown(evaluation.agent_id))
            .bind(policy::to_string(evaluation.would_have->verdict))
            .bind(to_string(evaluation.would_have->code))
            .bind(shown(subject))
            .bind(at_ms)
            .bind(shown(mask_secrets_in_text(evaluation.command_text)))
            .run();
    if (!written) return written;
    const Result<std::int64_t> count = database.integer("SELECT count(*) FROM observed");
    if (!count) return count.error();
    if (*count <= kMostObservations) return {};
    return database
        .statement(
            "DELETE FROM observed WHERE (agent, verdict, code, subject) IN "
            "(SELECT agent, verdict, code, subject FROM observed ORDER BY last_at_ms LIMIT ?)")
        .bind(*count - kMostObservations)
        .run();
  });
}

Result<std::vector<Observation>> observations(Store& store, const std::string& agent) {
  Statement query = store.database().statement(
      "SELECT agent, verdict, code, subject, count, first_at_ms, last_at_ms, last_command FROM observed "
      "WHERE ?1 = '' OR agent = ?1 ORDER BY count DESC, last_at_ms DESC");
  query.bind(agent);
  return read_rows(query, [](const Statement& row) {
    return Observation{row.text(0),    row.text(1),    row.text(2),    row.text(3),
                       row.integer(4), row.integer(5), row.integer(6), row.text(7)};
  });
}

Result<void> clear_observations(Store& store, const Actor& actor) {
  Database& database = store.database();
  return database.transaction([&]() -> Result<void> {
    if (Result<void> gone = database.execute("DELETE FROM observed"); !gone) return gone;
    const Result<AuditRow> row = append_audit_row(database, unix_ms_now(), "observed-cleared",
                                                  {{"door", actor.door}, {"who", actor.who}});
    if (!row) return row.error();
    return {};
  });
}

}  // namespace hostclaw::approvals
