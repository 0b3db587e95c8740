// SPDX-License-Identifier: Apache-2.0
// What an OpenClaw host leaves in its state directory, both generations of it.
#pragma once

#include <filesystem>
#include <map>

#include "approvals/policy/openclaw_import.h"
#include "support.h"

namespace hostclaw::approvals::testing {

inline const std::string kDeviceId(64, 'a');
inline const std::string kPublicPem =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
inline const std::string kPrivatePem =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n";
inline const std::string kApprovals = "{\n  \"version\": 1,\n  \"defaults\": {},\n  \"agents\": {}\n}\n";

inline std::string quoted(const std::string& text) { return "'" + text + "'"; }

// The tables of the contract, with the rows of a paired node.
inline std::string state_sql() {
  return "PRAGMA journal_mode = WAL; PRAGMA user_version = 18;"
         "CREATE TABLE config_machine_state (state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT NOT NULL, "
         "updated_at_ms INTEGER NOT NULL) STRICT;"
         "CREATE TABLE device_identities (identity_key TEXT NOT NULL PRIMARY KEY, device_id TEXT NOT NULL, "
         "public_key_pem TEXT NOT NULL, private_key_pem TEXT NOT NULL, created_at_ms INTEGER NOT NULL, "
         "updated_at_ms INTEGER NOT NULL) STRICT;"
         "CREATE TABLE device_auth_tokens (device_id TEXT NOT NULL, role TEXT NOT NULL, token TEXT NOT NULL, "
         "scopes_json TEXT NOT NULL, updated_at_ms INTEGER NOT NULL, PRIMARY KEY (device_id, role)) STRICT;"
         "CREATE TABLE exec_approvals_config (config_key TEXT NOT NULL PRIMARY KEY, raw_json TEXT NOT NULL, "
         "socket_path TEXT, has_socket_token INTEGER NOT NULL, default_security TEXT, default_ask TEXT, "
         "default_ask_fallback TEXT, auto_allow_skills INTEGER, agent_count INTEGER NOT NULL, "
         "allowlist_count INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL) STRICT;"
         "INSERT INTO device_identities VALUES ('primary', " +
         quoted(kDeviceId) + ", " + quoted(kPublicPem) + ", " + quoted(kPrivatePem) +
         ", 1700000000000, 1700000000000);"
         "INSERT INTO device_auth_tokens VALUES (" +
         quoted(kDeviceId) + ", 'node', 'node-token', '[]', 1), (" + quoted(kDeviceId) +
         ", 'operator', 'operator-token', '[]', 1);"
         "INSERT INTO config_machine_state VALUES ('nodeHost.config', "
         "'{\"version\":1,\"nodeId\":\"uuid\",\"displayName\":\"build-box\",\"gateway\":{\"host\":\"127.0.0."
         "1\","
         "\"port\":18789,\"tls\":false}}', 1);"
         "INSERT INTO exec_approvals_config VALUES ('current', " +
         quoted(kApprovals) + ", NULL, 0, NULL, NULL, NULL, NULL, 0, 0, 1);";
}

inline std::string make_sqlite_state(const TemporaryDirectory& base) {
  const std::string file = base / "state/openclaw.sqlite";
  run_sql(file, state_sql());
  return file;
}

inline void make_file_state(const TemporaryDirectory& base) {
  write_file(
      base / "node.json",
      R"({"version":1,"nodeId":"uuid","displayName":"old-box","gateway":{"host":"gw","port":1,"tls":true}})");
  write_file(base / "identity/device.json", dump_json(Json{{"version", 1},
                                                           {"deviceId", kDeviceId},
                                                           {"publicKeyPem", kPublicPem},
                                                           {"privateKeyPem", kPrivatePem},
                                                           {"createdAtMs", 1700000000000}}));
  write_file(
      base / "identity/device-auth.json",
      dump_json(Json{
          {"version", 1},
          {"deviceId", kDeviceId},
          {"tokens", {{"node", {{"token", "node-token"}, {"role", "node"}, {"scopes", Json::array()}}}}}}));
  write_file(base / "exec-approvals.json", kApprovals);
}

// Every file below a directory with its content.
inline std::map<std::string, std::string> snapshot(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    files[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path().string()) : "directory";
  }
  return files;
}

inline void check_complete(const OpenClawState& state, const std::string& display_name) {
  REQUIRE(state.identity.has_value());
  CHECK(state.identity->device_id == kDeviceId);
  CHECK(state.identity->public_key_pem == kPublicPem);
  CHECK(state.identity->private_key_pem == kPrivatePem);
  CHECK(state.identity->created_at_ms == 1700000000000);
  CHECK(state.node_token == "node-token");
  REQUIRE(state.node_config.has_value());
  CHECK(state.node_config->at("displayName").get<std::string>() == display_name);
  CHECK(state.approvals_raw_text == kApprovals);
}

}  // namespace hostclaw::approvals::testing
