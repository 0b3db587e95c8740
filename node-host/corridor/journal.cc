// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/journal.h"

#include <algorithm>
#include <utility>

#include "approvals/audit/audit_chain.h"
#include "approvals/policy/policy_cache.h"
#include "approvals/policy/rule_store.h"
#include "approvals/questions/questions.h"
#include "base/text.h"
#include "base/utf8.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kRecordedTailBytes = 16'384;

Result<void> append_row(approvals::Store& store, std::int64_t at_ms, std::string_view kind,
                        const Json& fields) {
  const auto appended = approvals::append_audit_row(store.database(), at_ms, kind, fields);
  if (!appended) return appended.error();
  return {};
}

std::string state_of(const RunOutcome& outcome) {
  if (outcome.cancelled) return "cancelled";
  if (!outcome.launch_error.empty()) return "launch-failed";
  return outcome.timed_out ? "timed-out" : "finished";
}

// The last part of what it wrote, for a person who looks at a run whose result nobody got.
std::string output_tail(const RunOutcome& outcome) {
  std::string tail;
  for (const std::string* part :
       {&outcome.standard_output.text, &outcome.standard_error.text, &outcome.launch_error}) {
    if (part->empty()) continue;
    if (!tail.empty()) tail += '\n';
    // Twice what is kept: white space at the end does not count.
    tail += std::string_view(*part).substr(part->size() - std::min(part->size(), 2 * kRecordedTailBytes));
  }
  const std::string_view text = trim(tail);
  return to_valid_utf8(text.substr(text.size() - std::min(text.size(), kRecordedTailBytes)));
}

// What each kind of request brings to its row, in the same transaction. A new kind brings the same three.

Json fields_of(const JudgedRun& run, const Judged& judged) {
  return decision_fields(run.decided, judged.row, judged.context);
}

// {"door", "principal", "caller", "verdict", "code", "layer", "why", "operation", "path", "agent", "run"}
Json fields_of(const JudgedFile& file, const Judged& judged) {
  Json fields{
      {"door", judged.row.door},       {"principal", judged.row.principal},
      {"verdict", judged.row.verdict}, {"code", file.decision.code},
      {"layer", file.decision.layer},  {"why", judged.row.reason},
      {"operation", file.operation},   {"path", judged.row.command_text.substr(file.operation.size() + 1)},
      {"agent", judged.row.agent_id},  {"run", judged.row.run_id}};
  if (!file.real_path.empty()) fields["realPath"] = file.real_path;
  if (!judged.context.caller.is_null()) fields["caller"] = judged.context.caller;
  return fields;
}

Result<void> write_before(approvals::Store&, const JudgedFile&, const Judged&) { return {}; }
Result<void> write_after(approvals::Store&, const JudgedFile&, const Judged&) { return {}; }

Result<void> write_before(approvals::Store& store, const JudgedRun& run, const Judged& judged) {
  const policy::RunEvaluation& evaluation = run.decided.evaluation;
  if (!judged.allowed() || evaluation.grants.empty()) return {};
  return approvals::store_grants(store, evaluation.agent_id, evaluation.grants,
                                 {judged.row.door, judged.row.principal});
}

Result<void> write_after(approvals::Store& store, const JudgedRun& run, const Judged& judged) {
  const policy::RunEvaluation& evaluation = run.decided.evaluation;
  const std::int64_t at_ms = judged.row.started_at_ms;
  if (auto kept = approvals::record_observation(store, evaluation, at_ms); !kept) return kept;
  if (!judged.allowed() || evaluation.matched.empty()) return {};
  return approvals::record_usage(store, evaluation.matched, evaluation.command_text, at_ms);
}

}  // namespace

Result<std::int64_t> Journal::begin(approvals::Store& store, const Judged& judged) {
  if (judged.waits) return 0;
  const std::int64_t at_ms = judged.row.started_at_ms;
  std::int64_t row_id = 0;
  const auto write = [&](const auto& what) {
    const Json fields = fields_of(what, judged);
    return store.transaction([&]() -> Result<void> {
      if (judged.consumes) {
        auto used = approvals::Questions(store).consume(*judged.consumes, at_ms);
        if (!used) return used.error();
        if (used->empty()) return make_error("STORE_CONFLICT", "the grant was revoked at this very moment");
      }
      if (auto kept = write_before(store, what, judged); !kept) return kept;
      auto inserted = store.insert_run(judged.row);
      if (!inserted) return inserted.error();
      row_id = *inserted;
      if (auto kept = append_row(store, at_ms, "decision", fields); !kept) return kept;
      return write_after(store, what, judged);
    });
  };
  auto written = std::visit(write, judged.what);
  if (!written) return written.error();
  late_ends_.record(store);
  return row_id;
}

Result<void> Journal::note(approvals::Store& store, const Judged& judged) {
  const Json fields = std::visit([&](const auto& what) { return fields_of(what, judged); }, judged.what);
  return store.transaction([&]() -> Result<void> {
    if (judged.decision().verdict == policy::Verdict::kDeny) {
      if (auto inserted = store.insert_run(judged.row); !inserted) return inserted.error();
    }
    return append_row(store, judged.row.started_at_ms, "decision", fields);
  });
}

Result<void> Journal::end(approvals::Store& store, approvals::RunRow row, const RunOutcome& outcome,
                          std::int64_t ended_at_ms) {
  row.state = state_of(outcome);
  row.exit_code = outcome.exit_code;
  row.signal = outcome.signal;
  row.stdout_bytes = static_cast<std::int64_t>(outcome.standard_output.total_bytes);
  row.stderr_bytes = static_cast<std::int64_t>(outcome.standard_error.total_bytes);
  row.dropped_bytes =
      static_cast<std::int64_t>(outcome.standard_output.dropped_bytes + outcome.standard_error.dropped_bytes);
  row.ended_at_ms = ended_at_ms;
  put_use(row, outcome.used);
  row.output_tail = output_tail(outcome);
  Json fields = end_fields(row, outcome);
  auto kept = record_end(store, row, fields);
  if (!kept) late_ends_.keep(std::move(row), std::move(fields));
  return kept;
}

}  // namespace hostclaw::node_host
