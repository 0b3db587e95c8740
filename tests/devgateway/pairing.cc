// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/pairing.h"

#include <algorithm>

#include "base/text.h"
#include "tests/devgateway/random_id.h"

namespace hostclaw::devgateway {
namespace {

struct Platform {
  std::string name;
  std::string family;
};

// How the protocol 4 gateway rewrites what a headless node announces before it compares and classifies.
Platform normalized_platform(const DeviceFacts& facts) {
  Platform out{to_lower_ascii(trim(facts.platform)), to_lower_ascii(trim(facts.device_family))};
  if (facts.client_id != "node-host" || facts.client_mode != "node") return out;
  if (out.name == "win32") out.name = "windows";
  if (out.name == "darwin") out.name = "macos";
  if (out.family.empty()) {
    if (out.name == "windows") out.family = "windows";
    if (out.name == "macos") out.family = "mac";
    if (out.name == "linux") out.family = "linux";
  }
  return out;
}

Json facts_json(const DeviceFacts& facts) {
  Json out = {{"deviceId", facts.device_id},     {"publicKey", facts.public_key},
              {"platform", facts.platform},      {"clientId", facts.client_id},
              {"clientMode", facts.client_mode}, {"remoteIp", facts.remote_ip}};
  if (!facts.display_name.empty()) out["displayName"] = facts.display_name;
  if (!facts.device_family.empty()) out["deviceFamily"] = facts.device_family;
  return out;
}

}  // namespace

bool Surface::covers(const Surface& other) const {
  return std::includes(commands.begin(), commands.end(), other.commands.begin(), other.commands.end()) &&
         std::includes(caps.begin(), caps.end(), other.caps.begin(), other.caps.end());
}

Json Surface::to_json() const { return {{"caps", caps}, {"commands", commands}}; }

bool PairingStore::same_metadata(const DeviceFacts& pinned, const DeviceFacts& now) const {
  if (protocol_ >= 4) {
    const Platform before = normalized_platform(pinned);
    const Platform after = normalized_platform(now);
    return before.name == after.name && before.family == after.family;
  }
  if (to_lower_ascii(pinned.platform) != to_lower_ascii(now.platform)) return false;
  return pinned.device_family.empty() ||
         to_lower_ascii(pinned.device_family) == to_lower_ascii(now.device_family);
}

std::optional<std::string> PairingStore::obstacle(const DeviceFacts& facts, const std::string& role) const {
  const auto found = devices_.find(facts.device_id);
  if (found == devices_.end()) return "not-paired";
  if (!found->second.roles.contains(role)) return "role-upgrade";
  if (!same_metadata(found->second.facts, facts)) return "metadata-upgrade";
  return std::nullopt;
}

void PairingStore::expire(std::int64_t now_ms) {
  std::erase_if(pending_devices_, [&](const auto& entry) { return entry.second.expires_at_ms <= now_ms; });
}

const PendingDevice& PairingStore::request_device(const DeviceFacts& facts, const std::string& role,
                                                  const std::string& reason, std::int64_t now_ms) {
  expire(now_ms);
  PendingDevice& pending = pending_devices_[facts.device_id];
  if (pending.request_id.empty()) {
    pending.request_id = new_uuid();
    pending.created_at_ms = now_ms;
  }
  pending.facts = facts;
  pending.role = role;
  pending.reason = reason;
  pending.from_remote = pending.from_remote || facts.remote;
  pending.expires_at_ms = now_ms + expiry_ms_;
  return pending;
}

const PendingDevice* PairingStore::pending_of_device(const std::string& device_id, std::int64_t now_ms) {
  expire(now_ms);
  const auto found = pending_devices_.find(device_id);
  return found == pending_devices_.end() ? nullptr : &found->second;
}

void PairingStore::pair_device(const DeviceFacts& facts, const std::string& role, std::int64_t now_ms) {
  Device& device = devices_[facts.device_id];
  const std::string first_name = device.facts.display_name;
  device.facts = facts;
  if (!first_name.empty()) device.facts.display_name = first_name;
  device.roles.insert(role);
  if (device.tokens[role].empty()) device.tokens[role] = new_token();
  device.paired_at_ms = now_ms;
  pending_devices_.erase(facts.device_id);
}

std::optional<PendingDevice> PairingStore::take_pending_device(const std::string& request_id,
                                                               std::int64_t now_ms) {
  expire(now_ms);
  for (auto it = pending_devices_.begin(); it != pending_devices_.end(); ++it) {
    if (it->second.request_id != request_id) continue;
    PendingDevice out = std::move(it->second);
    pending_devices_.erase(it);
    return out;
  }
  return std::nullopt;
}

Device* PairingStore::find_device(const std::string& device_id) {
  const auto found = devices_.find(device_id);
  return found == devices_.end() ? nullptr : &found->second;
}

bool PairingStore::remove_device(const std::string& device_id) {
  nodes_.erase(device_id);
  return devices_.erase(device_id) > 0;
}

std::string PairingStore::rotate_token(const std::string& device_id, const std::string& role) {
  Device* device = find_device(device_id);
  if (!device || !device->roles.contains(role)) return {};
  return device->tokens[role] = new_token();
}

bool PairingStore::revoke_token(const std::string& device_id, const std::string& role) {
  Device* device = find_device(device_id);
  if (!device || device->roles.erase(role) == 0) return false;
  device->tokens.erase(role);
  return true;
}

bool PairingStore::token_valid(const std::string& device_id, const std::string& role,
                               const std::string& token) const {
  const auto device = devices_.find(device_id);
  if (device == devices_.end() || token.empty()) return false;
  const auto stored = device->second.tokens.find(role);
  return stored != device->second.tokens.end() && equal_constant_time(stored->second, token);
}

Json PairingStore::device_list(std::int64_t now_ms) {
  expire(now_ms);
  Json pending = Json::array();
  for (const auto& [id, request] : pending_devices_) {
    Json entry = facts_json(request.facts);
    entry["requestId"] = request.request_id;
    entry["role"] = request.role;
    entry["roles"] = Json::array({request.role});
    entry["scopes"] = Json::array();
    entry["reason"] = request.reason;
    entry["ts"] = request.created_at_ms;
    entry["expiresAtMs"] = request.expires_at_ms;
    pending.push_back(std::move(entry));
  }
  Json paired = Json::array();
  for (const auto& [id, device] : devices_) {
    Json entry = facts_json(device.facts);
    entry["roles"] = device.roles;
    entry["scopes"] = Json::array();
    entry["approvedAtMs"] = device.paired_at_ms;
    Json tokens = Json::array();
    for (const auto& [role, secret] : device.tokens)
      tokens.push_back({{"role", role}, {"scopes", Json::array()}});
    entry["tokens"] = std::move(tokens);
    paired.push_back(std::move(entry));
  }
  return {{"pending", std::move(pending)}, {"paired", std::move(paired)}};
}

NodeRecord* PairingStore::find_node(const std::string& node_id) {
  const auto found = nodes_.find(node_id);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::string PairingStore::request_surface(const std::string& node_id, const Surface& surface,
                                          std::int64_t now_ms) {
  NodeRecord& record = nodes_[node_id];
  if (record.pending && record.pending->surface == surface) return record.pending->request_id;
  record.pending = PendingSurface{new_uuid(), surface, now_ms};
  return record.pending->request_id;
}

std::optional<std::string> PairingStore::resolve_surface(const std::string& request_id, bool approve) {
  for (auto& [node_id, record] : nodes_) {
    if (!record.pending || record.pending->request_id != request_id) continue;
    if (approve) record.approved = record.pending->surface;
    record.pending.reset();
    return node_id;
  }
  return std::nullopt;
}

Json PairingStore::node_pair_list() const {
  Json pending = Json::array();
  Json paired = Json::array();
  for (const auto& [node_id, record] : nodes_) {
    if (record.pending) {
      Json entry = record.pending->surface.to_json();
      entry["requestId"] = record.pending->request_id;
      entry["nodeId"] = node_id;
      entry["displayName"] = record.display_name;
      entry["ts"] = record.pending->created_at_ms;
      pending.push_back(std::move(entry));
    }
    if (record.approved) {
      Json entry = record.approved->to_json();
      entry["nodeId"] = node_id;
      entry["displayName"] = record.display_name;
      paired.push_back(std::move(entry));
    }
  }
  return {{"pending", std::move(pending)}, {"paired", std::move(paired)}};
}

SetupGrant& PairingStore::add_setup(SetupGrant grant) {
  setups_.push_back(std::move(grant));
  return setups_.back();
}

SetupGrant* PairingStore::usable_setup(const std::string& bootstrap_token, std::int64_t now_ms) {
  for (SetupGrant& grant : setups_) {
    if (grant.used || grant.expires_at_ms <= now_ms) continue;
    if (equal_constant_time(grant.bootstrap_token, bootstrap_token)) return &grant;
  }
  return nullptr;
}

std::optional<Json> PairingStore::take_join(const std::string& code, std::int64_t now_ms) {
  for (SetupGrant& grant : setups_) {
    if (grant.join_code.empty() || grant.join_used || grant.expires_at_ms <= now_ms) continue;
    if (!equal_constant_time(grant.join_code, code)) continue;
    grant.join_used = true;
    return grant.object;
  }
  return std::nullopt;
}

std::set<std::string> command_ceiling(int protocol, const std::string& platform,
                                      const std::string& device_family) {
  if (protocol < 4) {
    const std::string name = to_lower_ascii(platform);
    if (!name.starts_with("linux") && !name.starts_with("win") && !name.starts_with("mac") &&
        !name.starts_with("darwin")) {
      return {};
    }
    return {"system.run.prepare", "system.run", "system.which", "system.notify", "browser.proxy"};
  }
  static const std::map<std::string, std::string> kFamilies = {
      {"linux", "linux"}, {"win32", "windows"}, {"windows", "windows"}, {"darwin", "mac"}, {"macos", "mac"}};
  const auto family = kFamilies.find(platform);  // exact, lower case only
  if (family == kFamilies.end()) return {};
  if (!device_family.empty() && to_lower_ascii(device_family) != family->second) return {};
  return {"system.run",
          "system.run.prepare",
          "system.which",
          "system.execApprovals.get",
          "system.execApprovals.set",
          "system.notify",
          "fs.listDir",
          "terminal.upload",
          "browser.proxy",
          "browser.proxy.upload.v1",
          "mcp.tools.call.v1",
          "agent.cli.claude.run.v1",
          "screen.snapshot",
          "desktop.stream",
          "computer.act"};
}

}  // namespace hostclaw::devgateway
