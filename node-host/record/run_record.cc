// SPDX-License-Identifier: Apache-2.0
#include "node-host/record/run_record.h"

#include "approvals/shown/secret_masking.h"
#include "approvals/shown/shown_text.h"
#include "base/sha256.h"

namespace hostclaw::node_host {
namespace {

constexpr approvals::ShownLimits kRecordedWords{512, 64};
constexpr std::size_t kMostPrograms = 16;
constexpr std::size_t kLongestText = 2048;

std::string bounded(std::string_view text) {
  if (text.size() <= kLongestText) return std::string(text);
  return approvals::bounded_words({std::string(text)}, {kLongestText, 1}).front();
}

void put_text(Json& fields, const char* name, const std::string& text) {
  if (!text.empty()) fields[name] = bounded(text);
}

Json program_of(const std::string& path, const policy::FileIdentity& identity) {
  Json program = Json::object();
  program["path"] = bounded(path);
  if (identity.known) {
    program["device"] = identity.device;
    program["inode"] = identity.inode;
    program["owner"] = identity.owner;
  }
  return program;
}

// The files that were judged: what would be spawned where the plan knows it, else what the words lead to.
Json programs_of(const policy::RunDecision& decision) {
  Json programs = Json::array();
  const auto add = [&](const std::string& path, const policy::FileIdentity& identity) {
    if (!path.empty() && programs.size() < kMostPrograms) programs.push_back(program_of(path, identity));
  };
  if (!decision.evaluation.plan.empty()) {
    for (const policy::PlannedPipeline& pipeline : decision.evaluation.plan.pipelines) {
      for (const policy::PlannedCommand& command : pipeline.commands)
        add(command.executable, command.identity);
    }
    return programs;
  }
  for (const policy::Segment& segment : decision.analysis.segments) {
    if (segment.executable.found) add(segment.executable.real_path, segment.executable.facts.identity);
  }
  return programs;
}

}  // namespace

Json decision_fields(const policy::RunDecision& decision, const approvals::RunRow& row,
                     const DecisionContext& context) {
  const policy::RunEvaluation& evaluation = decision.evaluation;
  const approvals::MaskedArgv masked = approvals::mask_secrets(evaluation.argv);
  // Assigned one by one: a list in braces is copied twice.
  Json fields = Json::object();
  fields["stage"] = context.stage;
  fields["door"] = row.door;
  put_text(fields, "principal", row.principal);
  if (!context.caller.is_null()) fields["caller"] = context.caller;
  fields["run"] = bounded(row.run_id);
  fields["verdict"] = row.verdict;
  fields["code"] = row.code;
  fields["layer"] = evaluation.decision.layer;
  fields["argv"] = approvals::bounded_words(masked.argv, kRecordedWords);
  fields["argvHash"] = approvals::argv_hash(
      evaluation.argv, masked.masked > 0 ? std::string_view(context.hash_key) : std::string_view());
  fields["programs"] = programs_of(decision);
  put_text(fields, "agent", row.agent_id);
  put_text(fields, "session", row.session_key);
  put_text(fields, "invoke", row.invoke_id);
  put_text(fields, "cwd", row.cwd.empty() ? decision.cwd : row.cwd);
  put_text(fields, "why", approvals::mask_secrets_in_text(row.reason));
  if (masked.masked > 0) fields["masked"] = masked.masked;
  if (row.verdict != "invalid") {
    Json& in_force = fields["policy"];
    in_force["security"] = policy::to_string(evaluation.security);
    in_force["ask"] = policy::to_string(evaluation.ask);
  }
  if (!evaluation.matched.empty()) {
    Json& entries = fields["entries"] = Json::array();
    for (const policy::MatchedEntry& entry : evaluation.matched) {
      Json one = {{"agent", entry.agent}, {"pattern", bounded(entry.pattern)}};
      if (entry.arg_pattern) one["argPattern"] = bounded(*entry.arg_pattern);
      entries.push_back(std::move(one));
    }
  }
  if (!evaluation.rules.empty()) fields["rules"] = evaluation.rules;
  if (!context.grant_ids.empty()) fields["grants"] = context.grant_ids;
  if (!evaluation.grants.empty()) {
    Json& granted = fields["granted"] = Json::array();
    for (const policy::GrantToStore& grant : evaluation.grants) granted.push_back(bounded(grant.pattern));
  }
  if (evaluation.would_have) {
    fields["wouldHave"] = {{"verdict", policy::to_string(evaluation.would_have->verdict)},
                           {"code", evaluation.would_have->code}};
  }
  put_text(fields, "question", context.question_id);
  put_text(fields, "answeredBy", context.answered_by);
  if (context.waited_ms > 0) fields["waitedMs"] = context.waited_ms;
  return fields;
}

std::string run_mark(const std::string& key, const std::string& run_id) {
  return sha256_hex("run mark:" + key + ":" + run_id).substr(0, 16) + "-";
}

void put_use(approvals::RunRow& row, const ResourceUse& used) {
  row.measured.clear();
  row.cpu_us.reset();
  row.peak_memory_bytes.reset();
  if (used.of == ResourceUse::Of::kNothing) return;
  row.measured = used.of == ResourceUse::Of::kGroup ? "group" : "programs";
  if (used.cpu) row.cpu_us = used.cpu->count();
  if (used.peak_memory_bytes) row.peak_memory_bytes = static_cast<std::int64_t>(*used.peak_memory_bytes);
}

Json end_fields(const approvals::RunRow& row, const RunOutcome& outcome) {
  Json fields = Json::object();
  fields["run"] = bounded(row.run_id);
  fields["state"] = row.state;
  fields["stdoutBytes"] = row.stdout_bytes;
  fields["stderrBytes"] = row.stderr_bytes;
  fields["durationMs"] = outcome.duration.count() / 1'000'000;
  if (row.exit_code) fields["exit"] = *row.exit_code;
  if (row.signal) fields["signal"] = *row.signal;
  if (row.dropped_bytes > 0) fields["droppedBytes"] = row.dropped_bytes;
  if (row.cpu_us) fields["cpuMs"] = *row.cpu_us / 1000;
  if (row.peak_memory_bytes) fields["peakMemoryBytes"] = *row.peak_memory_bytes;
  if (!row.measured.empty()) fields["measured"] = row.measured;
  if (outcome.leader_pid > 0) fields["pid"] = outcome.leader_pid;
  if (outcome.left_alive > 0) fields["leftAlive"] = outcome.left_alive;
  put_text(fields, "cancelledBy", outcome.cancelled_by);
  put_text(fields, "launchError", approvals::mask_secrets_in_text(outcome.launch_error));
  return fields;
}

}  // namespace hostclaw::node_host
