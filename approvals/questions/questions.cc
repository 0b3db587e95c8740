// SPDX-License-Identifier: Apache-2.0
#include "approvals/questions/questions.h"

#include <algorithm>

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "approvals/platform/random_id.h"
#include "policy/document/arg_pattern.h"

namespace hostclaw::approvals {
namespace {

constexpr std::int64_t kKeepClosedMs = std::int64_t{90} * 24 * 60 * 60 * 1000;

#define HOSTCLAW_QUESTION_COLUMNS                                                                   \
  "id, question_key, state, agent_id, session_key, run_id, invoke_id, shown_text, command_text, "   \
  "commands_json, "                                                                                 \
  "cwd, details_json, lasting_refused, asked_at_ms, asked_count, deadline_ms, caller_deadline_ms, " \
  "caller_waits, "                                                                                  \
  "answered_at_ms, decision, answered_door, answered_who, late, grant_ids_json"

std::string commands_text(const std::vector<AskedCommand>& commands) {
  Json list = Json::array();
  for (const AskedCommand& command : commands) {
    list.push_back({{"executable", command.executable}, {"argv", command.argv}});
  }
  // Bytes that are not UTF-8 would be replaced on the way into JSON and compare as other arguments: such a
  // command can be allowed once, by its key, and its text here is for display.
  return dump_json(list);
}

// The details hold it in the database, so that older questions mean what they meant.
constexpr const char* kWidest = "widestScope";

Json stored_details(const NewQuestion& question) {
  Json details = question.details.is_object() ? question.details : Json::object();
  details[kWidest] = to_string(question.widest);
  return details;
}

std::vector<std::string> strings_from(std::string_view text) {
  std::vector<std::string> strings;
  const Result<Json> json = parse_json(text);
  if (!json || !json->is_array()) return strings;
  for (const Json& item : *json)
    strings.push_back(item.is_string() ? item.get<std::string>() : std::string());
  return strings;
}

std::vector<AskedCommand> commands_from(std::string_view text) {
  std::vector<AskedCommand> commands;
  const Result<Json> json = parse_json(text);
  if (!json || !json->is_array()) return commands;
  for (const Json& item : *json) {
    if (!item.is_object() || !item.contains("argv")) continue;
    commands.push_back({item.value("executable", ""), strings_from(dump_json(item["argv"]))});
  }
  return commands;
}

QuestionState state_from(std::string_view text) {
  for (const QuestionState state : {QuestionState::kPending, QuestionState::kAllowed, QuestionState::kDenied,
                                    QuestionState::kExpired, QuestionState::kWithdrawn}) {
    if (text == to_string(state)) return state;
  }
  return QuestionState::kDenied;
}

Question read_question(const Statement& query) {
  Question question;
  NewQuestion& asked = question.asked;
  question.id = query.text(0);
  asked.key = query.text(1);
  question.state = state_from(query.text_view(2));
  asked.agent_id = query.text(3);
  asked.session_key = query.text(4);
  asked.run_id = query.text(5);
  asked.invoke_id = query.text(6);
  asked.shown_text = query.text(7);
  asked.command_text = query.text(8);
  asked.commands = commands_from(query.text_view(9));
  asked.cwd = query.text(10);
  if (Result<Json> details = parse_json(query.text_view(11))) asked.details = std::move(*details);
  if (asked.details.is_object()) {
    if (const auto widest = asked.details.find(kWidest); widest != asked.details.end()) {
      if (widest->is_string())
        asked.widest = grant_scope_from(widest->get_ref<const std::string&>()).value_or(GrantScope::kPlan);
      asked.details.erase(widest);
    }
  }
  asked.lasting_refused = query.text(12);
  question.asked_at_ms = query.integer(13);
  question.asked_count = query.integer(14);
  asked.deadline_ms = query.integer(15);
  asked.caller_deadline_ms = query.integer(16);
  question.caller_waits = query.integer(17) != 0;
  question.answered_at_ms = query.integer(18);
  question.decision = query.text(19);
  question.answered_by = {query.text(20), query.text(21)};
  question.late = query.integer(22) != 0;
  question.grant_ids = strings_from(query.text_view(23));
  return question;
}

Result<std::vector<Question>> read_questions(Statement& query) { return read_rows(query, read_question); }

// Why not even a grant for exactly these words in this directory may last, or the caller's own reason.
std::string lasting_refusal(const NewQuestion& question) {
  if (!question.lasting_refused.empty()) return question.lasting_refused;
  if (question.agent_id.empty()) return "the request names no agent";
  if (question.commands.empty()) return "the programs are not known";
  if (question.widest == GrantScope::kPlan) return "the policy wants a person each time";
  for (const AskedCommand& command : question.commands) {
    if (std::string reason = exact_grant_refusal(command); !reason.empty()) return reason;
    // What JSON cannot hold cannot be compared later.
    const Json json = command.argv;
    const Result<Json> back = parse_json(dump_json(json));
    if (!back || *back != json) return "an argument is not valid UTF-8";
  }
  return {};
}

std::string_view decision_text(Answer::Decision decision) {
  switch (decision) {
    case Answer::Decision::kAllowOnce:
      return "allow-once";
    case Answer::Decision::kAllowAlways:
      return "allow-always";
    case Answer::Decision::kDeny:
      break;
  }
  return "deny";
}

Result<void> record(Database& database, std::int64_t now_ms, std::string_view kind, const Json& fields) {
  const Result<AuditRow> row = append_audit_row(database, now_ms, kind, fields);
  if (!row) return row.error();
  return {};
}

// Every id that begins with a prefix sorts before prefix + '~': ids are hexadecimal digits and hyphens.
Result<std::string> full_id(Statement query, const std::string& prefix, const char* what) {
  const std::string name(what);
  const std::string code = name == "grant" ? "GRANT" : "QUESTION";
  if (prefix.empty()) return make_error(code + "_NOT_FOUND", "no " + name + " id was given");
  query.bind(prefix).bind(prefix + "~");
  const Result<bool> first = query.step();
  if (!first) return first.error();
  if (!*first) return make_error(code + "_NOT_FOUND", "there is no " + name + " " + prefix);
  const std::string id = query.text(0);
  if (id == prefix) return id;
  const Result<bool> second = query.step();
  if (!second) return second.error();
  if (*second) return make_error(code + "_AMBIGUOUS", "several " + name + "s begin with " + prefix);
  return id;
}

#define HOSTCLAW_GRANT_COLUMNS                                                                             \
  "id, agent_id, scope, plan_key, executable, arguments_json, cwd, arg_pattern, session_key, shown_text, " \
  "question_id, created_at_ms, created_door, created_who, expires_at_ms, uses_left, use_count, "           \
  "last_used_at_ms, "                                                                                      \
  "revoked_at_ms"

Grant read_grant(const Statement& query) {
  Grant grant;
  grant.id = query.text(0);
  grant.agent_id = query.text(1);
  grant.scope = grant_scope_from(query.text_view(2)).value_or(GrantScope::kPlan);
  grant.plan_key = query.text(3);
  grant.executable = query.text(4);
  grant.arguments = strings_from(query.text_view(5));
  grant.cwd = query.text(6);
  grant.arg_pattern = query.text(7);
  grant.session_key = query.text(8);
  grant.shown_text = query.text(9);
  grant.question_id = query.text(10);
  grant.created_at_ms = query.integer(11);
  grant.created_by = {query.text(12), query.text(13)};
  grant.expires_at_ms = query.integer(14);
  if (!query.is_null(15)) grant.uses_left = query.integer(15);
  grant.use_count = query.integer(16);
  grant.last_used_at_ms = query.integer(17);
  grant.revoked_at_ms = query.integer(18);
  return grant;
}

Result<std::vector<Grant>> read_grants(Statement& query) { return read_rows(query, read_grant); }

Json describe(const Grant& grant) {
  Json json = {{"grant", grant.id},
               {"agent", grant.agent_id},
               {"scope", to_string(grant.scope)},
               {"question", grant.question_id},
               {"expiresAtMs", grant.expires_at_ms},
               {"shown", grant.shown_text}};
  if (!grant.executable.empty()) json["executable"] = grant.executable;
  if (!grant.arg_pattern.empty()) json["argPattern"] = grant.arg_pattern;
  if (!grant.session_key.empty()) json["session"] = grant.session_key;
  if (grant.uses_left) json["uses"] = *grant.uses_left;
  return json;
}

Result<void> insert_grant(Database& database, const Grant& grant) {
  Result<void> inserted = database
                              .statement("INSERT INTO grants (" HOSTCLAW_GRANT_COLUMNS
                                         ", revoked_door, revoked_who) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                         "?, ?, ?, ?, ?, ?, 0, 0, 0, '', '')")
                              .bind(grant.id)
                              .bind(grant.agent_id)
                              .bind(to_string(grant.scope))
                              .bind(grant.plan_key)
                              .bind(grant.executable)
                              .bind(dump_json(Json(grant.arguments)))
                              .bind(grant.cwd)
                              .bind(grant.arg_pattern)
                              .bind(grant.session_key)
                              .bind(grant.shown_text)
                              .bind(grant.question_id)
                              .bind(grant.created_at_ms)
                              .bind(grant.created_by.door)
                              .bind(grant.created_by.who)
                              .bind(grant.expires_at_ms)
                              .bind(grant.uses_left)
                              .run();
  if (!inserted) return inserted;
  return record(database, grant.created_at_ms, "grant", describe(grant));
}

// Its id; empty when every pending question has a caller that waits.
Result<std::string> oldest_without_caller(Database& database) {
  Statement query = database.statement(
      "SELECT id FROM questions WHERE state = 'pending' AND caller_waits = 0 ORDER BY asked_at_ms, id LIMIT "
      "1");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  return *found ? query.text(0) : std::string();
}

std::vector<std::string> arguments_of(const AskedCommand& command) {
  if (command.argv.empty()) return {};
  return {command.argv.begin() + 1, command.argv.end()};
}

// Whether a grant that is in force covers one program of the request.
bool covers(const Grant& grant, const GrantRequest& request, const AskedCommand& command) {
  if (grant.executable.empty() || grant.executable != command.executable) return false;
  if (grant.scope > request.widest) return false;
  switch (grant.scope) {
    case GrantScope::kPlan:
      return false;
    case GrantScope::kExact:
      return grant.arguments == arguments_of(command) && grant.cwd == request.cwd;
    case GrantScope::kArguments: {
      const policy::ArgPattern pattern(grant.arg_pattern);
      return pattern.ok() && pattern.describes(arguments_of(command)) &&
             lasting_grant_refusal(command).empty();
    }
    case GrantScope::kExecutable:
      // Other arguments than those that were asked about may carry other code to run.
      return lasting_grant_refusal(command).empty();
  }
  return false;
}

bool in_force(const Grant& grant, std::int64_t now_ms) {
  return grant.revoked_at_ms == 0 && (grant.expires_at_ms == 0 || now_ms < grant.expires_at_ms) &&
         (!grant.uses_left || *grant.uses_left > 0);
}

Result<void> check_lasting(const Question& question, const Answer& answer, std::int64_t now_ms) {
  const auto refused = [](const std::string& why) { return make_error("GRANT_REFUSED", why); };
  if (!question.asked.lasting_refused.empty()) {
    return refused("only allow-once is possible here: " + question.asked.lasting_refused);
  }
  if (answer.scope == GrantScope::kPlan)
    return refused("a lasting grant needs the scope exact, arguments or executable");
  if (answer.scope > question.asked.widest)
    return refused("only the scope exact is possible here: a wider one would not stand in for a person");
  if (answer.until_ms != 0 && answer.until_ms <= now_ms)
    return refused("the time until which to allow has passed");
  if (answer.this_session_only && question.asked.session_key.empty())
    return refused("the request names no session");
  if (answer.scope > GrantScope::kExact) {
    for (const AskedCommand& command : question.asked.commands) {
      if (const std::string why = lasting_grant_refusal(command); !why.empty())
        return refused("only the scope exact is possible here: " + why);
    }
  }
  if (answer.scope != GrantScope::kArguments) return {};
  if (answer.arg_pattern.empty()) return refused("the scope arguments needs an argument pattern");
  const policy::ArgPattern pattern(answer.arg_pattern);
  if (!pattern.ok()) return refused("the argument pattern cannot be used: " + pattern.problem());
  for (const AskedCommand& command : question.asked.commands) {
    if (!pattern.describes(arguments_of(command))) {
      return refused("the argument pattern does not describe the arguments of this very command");
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(QuestionState state) {
  switch (state) {
    case QuestionState::kPending:
      return "pending";
    case QuestionState::kAllowed:
      return "allowed";
    case QuestionState::kDenied:
      return "denied";
    case QuestionState::kExpired:
      return "expired";
    case QuestionState::kWithdrawn:
      break;
  }
  return "withdrawn";
}

std::string_view to_string(GrantScope scope) {
  switch (scope) {
    case GrantScope::kPlan:
      return "plan";
    case GrantScope::kExact:
      return "exact";
    case GrantScope::kArguments:
      return "arguments";
    case GrantScope::kExecutable:
      break;
  }
  return "executable";
}

std::optional<GrantScope> grant_scope_from(std::string_view text) {
  for (const GrantScope scope :
       {GrantScope::kPlan, GrantScope::kExact, GrantScope::kArguments, GrantScope::kExecutable}) {
    if (text == to_string(scope)) return scope;
  }
  return std::nullopt;
}

Questions::Questions(Store& store, QuestionOptions options) : store_(store), options_(options) {}

Result<Questions::Asked> Questions::ask(const NewQuestion& question, std::int64_t now_ms) {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<Asked> {
    // What is past its deadline is closed first, so that a repeated question is a new one then.
    if (const Result<std::vector<Question>> expired = expire(now_ms); !expired) return expired.error();
    {
      Statement same = database.statement("SELECT " HOSTCLAW_QUESTION_COLUMNS
                                          " FROM questions WHERE question_key = ? AND state = 'pending'");
      same.bind(question.key);
      const Result<bool> found = same.step();
      if (!found) return found.error();
      if (*found) {
        Question joined = read_question(same);
        joined.asked_count += 1;
        joined.caller_waits = true;
        joined.asked.caller_deadline_ms =
            std::max(joined.asked.caller_deadline_ms, question.caller_deadline_ms);
        Result<void> updated = database
                                   .statement(
                                       "UPDATE questions SET asked_count = ?, caller_waits = 1, "
                                       "caller_deadline_ms = ? WHERE id = ?")
                                   .bind(joined.asked_count)
                                   .bind(joined.asked.caller_deadline_ms)
                                   .bind(joined.id)
                                   .run();
        if (!updated) return updated.error();
        return Asked{std::move(joined), true};
      }
    }
    const Result<std::int64_t> count =
        database.integer("SELECT count(*) FROM questions WHERE state = 'pending'");
    if (!count) return count.error();
    if (static_cast<std::size_t>(*count) >= options_.most_pending) {
      // One whose caller has gone yields to one that is waited for.
      const Result<std::string> left = oldest_without_caller(database);
      if (!left) return left.error();
      if (left->empty()) {
        return make_error("QUESTION_TOO_MANY",
                          std::to_string(*count) + " questions are waiting for an answer already",
                          "hostclaw approvals pending");
      }
      if (const Result<Question> withdrawn = withdraw(*left, now_ms); !withdrawn) return withdrawn.error();
    }
    Question made;
    made.id = new_uuid();
    made.asked = question;
    made.asked.lasting_refused = lasting_refusal(question);
    made.asked_at_ms = now_ms;
    Result<void> inserted =
        database
            .statement("INSERT INTO questions (" HOSTCLAW_QUESTION_COLUMNS
                       ") VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, 1, "
                       "0, '', '', '', 0, '[]')")
            .bind(made.id)
            .bind(question.key)
            .bind(question.agent_id)
            .bind(question.session_key)
            .bind(question.run_id)
            .bind(question.invoke_id)
            .bind(question.shown_text)
            .bind(question.command_text)
            .bind(commands_text(question.commands))
            .bind(question.cwd)
            .bind(dump_json(stored_details(question)))
            .bind(made.asked.lasting_refused)
            .bind(now_ms)
            .bind(question.deadline_ms)
            .bind(question.caller_deadline_ms)
            .run();
    if (!inserted) return inserted.error();
    Json fields{{"question", made.id},
                {"key", question.key},
                {"agent", question.agent_id},
                {"run", question.run_id},
                {"shown", question.shown_text},
                {"cwd", question.cwd},
                {"deadlineMs", question.deadline_ms}};
    for (const char* name : {"door", "principal"}) {
      if (const auto it = question.details.find(name); it != question.details.end()) fields[name] = *it;
    }
    Result<void> recorded = record(database, now_ms, "question", fields);
    if (!recorded) return recorded.error();
    return Asked{std::move(made), false};
  });
}

Result<std::vector<Question>> Questions::pending(std::int64_t now_ms) {
  Statement query = store_.database().statement(
      "SELECT " HOSTCLAW_QUESTION_COLUMNS
      " FROM questions WHERE state = 'pending' AND deadline_ms > ? ORDER BY asked_at_ms, id");
  query.bind(now_ms);
  return read_questions(query);
}

Result<std::vector<Question>> Questions::recent(std::size_t limit) {
  Statement query = store_.database().statement(
      "SELECT " HOSTCLAW_QUESTION_COLUMNS " FROM questions ORDER BY asked_at_ms DESC, rowid DESC LIMIT ?");
  query.bind(static_cast<std::int64_t>(limit));
  return read_questions(query);
}

Result<std::vector<std::string>> Questions::pending_ids() {
  // The partial index on what is pending: closed questions, however many, are not looked at.
  Statement query = store_.database().statement("SELECT id FROM questions WHERE state = 'pending'");
  return read_rows(query, [](const Statement& row) { return row.text(0); });
}

Result<Question> Questions::find(const std::string& id_or_prefix) {
  Database& database = store_.database();
  const Result<std::string> id =
      full_id(database.statement("SELECT id FROM questions WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"),
              id_or_prefix, "question");
  if (!id) return id.error();
  Statement query = database.statement("SELECT " HOSTCLAW_QUESTION_COLUMNS " FROM questions WHERE id = ?");
  const Result<bool> found = query.bind(*id).step();
  if (!found) return found.error();
  if (!*found) return make_error("QUESTION_NOT_FOUND", "there is no question " + id_or_prefix);
  return read_question(query);
}

Result<std::vector<std::string>> Questions::store_answer_grants(const Question& question,
                                                                const Answer& answer, std::int64_t now_ms) {
  Grant grant;
  grant.agent_id = question.asked.agent_id;
  grant.shown_text = question.asked.shown_text;
  grant.question_id = question.id;
  grant.created_at_ms = now_ms;
  grant.created_by = answer.by;
  std::vector<std::string> ids;
  const auto store_one = [&]() -> Result<void> {
    grant.id = new_uuid();
    ids.push_back(grant.id);
    return insert_grant(store_.database(), grant);
  };
  if (answer.decision == Answer::Decision::kAllowAlways) {
    grant.scope = answer.scope;
    grant.expires_at_ms = answer.until_ms;
    if (answer.this_session_only) grant.session_key = question.asked.session_key;
    for (const AskedCommand& command : question.asked.commands) {
      grant.executable = command.executable;
      if (answer.scope == GrantScope::kExact) grant.arguments = arguments_of(command);
      if (answer.scope == GrantScope::kExact) grant.cwd = question.asked.cwd;
      if (answer.scope == GrantScope::kArguments) grant.arg_pattern = answer.arg_pattern;
      if (Result<void> stored = store_one(); !stored) return stored.error();
    }
    return ids;
  }
  grant.scope = GrantScope::kPlan;
  grant.plan_key = question.asked.key;
  grant.uses_left = 1;
  grant.expires_at_ms = now_ms + options_.once_valid_ms;
  if (Result<void> stored = store_one(); !stored) return stored.error();
  return ids;
}

Result<Question> Questions::answer(const std::string& id_or_prefix, const Answer& answer,
                                   std::int64_t now_ms) {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<Question> {
    Result<Question> question = find(id_or_prefix);
    if (!question) return question;
    const bool overdue = question->state == QuestionState::kPending && now_ms >= question->asked.deadline_ms;
    if (question->state != QuestionState::kPending || overdue) {
      return make_error("QUESTION_CLOSED",
                        "question " + question->id + " is closed: it was " +
                            std::string(to_string(overdue ? QuestionState::kExpired : question->state)) +
                            " before");
    }
    const bool allowed = answer.decision != Answer::Decision::kDeny;
    if (answer.decision == Answer::Decision::kAllowAlways) {
      if (Result<void> checked = check_lasting(*question, answer, now_ms); !checked) return checked.error();
    }
    question->state = allowed ? QuestionState::kAllowed : QuestionState::kDenied;
    question->answered_at_ms = now_ms;
    question->decision = std::string(decision_text(answer.decision));
    question->answered_by = answer.by;
    question->late = !question->caller_waits || now_ms >= question->asked.caller_deadline_ms;
    if (allowed) {
      Result<std::vector<std::string>> ids = store_answer_grants(*question, answer, now_ms);
      if (!ids) return ids.error();
      question->grant_ids = std::move(*ids);
    }
    Result<void> stored =
        database
            .statement(
                "UPDATE questions SET state = ?, answered_at_ms = ?, decision = ?, answered_door = ?, "
                "answered_who = ?, late = ?, grant_ids_json = ? WHERE id = ?")
            .bind(to_string(question->state))
            .bind(now_ms)
            .bind(question->decision)
            .bind(answer.by.door)
            .bind(answer.by.who)
            .bind(static_cast<std::int64_t>(question->late))
            .bind(dump_json(Json(question->grant_ids)))
            .bind(question->id)
            .run();
    if (!stored) return stored.error();
    Result<void> recorded = record(database, now_ms, "answer",
                                   {{"question", question->id},
                                    {"decision", question->decision},
                                    {"door", answer.by.door},
                                    {"who", answer.by.who},
                                    {"afterMs", now_ms - question->asked_at_ms},
                                    {"late", question->late},
                                    {"grants", question->grant_ids}});
    if (!recorded) return recorded.error();
    return question;
  });
}

Result<void> Questions::caller_left(const std::string& id) {
  return store_.database().statement("UPDATE questions SET caller_waits = 0 WHERE id = ?").bind(id).run();
}

Result<std::size_t> Questions::all_callers_left() {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<std::size_t> {
    Result<void> updated =
        database
            .statement("UPDATE questions SET caller_waits = 0 WHERE state = 'pending' AND caller_waits = 1")
            .run();
    if (!updated) return updated.error();
    return static_cast<std::size_t>(sqlite3_changes(database.handle()));
  });
}

Result<Question> Questions::withdraw(const std::string& id, std::int64_t now_ms) {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<Question> {
    Result<Question> question = find(id);
    if (!question) return question;
    if (question->state != QuestionState::kPending) {
      return make_error("QUESTION_CLOSED", "question " + question->id + " is closed: it was " +
                                               std::string(to_string(question->state)) + " before");
    }
    question->state = QuestionState::kWithdrawn;
    Result<void> stored =
        database.statement("UPDATE questions SET state = 'withdrawn' WHERE id = ?").bind(question->id).run();
    if (!stored) return stored.error();
    Result<void> recorded = record(database, now_ms, "question-withdrawn", {{"question", question->id}});
    if (!recorded) return recorded.error();
    return question;
  });
}

Result<std::vector<Question>> Questions::expire(std::int64_t now_ms) {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<std::vector<Question>> {
    Statement query = database.statement("SELECT " HOSTCLAW_QUESTION_COLUMNS
                                         " FROM questions WHERE state = 'pending' AND deadline_ms <= ?");
    query.bind(now_ms);
    Result<std::vector<Question>> overdue = read_questions(query);
    if (!overdue) return overdue;
    for (Question& question : *overdue) {
      question.state = QuestionState::kExpired;
      Result<void> stored =
          database.statement("UPDATE questions SET state = 'expired' WHERE id = ?").bind(question.id).run();
      if (!stored) return stored.error();
      Result<void> recorded = record(database, now_ms, "question-expired", {{"question", question.id}});
      if (!recorded) return recorded.error();
    }
    for (const std::string_view forget :
         {"DELETE FROM questions WHERE asked_at_ms < ? AND state <> 'pending'",
          "DELETE FROM grants WHERE created_at_ms < ? AND scope = 'plan'"}) {
      Result<void> forgotten = database.statement(forget).bind(now_ms - kKeepClosedMs).run();
      if (!forgotten) return forgotten.error();
    }
    return overdue;
  });
}

Result<std::vector<Grant>> Questions::covering(const GrantRequest& request, std::int64_t now_ms) {
  Statement query = store_.database().statement(
      "SELECT " HOSTCLAW_GRANT_COLUMNS
      " FROM grants WHERE agent_id = ? AND revoked_at_ms = 0 AND uses_left IS NOT 0");
  query.bind(request.agent_id);
  Result<std::vector<Grant>> all = read_grants(query);
  if (!all) return all;
  std::erase_if(*all, [&](const Grant& grant) {
    return !in_force(grant, now_ms) ||
           (!grant.session_key.empty() && grant.session_key != request.session_key);
  });
  for (const Grant& grant : *all) {
    if (grant.scope == GrantScope::kPlan && !request.key.empty() && grant.plan_key == request.key)
      return {{grant}};
  }
  std::vector<Grant> used;
  if (request.agent_id.empty()) return used;
  for (const AskedCommand& command : request.commands) {
    const auto found = std::find_if(all->begin(), all->end(),
                                    [&](const Grant& grant) { return covers(grant, request, command); });
    if (found == all->end()) return std::vector<Grant>();
    const bool counted =
        std::any_of(used.begin(), used.end(), [&](const Grant& grant) { return grant.id == found->id; });
    if (!counted) used.push_back(*found);
  }
  return used;
}

Result<std::vector<Grant>> Questions::consume(const GrantRequest& request, std::int64_t now_ms) {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<std::vector<Grant>> {
    Result<std::vector<Grant>> used = covering(request, now_ms);
    if (!used) return used;
    for (Grant& grant : *used) {
      Result<void> counted = database
                                 .statement(
                                     "UPDATE grants SET use_count = use_count + 1, last_used_at_ms = ?, "
                                     "uses_left = uses_left - 1 WHERE id = ?")
                                 .bind(now_ms)
                                 .bind(grant.id)
                                 .run();
      if (!counted) return counted.error();
      ++grant.use_count;
      grant.last_used_at_ms = now_ms;
      if (grant.uses_left) --*grant.uses_left;
    }
    return used;
  });
}

Result<std::vector<Grant>> Questions::grants(const GrantFilter& filter, std::int64_t now_ms) {
  Statement query = store_.database().statement("SELECT " HOSTCLAW_GRANT_COLUMNS
                                                " FROM grants WHERE ?1 = '' OR agent_id = ?1 "
                                                "ORDER BY created_at_ms DESC, rowid DESC");
  query.bind(filter.agent_id);
  Result<std::vector<Grant>> all = read_grants(query);
  if (!all || !filter.only_in_force) return all;
  std::erase_if(*all, [&](const Grant& grant) { return !in_force(grant, now_ms); });
  return all;
}

Result<Grant> Questions::revoke(const std::string& id_or_prefix, const Actor& by, std::int64_t now_ms) {
  Database& database = store_.database();
  return database.transaction([&]() -> Result<Grant> {
    const Result<std::string> id =
        full_id(database.statement("SELECT id FROM grants WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"),
                id_or_prefix, "grant");
    if (!id) return id.error();
    Statement query = database.statement("SELECT " HOSTCLAW_GRANT_COLUMNS " FROM grants WHERE id = ?");
    const Result<bool> found = query.bind(*id).step();
    if (!found) return found.error();
    if (!*found) return make_error("GRANT_NOT_FOUND", "there is no grant " + id_or_prefix);
    Grant grant = read_grant(query);
    if (grant.revoked_at_ms != 0) return grant;
    grant.revoked_at_ms = now_ms;
    Result<void> stored =
        database
            .statement("UPDATE grants SET revoked_at_ms = ?, revoked_door = ?, revoked_who = ? WHERE id = ?")
            .bind(now_ms)
            .bind(by.door)
            .bind(by.who)
            .bind(grant.id)
            .run();
    if (!stored) return stored.error();
    Result<void> recorded =
        record(database, now_ms, "grant-revoked", {{"grant", grant.id}, {"door", by.door}, {"who", by.who}});
    if (!recorded) return recorded.error();
    return grant;
  });
}

}  // namespace hostclaw::approvals
