#include "approvals/openclaw_import.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>

#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

const std::string kDeviceId(64, 'a');
const std::string kPublicPem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
const std::string kPrivatePem =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n";
const std::string kApprovals = "{\n  \"version\": 1,\n  \"defaults\": {},\n  \"agents\": {}\n}\n";

std::string quoted(const std::string& text) { return "'" + text + "'"; }

// The tables of the contract, with the rows of a paired node.
std::string state_sql() {
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

std::string make_sqlite_state(const TemporaryDirectory& base) {
  const std::string file = base / "state/openclaw.sqlite";
  run_sql(file, state_sql());
  return file;
}

void make_file_state(const TemporaryDirectory& base) {
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
std::map<std::string, std::string> snapshot(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    files[entry.path().string()] = entry.is_regular_file() ? read_file(entry.path().string()) : "directory";
  }
  return files;
}

void check_complete(const OpenClawState& state, const std::string& display_name) {
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

bool mentions(const std::vector<std::string>& notes, const std::string& words) {
  for (const std::string& note : notes) {
    if (note.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("a state database gives identity, node token, settings and approvals", "[import]") {
  TemporaryDirectory base;
  make_sqlite_state(base);
  const auto before = snapshot(base.path());
  const OpenClawState state = must(read_openclaw_state(base.path()));
  CHECK(state.generation == "sqlite");
  check_complete(state, "build-box");
  CHECK(state.notes.empty());
  CHECK(snapshot(base.path()) == before);
}

TEST_CASE("state files give identity, node token, settings and approvals", "[import]") {
  TemporaryDirectory base;
  make_file_state(base);
  const auto before = snapshot(base.path());
  const OpenClawState state = must(read_openclaw_state(base.path()));
  CHECK(state.generation == "files");
  check_complete(state, "old-box");
  CHECK(state.notes.empty());
  CHECK(snapshot(base.path()) == before);
}

// A child that keeps the database open with rows that are only in the log, until it is told to go.
class LiveWriter {
 public:
  explicit LiveWriter(const std::string& file) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    child_ = start_child([&] {
      sqlite3* handle = nullptr;
      sqlite3_open(file.c_str(), &handle);
      sqlite3_exec(handle, "PRAGMA wal_autocheckpoint = 0", nullptr, nullptr, nullptr);
      sqlite3_exec(handle, state_sql().c_str(), nullptr, nullptr, nullptr);
      (void)!::write(ready[1], "x", 1);
      ::pause();
      return 0;
    });
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LiveWriter() { kill(); }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    wait_for_child(child_);
    child_ = -1;
  }

 private:
  pid_t child_ = -1;
};

TEST_CASE("rows that are only in the log of a running host are seen, and nothing is touched", "[import]") {
  TemporaryDirectory base;
  std::filesystem::create_directory(base / "state");
  const std::string file = base / "state/openclaw.sqlite";
  LiveWriter writer(file);
  const auto before = snapshot(base.path());
  check_complete(must(read_openclaw_state(base.path())), "build-box");
  CHECK(snapshot(base.path()) == before);
}

TEST_CASE("the log of a host that was killed is read, and nothing is touched", "[import]") {
  TemporaryDirectory base;
  std::filesystem::create_directory(base / "state");
  const std::string file = base / "state/openclaw.sqlite";
  LiveWriter(file).kill();
  const bool with_lock_file = GENERATE(true, false);
  if (!with_lock_file) std::filesystem::remove(file + "-shm");
  const auto before = snapshot(base.path());
  check_complete(must(read_openclaw_state(base.path())), "build-box");
  CHECK(snapshot(base.path()) == before);
}

TEST_CASE("a state directory that may only be read is imported", "[import]") {
  if (!can_change_user()) {
    WARN("skipped: needs root to become an ordinary user");
    return;
  }
  TemporaryDirectory base;
  const bool with_log = GENERATE(false, true);
  if (with_log) {
    std::filesystem::create_directory(base / "state");
    LiveWriter(base / "state/openclaw.sqlite").kill();
  } else {
    make_sqlite_state(base);
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base.path())) {
    ::chmod(entry.path().c_str(), entry.is_directory() ? 0755 : 0644);
  }
  ::chmod(base.path().c_str(), 0755);
  const int status = in_child([&] {
    become_other_user();
    const auto state = read_openclaw_state(base.path());
    return state && state->identity && state->node_token == "node-token" ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("a state that may not be read says so", "[import]") {
  if (!can_change_user()) {
    WARN("skipped: needs root to become an ordinary user");
    return;
  }
  TemporaryDirectory base;
  const bool database = GENERATE(true, false);
  if (database) {
    make_sqlite_state(base);
    ::chmod((base / "state").c_str(), 0755);
  } else {
    make_file_state(base);
    ::chmod((base / "identity").c_str(), 0755);
  }
  ::chmod(base.path().c_str(), 0755);
  const int status = in_child([&] {
    become_other_user();
    return code_of(read_openclaw_state(base.path())) == "IMPORT_UNREADABLE" ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("a directory without OpenClaw state says so", "[import]") {
  TemporaryDirectory base;
  CHECK(code_of(read_openclaw_state(base.path())) == "IMPORT_NOT_FOUND");
  CHECK(code_of(read_openclaw_state(base / "missing")) == "IMPORT_NOT_FOUND");
}

TEST_CASE("a schema that was not tested is read when its tables fit, with a note", "[import]") {
  TemporaryDirectory base;
  run_sql(make_sqlite_state(base), "PRAGMA user_version = 23");
  const OpenClawState state = must(read_openclaw_state(base.path()));
  check_complete(state, "build-box");
  CHECK(mentions(state.notes, "schema 23"));
}

TEST_CASE("a schema without a needed column is refused and the column named", "[import]") {
  TemporaryDirectory base;
  run_sql(make_sqlite_state(base), "ALTER TABLE exec_approvals_config RENAME COLUMN raw_json TO packed_json");
  const auto state = read_openclaw_state(base.path());
  REQUIRE(state.has_error());
  CHECK(state.error().code == "IMPORT_MALFORMED");
  CHECK(state.error().message.find("exec_approvals_config has no column raw_json") != std::string::npos);
}

TEST_CASE("an identity of the wrong shape is refused, its row or file named and its key not quoted",
          "[import]") {
  TemporaryDirectory base;
  std::string where;
  SECTION("database") {
    const char* damage = GENERATE("device_id = 'xyz'", "public_key_pem = 'PRIVATE-SECRET'",
                                  "private_key_pem = 'PRIVATE-SECRET'");
    run_sql(make_sqlite_state(base), std::string("UPDATE device_identities SET ") + damage);
    where = "row primary";
  }
  SECTION("file") {
    make_file_state(base);
    write_file(base / "identity/device.json",
               dump_json(Json{{"deviceId", kDeviceId}, {"privateKeyPem", "PRIVATE-SECRET"}}));
    where = "device.json";
  }
  const auto state = read_openclaw_state(base.path());
  REQUIRE(state.has_error());
  CHECK(state.error().code == "IMPORT_MALFORMED");
  CHECK(state.error().message.find(where) != std::string::npos);
  CHECK(state.error().message.find("PRIVATE-SECRET") == std::string::npos);
}

TEST_CASE("parts that are missing are noted and the rest is read", "[import]") {
  TemporaryDirectory base;
  SECTION("database") {
    run_sql(make_sqlite_state(base),
            "DELETE FROM device_auth_tokens; DELETE FROM config_machine_state; DELETE FROM "
            "exec_approvals_config");
  }
  SECTION("files") {
    make_file_state(base);
    std::filesystem::remove(base / "identity/device-auth.json");
    std::filesystem::remove(base / "node.json");
    std::filesystem::remove(base / "exec-approvals.json");
  }
  const OpenClawState state = must(read_openclaw_state(base.path()));
  CHECK(state.identity.has_value());
  CHECK_FALSE(state.node_token.has_value());
  CHECK_FALSE(state.node_config.has_value());
  CHECK_FALSE(state.approvals_raw_text.has_value());
  CHECK(state.notes.size() == 3);
}

TEST_CASE("a token of another device is left out with a note", "[import]") {
  TemporaryDirectory base;
  make_file_state(base);
  write_file(base / "identity/device-auth.json",
             R"({"version":1,"deviceId":"someone-else","tokens":{"node":{"token":"x"}}})");
  const OpenClawState state = must(read_openclaw_state(base.path()));
  CHECK_FALSE(state.node_token.has_value());
  CHECK(mentions(state.notes, "another device"));
}

TEST_CASE("files that are not JSON are refused and named", "[import]") {
  TemporaryDirectory base;
  make_file_state(base);
  const std::string name = GENERATE("node.json", "identity/device.json", "identity/device-auth.json");
  const std::string content = GENERATE("{\"version\":1,", "[]", "");
  write_file(base / name, content);
  const auto state = read_openclaw_state(base.path());
  REQUIRE(state.has_error());
  CHECK(state.error().code == "IMPORT_MALFORMED");
  CHECK(state.error().message.find(name) != std::string::npos);
}

TEST_CASE("a state database that is damaged or no database is refused", "[import]") {
  TemporaryDirectory base;
  const std::string file = make_sqlite_state(base);
  std::string content = read_file(file);
  const bool no_database = GENERATE(true, false);
  if (no_database) {
    content = std::string(5000, 'x');
  } else {
    content.replace(100, 2000, std::string(2000, '\xFF'));
  }
  write_file(file, content);
  CHECK(code_of(read_openclaw_state(base.path())) == "IMPORT_MALFORMED");
  CHECK(read_file(file) == content);
}

TEST_CASE("node settings that are broken in the database are refused and the row named", "[import]") {
  TemporaryDirectory base;
  run_sql(make_sqlite_state(base), "UPDATE config_machine_state SET value_json = '{'");
  const auto state = read_openclaw_state(base.path());
  REQUIRE(state.has_error());
  CHECK(state.error().code == "IMPORT_MALFORMED");
  CHECK(state.error().message.find("nodeHost.config") != std::string::npos);
}

TEST_CASE("files of an older host beside the database are left out with a note", "[import]") {
  TemporaryDirectory base;
  make_sqlite_state(base);
  make_file_state(base);
  const OpenClawState state = must(read_openclaw_state(base.path()));
  CHECK(state.generation == "sqlite");
  CHECK(mentions(state.notes, "older OpenClaw"));
}

}  // namespace
}  // namespace hostclaw::approvals
