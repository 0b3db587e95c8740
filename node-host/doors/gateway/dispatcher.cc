// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/dispatcher.h"

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>

#include "base/sha256.h"
#include "node-host/doors/gateway/run_answers.h"
#include "node-host/doors/gateway/runs_tool.h"
#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/loop/use_tuple.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::InvokeRequest;
using gateway_proto::InvokeResult;

InvokeResult params_error(const char* what) {
  return InvokeResult::failure("INVALID_REQUEST", std::string("Error: INVALID_REQUEST: ") + what);
}

// The agent's tool sends a carrier, or the plan that this node prepared; who invokes system.run by hand sends
// neither and has nobody to ask. Where the gateway has asked, it says so.
bool sent_unasked_by_a_tool(const Json& params) {
  if (!params.is_object()) return false;
  const auto given = [&](const char* name) {
    const auto it = params.find(name);
    return it != params.end() && !it->is_null() && *it != false;
  };
  if (given("approved") || given("approvalDecision") || given("approvalSource")) return false;
  return given("systemRunPlan") || (given("rawCommand") && given("sessionKey"));
}

}  // namespace

// One invocation from its arrival to its answer.
struct Dispatcher::Flight {
  Flight(const asio::any_io_executor& executor, std::shared_ptr<GatewayPeer> its_peer,
         InvokeRequest its_request)
      : peer(its_peer),
        request(std::move(its_request)),
        budget(executor),
        older_peer(its_peer->hello().protocol < 4),
        closed_snapshot(!older_peer &&
                        gateway_proto::is_release_before(its_peer->hello().server_version, 2026, 8, 2)) {}

  std::weak_ptr<GatewayPeer> peer;
  InvokeRequest request;
  RunCancellation cancellation;
  asio::steady_timer budget;
  // The gateway speaks protocol 3: it drops what newer ones send back.
  const bool older_peer;
  const bool closed_snapshot;  // the gateway takes no document that comes with resolvedDefaults
};

Dispatcher::Dispatcher(asio::any_io_executor executor, StoreThread& store, Corridor& corridor,
                       const Clock& clock, Settings settings)
    : executor_(executor),
      corridor_(corridor),
      clock_(clock),
      settings_(std::move(settings)),
      admission_(executor, settings_.methods),
      methods_(store, corridor.store_side(), plans_, clock),
      all_done_(executor) {
  all_done_.expires_at(std::chrono::steady_clock::time_point::max());
}

void Dispatcher::invoke(std::shared_ptr<GatewayPeer> peer, InvokeRequest request) {
  if (finishing_) return;
  if (flights_.contains(request.id)) {
    // Running it twice would be worse than not answering twice.
    log_warn("ignored an invocation whose id is already under way: " + request.id);
    return;
  }
  auto flight = std::make_shared<Flight>(executor_, std::move(peer), std::move(request));
  flights_.emplace(flight->request.id, flight);
  start_background(executor_, "an invocation", [this, flight]() { return serve(flight); });
}

void Dispatcher::cancel(const std::string& invoke_id) {
  const auto it = flights_.find(invoke_id);
  if (it == flights_.end()) return;
  it->second->cancellation.cancel();
}

asio::awaitable<void> Dispatcher::serve(std::shared_ptr<Flight> flight) {
  const InvokeRequest& request = flight->request;
  const std::string id = sha256_hex(request.id);
  if (ended_.contains(id)) {
    log_warn("refused an invocation whose id has come before");
    InvokeResult refusal = InvokeResult::failure(
        "INVALID_REQUEST", "an invocation with this id has ended on this node already (hostclaw runs)");
    co_await deliver(flight, std::move(refusal));
  } else if (request.node_id != settings_.device_id) {
    log_warn("refused an invocation that is addressed to another node");
    InvokeResult refusal = InvokeResult::failure(
        "INVALID_REQUEST",
        "this invocation is addressed to another node; this node is " + settings_.device_id);
    co_await deliver(flight, std::move(refusal));
  } else if (refusing_) {
    InvokeResult refusal = InvokeResult::failure("UNAVAILABLE", "this node is stopping");
    co_await deliver(flight, std::move(refusal));
  } else if (!settings_.commands.contains(request.command)) {
    const bool known = request.command.starts_with("system.");
    InvokeResult refusal = InvokeResult::failure(
        "UNAVAILABLE", known ? "command not advertised by this node" : "command not supported");
    co_await deliver(flight, std::move(refusal));
  } else if (request.command == "system.run") {
    co_await serve_run(flight);
  } else {
    co_await serve_method(flight);
  }
  remember_end(id);
  flights_.erase(request.id);
  if (flights_.empty()) all_done_.cancel();
}

void Dispatcher::remember_end(const std::string& id) {
  if (!ended_.insert(id).second) return;
  ended_order_.push_back(id);
  if (ended_order_.size() <= settings_.remembered_ids) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

asio::awaitable<void> Dispatcher::serve_run(std::shared_ptr<Flight> flight) {
  const InvokeRequest& request = flight->request;
  if (!request.params_json || request.params_json->empty()) {
    InvokeResult refusal = params_error("paramsJSON required");
    co_await deliver(flight, std::move(refusal));
    co_return;
  }

  auto params = parse_json(*request.params_json);
  if (!params) {
    InvokeResult refusal = params_error("paramsJSON malformed JSON");
    co_await deliver(flight, std::move(refusal));
    co_return;
  }
  if (request.timeout_ms) {
    // Gateways of protocol 4 send a cancel when the budget is used up; older ones say nothing.
    const std::int64_t clamped = std::min<std::int64_t>(*request.timeout_ms, 1'000LL * 60 * 60 * 24 * 365);
    flight->budget.expires_after(std::chrono::milliseconds(clamped));
    flight->budget.async_wait([flight](boost::system::error_code stopped) {
      if (!stopped) flight->cancellation.cancel();
    });
  }
  ExecRequest asked = request_of(flight, *params);
  *params = Json();  // it may be large, and the run long
  ExecOutcome outcome = co_await corridor_.walk(std::move(asked));
  flight->budget.cancel();
  if (outcome.cancelled()) co_return;

  const std::shared_ptr<GatewayPeer> peer = flight->peer.lock();
  if (!peer || !peer->open()) {
    log_warn("a run outlived its connection; it is recorded: hostclaw runs show " + outcome.run_id);
    co_return;
  }
  InvokeResult answer = run_answer(outcome);
  const std::int64_t row_id = outcome.row_id;
  outcome = {};  // nothing of it is needed while the answer is on its way
  if (co_await deliver(flight, std::move(answer))) co_await corridor_.delivered(row_id);
}

ExecRequest Dispatcher::request_of(std::shared_ptr<Flight> flight, const Json& params) {
  policy::RunParameters read = policy::read_run_parameters(params);
  ExecRequest request;
  request.origin = settings_.gateway();
  request.origin.agent = std::move(read.agent_id);
  request.origin.session = std::move(read.session_key);
  request.id = flight->request.id;
  request.unasked = sent_unasked_by_a_tool(params);
  request.what = RunAsked{std::move(read.command), plans_.find(params), flight->older_peer};
  if (flight->request.timeout_ms)
    request.limits.caller_deadline_ms = clock_.unix_ms() + *flight->request.timeout_ms;
  request.sinks.caller_left = [this, flight] {
    const auto peer = flight->peer.lock();
    return refusing_ || !peer || !peer->open();
  };
  request.sinks.ended = [this, flight](const ExecOutcome& outcome) { send_event(*flight, outcome); };
  request.cancellation = flight->cancellation;
  return request;
}

// Before the result, on the same ordered connection; its answer need not delay the result.
void Dispatcher::send_event(const Flight& flight, const ExecOutcome& outcome) {
  const auto peer = flight.peer.lock();
  if (!peer || !peer->open()) return;
  const std::optional<RunEvent> event = run_event(outcome);
  if (!event) return;
  start_background(executor_, "an event of a run",
                   [peer, params = gateway_proto::node_event_params(
                              event->name, event->payload_string)]() -> asio::awaitable<void> {
                     co_await peer->call_with_retries("node.event", params, kCallTries);
                   });
}

asio::awaitable<void> Dispatcher::serve_method(std::shared_ptr<Flight> flight) {
  Admission::Place place(admission_, settings_.gateway().who());
  const Admission::Entry entry = co_await place.enter(flight->cancellation);
  if (entry == Admission::Entry::kCancelled) co_return;
  InvokeResult result = InvokeResult::failure(
      "UNAVAILABLE", "ADMISSION_FULL: this node has too many requests waiting; send it again later");
  if (entry == Admission::Entry::kAdmitted) result = co_await answer(*flight);
  place.leave();  // a peer that does not read holds no place
  if (flight->cancellation.cancelled()) co_return;
  co_await deliver(flight, std::move(result));
}

asio::awaitable<InvokeResult> Dispatcher::answer(const Flight& flight) {
  const InvokeRequest& request = flight.request;
  if (!request.params_json || request.params_json->empty()) co_return params_error("paramsJSON required");
  auto params = parse_ordered_json(*request.params_json);
  if (!params) co_return params_error("paramsJSON malformed JSON");
  Origin from = settings_.gateway();
  if (request.command == "system.execApprovals.set") {
    co_return co_await methods_.set_approvals(std::move(*params), std::move(from), !flight.closed_snapshot);
  }
  Json plain = Json::parse(dump_json(*params), nullptr, false);
  if (request.command == "system.run.prepare") {
    co_return co_await methods_.prepare(std::move(plain), std::move(from), flight.older_peer);
  }
  if (request.command == kToolCommand)
    co_return co_await methods_.call_tool(std::move(plain), request.session_key, settings_.live_output);
  if (request.command == "system.which") co_return co_await methods_.which(std::move(plain));
  if (request.command == "system.execApprovals.get")
    co_return co_await methods_.get_approvals(std::move(plain), !flight.closed_snapshot);
  co_return InvokeResult::failure("UNAVAILABLE", "command not supported");
}

asio::awaitable<bool> Dispatcher::deliver(std::shared_ptr<Flight> flight, InvokeResult result) {
  const std::shared_ptr<GatewayPeer> peer = flight->peer.lock();
  if (!peer || !peer->open()) co_return false;
  CallOutcome outcome = co_await peer->call_with_retries(
      "node.invoke.result", gateway_proto::invoke_result_params(flight->request, result), kCallTries);
  if (outcome.error.code == "PAYLOAD_TOO_LARGE") {
    log_error("a result was too large to send: " + outcome.error.message);
    const InvokeResult replacement =
        InvokeResult::failure("UNAVAILABLE", "result too large: " + outcome.error.message);
    outcome = co_await peer->call_with_retries(
        "node.invoke.result", gateway_proto::invoke_result_params(flight->request, replacement), kCallTries);
    co_return false;
  }
  if (!outcome.ok && outcome.error.code != "CLOSED") {
    log_warn("the gateway did not take a result: " + outcome.error.code + ": " + outcome.error.message);
  }
  co_return outcome.ok;
}

asio::awaitable<void> Dispatcher::wait_idle(std::chrono::milliseconds at_most) {
  if (flights_.empty()) co_return;
  all_done_.expires_after(at_most);
  co_await all_done_.async_wait(kTuple);
  all_done_.expires_at(std::chrono::steady_clock::time_point::max());
}

asio::awaitable<void> Dispatcher::finish() {
  finishing_ = true;
  for (const auto& [id, flight] : flights_) {
    flight->cancellation.cancel();
  }
  while (!flights_.empty()) co_await all_done_.async_wait(kTuple);
}

}  // namespace hostclaw::node_host
