// SPDX-License-Identifier: Apache-2.0
// What a connected node may call. Source: transport contract sections 5.2, 5.7, 5.9, 6 and 7.
#include "tests/devgateway/gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/schema.h"

namespace hostclaw::devgateway {
namespace {

constexpr int kMaxUnauthorizedCalls = 10;

bool node_may_call(int protocol, const std::string& method) {
  static const std::set<std::string> kBoth = {"node.invoke.result", "node.event",        "health",
                                              "skills.bins",        "node.pending.pull", "node.pending.drain",
                                              "node.pending.ack"};
  static const std::set<std::string> kModern = {"node.invoke.progress", "node.runnerInventory.update",
                                                "node.skills.update", "node.pluginTools.update",
                                                "node.pluginSurface.refresh"};
  return kBoth.contains(method) ||
         (protocol >= 4 ? kModern.contains(method) : method == "node.canvas.capability.refresh");
}

Json pairing_changed(const std::string& message) {
  return {{"code", "UNAVAILABLE"},
          {"message", message},
          {"retryable", true},
          {"details", {{"code", "PAIRING_CHANGED"}}}};
}

Reply invalid(const std::string& method, const std::string& problem) {
  return Reply::failure("INVALID_REQUEST", "invalid " + method + " params: " + problem);
}

Json event_payload(const Json& params) {
  const auto text = params.find("payloadJSON");
  if (text == params.end()) return params.value("payload", Json());
  const Result<Json> parsed = parse_json(text->get_ref<const std::string&>());
  return parsed ? *parsed : Json();
}

}  // namespace

void Gateway::refuse_unauthorized(Peer& peer, const std::string& id, const std::string& method) {
  ++peer.unauthorized_calls;
  journal_.add("unauthorized", {{"connection", peer.connection->id()},
                                {"nodeId", peer.node_id},
                                {"method", method},
                                {"count", peer.unauthorized_calls}});
  respond_to(peer, id, method, Reply::failure("INVALID_REQUEST", "unauthorized role: node"));
  if (peer.unauthorized_calls > kMaxUnauthorizedCalls) close_peer(peer, 1008, "repeated unauthorized calls");
}

bool Gateway::surface_approved(const Peer& peer) {
  if (settings_.protocol < 4) return true;
  const NodeRecord* record = pairing_.find_node(peer.node_id);
  return record && record->approved;
}

bool Gateway::reply_is_refused(int& budget, Peer& peer, const std::string& id) {
  if (budget <= 0) return false;
  --budget;
  const Json error = faults_.refusal.is_null()
                         ? pairing_changed("node pairing changed before request dispatch")
                         : faults_.refusal;
  respond_to(peer, id, "refused", {false, Json(), error});
  return true;
}

void Gateway::on_node_request(Peer& peer, const std::string& id, const std::string& method,
                              const Json& params) {
  if (!node_may_call(settings_.protocol, method)) return refuse_unauthorized(peer, id, method);
  if (peer.replaced) {
    return respond_to(peer, id, method,
                      {false, Json(), pairing_changed("node pairing changed before request dispatch")});
  }
  if (method == "node.invoke.result") return on_invoke_result(peer, id, params);
  if (method == "node.invoke.progress") return on_invoke_progress(peer, id, params);
  if (method == "node.event") return on_node_event(peer, id, params);
  if (method == "health") return respond_to(peer, id, method, Reply::success({{"ok", true}}));
  if (method == "skills.bins") {
    if (const auto problem = check_empty_params(params))
      return respond_to(peer, id, method, invalid(method, *problem));
    return respond_to(peer, id, method, Reply::success({{"bins", Json::array({"curl", "git"})}}));
  }
  if (method.starts_with("node.pending.")) {
    return respond_to(peer, id, method,
                      Reply::success({{"nodeId", peer.node_id}, {"actions", Json::array()}}));
  }
  const bool publishes = method == "node.runnerInventory.update" || method == "node.skills.update" ||
                         method == "node.pluginTools.update";
  if (publishes) {
    SchemaProblem problem = method == "node.runnerInventory.update" ? check_runner_inventory(params)
                            : method == "node.skills.update"        ? check_skills_update(params)
                                                                    : check_plugin_tools_update(params);
    if (problem) return respond_to(peer, id, method, invalid(method, *problem));
    if (!surface_approved(peer) && method == "node.pluginTools.update")
      return respond_to(peer, id, method,
                        Reply::success({{"nodeId", peer.node_id}, {"tools", Json::array()}}));
    if (!surface_approved(peer)) {
      const NodeRecord* record = pairing_.find_node(peer.node_id);
      const std::string request = record && record->pending ? record->pending->request_id : "none";
      return respond_to(
          peer, id, method,
          Reply::failure("UNAVAILABLE", "node surface is waiting for approval (request " + request + ")"));
    }
  }
  Json payload = {{"nodeId", peer.node_id}};
  if (method == "node.skills.update") payload["skills"] = params["skills"];
  if (method == "node.pluginTools.update") payload["tools"] = params["tools"];
  respond_to(peer, id, method, Reply::success(std::move(payload)));
}

void Gateway::on_invoke_result(Peer& peer, const std::string& id, const Json& params) {
  const std::string method = "node.invoke.result";
  Json record = {{"connection", peer.connection->id()},
                 {"invokeId", params.is_object() ? params.value("id", Json()) : Json()},
                 {"nodeId", peer.node_id},
                 {"ok", params.is_object() ? params.value("ok", Json()) : Json()},
                 {"accepted", false},
                 {"ignored", false}};
  if (const auto problem = check_invoke_result(params)) {
    record["problem"] = *problem;
    journal_.add("result", std::move(record));
    return respond_to(peer, id, method, invalid(method, *problem));
  }
  if (params["nodeId"] != peer.node_id) {
    record["problem"] = "nodeId mismatch";
    journal_.add("result", std::move(record));
    return respond_to(peer, id, method, Reply::failure("INVALID_REQUEST", "nodeId mismatch"));
  }
  if (faults_.refuse_results > 0) {
    record["problem"] = "refused on demand";
    journal_.add("result", std::move(record));
    reply_is_refused(faults_.refuse_results, peer, id);
    return;
  }
  const std::string invoke_id = string_at(params, "id");
  const auto found = invokes_.find(invoke_id);
  if (found == invokes_.end() || found->second.connection_id != peer.connection->id()) {
    record["ignored"] = true;
    journal_.add("result", std::move(record));
    return respond_to(peer, id, method, Reply::success({{"ok", true}, {"ignored", true}}));
  }
  record["accepted"] = true;
  record["command"] = found->second.options.command;
  journal_.add("result", std::move(record));
  respond_to(peer, id, method, Reply::success({{"ok", true}}));
  if (settings_.protocol >= 4 && !params["ok"].get<bool>() && params.contains("error") &&
      redispatch_not_ready(found->second, params["error"])) {
    return;
  }
  Reply reply = caller_reply(found->second, params);
  finish_invoke(invoke_id, std::move(reply));
}

void Gateway::on_invoke_progress(Peer& peer, const std::string& id, const Json& params) {
  const std::string method = "node.invoke.progress";
  if (const auto problem = check_invoke_progress(params)) {
    return respond_to(peer, id, method, invalid(method, *problem));
  }
  const auto found = invokes_.find(params["invokeId"].get<std::string>());
  const bool known = found != invokes_.end() && found->second.connection_id == peer.connection->id();
  if (known) found->second.progressed = true;
  respond_to(peer, id, method, Reply::success({{"ok", true}, {"ignored", !known}}));
}

Json Gateway::event_reply(Peer& peer, const std::string& event, const Json& payload) {
  const auto dropped = [&](const char* reason) {
    return Json{{"ok", true}, {"event", event}, {"handled", false}, {"reason", reason}};
  };
  if (event == "node.host.stats") {
    if (check_host_stats(payload)) return dropped("invalid_payload");
    peer.stats = payload;
    return {{"ok", true}, {"event", event}, {"handled", true}, {"reason", "updated"}};
  }
  if (event == "node.presence.alive") {
    return {{"ok", true}, {"event", event}, {"handled", true}, {"reason", "persisted"}};
  }
  if (!event.starts_with("exec.")) return dropped("unsupported_event");
  if (!payload.is_object() || !payload.contains("runId") || !payload["runId"].is_string()) {
    return dropped("invalid_payload");
  }
  const auto run = peer.runs.find(payload["runId"].get<std::string>());
  if (run == peer.runs.end()) return dropped("unmatched_exec_event");
  const Json session = payload.value("sessionKey", Json("node"));
  if (session != (run->second.session_key.empty() ? "node" : run->second.session_key)) {
    return dropped("unmatched_exec_event");
  }
  if (event == "exec.finished" || event == "exec.denied") {
    if (run->second.finished) return dropped("unmatched_exec_event");
    run->second.finished = true;
  }
  return {{"ok", true}};
}

void Gateway::on_node_event(Peer& peer, const std::string& id, const Json& params) {
  const std::string method = "node.event";
  if (const auto problem = check_node_event(params))
    return respond_to(peer, id, method, invalid(method, *problem));
  if (reply_is_refused(faults_.refuse_events, peer, id)) return;
  if (!surface_approved(peer)) {
    return respond_to(peer, id, method,
                      {false, Json(), pairing_changed("node pairing changed while invocation was active")});
  }
  const std::string event = string_at(params, "event");
  const Json payload = event_payload(params);
  Json reply = settings_.protocol >= 4 ? event_reply(peer, event, payload) : Json{{"ok", true}};
  journal_.add("event", {{"connection", peer.connection->id()},
                         {"nodeId", peer.node_id},
                         {"event", event},
                         {"payload", payload},
                         {"reply", reply}});
  respond_to(peer, id, method, Reply::success(std::move(reply)));
}

}  // namespace hostclaw::devgateway
