// SPDX-License-Identifier: Apache-2.0
#include "node-host/app/node_config.h"

#include <chrono>

#include "base/clock.h"
#include "base/text.h"
#include "node-host/loop/uuid.h"
#include "node-host/record/audit_signing.h"

namespace hostclaw::node_host {
namespace {

constexpr const char* kSettingKey = "nodeHost.config";

Error invalid_settings(const std::string& what) {
  return make_error("CONFIG_INVALID", "stored node settings: " + what);
}

Result<gateway_proto::GatewayEndpoint> endpoint_from(const Json& json) {
  gateway_proto::GatewayEndpoint endpoint;
  if (!json.is_object()) return invalid_settings("gateway is not an object");
  if (const auto it = json.find("host"); it != json.end()) {
    if (!it->is_string()) return invalid_settings("gateway.host is not a string");
    auto host = gateway_proto::normalize_host(it->get_ref<const std::string&>());
    if (!host) return invalid_settings("gateway.host: " + host.error().message);
    endpoint.host = *host;
  }
  if (const auto it = json.find("port"); it != json.end()) {
    if (!it->is_number_integer() || it->get<std::int64_t>() < 1 || it->get<std::int64_t>() > 65535) {
      return invalid_settings("gateway.port is not a port");
    }
    endpoint.port = it->get<std::uint16_t>();
  }
  if (const auto it = json.find("tls"); it != json.end()) {
    if (!it->is_boolean()) return invalid_settings("gateway.tls is not a boolean");
    endpoint.tls = it->get<bool>();
  }
  if (const auto it = json.find("tlsFingerprint"); it != json.end() && it->is_string()) {
    auto pin = gateway_proto::normalize_fingerprint(it->get_ref<const std::string&>());
    if (!pin) return invalid_settings("gateway.tlsFingerprint: " + pin.error().message);
    endpoint.tls_fingerprint = *pin;
  }
  if (const auto it = json.find("contextPath"); it != json.end() && it->is_string()) {
    auto path = gateway_proto::normalize_context_path(it->get_ref<const std::string&>());
    if (!path) return invalid_settings("gateway.contextPath: " + path.error().message);
    endpoint.context_path = *path;
  }
  return endpoint;
}

}  // namespace

Result<NodeConfig> node_config_from(const Json& json) {
  if (!json.is_object()) return invalid_settings("not an object");
  NodeConfig config;
  if (const auto it = json.find("nodeId"); it != json.end() && it->is_string())
    config.node_id = it->get<std::string>();
  if (const auto it = json.find("displayName"); it != json.end() && it->is_string()) {
    config.display_name = it->get<std::string>();
  }
  if (const auto it = json.find("gateway"); it != json.end() && !it->is_null()) {
    auto endpoint = endpoint_from(*it);
    if (!endpoint) return endpoint.error();
    config.gateway = *endpoint;
  }
  if (const auto it = json.find("commands"); it != json.end() && it->is_array()) {
    config.commands.emplace();
    for (const Json& command : *it) {
      if (!command.is_string()) return invalid_settings("commands holds something that is not a string");
      config.commands->push_back(command.get<std::string>());
    }
  }
  return config;
}

Json to_json(const NodeConfig& config) {
  Json json{{"version", 1}, {"nodeId", config.node_id}};
  if (!config.display_name.empty()) json["displayName"] = config.display_name;
  if (config.gateway) {
    Json& gateway = json["gateway"];
    gateway = {{"host", config.gateway->host}, {"port", config.gateway->port}, {"tls", config.gateway->tls}};
    if (!config.gateway->tls_fingerprint.empty()) gateway["tlsFingerprint"] = config.gateway->tls_fingerprint;
    if (!config.gateway->context_path.empty()) gateway["contextPath"] = config.gateway->context_path;
  }
  if (config.commands) json["commands"] = *config.commands;
  return json;
}

Result<NodeConfig> load_node_config(approvals::Store& store) {
  auto stored = store.setting(kSettingKey);
  if (!stored) return stored.error();
  NodeConfig config;
  if (*stored) {
    auto read = node_config_from(**stored);
    if (!read) return read.error();
    config = std::move(*read);
  }
  if (config.node_id.empty()) config.node_id = new_uuid();
  return config;
}

Result<void> save_node_config(approvals::Store& store, const NodeConfig& config) {
  return store.put_setting(kSettingKey, to_json(config));
}

namespace {

// The record is signed from here on, from its first row where it has none yet. Another process may have made
// an identity meanwhile: then that one stays.
Result<approvals::IdentityRow> make_identity(approvals::Store& store, const approvals::IdentityRow& candidate,
                                             const gateway_proto::DeviceIdentity& key) {
  approvals::IdentityRow kept;
  const auto done = store.transaction([&]() -> Result<void> {
    auto there = store.identity();
    if (!there) return there.error();
    if (*there) {
      kept = std::move(**there);
      return {};
    }
    approvals::AuditOptions options;
    options.signer = audit_signer(key);
    approvals::AuditChain record(store, std::move(options));
    if (auto begun = record.begin(); !begun) return begun.error();
    auto stored = store.insert_identity(candidate);
    if (!stored) return stored.error();
    kept = std::move(*stored);
    if (auto made = record.checkpoint(); !made) return made.error();
    return {};
  });
  if (!done) return done.error();
  return kept;
}

}  // namespace

Result<gateway_proto::DeviceIdentity> load_identity(approvals::Store& store, bool create) {
  auto row = store.identity();
  if (!row) return row.error();
  if (!*row) {
    if (!create) {
      return make_error("IDENTITY_MISSING", "this node has no identity yet",
                        "hostclaw node run --host <gateway>");
    }
    auto made = gateway_proto::DeviceIdentity::generate();
    if (!made) return made.error();
    approvals::IdentityRow candidate;
    candidate.device_id = made->device_id();
    candidate.public_key_pem = made->public_key_pem();
    candidate.private_key_pem = made->private_key_pem();
    candidate.created_at_ms = unix_ms_now();
    auto kept = make_identity(store, candidate, *made);
    if (!kept) return kept.error();
    *row = std::move(*kept);
  }
  auto identity = gateway_proto::DeviceIdentity::from_private_key_pem((*row)->private_key_pem);
  if (!identity) return identity.error();
  if (identity->device_id() != (*row)->device_id) {
    return make_error("IDENTITY_INVALID", "the stored device id does not belong to the stored key");
  }
  return identity;
}

}  // namespace hostclaw::node_host
