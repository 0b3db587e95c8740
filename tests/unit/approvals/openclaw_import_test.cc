// SPDX-License-Identifier: Apache-2.0
#include "approvals/policy/openclaw_import.h"

#include <filesystem>

#include "openclaw_import_fixture.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

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
