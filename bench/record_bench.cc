// SPDX-License-Identifier: Apache-2.0
// What it costs that every decision is a durable row of a hash chain, and how long verifying takes.
//
//   record_bench [--count N] [--rows N] [--directory DIR]
//
// Prints, as one JSON object: bare SQLite commits of one row of the same size on the same file system, with
// the same settings, in the same run ("bare_commit"; "_flushed" with a disk flush for each); the decision
// alone, without a store ("decision_only"); the decision with its row in the runs table, its row in the
// record and the use of its entry, in one transaction as the corridor does it ("durable_decision"); what the
// durability adds to p50; and the verification of a record of --rows rows. The kinds take turns, so that a
// busy moment of the machine meets all of them.
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "approvals/policy/policy_cache.h"
#include "approvals/store/store.h"
#include "base/clock.h"
#include "bench/bare_rows.h"
#include "bench/figures.h"
#include "node-host/record/run_record.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/host/host_facts.h"
#include "policy/decide/engine.h"
#include "policy/decide/run_decision.h"

namespace {

using namespace hostclaw;
using bench::BareRows;
using bench::Clock;
using bench::Figures;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().code + ": " + result.error().message);
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (!result) give_up(result.error().code + ": " + result.error().message);
}

// The corridor's step on the store's thread.
class Decider {
 public:
  explicit Decider(const std::string& directory)
      : store_(must(approvals::Store::open(directory, approvals::OpenMode::kReadWrite))),
        environment_(node_host::current_environment()),
        child_(policy::sanitized_environment(environment_, policy::Platform::kPosix)) {
    must(store_->put_document(
        R"({"version":1,"defaults":{"security":"allowlist","ask":"on-miss"},)"
        R"("agents":{"main":{"allowlist":[{"pattern":"/usr/bin/true","id":"a"},{"pattern":"/bin/true","id":"b"}]}}})",
        std::nullopt, {"cli", "bench"}));
    params_ = {{"command", {"/usr/bin/true", "--some", "argument"}},
               {"agentId", "main"},
               {"cwd", "/"},
               {"sessionKey", "agent:main:main"}};
  }

  policy::RunDecision decide() {
    node_host::OpenedFiles files;
    const auto document = cache_.current(*store_);
    policy::EngineContext context;
    context.files = &files;
    context.host_cwd = context.home = "/";
    context.now_ms = unix_ms_now();
    context.host_environment = environment_;
    context.child_environment = &child_;
    policy::RunDecision decision = policy::decide_run(params_, *document, context);
    if (decision.evaluation.decision.verdict != policy::Verdict::kAllow) give_up("not allowed");
    return decision;
  }

  Json fields_of(const policy::RunDecision& decision, approvals::RunRow& row) {
    const policy::RunEvaluation& evaluation = decision.evaluation;
    row.run_id = "run-" + std::to_string(++count_);
    row.agent_id = evaluation.agent_id;
    row.session_key = evaluation.session_key;
    row.command_text = evaluation.command_text;
    row.argv_json = dump_json(Json(evaluation.argv));
    row.verdict = "allow";
    row.code = to_string(evaluation.decision.code);
    row.reason = evaluation.decision.explanation;
    row.state = "running";
    row.started_at_ms = unix_ms_now();
    row.door = "gateway";
    return node_host::decision_fields(decision, row, {});
  }

  void decide_durably() {
    const policy::RunDecision decision = decide();
    approvals::RunRow row;
    const Json fields = fields_of(decision, row);
    must(store_->transaction([&]() -> Result<void> {
      if (auto inserted = store_->insert_run(row); !inserted) return inserted.error();
      const auto kept =
          approvals::append_audit_row(store_->database(), row.started_at_ms, "decision", fields);
      if (!kept) return kept.error();
      return approvals::record_usage(*store_, decision.evaluation.matched, row.command_text,
                                     row.started_at_ms);
    }));
  }

  approvals::Store& store() { return *store_; }

 private:
  std::unique_ptr<approvals::Store> store_;
  const policy::Environment environment_;
  const policy::Environment child_;
  approvals::PolicyCache cache_;
  Json params_;
  std::int64_t count_ = 0;
};

template <class Work>
Clock::duration timed(Figures& figures, Work work) {
  const auto begin = Clock::now();
  work();
  const auto time = Clock::now() - begin;
  figures.add(time);
  return time;
}

struct Kind {
  const char* name;
  std::function<void()> work;
  Figures figures{};
  Clock::duration total{};
};

void measure_verification(Decider& decider, std::int64_t rows) {
  approvals::RunRow row;
  const Json fields = decider.fields_of(decider.decide(), row);
  approvals::Store& store = decider.store();
  const auto filling = Clock::now();
  std::int64_t there = must(approvals::AuditChain(store).stats()).rows;
  while (there < rows) {
    must(store.transaction([&]() -> Result<void> {
      for (int i = 0; i < 10'000 && there < rows; ++i, ++there) {
        const auto kept = approvals::append_audit_row(store.database(), unix_ms_now(), "decision", fields);
        if (!kept) return kept.error();
      }
      return {};
    }));
  }
  const auto begin = Clock::now();
  const approvals::AuditVerification found = must(approvals::AuditChain(store).verify());
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (!found.valid) give_up(found.problem);
  std::printf(
      "  \"verification\": {\"rows\": %lld, \"body_bytes\": %zu, \"seconds\": %.2f, \"rows_per_second\": "
      "%.0f, \"filled_in_seconds\": %.1f}\n",
      static_cast<long long>(found.rows), dump_json(fields).size(), seconds,
      static_cast<double>(found.rows) / seconds, std::chrono::duration<double>(begin - filling).count());
}

}  // namespace

int main(int argc, char** argv) try {
  int count = 5000;
  std::int64_t rows = 1'000'000;
  std::string parent = std::filesystem::temp_directory_path().string();
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--count") == 0) count = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--rows") == 0) rows = std::atoll(argv[i + 1]);
    if (std::strcmp(argv[i], "--directory") == 0) parent = argv[i + 1];
  }
  std::string directory = parent + "/hostclaw-bench.XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) give_up("cannot make a directory in " + parent);
  {
    Decider decider(directory + "/state");
    Decider flushed(directory + "/flushed");
    must(flushed.store().survive_power_loss(true));
    approvals::RunRow row;
    const std::size_t bytes = dump_json(decider.fields_of(decider.decide(), row)).size();
    BareRows bare(directory + "/bare.sqlite", "NORMAL", bytes);
    BareRows bare_flushed(directory + "/bare-flushed.sqlite", "FULL", bytes);
    Kind kinds[] = {{"decision_only", [&] { (void)decider.decide(); }},
                    {"bare_commit", [&] { bare.add(); }},
                    {"durable_decision", [&] { decider.decide_durably(); }},
                    {"bare_commit_flushed", [&] { bare_flushed.add(); }},
                    {"durable_decision_flushed", [&] { flushed.decide_durably(); }}};
    for (int i = 0; i < 200; ++i) {
      for (Kind& kind : kinds) kind.work();
    }
    for (int i = 0; i < count; ++i) {
      for (Kind& kind : kinds) kind.total += timed(kind.figures, kind.work);
    }
    std::printf("{\n");
    for (Kind& kind : kinds) std::printf("  \"%s\": %s,\n", kind.name, kind.figures.json(kind.total).c_str());
    std::printf("  \"added_p50_us\": %.1f,\n", kinds[2].figures.p50_us() - kinds[0].figures.p50_us());
    std::fflush(stdout);
    measure_verification(decider, rows);
    std::printf("}\n");
  }
  std::filesystem::remove_all(directory);
} catch (const std::exception& error) {
  give_up(error.what());
}
