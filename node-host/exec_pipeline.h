// The corridor: the one path from a request to a spawn, whatever door it came in by.
//
//   params -> decision (policy, on opened files) -> durable row -> spawn of what was judged -> row -> reply
//
// Where this node asks a person itself (exec.askVia), the question is stored before anyone is asked; the
// answer is a grant, and the request is decided anew with it. The grant is used up in the transaction that
// writes the run's row.
//
// The decision is made on the store's thread, with the policy as it is at that moment; nothing is cached
// across a change. Its row and audit row are written right behind it, in one transaction, while what was
// judged is opened for the spawn, which waits for the row. The event of the end goes out while the end is
// written, the result after that. A run whose caller has gone is finished and recorded all the same. Thread
// rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "gateway-proto/messages.h"
#include "node-host/answer_watch.h"
#include "node-host/gateway_policy.h"
#include "node-host/late_ends.h"
#include "node-host/run_executor.h"
#include "node-host/store_thread.h"
#include "policy/engine.h"

namespace hostclaw::policy {
struct RunDecision;
}
namespace hostclaw::approvals {
class PolicyCache;
class RuleCache;
struct ExecSettings;
}  // namespace hostclaw::approvals

namespace hostclaw::node_host {

struct ExecRequest {
  std::string door;         // gateway | local
  std::string invoke_id;    // of the door, for the record
  Json params;              // of system.run
  bool older_peer = false;  // the gateway speaks protocol 3: it drops what newer ones send back
  // Sent by an agent's tool whose gateway has asked nobody: where a person has to be asked, this node does
  // it, whatever exec.askVia says.
  bool unasked = false;
  // Told once when the outcome is known, before the reply: exec.finished | exec.denied, and the payload as a
  // JSON string. May be empty.
  std::function<void(std::string_view event, std::string_view payload_string)> notify;
  // For as long as a person is waited for. All may be empty.
  std::int64_t caller_deadline_ms = 0;  // when the caller stops waiting, since the epoch; 0: never
  std::function<bool()> caller_left;    // polled: nobody would take the result any more
  std::function<void()> pause;          // gives the place among the running commands away
  std::function<boost::asio::awaitable<bool>()> resume;  // waits for one again; false: cancelled meanwhile
};

struct ExecReply {
  gateway_proto::InvokeResult result;
  std::string run_id;
  bool cancelled = false;   // no result is sent, and there was no event
  std::int64_t row_id = 0;  // of the record, for mark_delivered; 0 when there is none
};

class ExecPipeline {
 public:
  struct Settings {
    policy::Environment host_environment;
    std::string host_cwd;
    std::string home;
    bool running_as_root = false;
    OutputLimits output;
    std::string hash_key;  // see approvals::argv_hash
  };

  ExecPipeline(StoreThread& store, RunExecutor& executor, Settings settings);
  ~ExecPipeline();

  // system.run. Never throws; every outcome is a reply and a row.
  boost::asio::awaitable<ExecReply> run(ExecRequest request, RunCancellation cancellation);
  // Ends that the store did not take when they came; call it from a timer and before the end.
  boost::asio::awaitable<void> record_late_ends();
  // The result of the run reached the caller. Recorded within a moment, together with others.
  boost::asio::awaitable<void> mark_delivered(std::int64_t row_id);

  // One line for the log: the effective policy and how much is listed.
  boost::asio::awaitable<std::string> describe_policy();

  // system.run.prepare, system.which: no side effects but the memory of prepared plans and the record of
  // refusals.
  boost::asio::awaitable<gateway_proto::InvokeResult> prepare(Json params, bool older_peer);
  boost::asio::awaitable<gateway_proto::InvokeResult> which(Json params);

  // system.execApprovals.get / .set. Exec contract 5.6.
  boost::asio::awaitable<gateway_proto::InvokeResult> get_approvals(Json params, bool with_resolved_defaults);
  boost::asio::awaitable<gateway_proto::InvokeResult> set_approvals(OrderedJson params, std::string actor,
                                                                    bool with_resolved_defaults);

 private:
  struct Asking;
  struct Decided;
  struct Recording;
  struct PreparedPlans;

  policy::EngineContext context(const approvals::ExecSettings& exec, OpenedFiles& files) const;
  approvals::ExecSettings exec_settings(approvals::Store& store);  // the owner's rules among them
  boost::asio::awaitable<std::shared_ptr<const Decided>> decide(
      const ExecRequest& request, RunCancellation cancellation, Asking& asking,
      std::optional<StoreWork<Recording>>& recording);
  void judge(approvals::Store& store, const ExecRequest& request, Asking& asking,
             Decided& decided);                                                           // store's thread
  Result<std::int64_t> record_decision(approvals::Store& store, const Decided& decided);  // store's thread
  void seek_answer(approvals::Store& store, const ExecRequest& request, const approvals::ExecSettings& exec,
                   const policy::PolicyDocument& document, policy::EngineContext& context, Asking& asking,
                   Decided& decided);
  void prepare_for_answers(approvals::Store& store, const Json& params, const approvals::ExecSettings& exec,
                           const policy::PolicyDocument& document, policy::EngineContext& context,
                           policy::PrepareEvaluation& prepared);
  boost::asio::awaitable<bool> wait_for_answer(Asking& asking, const ExecRequest& request,
                                               RunCancellation cancellation);
  bool stop_waiting(const Asking& asking);  // store's thread
  void record_prepared(approvals::Store& store, const policy::RunDecision& judged, const std::string& cwd);
  static ExecReply refuse(const ExecRequest& request, const policy::RunEvaluation& evaluation,
                          const policy::Decision& decision, std::int64_t row_id);

  StoreThread& store_;
  RunExecutor& executor_;
  Settings settings_;
  std::vector<std::int64_t> delivered_;  // rows whose result arrived, not yet marked
  AnswerWatch answers_;
  const policy::Environment child_environment_;  // made once: the host's own environment does not change
  // Touched on the store's thread only.
  std::unique_ptr<approvals::PolicyCache> cache_;
  std::unique_ptr<approvals::RuleCache> rules_;
  std::unique_ptr<PreparedPlans> prepared_;
  GatewayPolicies gateway_policies_;
  LateEnds late_ends_;
  std::map<std::string, int> waiting_callers_;  // by question; store's thread
};

}  // namespace hostclaw::node_host
