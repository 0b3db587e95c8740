// SPDX-License-Identifier: Apache-2.0
// Questions that this node asks a human itself, and the grants that answers leave behind.
//
// A question is stored, with a deadline, before anyone is asked; identical questions are one. An answer that
// allows never runs anything: it leaves a grant, and whoever wants to run consumes the grant in the
// transaction that also writes the run's row. A grant for one time is consumed once, whatever dies in
// between; an answer that comes after the caller has gone serves the identical retry, once, for a limited
// time.
//
// Every question, answer, expiry, grant and revocation is a row of the audit chain, in the same transaction.
//
// Thread rule: the thread that owns the store; any number of processes. Times are milliseconds since the
// epoch. Errors: STORE_*; QUESTION_NOT_FOUND, QUESTION_AMBIGUOUS (several ids begin like this),
// QUESTION_CLOSED (answered, expired or withdrawn before), QUESTION_TOO_MANY, GRANT_REFUSED (the scope may
// not be granted; the message says why), GRANT_NOT_FOUND, GRANT_AMBIGUOUS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"

namespace hostclaw::approvals {

// One program of what would run.
struct AskedCommand {
  std::string executable;         // real path of the file that was judged; of one of many names that name's
  std::vector<std::string> argv;  // as it would be spawned
};

enum class GrantScope {
  kPlan,        // exactly what was asked, by its key; the scope of allow-once
  kExact,       // each program with exactly these arguments in this directory
  kArguments,   // each program with arguments that an argument pattern describes
  kExecutable,  // each program with any arguments
};
std::string_view to_string(GrantScope scope);  // plan | exact | arguments | executable
std::optional<GrantScope> grant_scope_from(std::string_view text);

struct NewQuestion {
  // Two questions with the same key are one, and a one-time grant serves only its key: a digest over
  // everything that must be the same (argv, directory, environment, agent, session, files). Made by the
  // caller.
  std::string key;
  std::string agent_id;  // empty: none given; then nothing lasting can be granted
  std::string session_key;
  std::string run_id;
  std::string invoke_id;
  std::string shown_text;    // what a human sees and the record keeps: escaped, secrets masked
  std::string command_text;  // the full text; stays in this database
  std::vector<AskedCommand> commands;
  std::string cwd;
  Json details;                                 // what else is shown: risks, owners, origin; an object
  GrantScope widest = GrantScope::kExecutable;  // as in GrantRequest; an answer may not be wider
  std::string lasting_refused;                  // why the caller rules out lasting grants; empty: it does not
  std::int64_t deadline_ms = 0;                 // when the question is over for good
  std::int64_t caller_deadline_ms = 0;          // when its caller stops waiting
};

enum class QuestionState { kPending, kAllowed, kDenied, kExpired, kWithdrawn };
std::string_view to_string(QuestionState state);  // pending | allowed | denied | expired | withdrawn

struct Question {
  std::string id;
  QuestionState state = QuestionState::kPending;
  NewQuestion asked;  // lasting_refused: also when this room rules it out
  std::int64_t asked_at_ms = 0;
  std::int64_t asked_count = 1;  // how often the same was asked while it was pending
  bool caller_waits = true;      // as of the last time it was asked
  // Once it is answered:
  std::int64_t answered_at_ms = 0;
  std::string decision;  // allow-once | allow-always | deny
  Actor answered_by;
  bool late = false;  // nobody waited any more: the answer serves the identical retry
  std::vector<std::string> grant_ids;
};

struct Answer {
  enum class Decision { kAllowOnce, kAllowAlways, kDeny };
  Decision decision = Decision::kDeny;
  // For kAllowAlways only:
  GrantScope scope = GrantScope::kExact;  // kPlan is refused
  std::string arg_pattern;    // for kArguments: an ECMAScript pattern that describes all arguments
  std::int64_t until_ms = 0;  // 0: until revoked
  bool this_session_only = false;
  Actor by;
};

struct Grant {
  std::string id;
  std::string agent_id;
  GrantScope scope = GrantScope::kPlan;
  std::string plan_key;                // kPlan
  std::string executable;              // all others
  std::vector<std::string> arguments;  // kExact, without argv[0]
  std::string cwd;                     // kExact
  std::string arg_pattern;             // kArguments
  std::string session_key;             // empty: any session
  std::string shown_text;              // of the question
  std::string question_id;
  std::int64_t created_at_ms = 0;
  Actor created_by;
  std::int64_t expires_at_ms = 0;  // 0: never
  std::optional<std::int64_t> uses_left;
  std::int64_t use_count = 0;
  std::int64_t last_used_at_ms = 0;
  std::int64_t revoked_at_ms = 0;  // 0: not revoked
};

// What wants to run now.
struct GrantRequest {
  std::string key;  // as in NewQuestion
  std::string agent_id;
  std::string session_key;
  std::string cwd;
  std::vector<AskedCommand> commands;
  // The widest standing grant that may stand in for a person here: kPlan, none.
  GrantScope widest = GrantScope::kExecutable;
};

struct QuestionOptions {
  std::size_t most_pending = 256;
  std::int64_t once_valid_ms = 30 * 60 * 1000;  // how long an unused allow-once waits for the retry
};

class Questions {
 public:
  // Requires: `store` outlives this object.
  explicit Questions(Store& store, QuestionOptions options = {});

  struct Asked {
    Question question;
    bool repeated = false;  // it was pending already
  };
  Result<Asked> ask(const NewQuestion& question, std::int64_t now_ms);

  Result<std::vector<Question>> pending(
      std::int64_t now_ms);                                 // oldest first, without those past their deadline
  Result<std::vector<Question>> recent(std::size_t limit);  // newest first, any state
  Result<Question> find(const std::string& id_or_prefix);
  // Ids of those that nobody closed yet, also when their deadline has passed. Cheap.
  Result<std::vector<std::string>> pending_ids();

  // The first answer counts. allow-always needs a scope that may be granted.
  Result<Question> answer(const std::string& id_or_prefix, const Answer& answer, std::int64_t now_ms);

  // The caller of this question does not wait any more (it was cancelled, its connection is gone, its own
  // deadline passed). The question stays: an answer then serves the retry.
  Result<void> caller_left(const std::string& id);
  // At start-up: whoever waited when the process died does not wait any more. Answers how many.
  Result<std::size_t> all_callers_left();
  Result<Question> withdraw(const std::string& id, std::int64_t now_ms);

  // Closes the questions whose deadline has passed and answers them; forgets what has been closed for long.
  Result<std::vector<Question>> expire(std::int64_t now_ms);

  // Grants that cover the request, or nothing. Looks only.
  Result<std::vector<Grant>> covering(const GrantRequest& request, std::int64_t now_ms);
  // The same and consumes a use of each, or none at all. Call it in the transaction that writes the run's
  // row: what is consumed is then what runs. An empty list: not covered.
  Result<std::vector<Grant>> consume(const GrantRequest& request, std::int64_t now_ms);

  struct GrantFilter {
    std::string agent_id;       // empty: all
    bool only_in_force = true;  // not revoked, not expired, not used up
  };
  Result<std::vector<Grant>> grants(const GrantFilter& filter, std::int64_t now_ms);  // newest first
  Result<Grant> revoke(const std::string& id_or_prefix, const Actor& by, std::int64_t now_ms);

 private:
  Result<std::vector<std::string>> store_answer_grants(const Question& question, const Answer& answer,
                                                       std::int64_t now_ms);

  Store& store_;
  QuestionOptions options_;
};

// Why not even a grant for exactly these words may last, or empty: shells, interpreters, wrappers.
std::string exact_grant_refusal(const AskedCommand& command);
// Why no grant for more than exactly these words may last, or empty: the above, and words that carry other
// code.
std::string lasting_grant_refusal(const AskedCommand& command);

}  // namespace hostclaw::approvals
