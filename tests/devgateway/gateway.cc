// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/gateway.h"

#include "tests/devgateway/json_members.h"
#include "tests/devgateway/schema.h"

namespace hostclaw::devgateway {
namespace {

constexpr std::size_t kMaxJournalledFrame = 1U << 20;

}  // namespace

Gateway::Gateway(GatewaySettings settings, Scheduler& scheduler, Journal& journal, ServerControl control)
    : settings_(std::move(settings)),
      scheduler_(scheduler),
      journal_(journal),
      control_(std::move(control)),
      pairing_(settings_.protocol, settings_.pairing_expiry.count()),
      approvals_(scheduler, journal,
                 [this](const std::string& event, const Json& payload) { broadcast(event, payload); }) {
  if (settings_.server_version.empty())
    settings_.server_version = settings_.protocol >= 4 ? "2026.9.6" : "2026.4.20";
}

Gateway::~Gateway() = default;

void Gateway::on_text(Connection& connection, std::string text) {
  Peer* peer = find_peer(connection.id());
  if (!peer || peer->closing) return;
  if (peer->connected && text.size() > static_cast<std::size_t>(settings_.max_payload)) {
    journal_.add("frame", {{"connection", connection.id()}, {"size", text.size()}, {"text", false}});
    return close_peer(*peer, 1009, "");
  }
  const Result<Json> parsed = parse_json(text, {static_cast<std::size_t>(settings_.max_payload), 128});
  Json record = {{"connection", connection.id()}, {"size", text.size()}, {"text", parsed.has_value()}};
  if (parsed && text.size() <= kMaxJournalledFrame) record["frame"] = *parsed;
  journal_.add("frame", std::move(record));
  if (!peer->connected) return on_first_frame(*peer, text);
  if (!parsed) return;  // text that is not JSON is dropped without a reply
  const Json& frame = *parsed;
  if (const SchemaProblem problem = check_request_frame(frame, settings_.protocol)) {
    const Json id = frame.is_object() ? frame.value("id", Json("")) : Json("");
    return respond_to(*peer, id.is_string() ? id.get<std::string>() : std::string(), "",
                      Reply::failure("INVALID_REQUEST", "invalid request frame: " + *problem));
  }
  const std::string id = string_at(frame, "id");
  const std::string method = string_at(frame, "method");
  const Json params = frame.value("params", Json::object());
  if (peer->role == "node") return on_node_request(*peer, id, method, params);
  const std::uint64_t connection_id = connection.id();
  call(method, params, [this, connection_id, id, method](Reply reply) {
    if (Peer* caller = find_peer(connection_id)) respond_to(*caller, id, method, std::move(reply));
  });
}

void Gateway::on_pong(Connection& connection, std::string payload) {
  Peer* peer = find_peer(connection.id());
  if (!peer) return;
  peer->pong_seen = true;
  journal_.add("pong", {{"connection", connection.id()}, {"payload", std::move(payload)}});
}

void Gateway::on_closed(Connection& connection, std::uint16_t code, std::string reason) {
  const auto found = peers_.find(connection.id());
  if (found == peers_.end()) return;
  Peer peer = std::move(found->second);
  peers_.erase(found);
  scheduler_.cancel(peer.handshake_timer);
  scheduler_.cancel(peer.ping_timer);
  scheduler_.cancel(peer.tick_timer);
  lose_invokes(connection.id());
  const bool of_operator = peer.connected && peer.role != "node";
  journal_.add(of_operator ? "operator-closed" : "closed", {{"connection", connection.id()},
                                                            {"nodeId", peer.node_id},
                                                            {"code", code},
                                                            {"reason", reason},
                                                            {"afterHello", peer.connected},
                                                            {"silent", peer.dropped_silent}});
}

void Gateway::on_handshake_failed(const std::string& why) {
  journal_.add("handshake-failed", {{"why", why}});
}

void Gateway::send(Peer& peer, const Json& frame) { peer.connection->send_text(dump_json(frame)); }

void Gateway::send_event(Peer& peer, const std::string& event, const Json& payload, bool with_sequence) {
  Json frame = {{"type", "event"}, {"event", event}};
  if (!payload.is_null()) frame["payload"] = payload;
  if (with_sequence) frame["seq"] = ++peer.sequence;
  send(peer, frame);
}

void Gateway::respond_to(Peer& peer, const std::string& id, const std::string& method, Reply reply) {
  if (int& budget = faults_.drop_replies[method]; budget > 0) {
    --budget;
    return;
  }
  Json frame = {{"type", "res"}, {"id", id}, {"ok", reply.ok}};
  if (reply.ok) {
    frame["payload"] = std::move(reply.payload);
  } else {
    frame["error"] = std::move(reply.error);
  }
  if (peer.role == "node") journal_.add("sent", {{"connection", peer.connection->id()}, {"frame", frame}});
  Faults::Delay& delay = faults_.delay_replies[method];
  if (delay.count <= 0) return send(peer, frame);
  --delay.count;
  const std::uint64_t connection_id = peer.connection->id();
  scheduler_.after(std::chrono::milliseconds(delay.delay_ms),
                   [this, connection_id, frame = std::move(frame)] {
                     if (Peer* later = find_peer(connection_id)) send(*later, frame);
                   });
}

void Gateway::broadcast(const std::string& event, const Json& payload) {
  for (auto& [id, peer] : peers_) {
    if (peer.connected && peer.role == "operator") send_event(peer, event, payload, true);
  }
}

Peer* Gateway::find_peer(std::uint64_t connection_id) {
  const auto found = peers_.find(connection_id);
  return found == peers_.end() ? nullptr : &found->second;
}

Peer* Gateway::target_of(const std::string& node_id) {
  for (auto& [id, peer] : peers_) {
    if (peer.connected && !peer.closing && !peer.replaced && peer.role == "node" && peer.node_id == node_id) {
      return &peer;
    }
  }
  return nullptr;
}

const Peer* Gateway::node_peer(const std::string& node_id) { return target_of(node_id); }

bool Gateway::node_offers(const std::string& node_id, const std::string& command) {
  const Peer* peer = target_of(node_id);
  return peer && effective_surface(*peer).commands.contains(command);
}

void Gateway::close_peer(Peer& peer, std::uint16_t code, const std::string& reason) {
  if (peer.closing) return;
  peer.closing = true;
  peer.connection->close(code, reason);
}

}  // namespace hostclaw::devgateway
