// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/openclaw_import.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "approvals/database/sqlite.h"
#include "approvals/platform/private_files.h"
#include "base/file_names.h"
#include "base/text.h"

namespace hostclaw::approvals {
namespace {

constexpr std::int64_t kTestedUserVersion = 18;
constexpr std::size_t kLargestFile = 8U << 20;
constexpr int kReadingAttempts = 3;

Error malformed(const std::string& where, const std::string& what) {
  return make_error("IMPORT_MALFORMED", where + ": " + what);
}

bool is_device_id(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_pem(const std::string& text, const std::string& label) {
  const std::string_view body = trim(text);
  return body.starts_with("-----BEGIN " + label + "-----\n") &&
         body.ends_with("\n-----END " + label + "-----");
}

// Shape only: whether the keys belong together is for the one who can use them.
Result<void> check_identity(const IdentityRow& row, const std::string& where) {
  if (!is_device_id(row.device_id)) return malformed(where, "the device id is not 64 hexadecimal digits");
  if (!is_pem(row.public_key_pem, "PUBLIC KEY")) return malformed(where, "the public key is not in PEM form");
  if (!is_pem(row.private_key_pem, "PRIVATE KEY"))
    return malformed(where, "the private key is not in PEM form");
  return {};
}

Result<void> check_node_config(const Json& config, const std::string& where, OpenClawState& state) {
  if (!config.is_object()) return malformed(where, "the node settings are not an object");
  if (!config.contains("version") || config["version"] != Json(1)) {
    state.notes.push_back("The node settings in " + where +
                          " have another version than 1; they were read all the same.");
  }
  state.node_config = config;
  return {};
}

// ---- 2026.9.6: one database ----

Result<void> check_columns(Database& database, const std::string& table,
                           std::initializer_list<const char*> columns) {
  for (const char* column : columns) {
    Statement query = database.statement("SELECT 1 FROM pragma_table_info(?) WHERE name = ?");
    const Result<bool> found = query.bind(table).bind(std::string_view(column)).step();
    if (!found) return found.error();
    if (!*found) return malformed(database.path(), "table " + table + " has no column " + column);
  }
  return {};
}

Result<void> check_tables(Database& database, OpenClawState& state) {
  if (Result<void> checked =
          check_columns(database, "device_identities",
                        {"identity_key", "device_id", "public_key_pem", "private_key_pem", "created_at_ms"});
      !checked) {
    return checked;
  }
  if (Result<void> checked = check_columns(database, "device_auth_tokens", {"device_id", "role", "token"});
      !checked) {
    return checked;
  }
  if (Result<void> checked = check_columns(database, "config_machine_state", {"state_key", "value_json"});
      !checked) {
    return checked;
  }
  if (Result<void> checked = check_columns(database, "exec_approvals_config", {"config_key", "raw_json"});
      !checked) {
    return checked;
  }
  const Result<std::int64_t> version = database.integer("PRAGMA user_version");
  if (!version) return version.error();
  if (*version != kTestedUserVersion) {
    state.notes.push_back("The database has schema " + std::to_string(*version) + ", not the tested " +
                          std::to_string(kTestedUserVersion) +
                          "; the tables that are needed look as expected.");
  }
  return {};
}

Result<void> read_identity_row(Database& database, OpenClawState& state) {
  Statement query = database.statement(
      "SELECT device_id, public_key_pem, private_key_pem, created_at_ms FROM device_identities "
      "WHERE identity_key = 'primary'");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) {
    state.notes.push_back("There is no device identity.");
    return {};
  }
  IdentityRow row{query.text(0), query.text(1), query.text(2), query.integer(3)};
  if (Result<void> checked = check_identity(row, database.path() + ", table device_identities, row primary");
      !checked) {
    return checked;
  }
  state.identity = std::move(row);
  return {};
}

Result<void> read_token_row(Database& database, OpenClawState& state) {
  if (!state.identity) return {};
  Statement query =
      database.statement("SELECT token FROM device_auth_tokens WHERE device_id = ? AND role = 'node'");
  const Result<bool> found = query.bind(state.identity->device_id).step();
  if (!found) return found.error();
  if (*found && !query.text(0).empty()) {
    state.node_token = query.text(0);
  } else {
    state.notes.push_back("There is no node token for this identity; the node has to be paired.");
  }
  return {};
}

Result<void> read_node_config_row(Database& database, OpenClawState& state) {
  const std::string where = database.path() + ", table config_machine_state, row nodeHost.config";
  Statement query =
      database.statement("SELECT value_json FROM config_machine_state WHERE state_key = 'nodeHost.config'");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (!*found) {
    state.notes.push_back("There are no node settings.");
    return {};
  }
  const Result<Json> config = parse_json(query.text_view(0));
  if (!config) return malformed(where, config.error().message);
  return check_node_config(*config, where, state);
}

Result<void> read_approvals_row(Database& database, OpenClawState& state) {
  Statement query =
      database.statement("SELECT raw_json FROM exec_approvals_config WHERE config_key = 'current'");
  const Result<bool> found = query.step();
  if (!found) return found.error();
  if (*found) {
    state.approvals_raw_text = query.text(0);
  } else {
    state.notes.push_back("There is no approvals document.");
  }
  return {};
}

Result<OpenClawState> read_tables(Database& database) {
  OpenClawState state;
  state.generation = "sqlite";
  for (const auto part :
       {check_tables, read_identity_row, read_token_row, read_node_config_row, read_approvals_row}) {
    if (Result<void> read = part(database, state); !read) return read.error();
  }
  return state;
}

// This room's own error codes speak about hostclaw's database; here the file is somebody else's.
Error as_import_error(const Error& error) {
  if (error.code.starts_with("IMPORT_")) return error;
  const bool damaged = error.code == "STORE_CORRUPT";
  return make_error(damaged ? "IMPORT_MALFORMED" : "IMPORT_UNREADABLE", error.message);
}

Result<OpenClawState> read_database(const std::string& path) {
  for (int attempt = 0;; ++attempt) {
    Result<ReadOnlyDatabase> opened = ReadOnlyDatabase::open(path);
    if (!opened) return as_import_error(opened.error());
    Result<OpenClawState> state = read_tables(opened->database());
    // Somebody wrote while we read: what was read may be half old and half new.
    if (!opened->still_current() && attempt < kReadingAttempts) continue;
    if (!state) return as_import_error(state.error());
    return state;
  }
}

// ---- 2026.4.20: files ----

Result<std::string> read_small_file(const std::string& path) {
  std::ifstream file(to_path(path), std::ios::binary);
  if (!file) return make_error("IMPORT_UNREADABLE", "cannot read " + path + ": " + std::strerror(errno));
  std::string content;
  content.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(file_size_or_zero(path), kLargestFile)));
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at) {
    if (content.size() == kLargestFile) return malformed(path, "the file is larger than 8 MiB");
    content.push_back(*at);
  }
  if (file.bad()) return make_error("IMPORT_UNREADABLE", "cannot read " + path);
  return content;
}

Result<Json> read_json_object(const std::string& path) {
  const Result<std::string> text = read_small_file(path);
  if (!text) return text.error();
  Result<Json> value = parse_json(*text);
  if (!value) return malformed(path, value.error().message);
  if (!value->is_object()) return malformed(path, "not a JSON object");
  return value;
}

std::string string_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<void> read_identity_file(const std::string& directory, OpenClawState& state) {
  const std::string path = directory + "/identity/device.json";
  if (!file_exists(path)) {
    state.notes.push_back("There is no device identity.");
    return {};
  }
  const Result<Json> file = read_json_object(path);
  if (!file) return file.error();
  IdentityRow row{string_member(*file, "deviceId"), string_member(*file, "publicKeyPem"),
                  string_member(*file, "privateKeyPem"), 0};
  const auto created = file->find("createdAtMs");
  if (created != file->end() && created->is_number()) row.created_at_ms = created->get<std::int64_t>();
  if (Result<void> checked = check_identity(row, path); !checked) return checked;
  state.identity = std::move(row);
  return {};
}

Result<void> read_token_file(const std::string& directory, OpenClawState& state) {
  const std::string path = directory + "/identity/device-auth.json";
  if (!state.identity) return {};
  const std::string none = "There is no node token for this identity; the node has to be paired.";
  if (!file_exists(path)) {
    state.notes.push_back(none);
    return {};
  }
  const Result<Json> file = read_json_object(path);
  if (!file) return file.error();
  if (string_member(*file, "deviceId") != state.identity->device_id) {
    state.notes.push_back("The tokens in " + path + " belong to another device and were left out.");
    return {};
  }
  const auto tokens = file->find("tokens");
  if (tokens == file->end() || !tokens->is_object()) return malformed(path, "member tokens is not an object");
  const auto node = tokens->find("node");
  const std::string token =
      node != tokens->end() && node->is_object() ? string_member(*node, "token") : std::string();
  if (token.empty()) {
    state.notes.push_back(none);
  } else {
    state.node_token = token;
  }
  return {};
}

Result<void> read_node_config_file(const std::string& directory, OpenClawState& state) {
  const std::string path = directory + "/node.json";
  if (!file_exists(path)) {
    state.notes.push_back("There are no node settings.");
    return {};
  }
  const Result<Json> file = read_json_object(path);
  if (!file) return file.error();
  return check_node_config(*file, path, state);
}

Result<void> read_approvals_file(const std::string& directory, OpenClawState& state) {
  const std::string path = directory + "/exec-approvals.json";
  if (!file_exists(path)) {
    state.notes.push_back(
        "There is no approvals document here; OpenClaw 2026.4.20 keeps exec-approvals.json in ~/.openclaw, "
        "whatever "
        "the state directory is.");
    return {};
  }
  Result<std::string> text = read_small_file(path);
  if (!text) return text.error();
  state.approvals_raw_text = std::move(*text);
  return {};
}

Result<OpenClawState> read_files(const std::string& directory) {
  OpenClawState state;
  state.generation = "files";
  for (const auto part : {read_identity_file, read_token_file, read_node_config_file, read_approvals_file}) {
    if (Result<void> read = part(directory, state); !read) return read.error();
  }
  return state;
}

bool has_files(const std::string& directory) {
  const auto names = {"/identity/device.json", "/identity/device-auth.json", "/node.json",
                      "/exec-approvals.json"};
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return file_exists(directory + name); });
}

}  // namespace

Result<OpenClawState> read_openclaw_state(const std::string& directory) {
  const std::string database = directory + "/state/openclaw.sqlite";
  const bool files = has_files(directory);
  if (!file_exists(database)) {
    if (files) return read_files(directory);
    return make_error("IMPORT_NOT_FOUND",
                      "there is no OpenClaw state in " + directory +
                          ": neither state/openclaw.sqlite nor identity/device.json can be seen",
                      "hostclaw import --from ~/.openclaw");
  }
  Result<OpenClawState> state = read_database(database);
  if (state && files) {
    state->notes.push_back("Files of an older OpenClaw lie beside the database in " + directory +
                           "; they were left out.");
  }
  return state;
}

}  // namespace hostclaw::approvals
