// SPDX-License-Identifier: Apache-2.0
// Invocations: dispatch, budget, cancel, not-ready, loss. Source: transport contract sections 5.1 to 5.6.
#include <array>

#include "tests/devgateway/gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/random_id.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::int64_t kDefaultBudgetMs = 30'000;
constexpr std::size_t kMaxDispatched = 128;
constexpr std::array<std::int64_t, 4> kNotReadyDelaysMs = {100, 250, 500, 1000};

}  // namespace

void Gateway::invoke(InvokeOptions options, Respond respond) {
  Peer* peer = target_of(options.node_id);
  if (!peer) return respond(Reply::failure("NOT_CONNECTED", "node is not connected"));
  if (options.check_surface && !effective_surface(*peer).commands.contains(options.command)) {
    return respond(Reply::failure("INVALID_REQUEST", "node command not allowed: " + options.command));
  }
  if (invokes_.size() >= kMaxDispatched) {
    return respond(Reply::failure("UNAVAILABLE", "worker task capacity reached"));
  }
  if (options.command == "system.run" && options.params_json) {
    const Result<Json> params = parse_json(*options.params_json);
    if (params && params->is_object() && params->value("runId", Json()).is_string()) {
      const Json session = params->value("sessionKey", Json());
      peer->runs[string_at(*params, "runId")] = {
          session.is_string() ? session.get<std::string>() : std::string(), false};
    }
  }
  PendingInvoke invoke;
  if (settings_.protocol >= 4 && !options.timeout_ms) options.timeout_ms = kDefaultBudgetMs;
  if (options.timeout_ms && *options.timeout_ms > 0)
    invoke.deadline_ms = wall_clock_ms() + *options.timeout_ms;
  invoke.options = std::move(options);
  invoke.respond = std::move(respond);
  dispatch(std::move(invoke));
}

void Gateway::dispatch(PendingInvoke invoke) {
  Peer* peer = target_of(invoke.options.node_id);
  if (!peer) return invoke.respond(Reply::failure("DISCONNECTED", "node disconnected"));
  invoke.id = invoke.options.invoke_id.empty() ? new_uuid() : invoke.options.invoke_id;
  invoke.connection_id = peer->connection->id();
  Json payload = {
      {"id", invoke.id},
      {"nodeId", invoke.options.as_node_id.empty() ? invoke.options.node_id : invoke.options.as_node_id},
      {"command", invoke.options.command},
      {"paramsJSON", invoke.options.params_json ? Json(*invoke.options.params_json) : Json()}};
  const std::int64_t remaining =
      invoke.deadline_ms == 0 ? 0 : std::max<std::int64_t>(1, invoke.deadline_ms - wall_clock_ms());
  if (invoke.options.timeout_ms && !invoke.options.omit_timeout) payload["timeoutMs"] = remaining;
  if (!invoke.options.idempotency_key.empty()) payload["idempotencyKey"] = invoke.options.idempotency_key;
  if (!invoke.options.session_key.empty()) payload["sessionKey"] = invoke.options.session_key;
  if (invoke.deadline_ms != 0) {
    invoke.timer = scheduler_.after(std::chrono::milliseconds(remaining),
                                    [this, id = invoke.id] { on_invoke_timeout(id); });
  }
  journal_.add("invoke", {{"connection", invoke.connection_id},
                          {"invokeId", invoke.id},
                          {"nodeId", invoke.options.node_id},
                          {"command", invoke.options.command},
                          {"paramsJSON", payload["paramsJSON"]},
                          {"attempt", invoke.attempt}});
  const std::string id = invoke.id;
  if (const auto repeated = invokes_.find(id); repeated != invokes_.end()) {
    // The same id again, on demand: the earlier caller is told so.
    scheduler_.cancel(repeated->second.timer);
    const Respond earlier = std::move(repeated->second.respond);
    invokes_.erase(repeated);
    earlier(Reply::failure("UNAVAILABLE", "invoke id was used again"));
  }
  invokes_.emplace(id, std::move(invoke));
  send_event(*peer, "node.invoke.request", payload);
}

void Gateway::finish_invoke(const std::string& invoke_id, Reply reply) {
  const auto found = invokes_.find(invoke_id);
  if (found == invokes_.end()) return;
  scheduler_.cancel(found->second.timer);
  const Respond respond = std::move(found->second.respond);
  invokes_.erase(found);
  respond(std::move(reply));
}

void Gateway::send_cancel(const PendingInvoke& invoke) {
  if (settings_.protocol < 4) return;
  Peer* peer = find_peer(invoke.connection_id);
  if (!peer) return;
  journal_.add("cancel", {{"invokeId", invoke.id}, {"nodeId", invoke.options.node_id}});
  send_event(*peer, "node.invoke.cancel", {{"invokeId", invoke.id}, {"nodeId", invoke.options.node_id}});
}

void Gateway::on_invoke_timeout(const std::string& invoke_id) { cancel_invoke(invoke_id, "TIMEOUT"); }

void Gateway::cancel_invoke(const std::string& invoke_id, const std::string& code) {
  const auto found = invokes_.find(invoke_id);
  if (found == invokes_.end()) return;
  send_cancel(found->second);
  finish_invoke(invoke_id,
                Reply::failure(code, code == "TIMEOUT" ? "node invoke timed out" : "node invoke aborted"));
}

void Gateway::lose_invokes(std::uint64_t connection_id) {
  std::vector<std::string> lost;
  for (const auto& [id, invoke] : invokes_) {
    if (invoke.connection_id == connection_id) lost.push_back(id);
  }
  for (const std::string& id : lost) finish_invoke(id, Reply::failure("DISCONNECTED", "node disconnected"));
}

bool Gateway::redispatch_not_ready(PendingInvoke& invoke, const Json& error) {
  if (!error.is_object() || error.value("code", "") != "NODE_NOT_READY") return false;
  if (invoke.progressed || static_cast<std::size_t>(invoke.attempt) >= kNotReadyDelaysMs.size()) return false;
  PendingInvoke next = std::move(invoke);
  scheduler_.cancel(next.timer);
  const std::int64_t delay = kNotReadyDelaysMs[static_cast<std::size_t>(next.attempt)];
  invokes_.erase(next.id);
  ++next.attempt;
  next.options.invoke_id.clear();
  scheduler_.after(
      std::chrono::milliseconds(delay),
      [this, again = std::make_shared<PendingInvoke>(std::move(next))] { dispatch(std::move(*again)); });
  return true;
}

Reply Gateway::caller_reply(const PendingInvoke& invoke, const Json& params) const {
  if (!params["ok"].get<bool>()) {
    const Json error = params.value("error", Json());
    if (!error.is_object()) return Reply::failure("UNAVAILABLE", "node invoke failed");
    const std::string code = error.value("code", "UNAVAILABLE");
    const std::string message = error.value("message", "node invoke failed");
    return Reply::failure(
        "UNAVAILABLE", code + ": " + message,
        {{"nodeError", {{"code", code}, {"message", message}}}, {"nodeCommandDispatched", true}});
  }
  Json payload = params.value("payload", Json());
  Json payload_json;
  if (const auto found = params.find("payloadJSON"); found != params.end() && !found->is_null()) {
    if (found->is_string()) {
      payload_json = *found;
      const Result<Json> parsed = parse_json(found->get_ref<const std::string&>(), {26'214'400, 128});
      payload = parsed ? *parsed : Json{{"payloadJSON", *found}};
    } else {
      payload = *found;
    }
  }
  return Reply::success({{"ok", true},
                         {"nodeId", invoke.options.node_id},
                         {"command", invoke.options.command},
                         {"payload", std::move(payload)},
                         {"payloadJSON", std::move(payload_json)}});
}

}  // namespace hostclaw::devgateway
