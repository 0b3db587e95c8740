// SPDX-License-Identifier: Apache-2.0
// What an operator may call, and trouble on demand. Source: transport contract sections 4.1, 5 and 7;
// exec contract sections 5.6 and 12.3.
#include "base/text.h"
#include "tests/devgateway/exec_tool.h"
#include "tests/devgateway/gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/random_id.h"
#include "tests/devgateway/schema.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::int64_t kSetupLifetimeMs = 600'000;

Reply unknown(const std::string& what) { return Reply::failure("INVALID_REQUEST", "unknown " + what); }

// The parameters of system.run that a gateway forwards; approval fields are never taken from a client.
Json forwarded_run_params(const Json& params) {
  Json out = Json::object();
  for (const char* name :
       {"command", "rawCommand", "systemRunPlan", "cwd", "env", "timeoutMs", "needsScreenRecording",
        "agentId", "sessionKey", "runId", "suppressNotifyOnExit"}) {
    if (const auto found = params.find(name); found != params.end()) out[name] = *found;
  }
  if (string_at(out, "runId").empty()) out["runId"] = new_uuid();
  return out;
}

// An approved record replaces what the caller says about the command.
void apply_approval(ExecApprovals& approvals, const std::string& node_id, Json& params) {
  ApprovalRecord* record = approvals.find(string_at(params, "runId"));
  if (!record || !record->decision || record->consumed || record->expires_at_ms < wall_clock_ms()) return;
  if (record->decision != "allow-once" && record->decision != "allow-always") return;
  const Json plan = record->request.value("systemRunPlan", Json());
  if (!plan.is_object() || string_at(record->request, "nodeId") != node_id) return;
  if (record->decision == "allow-once") record->consumed = true;
  params["command"] = plan.value("argv", Json::array());
  params["systemRunPlan"] = plan;
  for (const char* name : {"cwd", "agentId", "sessionKey"}) {
    if (plan.value(name, Json()).is_string()) params[name] = plan[name];
  }
  const Json preview = plan.value("commandPreview", Json());
  params["rawCommand"] = preview.is_string() ? preview : plan.value("commandText", Json());
  params["approved"] = true;
  params["approvalDecision"] = *record->decision;
}

}  // namespace

void Gateway::call(const std::string& method, const Json& params, Respond respond) {
  if (!params.is_object()) return respond(Reply::failure("INVALID_REQUEST", "params must be object"));
  if (method == "health") return respond(Reply::success({{"ok", true}}));
  if (method == "node.list") return respond(Reply::success(node_list()));
  if (method == "node.describe") {
    Json list = node_list();
    for (Json& node : list["nodes"]) {
      if (node["nodeId"] == string_at(params, "nodeId")) return respond(Reply::success(std::move(node)));
    }
    return respond(Reply::failure("INVALID_REQUEST", "unknown nodeId"));
  }
  if (method == "node.invoke") return node_invoke(params, std::move(respond));
  if (method == "dev.invoke") return raw_invoke(params, std::move(respond));
  if (method == "dev.cancel") {
    cancel_invoke(string_at(params, "invokeId"), "ABORTED");
    return respond(Reply::success());
  }
  if (method == "dev.exec") return run_exec_tool(*this, params, std::move(respond));
  if (method == "dev.fault") return respond(on_fault(params));
  if (method == "dev.shutdown") {
    shut_down(params);
    return respond(Reply::success());
  }
  if (method == "exec.approvals.node.get") return approvals_get(params, std::move(respond));
  if (method == "exec.approvals.node.set") return approvals_set(params, std::move(respond));
  if (method.starts_with("node.pair.")) return respond(node_pair_method(method, params));
  if (method == "device.pair.setupCode") return respond(setup_code(params));
  if (method.starts_with("device.")) return respond(device_method(method, params));
  if (method.starts_with("exec.approval.")) {
    bool answered = true;
    Reply reply = exec_approval_method(method, params, respond, answered);
    if (answered) respond(std::move(reply));
    return;
  }
  respond(Reply::failure("INVALID_REQUEST", "unknown method: " + method));
}

Json Gateway::node_list() {
  Json nodes = Json::array();
  for (auto& [id, peer] : peers_) {
    if (peer.role != "node" || !peer.connected || peer.replaced || peer.closing) continue;
    const NodeRecord* record = pairing_.find_node(peer.node_id);
    Json node = {
        {"nodeId", peer.node_id},
        {"displayName", record && !record->display_name.empty() ? record->display_name : peer.display_name},
        {"platform", peer.platform},
        {"version", peer.version},
        {"clientId", peer.client_id},
        {"clientMode", peer.client_mode},
        {"remoteIp", peer.connection->request().remote_address},
        {"caps", peer.announced.caps},
        {"commands", effective_surface(peer).commands},
        {"paired", record && record->approved.has_value()},
        {"connected", true},
        {"connectedAtMs", peer.connected_at_ms}};
    if (record && record->pending) {
      node["pendingRequestId"] = record->pending->request_id;
      node["pendingDeclaredCommands"] = record->pending->surface.commands;
    }
    if (!peer.stats.is_null()) node["stats"] = peer.stats;
    nodes.push_back(std::move(node));
  }
  return {{"ts", wall_clock_ms()}, {"nodes", std::move(nodes)}};
}

void Gateway::node_invoke(const Json& params, Respond respond) {
  InvokeOptions options;
  options.node_id = string_at(params, "nodeId");
  options.command = string_at(params, "command");
  options.idempotency_key = string_at(params, "idempotencyKey");
  if (const auto timeout = params.find("timeoutMs"); timeout != params.end() && timeout->is_number()) {
    options.timeout_ms = timeout->get<std::int64_t>();
  }
  if (options.command.starts_with("system.execApprovals.")) {
    return respond(
        Reply::failure("INVALID_REQUEST", "node.invoke does not take " + options.command +
                                              "; use exec.approvals.node.get and exec.approvals.node.set"));
  }
  if (const auto given = params.find("params"); given != params.end()) {
    Json forwarded = *given;
    if (options.command == "system.run" && given->is_object()) {
      forwarded = forwarded_run_params(*given);
      apply_approval(approvals_, options.node_id, forwarded);
      options.session_key = string_at(forwarded, "sessionKey");
    }
    options.params_json = dump_json(forwarded);
  }
  invoke(std::move(options), std::move(respond));
}

void Gateway::raw_invoke(const Json& params, Respond respond) {
  InvokeOptions options;
  options.node_id = string_at(params, "nodeId");
  options.command = string_at(params, "command");
  options.invoke_id = string_at(params, "invokeId");
  options.as_node_id = string_at(params, "asNodeId");
  options.session_key = string_at(params, "sessionKey");
  options.idempotency_key = string_at(params, "idempotencyKey");
  options.check_surface = params.value("checkSurface", false);
  options.omit_timeout = params.value("omitTimeout", false);
  if (const auto timeout = params.find("timeoutMs"); timeout != params.end() && timeout->is_number()) {
    options.timeout_ms = timeout->get<std::int64_t>();
  }
  if (const auto text = params.find("paramsJSON"); text != params.end() && text->is_string()) {
    options.params_json = text->get<std::string>();
  } else if (const auto value = params.find("params"); value != params.end()) {
    options.params_json = dump_json(*value);
  }
  invoke(std::move(options), std::move(respond));
}

void Gateway::approvals_get(const Json& params, Respond respond) {
  InvokeOptions options;
  options.node_id = string_at(params, "nodeId");
  options.command = "system.execApprovals.get";
  options.params_json = "{}";
  options.check_surface = false;
  options.timeout_ms = 10'000;
  invoke(std::move(options), [respond = std::move(respond)](Reply reply) {
    if (!reply.ok) return respond(std::move(reply));
    const Json snapshot = reply.payload["payload"];
    if (const auto problem = check_approvals_snapshot(snapshot)) {
      return respond(
          Reply::failure("UNAVAILABLE", "node returned an invalid approvals snapshot: " + *problem));
    }
    respond(Reply::success(snapshot));
  });
}

void Gateway::approvals_set(const Json& params, Respond respond) {
  Json forwarded = {{"file", params.value("file", Json())}};
  if (params.contains("baseHash")) forwarded["baseHash"] = params["baseHash"];
  if (const auto problem = check_approvals_file(forwarded["file"])) {
    return respond(Reply::failure("INVALID_REQUEST", "invalid exec.approvals.node.set params: " + *problem));
  }
  InvokeOptions options;
  options.node_id = string_at(params, "nodeId");
  options.command = "system.execApprovals.set";
  options.params_json = dump_json(forwarded);
  options.check_surface = false;
  options.timeout_ms = 10'000;
  invoke(std::move(options), [respond = std::move(respond)](Reply reply) {
    if (!reply.ok) return respond(std::move(reply));
    const Json snapshot = reply.payload["payload"];
    if (const auto problem = check_approvals_snapshot(snapshot)) {
      return respond(
          Reply::failure("UNAVAILABLE", "node returned an invalid approvals snapshot: " + *problem));
    }
    respond(Reply::success(snapshot));
  });
}

void Gateway::resolve_surface_request(const std::string& request_id, bool approve) {
  const std::optional<std::string> node_id = pairing_.resolve_surface(request_id, approve);
  if (!node_id) return;
  const Json payload = {{"requestId", request_id},
                        {"nodeId", *node_id},
                        {"decision", approve ? "approved" : "rejected"},
                        {"ts", wall_clock_ms()}};
  Peer* peer = target_of(*node_id);
  if (peer && settings_.protocol >= 4) send_event(*peer, "node.pair.resolved", payload);
  broadcast("node.pair.resolved", payload);
}

Reply Gateway::node_pair_method(const std::string& method, const Json& params) {
  if (method == "node.pair.list") return Reply::success(pairing_.node_pair_list());
  const std::string request_id = string_at(params, "requestId");
  if (method == "node.pair.approve" || method == "node.pair.reject") {
    const Json pending = pairing_.node_pair_list()["pending"];
    for (const Json& entry : pending) {
      if (entry["requestId"] != request_id) continue;
      resolve_surface_request(request_id, method == "node.pair.approve");
      return Reply::success({{"requestId", request_id}, {"nodeId", entry["nodeId"]}});
    }
    return unknown("requestId");
  }
  if (method == "node.pair.remove") {
    const std::string node_id = string_at(params, "nodeId");
    if (!pairing_.remove_node(node_id)) return unknown("nodeId");
    close_device(node_id, "device removed");
    return Reply::success({{"nodeId", node_id}});
  }
  return Reply::failure("INVALID_REQUEST", "unknown method: " + method);
}

void Gateway::close_device(const std::string& device_id, const std::string& reason) {
  for (auto& [id, peer] : peers_) {
    if (peer.node_id == device_id) close_peer(peer, 4001, reason);
  }
}

Reply Gateway::device_method(const std::string& method, const Json& params) {
  const std::int64_t now = wall_clock_ms();
  if (method == "device.pair.list") return Reply::success(pairing_.device_list(now));
  if (method == "device.pair.approve" || method == "device.pair.reject") {
    const std::string request_id = string_at(params, "requestId");
    const auto pending = pairing_.take_pending_device(request_id, now);
    if (!pending) return unknown("requestId");
    const bool approve = method == "device.pair.approve";
    if (approve) pairing_.pair_device(pending->facts, pending->role, now);
    broadcast("device.pair.resolved", {{"requestId", request_id},
                                       {"deviceId", pending->facts.device_id},
                                       {"decision", approve ? "approved" : "rejected"},
                                       {"ts", now}});
    return Reply::success({{"requestId", request_id}, {"device", {{"deviceId", pending->facts.device_id}}}});
  }
  const std::string device_id = string_at(params, "deviceId");
  const std::string role = params.contains("role") ? string_at(params, "role") : "node";
  if (method == "device.pair.remove") {
    if (!pairing_.remove_device(device_id)) return unknown("deviceId");
    close_device(device_id, "device removed");
    return Reply::success({{"deviceId", device_id}});
  }
  if (method == "device.token.rotate") {
    const std::string token = pairing_.rotate_token(device_id, role);
    if (token.empty()) return unknown("deviceId/role");
    close_device(device_id, "device removed");
    return Reply::success(
        {{"deviceId", device_id}, {"role", role}, {"token", token}, {"scopes", Json::array()}});
  }
  if (method == "device.token.revoke") {
    if (!pairing_.revoke_token(device_id, role)) return unknown("deviceId/role");
    close_device(device_id, "device removed");
    return Reply::success({{"deviceId", device_id}, {"role", role}, {"revokedAtMs", now}});
  }
  return Reply::failure("INVALID_REQUEST", "unknown method: " + method);
}

Reply Gateway::setup_code(const Json& params) {
  const std::int64_t now = wall_clock_ms();
  SetupGrant grant;
  grant.setup_id = new_uuid();
  grant.bootstrap_token = new_token();
  grant.expires_at_ms = now + params.value("ttlMs", kSetupLifetimeMs);
  const std::string url = params.contains("publicUrl") ? string_at(params, "publicUrl") : control_.url();
  grant.object = {{"url", url}, {"bootstrapToken", grant.bootstrap_token}};
  if (settings_.protocol >= 4) grant.object["expiresAtMs"] = grant.expires_at_ms;
  if (params.contains("urls")) grant.object["urls"] = params["urls"];
  if (!control_.tls_fingerprint.empty() && url.starts_with("wss://")) {
    grant.object["tlsFingerprint"] = control_.tls_fingerprint;
  }
  const std::string text = dump_json(grant.object);
  const std::string code = to_base64url({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  Json result = {{"setupId", grant.setup_id}, {"expiresAtMs", grant.expires_at_ms},
                 {"setupCode", code},         {"gatewayUrl", url},
                 {"auth", "token"},           {"urlSource", "bind"},
                 {"access", "full"}};
  if (params.value("joinUrl", false)) {
    grant.join_code = new_token(16);
    const std::string base = control_.url();
    const bool tls = base.starts_with("wss://");
    result["joinUrl"] =
        (tls ? "https://" + base.substr(6) : "http://" + base.substr(5)) + "/j/" + grant.join_code;
  }
  pairing_.add_setup(std::move(grant));
  return Reply::success(std::move(result));
}

Reply Gateway::exec_approval_method(const std::string& method, const Json& params, const Respond& respond,
                                    bool& answered) {
  if (method == "exec.approval.list") return Reply::success(approvals_.list());
  if (method == "exec.approval.resolve") {
    switch (approvals_.resolve(string_at(params, "id"), string_at(params, "decision"))) {
      case ExecApprovals::Resolve::kDone:
        return Reply::success({{"ok", true}});
      case ExecApprovals::Resolve::kUnknown:
        return Reply::failure("INVALID_REQUEST", "unknown or expired approval id");
      case ExecApprovals::Resolve::kAlreadyResolved:
        return Reply::failure("INVALID_REQUEST", "approval already resolved");
      case ExecApprovals::Resolve::kInvalidDecision:
        return Reply::failure("INVALID_REQUEST", "invalid decision");
    }
  }
  const auto answer = [respond](const ApprovalRecord& record) {
    const bool expired = record.decision == "expired";
    respond(Reply::success({{"id", record.id},
                            {"decision", expired ? Json() : Json(*record.decision)},
                            {"createdAtMs", record.created_at_ms},
                            {"expiresAtMs", record.expires_at_ms}}));
  };
  if (method == "exec.approval.request") {
    Json request = params;
    request.erase("id");
    request.erase("timeoutMs");
    request.erase("twoPhase");
    const std::chrono::milliseconds lifetime(params.value("timeoutMs", settings_.approval_lifetime.count()));
    const bool two_phase = params.value("twoPhase", false);
    const ApprovalRecord& record = approvals_.request(std::move(request), lifetime, string_at(params, "id"),
                                                      two_phase ? ExecApprovals::OnDecision() : answer);
    answered = two_phase;
    return Reply::success({{"status", "accepted"},
                           {"id", record.id},
                           {"createdAtMs", record.created_at_ms},
                           {"expiresAtMs", record.expires_at_ms}});
  }
  if (method == "exec.approval.waitDecision") {
    answered = false;
    if (approvals_.wait(string_at(params, "id"), answer)) return {};
    answered = true;
    return Reply::failure("INVALID_REQUEST", "unknown or expired approval id");
  }
  return Reply::failure("INVALID_REQUEST", "unknown method: " + method);
}

void Gateway::shut_down(const Json& params) {
  const std::int64_t expected = params.value("restartExpectedMs", std::int64_t{1500});
  const std::int64_t down = params.value("downMs", std::int64_t{0});
  for (auto& [id, peer] : peers_) {
    if (!peer.connected) continue;
    send_event(peer, "shutdown",
               {{"reason", params.value("reason", "gateway restarting")}, {"restartExpectedMs", expected}},
               true);
    close_peer(peer, 1012, "service restart");
  }
  if (down <= 0) return;
  control_.pause_accepting();
  scheduler_.after(std::chrono::milliseconds(down), [this] { control_.resume_accepting(); });
}

// dev.fault {kind, ...}:
//   raw-text {nodeId, text}, raw-binary {nodeId, hex}, raw-bytes {nodeId, hex}: to the node, as they are
//   event {nodeId, event, payload}: an event frame
//   close {nodeId, code, reason}, drop {nodeId}
//   refuse-results {count, error?}, refuse-events {count, error?}: default PAIRING_CHANGED, retryable
//   drop-replies {method, count}, delay-replies {method, count, delayMs}
//   refuse-connects {count, as: startup-sidecars | rate-limited | pairing-in-flight, retryAfterMs?}
//     or {count, error, closeCode, closeReason}
//   challenge {as: none | blank-nonce | text-ts | no-payload}: the next challenge
//   http-refusal {status, body}: the next upgrade
//   mute-ticks {muted}: no tick events
Reply Gateway::on_fault(const Json& params) {
  const std::string kind = string_at(params, "kind");
  const int count = params.value("count", 1);
  Peer* peer = target_of(string_at(params, "nodeId"));
  const auto bytes = [&] {
    const auto decoded = from_hex(string_at(params, "hex"));
    return decoded ? std::string(decoded->begin(), decoded->end()) : std::string();
  };
  if (kind == "refuse-results" || kind == "refuse-events") {
    faults_.refusal = params.value("error", Json());
    (kind == "refuse-results" ? faults_.refuse_results : faults_.refuse_events) = count;
  } else if (kind == "drop-replies") {
    faults_.drop_replies[string_at(params, "method")] = count;
  } else if (kind == "delay-replies") {
    faults_.delay_replies[string_at(params, "method")] = {count, params.value("delayMs", std::int64_t{0})};
  } else if (kind == "refuse-connects") {
    Json fault = {{"error", params.value("error", Json())},
                  {"closeCode", params.value("closeCode", 1008)},
                  {"closeReason", params.value("closeReason", "")}};
    const std::string as = string_at(params, "as");
    if (as == "startup-sidecars") {
      fault = {{"error",
                {{"code", "UNAVAILABLE"},
                 {"message", "gateway starting; retry shortly"},
                 {"retryable", true},
                 {"retryAfterMs", params.value("retryAfterMs", 500)},
                 {"details", {{"reason", "startup-sidecars"}}}}},
               {"closeCode", 1013},
               {"closeReason", "gateway starting"}};
    } else if (as == "rate-limited") {
      fault = {{"error",
                {{"code", "INVALID_REQUEST"},
                 {"message", "unauthorized: too many failed authentication attempts (retry later)"},
                 {"retryable", true},
                 {"retryAfterMs", params.value("retryAfterMs", 299'600)},
                 {"details",
                  {{"code", "AUTH_RATE_LIMITED"},
                   {"authReason", "rate_limited"},
                   {"canRetryWithDeviceToken", false},
                   {"recommendedNextStep", "wait_then_retry"}}}}},
               {"closeCode", 1008},
               {"closeReason", "unauthorized: too many failed authentication attempts (retry later)"}};
    } else if (as == "pairing-in-flight") {
      fault = {{"error",
                {{"code", "NOT_PAIRED"},
                 {"message", "pairing required: device is not approved yet"},
                 {"retryable", true},
                 {"details",
                  {{"code", "PAIRING_REQUIRED"},
                   {"reason", "not-paired"},
                   {"requestId", new_uuid()},
                   {"recommendedNextStep", "wait_then_retry"},
                   {"pauseReconnect", false}}}}},
               {"closeCode", 1008},
               {"closeReason", "pairing required: device is not approved yet"}};
    }
    if (as == "metadata-upgrade") {
      const std::string message = "pairing required: device identity changed and must be re-approved";
      fault = {
          {"error",
           {{"code", "NOT_PAIRED"},
            {"message", message},
            {"details",
             {{"code", "PAIRING_REQUIRED"}, {"reason", "metadata-upgrade"}, {"requestId", new_uuid()}}}}},
          {"closeCode", 1008},
          {"closeReason", message}};
    }
    for (int i = 0; i < count; ++i) faults_.refuse_connects.push_back(fault);
  } else if (kind == "server-version") {
    settings_.server_version = string_at(params, "version");
  } else if (kind == "challenge") {
    for (int i = 0; i < count; ++i) faults_.challenges.push_back(string_at(params, "as"));
  } else if (kind == "mute-ticks") {
    faults_.mute_ticks = params.value("muted", true);
  } else if (kind == "http-refusal") {
    for (int i = 0; i < count; ++i) {
      faults_.http_refusals.push_back(
          {params.value("status", 503), "application/json", string_at(params, "body")});
    }
  } else if (!peer) {
    return unknown("fault, or its node is not connected");
  } else if (kind == "raw-text") {
    peer->connection->send_text(string_at(params, "text"));
  } else if (kind == "raw-binary") {
    peer->connection->send_binary(bytes());
  } else if (kind == "raw-bytes") {
    peer->connection->send_raw_bytes(bytes());
  } else if (kind == "event") {
    send_event(*peer, string_at(params, "event"), params.value("payload", Json()));
  } else if (kind == "close") {
    close_peer(*peer, params.value("code", std::uint16_t{1000}), string_at(params, "reason"));
  } else if (kind == "drop") {
    peer->connection->drop();
  } else {
    return unknown("fault");
  }
  return Reply::success();
}

}  // namespace hostclaw::devgateway
