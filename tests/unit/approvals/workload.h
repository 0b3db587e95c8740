// SPDX-License-Identifier: Apache-2.0
// What a node does to its store, in short forms: ask, answer, decide, record.
#pragma once

#include <string>

#include "approvals/audit/audit_chain.h"
#include "approvals/questions/questions.h"
#include "approvals/store/store.h"
#include "support.h"

namespace hostclaw::approvals::testing {

inline NewQuestion question_with(const std::string& key, std::int64_t deadline_ms = 1'000'000) {
  NewQuestion question;
  question.key = key;
  question.agent_id = "main";
  question.shown_text = "git push";
  question.commands = {{"/usr/bin/git", {"git", "push"}}};
  question.details = Json::object();
  question.deadline_ms = deadline_ms;
  question.caller_deadline_ms = deadline_ms;
  return question;
}

inline GrantRequest request_with(const std::string& key) {
  return {key, "main", "", "", {{"/usr/bin/git", {"git", "push"}}}};
}

inline Answer allow_once() {
  return {Answer::Decision::kAllowOnce, GrantScope::kExact, {}, 0, false, kHuman};
}

inline AuditOptions frequent_checkpoints() {
  AuditOptions options;
  options.signer =
      AuditSigner{"key", [](std::string_view) -> Result<std::string> { return std::string("signed"); }};
  options.checkpoint_every_rows = 5;
  return options;
}

// What an allowed run does before its spawn: consume the grant, write the row, write the record. All or
// nothing. Answers the row's id.
inline Result<std::int64_t> decide(Store& store, const std::string& key, const std::string& run_id) {
  std::int64_t row_id = 0;
  const Result<void> done = store.transaction([&]() -> Result<void> {
    const auto used = Questions(store).consume(request_with(key), 5000);
    if (!used) return used.error();
    if (used->empty()) return make_error("NOT_COVERED", "no grant");
    RunRow row;
    row.run_id = run_id;
    row.verdict = "allow";
    row.state = "running";
    row.output_tail = std::string(9000, 'o');
    const auto inserted = store.insert_run(row);
    if (!inserted) return inserted.error();
    row_id = *inserted;
    const auto recorded = AuditChain(store, frequent_checkpoints()).append("decision", {{"run", run_id}});
    if (!recorded) return recorded.error();
    return {};
  });
  if (!done) return done.error();
  return row_id;
}

inline Result<void> end_run(Store& store, std::int64_t row_id, const std::string& run_id) {
  return store.transaction([&]() -> Result<void> {
    RunRow row;
    row.row_id = row_id;
    row.run_id = run_id;
    row.verdict = "allow";
    row.state = "finished";
    row.exit_code = 0;
    row.output_tail = std::string(9000, 'e');
    if (auto updated = store.end_run(row); !updated) return updated;
    const auto recorded = AuditChain(store, frequent_checkpoints()).append("end", {{"run", run_id}});
    if (!recorded) return recorded.error();
    return {};
  });
}

}  // namespace hostclaw::approvals::testing
