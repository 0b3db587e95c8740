// SPDX-License-Identifier: Apache-2.0
// The judge: decides what was asked for, on opened files and with the policy as it is at this moment, and has
// the desk find an answer where the policy asks for a person. Writes nothing.
// Thread rule: the store's thread; what is answered is handed over and belongs to nobody else.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "approvals/store/store.h"
#include "node-host/corridor/desk.h"
#include "node-host/corridor/exec_request.h"
#include "node-host/corridor/policy_in_force.h"
#include "node-host/record/run_record.h"
#include "policy/decide/run_decision.h"

namespace hostclaw::node_host {

// A command that was judged: everything the decision was made from.
struct JudgedRun {
  policy::RunDecision decided;
};

// An access to a file that was judged.
struct JudgedFile {
  policy::Decision decision;
  std::string operation;
  std::string real_path;
};

// What was decided. Nothing changes it afterwards; both threads read it.
struct Judged {
  std::variant<JudgedRun, JudgedFile> what;
  approvals::RunRow row;  // what the table of runs holds of it
  DecisionContext context;
  Asking asking;                        // the question that is waited for, or was
  bool waits = false;                   // for the answer to it; nothing is recorded yet
  bool open = false;                    // it is not waited for any more, and nobody has answered yet
  std::optional<Error> asking_failure;  // nobody could be asked
  // The grant that allows it, to be used up with the row.
  std::optional<approvals::GrantRequest> consumes;

  const policy::Decision& decision() const;
  bool allowed() const { return decision().verdict == policy::Verdict::kAllow; }
  std::string shown_command() const;  // with secrets masked
};

// What takes the place of an allowing decision that cannot be recorded, or whose answer the store has lost.
policy::Decision unrecorded(const Error& failure);

// What takes the place of a decision about files that could not be looked at: `reason` is the system's error
// for want of descriptors or memory.
policy::Decision exhausted(int reason);

// The same for one whose files did not answer in time: `path` is one of them.
policy::Decision not_answering(const std::string& path);

// The row of a decision, as far as it is the same for every stage.
approvals::RunRow row_of(const policy::RunEvaluation& evaluation, const Origin& origin,
                         const std::string& request_id, std::int64_t now_ms);

// The files that it was decided on go with it, to whoever acts on it; null when nothing follows.
struct Judgement {
  Judged judged;
  std::shared_ptr<OpenedFiles> files;
};

class Judge {
 public:
  // Requires: all outlive this object.
  Judge(PolicyInForce& policy, Desk& desk, std::string hash_key, const Clock& clock)
      : policy_(policy), desk_(desk), hash_key_(std::move(hash_key)), clock_(clock) {}

  // `asking`: the question of this request so far.
  Judgement judge(approvals::Store& store, const ExecRequest& request, Asking asking);

  const std::string& hash_key() const { return hash_key_; }

 private:
  JudgedFile judge_file(approvals::Store& store, const ExecRequest& request, const FileAsked& asked,
                        Judged& judged);
  JudgedRun judge_run(approvals::Store& store, const ExecRequest& request, const RunAsked& asked,
                      OpenedFiles& files, Judged& judged);
  void seek_answer(approvals::Store& store, const ExecRequest& request, const RunAsked& asked,
                   const approvals::ExecSettings& exec, const policy::PolicyDocument& document,
                   policy::EngineContext& context, OpenedFiles& files, JudgedRun& run, Judged& judged);

  PolicyInForce& policy_;
  Desk& desk_;
  const std::string hash_key_;
  const Clock& clock_;
};

}  // namespace hostclaw::node_host
