// SPDX-License-Identifier: Apache-2.0
// From the TCP connection to hello-ok. Source: transport contract sections 1.2, 1.7 to 1.9, 2, 3 and 10.2.
#include <algorithm>

#include "base/text.h"
#include "tests/devgateway/device_verification.h"
#include "tests/devgateway/gateway.h"
#include "tests/devgateway/json_members.h"
#include "tests/devgateway/random_id.h"
#include "tests/devgateway/schema.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::size_t kMaxPreAuthBytes = 65'536;
constexpr std::int64_t kFailureWindowMs = 60'000;
constexpr std::int64_t kLockoutMs = 300'000;
constexpr std::size_t kMaxFailures = 10;

Json error_json(const std::string& code, const std::string& message, Json details) {
  return {{"code", code}, {"message", message}, {"details", std::move(details)}};
}

Json credential_error(const std::string& message, const std::string& code, const std::string& reason,
                      bool can_retry_with_device_token, const std::string& next) {
  return error_json("INVALID_REQUEST", "unauthorized: " + message,
                    {{"code", code},
                     {"authReason", reason},
                     {"canRetryWithDeviceToken", can_retry_with_device_token},
                     {"recommendedNextStep", next}});
}

std::set<std::string> string_set_at(const Json& object, const char* name) {
  std::set<std::string> out;
  const auto found = object.find(name);
  if (found == object.end()) return out;
  for (const Json& item : *found) out.insert(item.get<std::string>());
  return out;
}

bool proxied(const HttpRequest& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return header.first == "forwarded" || header.first.starts_with("x-forwarded-") ||
           header.first == "x-real-ip";
  });
}

}  // namespace

std::optional<HttpReply> Gateway::on_http(const HttpRequest& request) {
  const auto answered = [&](HttpReply reply) {
    journal_.add("http", {{"target", request.target}, {"status", reply.status}});
    return reply;
  };
  if (!request.upgrade) {
    if (request.method == "GET" && settings_.protocol >= 4 && request.target.starts_with("/j/")) {
      if (const auto object = pairing_.take_join(request.target.substr(3), wall_clock_ms())) {
        return answered({200, "application/json", dump_json(*object)});
      }
    }
    return answered({404, "application/json", R"({"error":"not_found"})"});
  }
  if (!faults_.http_refusals.empty()) {
    HttpReply reply = faults_.http_refusals.front();
    faults_.http_refusals.pop_front();
    return answered(std::move(reply));
  }
  if (settings_.protocol >= 4 && proxied(request)) {
    return answered(
        {403, "application/json",
         R"({"error":{"message":"forwarded request from an untrusted peer","type":"proxy_attribution_required"}})"});
  }
  return std::nullopt;
}

void Gateway::on_open(std::shared_ptr<Connection> connection) {
  const std::uint64_t id = connection->id();
  Peer& peer = peers_[id];
  peer.connection = std::move(connection);
  const HttpRequest& request = peer.connection->request();
  peer.local = peer.connection->loopback() && !proxied(request) && !settings_.loopback_is_remote;
  peer.nonce = new_uuid();
  peer.handshake_timer = scheduler_.after(settings_.handshake_timeout, [this, id] {
    Peer* waiting = find_peer(id);
    if (waiting && !waiting->connected) close_peer(*waiting, 1000, "");
  });
  Json headers = Json::object();
  for (const auto& [name, value] : request.headers) headers[name] = value;
  journal_.add("open", {{"connection", id},
                        {"target", request.target},
                        {"headers", std::move(headers)},
                        {"remote", request.remote_address},
                        {"tls", request.tls}});
  Json challenge = {{"nonce", peer.nonce}, {"ts", wall_clock_ms()}};
  if (settings_.protocol >= 4) challenge["capabilities"] = Json::array({"model-catalog-snapshot"});
  if (!faults_.challenges.empty()) {
    const std::string kind = faults_.challenges.front();
    faults_.challenges.pop_front();
    if (kind == "none") return;
    if (kind == "blank-nonce") challenge["nonce"] = "  ";
    if (kind == "text-ts") challenge["ts"] = "soon";
    if (kind == "no-payload") challenge = Json();
  }
  send_event(peer, "connect.challenge", challenge);
}

void Gateway::on_first_frame(Peer& peer, const std::string& text) {
  if (text.size() > kMaxPreAuthBytes) return close_peer(peer, 1009, "");
  const Result<Json> frame = parse_json(text);
  if (!frame) return close_peer(peer, 1000, "");
  if (check_request_frame(*frame, settings_.protocol)) return close_peer(peer, 1008, "invalid request frame");
  const std::string id = string_at(*frame, "id");
  if ((*frame)["method"] != "connect") {
    const std::string why = "invalid handshake: first request must be connect";
    return refuse(peer, id, {{"code", "INVALID_REQUEST"}, {"message", why}}, 1008, why);
  }
  const Json params = frame->value("params", Json::object());
  if (const SchemaProblem problem = check_connect_params(params, settings_.protocol)) {
    const std::string why = "invalid connect params: " + *problem;
    return refuse(peer, id, {{"code", "INVALID_REQUEST"}, {"message", why}}, 1008, why);
  }
  on_connect(peer, id, params);
}

void Gateway::refuse(Peer& peer, const std::string& id, Json error, std::uint16_t code,
                     const std::string& reason) {
  // On demand an error may have members of any type; the journal keeps what is text.
  const Json details = error.is_object() ? error.value("details", Json::object()) : Json::object();
  journal_.add("refused", {{"connection", peer.connection->id()},
                           {"nodeId", peer.node_id},
                           {"code", string_at(error, "code")},
                           {"message", string_at(error, "message")},
                           {"detailsCode", string_at(details, "code")},
                           {"reason", string_at(details, "reason")},
                           {"requestId", string_at(details, "requestId")},
                           {"retryable", error.contains("retryable") && error["retryable"] == true}});
  send(peer, {{"type", "res"}, {"id", id}, {"ok", false}, {"error", std::move(error)}});
  close_peer(peer, code, reason);
}

void Gateway::on_connect(Peer& peer, const std::string& id, const Json& params) {
  const Json& client = params["client"];
  peer.client_id = string_at(client, "id");
  peer.client_mode = string_at(client, "mode");
  peer.display_name = string_at(client, "displayName");
  peer.platform = string_at(client, "platform");
  peer.device_family = string_at(client, "deviceFamily");
  peer.version = string_at(client, "version");
  peer.role = params.value("role", std::string("operator"));
  peer.announced = {string_set_at(params, "caps"), string_set_at(params, "commands")};
  const bool headless = peer.client_id == "node-host" && peer.client_mode == "node";

  if (peer.connection->request().headers.contains("origin")) {
    return refuse(
        peer, id,
        error_json("INVALID_REQUEST", "origin not allowed", {{"code", "CONTROL_UI_ORIGIN_NOT_ALLOWED"}}),
        1008, "origin not allowed");
  }
  if (peer.role == "node" && !faults_.refuse_connects.empty()) {
    const Json fault = faults_.refuse_connects.front();
    faults_.refuse_connects.pop_front();
    return refuse(peer, id, fault["error"], fault.value("closeCode", std::uint16_t{1008}),
                  fault.value("closeReason", std::string()));
  }
  const std::int64_t lowest = params["minProtocol"].get<std::int64_t>();
  const std::int64_t highest = params["maxProtocol"].get<std::int64_t>();
  const bool legacy = settings_.protocol == 4 && headless && lowest <= 3 && highest == 3;
  if (!legacy && (settings_.protocol < lowest || settings_.protocol > highest)) {
    Json details = {{"expectedProtocol", settings_.protocol}};
    if (settings_.protocol >= 4) {
      details["code"] = "PROTOCOL_MISMATCH";
      details["clientMinProtocol"] = lowest;
      details["clientMaxProtocol"] = highest;
      details["minimumProbeProtocol"] = 3;
    }
    return refuse(peer, id, error_json("INVALID_REQUEST", "protocol mismatch", std::move(details)), 1002,
                  "protocol mismatch");
  }
  if (peer.role != "node" && peer.role != "operator") {
    return refuse(peer, id, {{"code", "INVALID_REQUEST"}, {"message", "invalid role"}}, 1008, "invalid role");
  }
  VerifiedDevice device;
  if (params.contains("device")) {
    if (const auto refusal = verify_device(params, peer.nonce, wall_clock_ms(), device)) {
      return refuse(peer, id,
                    error_json("INVALID_REQUEST", refusal->message,
                               {{"code", refusal->code}, {"reason", refusal->reason}}),
                    1008, refusal->message);
    }
  } else if (peer.role == "node") {
    return refuse(
        peer, id,
        error_json("NOT_PAIRED", "device identity required", {{"code", "DEVICE_IDENTITY_REQUIRED"}}), 1008,
        "device identity required");
  }
  peer.node_id = peer.role == "node" ? device.device_id : std::string();
  Credentials credentials = check_credentials(peer, params, device.device_id, peer.role);
  if (credentials.method.empty()) {
    const std::string reason = string_at(credentials.error, "message");
    return refuse(peer, id, std::move(credentials.error), 1008, reason);
  }
  if (peer.role == "node") {
    const DeviceFacts facts{
        device.device_id,  device.public_key, peer.platform,    peer.device_family,
        peer.display_name, peer.client_id,    peer.client_mode, peer.connection->request().remote_address,
        !peer.local};
    if (!check_pairing(peer, id, facts, credentials)) return;
    open_surface(peer, credentials);
  }
  peer.auth_method = credentials.method;
  say_hello(peer, id, credentials);
}

void Gateway::count_failure(const std::string& remote) {
  Failures& failures = failures_[remote];
  const std::int64_t now = wall_clock_ms();
  failures.times.push_back(now);
  while (!failures.times.empty() && failures.times.front() < now - kFailureWindowMs)
    failures.times.pop_front();
  if (failures.times.size() >= kMaxFailures) failures.locked_until_ms = now + kLockoutMs;
}

Gateway::Credentials Gateway::check_credentials(const Peer& peer, const Json& params,
                                                const std::string& device_id, const std::string& role) {
  const Json auth = params.value("auth", Json::object());
  const std::string token(trim(string_at(auth, "token")));
  const std::string password(trim(string_at(auth, "password")));
  const std::string device_token(trim(string_at(auth, "deviceToken")));
  const std::string bootstrap(trim(string_at(auth, "bootstrapToken")));
  const std::string& remote = peer.connection->request().remote_address;

  const std::int64_t locked_for = failures_[remote].locked_until_ms - wall_clock_ms();
  if (!peer.local && locked_for > 0) {
    Json error = credential_error("too many failed authentication attempts (retry later)",
                                  "AUTH_RATE_LIMITED", "rate_limited", false, "wait_then_retry");
    error["retryable"] = true;
    error["retryAfterMs"] = locked_for;
    return {"", std::move(error), nullptr};
  }
  const auto refused = [&](Json error) {
    if (!peer.local) count_failure(remote);
    return Credentials{"", std::move(error), nullptr};
  };
  if (!bootstrap.empty()) {
    SetupGrant* setup = settings_.protocol >= 4 ? pairing_.usable_setup(bootstrap, wall_clock_ms()) : nullptr;
    if (!setup || peer.client_id != "node-host" || role != "node") {
      return refused(credential_error("bootstrap token invalid or expired", "AUTH_BOOTSTRAP_TOKEN_INVALID",
                                      "bootstrap_token_invalid", false, "review_auth_configuration"));
    }
    return {"bootstrap-token", Json(), setup};
  }
  const auto is_shared = [&](const std::string& secret) {
    return !secret.empty() && !settings_.shared_token.empty() &&
           equal_constant_time(secret, settings_.shared_token);
  };
  if (is_shared(token) || (settings_.protocol >= 4 && is_shared(password))) return {"token", Json(), nullptr};
  if (!password.empty() && !settings_.password.empty() && equal_constant_time(password, settings_.password)) {
    return {"password", Json(), nullptr};
  }
  if (!device_id.empty() &&
      (pairing_.token_valid(device_id, role, device_token) || pairing_.token_valid(device_id, role, token))) {
    return {"device-token", Json(), nullptr};
  }
  if (!device_token.empty()) {
    return refused(credential_error("device token mismatch (rotate/reissue device token)",
                                    "AUTH_DEVICE_TOKEN_MISMATCH", "device_token_mismatch", false,
                                    "update_auth_credentials"));
  }
  const bool password_mode = !settings_.password.empty() && settings_.shared_token.empty();
  if (password_mode) {
    const bool missing = password.empty();
    return refused(credential_error(missing ? "gateway password missing" : "gateway password mismatch",
                                    missing ? "AUTH_PASSWORD_MISSING" : "AUTH_PASSWORD_MISMATCH",
                                    missing ? "password_missing" : "password_mismatch", false,
                                    missing ? "update_auth_configuration" : "update_auth_credentials"));
  }
  if (token.empty() && password.empty()) {
    return refused(credential_error("gateway token missing (provide gateway auth token)",
                                    "AUTH_TOKEN_MISSING", "token_missing", false,
                                    "update_auth_configuration"));
  }
  const bool can_retry = !token.empty();
  return refused(credential_error("gateway token mismatch (provide gateway auth token)",
                                  "AUTH_TOKEN_MISMATCH", "token_mismatch", can_retry,
                                  can_retry ? "retry_with_device_token" : "update_auth_credentials"));
}

bool Gateway::check_pairing(Peer& peer, const std::string& id, const DeviceFacts& facts,
                            Credentials& credentials) {
  const std::int64_t now = wall_clock_ms();
  const std::optional<std::string> obstacle = pairing_.obstacle(facts, "node");
  if (credentials.setup) {
    credentials.setup->used = true;
    pairing_.pair_device(facts, "node", now);
    return true;
  }
  if (!obstacle) return true;
  const PendingDevice* pending = pairing_.pending_of_device(facts.device_id, now);
  const bool silent = peer.local && settings_.pair_loopback_silently && !(pending && pending->from_remote);
  if (settings_.auto_approve || (*obstacle == "not-paired" && silent)) {
    pairing_.pair_device(facts, "node", now);
    return true;
  }
  const bool is_new = pending == nullptr;
  const PendingDevice& request = pairing_.request_device(facts, "node", *obstacle, now);
  if (is_new) {
    broadcast("device.pair.requested", {{"requestId", request.request_id},
                                        {"deviceId", facts.device_id},
                                        {"displayName", facts.display_name},
                                        {"role", "node"},
                                        {"reason", *obstacle},
                                        {"ts", now}});
  }
  const std::string what = *obstacle == "not-paired" ? "device is not approved yet"
                           : *obstacle == "role-upgrade"
                               ? "device is asking for a role that is not approved"
                               : "device identity details changed and must be approved again";
  const std::string message = "pairing required: " + what;
  Json details = {{"code", "PAIRING_REQUIRED"},
                  {"reason", *obstacle},
                  {"requestId", request.request_id},
                  {"remediationHint",
                   "Review the request and approve it: openclaw devices approve " + request.request_id},
                  {"deviceId", facts.device_id},
                  {"requestedRole", "node"}};
  if (settings_.protocol < 4) details["requestedScopes"] = Json::array();
  if (*obstacle == "role-upgrade") {
    const Device* device = pairing_.find_device(facts.device_id);
    details["approvedRoles"] = device ? Json(device->roles) : Json::array();
  }
  refuse(peer, id, error_json("NOT_PAIRED", message, std::move(details)), 1008,
         message + " (requestId: " + request.request_id + ")");
  return false;
}

std::set<std::string> Gateway::ceiling_of(const Peer& peer) const {
  if (settings_.family_required && peer.device_family.empty()) return {};
  std::set<std::string> ceiling = command_ceiling(settings_.protocol, peer.platform, peer.device_family);
  for (const std::string& denied : settings_.denied_commands) ceiling.erase(denied);
  return ceiling;
}

void Gateway::open_surface(Peer& peer, const Credentials& credentials) {
  NodeRecord& record = pairing_.node(peer.node_id);
  if (record.display_name.empty()) record.display_name = peer.display_name;
  const std::set<std::string> ceiling = ceiling_of(peer);
  Surface offered = peer.announced;
  std::erase_if(offered.commands, [&](const std::string& command) { return !ceiling.contains(command); });
  if (credentials.setup || settings_.auto_approve) {
    record.approved = offered;
    record.pending.reset();
    return;
  }
  if (record.approved && record.approved->covers(offered)) return;
  const std::string before = record.pending ? record.pending->request_id : std::string();
  const std::string request_id = pairing_.request_surface(peer.node_id, offered, wall_clock_ms());
  if (request_id == before) return;
  Json announcement = offered.to_json();
  announcement["requestId"] = request_id;
  announcement["nodeId"] = peer.node_id;
  announcement["displayName"] = peer.display_name;
  announcement["platform"] = peer.platform;
  announcement["ts"] = wall_clock_ms();
  broadcast("node.pair.requested", announcement);
}

Surface Gateway::effective_surface(const Peer& peer) {
  Surface out = peer.announced;
  const std::set<std::string> ceiling = ceiling_of(peer);
  const NodeRecord* record = pairing_.find_node(peer.node_id);
  const bool gated = settings_.protocol >= 4;
  std::erase_if(out.commands, [&](const std::string& command) {
    if (!ceiling.contains(command)) return true;
    return gated && !(record && record->approved && record->approved->commands.contains(command));
  });
  return out;
}

Json Gateway::hello_payload(const Peer& peer, const Credentials& credentials) {
  const bool modern = settings_.protocol >= 4;
  Json auth = {{"role", peer.role},
               {"scopes", peer.role == "node" ? Json::array() : Json::array({"operator.admin"})}};
  if (modern) auth["method"] = credentials.method;
  if (const Device* device = pairing_.find_device(peer.node_id); device && device->tokens.contains("node")) {
    auth["deviceToken"] = device->tokens.at("node");
    auth["issuedAtMs"] = device->paired_at_ms;
  }
  Json hello = {{"type", "hello-ok"},
                {"protocol", settings_.protocol},
                {"server", {{"version", settings_.server_version}, {"connId", new_uuid()}}},
                {"features",
                 {{"methods", {"health", "node.list", "node.invoke", "exec.approval.list"}},
                  {"events", {"tick", "health", "shutdown", "node.invoke.request"}}}},
                {"snapshot",
                 {{"presence", Json::array()},
                  {"health", {{"ok", true}}},
                  {"stateVersion", {{"presence", 1}, {"health", 1}}},
                  {"uptimeMs", 1},
                  {"sessionDefaults", Json::object()}}},
                {"auth", std::move(auth)},
                {"policy",
                 {{"maxPayload", settings_.max_payload},
                  {"maxBufferedBytes", settings_.max_payload * 2},
                  {"tickIntervalMs", settings_.tick_interval.count()}}}};
  if (modern && !settings_.family_required) {
    for (const char* method : {"node.skills.update", "node.pluginTools.update"})
      hello["features"]["methods"].push_back(method);
  }
  if (modern) {
    hello["features"]["capabilities"] = {"node-worker-portal-stream-v1", "model-catalog-snapshot"};
    hello["server"]["bootId"] = new_uuid();
  } else {
    hello["canvasHostUrl"] = "http://127.0.0.1/__openclaw__/canvas/";
  }
  return hello;
}

void Gateway::say_hello(Peer& peer, const std::string& id, const Credentials& credentials) {
  peer.connected = true;
  peer.connected_at_ms = wall_clock_ms();
  scheduler_.cancel(peer.handshake_timer);
  if (peer.role == "node") take_over(peer);
  respond_to(peer, id, "connect", Reply::success(hello_payload(peer, credentials)));
  const NodeRecord* record = pairing_.find_node(peer.node_id);
  journal_.add(
      peer.role == "node" ? "connected" : "operator-connected",
      {{"connection", peer.connection->id()},
       {"nodeId", peer.node_id},
       {"role", peer.role},
       {"authMethod", credentials.method},
       {"displayName", peer.display_name},
       {"surfaceRequestId", record && record->pending ? record->pending->request_id : std::string()}});
  start_liveness(peer);
}

void Gateway::take_over(Peer& peer) {
  for (auto& [id, other] : peers_) {
    if (id != peer.connection->id() && other.connected && other.node_id == peer.node_id)
      other.replaced = true;
  }
}

void Gateway::start_liveness(Peer& peer) {
  const std::uint64_t id = peer.connection->id();
  send_event(peer, "health", {{"ok", true}, {"ts", wall_clock_ms()}}, true);
  schedule_tick(id);
  if (settings_.protocol >= 4 && settings_.ping_interval.count() > 0) schedule_ping(id);
}

void Gateway::schedule_tick(std::uint64_t connection_id) {
  Peer* peer = find_peer(connection_id);
  if (!peer || settings_.tick_interval.count() <= 0) return;
  peer->tick_timer = scheduler_.after(settings_.tick_interval, [this, connection_id] {
    Peer* ticking = find_peer(connection_id);
    if (!ticking) return;
    if (!faults_.mute_ticks) send_event(*ticking, "tick", {{"ts", wall_clock_ms()}}, true);
    schedule_tick(connection_id);
  });
}

void Gateway::schedule_ping(std::uint64_t connection_id) {
  Peer* peer = find_peer(connection_id);
  if (!peer) return;
  peer->ping_timer = scheduler_.after(settings_.ping_interval, [this, connection_id] {
    Peer* pinged = find_peer(connection_id);
    if (!pinged) return;
    if (!pinged->pong_seen) {
      pinged->dropped_silent = true;
      return pinged->connection->drop();
    }
    pinged->pong_seen = false;
    pinged->connection->ping("");
    schedule_ping(connection_id);
  });
}

}  // namespace hostclaw::devgateway
