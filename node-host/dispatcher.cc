#include "node-host/dispatcher.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/clock.h"
#include "node-host/log.h"
#include "node-host/use_tuple.h"

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
  Flight(const asio::any_io_executor& executor, std::shared_ptr<GatewaySession> its_session,
         InvokeRequest its_request)
      : session(its_session),
        request(std::move(its_request)),
        admitted(executor),
        budget(executor),
        older_peer(its_session->hello().protocol < 4),
        closed_snapshot(!older_peer &&
                        gateway_proto::is_release_before(its_session->hello().server_version, 2026, 8, 2)) {}

  std::weak_ptr<GatewaySession> session;
  InvokeRequest request;
  RunCancellation cancellation;
  asio::steady_timer admitted;
  asio::steady_timer budget;
  bool has_slot = false;
  bool paused = false;  // it gave its place away and has none
  const bool older_peer;
  const bool closed_snapshot;  // the gateway takes no document that comes with resolvedDefaults
};

Dispatcher::Dispatcher(asio::any_io_executor executor, ExecPipeline& pipeline, Settings settings)
    : executor_(executor), pipeline_(pipeline), settings_(std::move(settings)), all_done_(executor) {
  all_done_.expires_at(std::chrono::steady_clock::time_point::max());
}

void Dispatcher::invoke(std::shared_ptr<GatewaySession> session, InvokeRequest request) {
  if (finishing_) return;
  if (flights_.contains(request.id)) {
    // Running it twice would be worse than not answering twice.
    log_warn("ignored an invocation whose id is already under way: " + request.id);
    return;
  }
  auto flight = std::make_shared<Flight>(executor_, std::move(session), std::move(request));
  flights_.emplace(flight->request.id, flight);
  asio::co_spawn(
      executor_, [this, flight]() { return serve(flight); }, asio::detached);
}

void Dispatcher::cancel(const std::string& invoke_id) {
  const auto it = flights_.find(invoke_id);
  if (it == flights_.end()) return;
  it->second->cancellation.cancel();
  it->second->admitted.cancel();
}

asio::awaitable<bool> Dispatcher::enter(std::shared_ptr<Flight> flight) {
  if (active_ < settings_.max_concurrent) {
    ++active_;
    co_return true;
  }
  // Who comes back from waiting for a person was let in before.
  if (!flight->paused && waiting_.size() >= settings_.max_waiting) co_return false;
  if (flight->cancellation.cancelled()) co_return false;
  flight->admitted.expires_at(std::chrono::steady_clock::time_point::max());
  waiting_.push_back(flight);
  co_await flight->admitted.async_wait(kTuple);
  if (flight->has_slot) co_return true;
  std::erase(waiting_, flight);  // cancelled while it waited
  co_return false;
}

void Dispatcher::leave() {
  --active_;
  if (waiting_.empty()) return;
  const std::shared_ptr<Flight> next = waiting_.front();
  waiting_.pop_front();
  ++active_;
  next->has_slot = true;
  next->admitted.cancel();
}

asio::awaitable<void> Dispatcher::serve(std::shared_ptr<Flight> flight) {
  const InvokeRequest& request = flight->request;
  if (request.node_id != settings_.device_id) {
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
    co_await deliver(
        flight, InvokeResult::failure(
                    "UNAVAILABLE", known ? "command not advertised by this node" : "command not supported"));
  } else if (request.command == "system.run") {
    co_await serve_run(flight);
  } else {
    co_await deliver(flight, co_await answer(*flight));
  }
  flights_.erase(request.id);
  if (flights_.empty()) all_done_.cancel();
}

asio::awaitable<void> Dispatcher::serve_run(std::shared_ptr<Flight> flight) {
  const InvokeRequest& request = flight->request;
  if (!request.params_json || request.params_json->empty()) {
    co_await deliver(flight, params_error("paramsJSON required"));
    co_return;
  }

  auto params = parse_json(*request.params_json);
  if (!params) {
    co_await deliver(flight, params_error("paramsJSON malformed JSON"));
    co_return;
  }
  if (request.timeout_ms) {
    // Gateways of protocol 4 send a cancel when the budget is used up; older ones say nothing.
    const std::int64_t clamped = std::min<std::int64_t>(*request.timeout_ms, 1'000LL * 60 * 60 * 24 * 365);
    flight->budget.expires_after(std::chrono::milliseconds(clamped));
    flight->budget.async_wait([flight](boost::system::error_code stopped) {
      if (stopped) return;
      flight->cancellation.cancel();
      flight->admitted.cancel();
    });
  }
  if (!co_await enter(flight)) {
    flight->budget.cancel();
    if (!flight->cancellation.cancelled()) {
      co_await deliver(
          flight, InvokeResult::failure("UNAVAILABLE", "this node has too many commands waiting; try again"));
    }
    co_return;
  }
  ExecReply reply;
  if (!flight->cancellation.cancelled()) {
    ExecRequest exec;
    exec.door = "gateway";
    exec.invoke_id = request.id;
    exec.unasked = sent_unasked_by_a_tool(*params);
    exec.params = std::move(*params);
    exec.older_peer = flight->older_peer;
    if (request.timeout_ms) exec.caller_deadline_ms = unix_ms_now() + *request.timeout_ms;
    exec.notify = [this, flight](std::string_view event, std::string_view payload_string) {
      const auto session = flight->session.lock();
      if (!session || !session->open()) return;
      // Before the result, on the same ordered connection; its answer need not delay the result.
      asio::co_spawn(
          executor_,
          [session, params = gateway_proto::node_event_params(event, payload_string)]()
              -> asio::awaitable<void> { co_await session->call_with_retries("node.event", params); },
          asio::detached);
    };
    exec.caller_left = [this, flight] {
      const auto session = flight->session.lock();
      return refusing_ || !session || !session->open();
    };
    exec.pause = [this, flight] {
      flight->paused = true;
      flight->has_slot = false;
      leave();
    };
    exec.resume = [this, flight]() -> asio::awaitable<bool> {
      flight->paused = !co_await enter(flight);
      co_return !flight->paused;
    };
    reply = co_await pipeline_.run(std::move(exec), flight->cancellation);
  } else {
    reply.cancelled = true;
  }
  flight->budget.cancel();
  if (!flight->paused) leave();
  if (reply.cancelled) co_return;

  const std::shared_ptr<GatewaySession> session = flight->session.lock();
  if (!session || !session->open()) {
    log_warn("a run outlived its connection; it is recorded: hostclaw runs show " + reply.run_id);
    co_return;
  }
  if (co_await deliver(flight, std::move(reply.result))) co_await pipeline_.mark_delivered(reply.row_id);
}

asio::awaitable<InvokeResult> Dispatcher::answer(const Flight& flight) {
  const InvokeRequest& request = flight.request;
  if (!request.params_json || request.params_json->empty()) co_return params_error("paramsJSON required");
  auto params = parse_ordered_json(*request.params_json);
  if (!params) co_return params_error("paramsJSON malformed JSON");
  if (request.command == "system.execApprovals.set") {
    co_return co_await pipeline_.set_approvals(std::move(*params), "gateway", !flight.closed_snapshot);
  }
  Json plain = Json::parse(dump_json(*params), nullptr, false);
  if (request.command == "system.run.prepare") {
    co_return co_await pipeline_.prepare(std::move(plain), flight.older_peer);
  }
  if (request.command == "system.which") co_return co_await pipeline_.which(std::move(plain));
  if (request.command == "system.execApprovals.get")
    co_return co_await pipeline_.get_approvals(std::move(plain), !flight.closed_snapshot);
  co_return InvokeResult::failure("UNAVAILABLE", "command not supported");
}

asio::awaitable<bool> Dispatcher::deliver(std::shared_ptr<Flight> flight, InvokeResult result) {
  const std::shared_ptr<GatewaySession> session = flight->session.lock();
  if (!session || !session->open()) co_return false;
  CallOutcome outcome = co_await session->call_with_retries(
      "node.invoke.result", gateway_proto::invoke_result_params(flight->request, result));
  if (outcome.error.code == "PAYLOAD_TOO_LARGE") {
    log_error("a result was too large to send: " + outcome.error.message);
    const InvokeResult replacement =
        InvokeResult::failure("UNAVAILABLE", "result too large: " + outcome.error.message);
    outcome = co_await session->call_with_retries(
        "node.invoke.result", gateway_proto::invoke_result_params(flight->request, replacement));
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
    flight->admitted.cancel();
  }
  while (!flights_.empty()) co_await all_done_.async_wait(kTuple);
}

}  // namespace hostclaw::node_host
