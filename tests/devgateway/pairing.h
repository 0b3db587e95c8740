// SPDX-License-Identifier: Apache-2.0
// Who may connect and what a node may offer: devices, their tokens, command surfaces, setup codes.
// In memory; time comes from the caller. Source: transport contract sections 2.10, 3.2, 4 and 7.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace hostclaw::devgateway {

struct Surface {
  std::set<std::string> caps;
  std::set<std::string> commands;
  bool covers(const Surface& other) const;
  Json to_json() const;
  friend bool operator==(const Surface&, const Surface&) = default;
};

// What a device says about itself when it connects.
struct DeviceFacts {
  std::string device_id;
  std::string public_key;
  std::string platform;
  std::string device_family;
  std::string display_name;
  std::string client_id;
  std::string client_mode;
  std::string remote_ip;
  bool remote = false;
};

struct Device {
  DeviceFacts facts;
  std::set<std::string> roles;
  std::map<std::string, std::string> tokens;  // by role
  std::int64_t paired_at_ms = 0;
};

struct PendingDevice {
  std::string request_id;
  DeviceFacts facts;
  std::string role;
  std::string reason;
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;
  bool from_remote = false;  // ever asked from a remote address: never approved silently
};

struct PendingSurface {
  std::string request_id;
  Surface surface;
  std::int64_t created_at_ms = 0;
};

struct NodeRecord {
  std::string display_name;
  std::optional<Surface> approved;
  std::optional<PendingSurface> pending;
};

struct SetupGrant {
  std::string setup_id;
  std::string bootstrap_token;
  std::int64_t expires_at_ms = 0;
  bool used = false;
  std::string join_code;  // empty: no join URL
  bool join_used = false;
  Json object;  // what the code encodes
};

class PairingStore {
 public:
  PairingStore(int protocol, std::int64_t pairing_expiry_ms)
      : protocol_(protocol), expiry_ms_(pairing_expiry_ms) {}

  // Nothing when the device may connect with this role; otherwise not-paired, role-upgrade or
  // metadata-upgrade.
  std::optional<std::string> obstacle(const DeviceFacts& facts, const std::string& role) const;
  // Creates or refreshes the pending request of this device; the id stays while it lives.
  const PendingDevice& request_device(const DeviceFacts& facts, const std::string& role,
                                      const std::string& reason, std::int64_t now_ms);
  const PendingDevice* pending_of_device(const std::string& device_id, std::int64_t now_ms);
  void pair_device(const DeviceFacts& facts, const std::string& role, std::int64_t now_ms);
  std::optional<PendingDevice> take_pending_device(const std::string& request_id, std::int64_t now_ms);
  Device* find_device(const std::string& device_id);
  bool remove_device(const std::string& device_id);
  // Empty when the device has no such role.
  std::string rotate_token(const std::string& device_id, const std::string& role);
  bool revoke_token(const std::string& device_id, const std::string& role);
  bool token_valid(const std::string& device_id, const std::string& role, const std::string& token) const;
  Json device_list(std::int64_t now_ms);

  NodeRecord& node(const std::string& node_id) { return nodes_[node_id]; }
  NodeRecord* find_node(const std::string& node_id);
  // Opens (or keeps) the pending request for this surface. Returns its id.
  std::string request_surface(const std::string& node_id, const Surface& surface, std::int64_t now_ms);
  // Node id, or nothing when there is no such request.
  std::optional<std::string> resolve_surface(const std::string& request_id, bool approve);
  bool remove_node(const std::string& node_id) { return nodes_.erase(node_id) > 0; }
  Json node_pair_list() const;

  SetupGrant& add_setup(SetupGrant grant);
  // The grant when the token can be used now.
  SetupGrant* usable_setup(const std::string& bootstrap_token, std::int64_t now_ms);
  // The object behind a join code, once.
  std::optional<Json> take_join(const std::string& code, std::int64_t now_ms);

 private:
  void expire(std::int64_t now_ms);
  bool same_metadata(const DeviceFacts& pinned, const DeviceFacts& now) const;

  int protocol_;
  std::int64_t expiry_ms_;
  std::map<std::string, Device> devices_;
  std::map<std::string, PendingDevice> pending_devices_;  // by device id
  std::map<std::string, NodeRecord> nodes_;
  std::vector<SetupGrant> setups_;
};

// The commands that the default policy lets through for this platform; nothing for an unknown one.
std::set<std::string> command_ceiling(int protocol, const std::string& platform,
                                      const std::string& device_family);

}  // namespace hostclaw::devgateway
