// SPDX-License-Identifier: Apache-2.0
// `hostclaw doctor`, `logs` and `bugreport` of the shipped executable: each fault is made for real.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <regex>
#include <set>

#include "approvals/database/sqlite.h"
#include "base/text.h"
#include "node-host/app/node_config.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

struct Examination {
  int status = 0;
  Json body;
  std::string text;

  // What the check of that name said; null when it said nothing.
  Json of(const std::string& check) const {
    for (const Json& item : body["checks"]) {
      if (item["check"] == check) return item;
    }
    return {};
  }
  std::string code(const std::string& check) const { return string_at(of(check), "code"); }
  std::string verdict(const std::string& check) const { return string_at(of(check), "verdict"); }
  std::string next(const std::string& check) const { return string_at(of(check), "next"); }
};

Examination examine(Scene& scene, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"doctor", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Finished finished = scene.hostclaw(arguments);
  INFO(finished.standard_output << finished.standard_error);
  Examination out;
  out.status = finished.status;
  out.text = finished.standard_output;
  out.body = Json::parse(finished.standard_output);
  CHECK(out.body["ok"] == (finished.status == 0));
  return out;
}

void expect(const Examination& seen, const std::string& check, const std::string& code,
            const std::string& verdict, const std::string& next) {
  INFO(seen.text);
  CHECK(seen.code(check) == code);
  CHECK(seen.verdict(check) == verdict);
  CHECK(seen.next(check).find(next) != std::string::npos);
  CHECK(seen.status == (verdict == "failure" ? 1 : 0));
}

// What the node last published about its link is this state. It is published after the log line and after
// what the gateway sees.
void await_link(Scene& scene, const std::string& state) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::string seen;
  while (seen != state && std::chrono::steady_clock::now() < deadline) {
    const Finished status = scene.hostclaw({"status", "--json"});
    if (status.status == 0) seen = string_at(Json::parse(status.standard_output)["link"], "state");
  }
  REQUIRE(seen == state);
}

void change_database(Scene& scene, const char* sql) {
  const std::string path = scene.state_directory() + "/hostclaw.sqlite";
  auto database = approvals::Database::open(approvals::sqlite_uri(path, ""), path, SQLITE_OPEN_READWRITE,
                                            std::chrono::seconds(5));
  REQUIRE(database.has_value());
  const auto done = (*database)->execute(sql);
  INFO((done ? std::string() : done.error().message));
  REQUIRE(done.has_value());
}

void change_config(Scene& scene, const std::function<void(node_host::NodeConfig&)>& edit) {
  auto store = approvals::Store::open(scene.state_directory(), approvals::OpenMode::kReadWrite);
  REQUIRE(store.has_value());
  auto config = node_host::load_node_config(**store);
  REQUIRE(config.has_value());
  edit(*config);
  REQUIRE(node_host::save_node_config(**store, *config).has_value());
}

}  // namespace

TEST_CASE("doctor finds nothing wrong with a connected node") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  scene.run({"printf", "abc"});
  await_link(scene, "connected");
  const std::size_t from = scene.mark();
  const Examination seen = examine(scene);
  INFO(seen.text);
  CHECK(seen.status == 0);
  CHECK(seen.body["summary"]["failure"] == 0);
  for (const auto& [check, code] : std::map<std::string, std::string>{{"gateway", "GATEWAY_REACHABLE"},
                                                                      {"tls", "TLS_NOT_NEEDED"},
                                                                      {"clock", "CLOCK_OK"},
                                                                      {"node", "NODE_RUNNING"},
                                                                      {"link", "LINK_CONNECTED"},
                                                                      {"pairing", "PAIRING_DONE"},
                                                                      {"surface", "SURFACE_APPROVED"},
                                                                      {"identity", "IDENTITY_OK"},
                                                                      {"state", "STATE_PRIVATE"},
                                                                      {"database", "DATABASE_OK"},
                                                                      {"audit", "AUDIT_OK"},
                                                                      {"document", "DOCUMENT_READABLE"},
                                                                      {"settings", "SETTINGS_OK"},
                                                                      {"policy", "POLICY_OK"}}) {
    CHECK(seen.code(check) == code);
    CHECK(seen.verdict(check) == "ok");
  }
  // What this node cannot know is said, not guessed.
  CHECK(seen.verdict("gateway-policy") == "skipped");
  CHECK(seen.verdict("name") == "skipped");
  // The look was no login.
  CHECK_FALSE(scene.gateway->journal().wait("connected", std::chrono::milliseconds(0), {}, from).has_value());
}

TEST_CASE("doctor tells a gateway whose own policy is stricter than this node's") {
  Scene scene;
  scene.connect_host();
  const auto seen_with = [&](const char* security, const char* ask) {
    scene.exec("true", {{"callerSecurity", security}, {"callerAsk", ask}, {"interactive", false}});
    return examine(scene, {"--only", "gateway-policy"});
  };
  const std::string look = "openclaw config get tools.exec";
  expect(seen_with("full", "off"), "gateway-policy", "GATEWAY_POLICY_OK", "ok", "");
  expect(seen_with("allowlist", "on-miss"), "gateway-policy", "GATEWAY_POLICY_OK", "ok", "");
  expect(seen_with("allowlist", "always"), "gateway-policy", "GATEWAY_STRICTER", "warning", look);
  expect(seen_with("full", "off"), "gateway-policy", "GATEWAY_POLICY_OK", "ok", "");
}

TEST_CASE("doctor tells a gateway that is gone, and needs no gateway with --offline") {
  Scene scene;
  scene.connect_host();
  scene.gateway.reset();
  await_link(scene, "reconnecting");
  const Examination seen = examine(scene);
  expect(seen, "gateway", "GATEWAY_UNREACHABLE", "failure", "openclaw gateway status");
  expect(seen, "link", "LINK_RECONNECTING", "failure", "hostclaw doctor --only gateway,tls");
  CHECK(seen.code("clock") == "CLOCK_UNKNOWN");
  CHECK(seen.code("pairing") == "PAIRING_STORED");
  const Examination offline = examine(scene, {"--offline", "--only", "gateway,tls,clock,state"});
  CHECK(offline.status == 0);
  CHECK(offline.code("gateway") == "OFFLINE");
  CHECK(offline.body["checks"].size() == 4);
}

TEST_CASE("doctor shows both fingerprints of a certificate that is not the pinned one") {
  TemporaryDirectory files;
  ListenSettings listen;
  listen.tls = make_certificate(files.path());
  Scene scene(approving_settings(), listen);
  scene.connect_host({"--tls", "--tls-fingerprint", scene.gateway->tls_fingerprint()});
  CHECK(examine(scene).code("tls") == "TLS_PIN_OK");
  scene.stop_host();
  const std::string wrong(64, 'a');

  SECTION("that is stored") {
    change_config(scene,
                  [&wrong](node_host::NodeConfig& config) { config.gateway->tls_fingerprint = wrong; });
  }
  SECTION("that the running node was given") {
    scene.start_host({"--tls", "--tls-fingerprint", wrong});
    await_link(scene, "reconnecting");
  }
  const Examination seen = examine(scene, {"--only", "TLS_PIN_MISMATCH"});
  expect(seen, "tls", "TLS_PIN_MISMATCH", "failure", "--tls-fingerprint " + scene.gateway->tls_fingerprint());
  CHECK(string_at(seen.of("tls"), "message").find(wrong) != std::string::npos);
  CHECK(string_at(seen.of("tls"), "message").find(scene.gateway->tls_fingerprint()) != std::string::npos);
}

TEST_CASE("doctor tells a certificate that nobody signed, and a port that is no gateway's") {
  TemporaryDirectory files;
  ListenSettings listen;
  listen.tls = make_certificate(files.path());
  Scene scene(approving_settings(), listen);
  scene.connect_host({"--tls", "--tls-fingerprint", scene.gateway->tls_fingerprint()});
  scene.stop_host();
  change_config(scene, [](node_host::NodeConfig& config) { config.gateway->tls_fingerprint.clear(); });
  expect(examine(scene, {"--only", "tls"}), "tls", "TLS_FAILED", "failure", "--tls-fingerprint");
  change_config(scene, [](node_host::NodeConfig& config) { config.gateway->tls = false; });
  CHECK(examine(scene, {"--only", "gateway"}).verdict("gateway") == "failure");
}

TEST_CASE("doctor names the pairing stage that is pending and the command that ends it") {
  Scene scene(asking_settings());
  scene.start_host();
  await_link(scene, "waiting-for-device-pairing");
  Examination seen = examine(scene);
  expect(seen, "pairing", "PAIRING_PENDING", "failure", "openclaw devices approve ");
  CHECK(seen.code("surface") == "SURFACE_UNKNOWN");
  CHECK(seen.code("link") == "LINK_WAITING");
  CHECK(seen.code("gateway") == "GATEWAY_REACHABLE");
  const std::string command = seen.next("pairing");
  const std::string request = command.substr(command.rfind(' ') + 1);
  REQUIRE(scene.gateway->call("device.pair.approve", {{"requestId", request}}).ok);
  await_link(scene, "waiting-for-surface-approval");
  seen = examine(scene);
  CHECK(seen.code("pairing") == "PAIRING_DONE");
  expect(seen, "surface", "SURFACE_PENDING", "failure", "openclaw nodes approve ");
}

TEST_CASE("doctor tells that no node runs, and that nothing was ever stored") {
  Scene scene;
  Examination seen = examine(scene);
  expect(seen, "state", "STATE_MISSING", "failure", "hostclaw node run --host GATEWAY");
  // One thing to do, one thing to say; the other checks can be asked for.
  CHECK(seen.body["checks"].size() == 1);
  CHECK(scene.hostclaw({"doctor", "--only", "audit", "--offline"}).standard_output.find("STATE_UNREADABLE") !=
        std::string::npos);
  scene.connect_host();
  scene.stop_host();
  seen = examine(scene);
  expect(seen, "node", "NODE_NOT_RUNNING", "failure", "hostclaw node ");
  CHECK(seen.code("gateway") == "GATEWAY_REACHABLE");
  CHECK(seen.code("link") == "LINK_UNKNOWN");
}

TEST_CASE("doctor tells state that others can read") {
  Scene scene;
  scene.connect_host();
  namespace fs = std::filesystem;
  SECTION("the directory") {
    fs::permissions(scene.state_directory(), fs::perms::group_read, fs::perm_options::add);
    expect(examine(scene), "state", "STATE_OPEN", "failure", "chmod 700 ");
  }
  SECTION("the database") {
    fs::permissions(scene.state_directory() + "/hostclaw.sqlite", fs::perms::others_read,
                    fs::perm_options::add);
    expect(examine(scene), "state", "STATE_OPEN", "failure", "chmod 600 ");
  }
  SECTION("a log") {
    write_file(scene.state_directory() + "/node.log", "a line\n", 0644);
    expect(examine(scene), "state", "STATE_OPEN", "failure", "chmod 600 ");
  }
}

TEST_CASE("doctor tells a row of the record that was changed") {
  Scene scene;
  scene.connect_host();
  scene.stop_host();
  CHECK(examine(scene, {"--only", "audit"}).code("audit") == "AUDIT_OK");
  change_database(
      scene,
      "DROP TRIGGER audit_rows_are_never_changed; UPDATE audit SET body = replace(body, 'pid', 'PID')");
  expect(examine(scene, {"--only", "AUDIT_DAMAGED"}), "audit", "AUDIT_DAMAGED", "failure",
         "hostclaw audit verify");
}

TEST_CASE("doctor tells a mirror of the record that gets no rows") {
  Scene scene;
  REQUIRE(
      scene.hostclaw({"audit", "mirror", "set", "--journald", scene.directory.path() + "/nobody"}).status ==
      0);
  scene.connect_host();
  REQUIRE(scene.host->wait_line("the record's mirror journald misses rows", kPatience).has_value());
  scene.stop_host();
  const Finished told = scene.hostclaw({"doctor", "--offline", "--only", "audit", "--json"});
  INFO(told.standard_output);
  CHECK(told.standard_output.find("AUDIT_MIRROR_MISSES") != std::string::npos);
  CHECK(told.standard_output.find("hostclaw audit mirror show") != std::string::npos);
}

TEST_CASE("doctor tells a document that cannot be read and an entry that opens everything") {
  Scene scene;
  scene.allow("/usr/bin/*");
  scene.allow("/bin/sh");
  Examination seen = examine(scene, {"--only", "policy,document"});
  expect(seen, "policy", "POLICY_WARNINGS", "warning", "hostclaw policy lint");
  change_database(scene, "UPDATE policy_document SET raw_text = '{'");
  seen = examine(scene, {"--only", "policy,document"});
  expect(seen, "document", "DOCUMENT_UNREADABLE", "failure", "hostclaw approvals set --file FILE");
}

TEST_CASE("lint and doctor are content with git, docker and curl once rules watch them") {
  Scene scene;
  for (const char* name : {"git", "docker", "curl"}) scene.allow(name);
  CHECK(scene.hostclaw({"policy", "lint"}).status == 1);
  CHECK(examine(scene, {"--only", "policy"}).code("policy") == "POLICY_WARNINGS");
  REQUIRE(scene.hostclaw({"policy", "starter", "on"}).status == 0);
  const Finished lint = scene.hostclaw({"policy", "lint", "--json"});
  CHECK(lint.status == 0);
  const Json findings = Json::parse(lint.standard_output)["findings"];
  CHECK(findings.size() == 3);
  for (const Json& finding : findings) CHECK(string_at(finding, "severity") == "note");
  CHECK(examine(scene, {"--only", "policy"}).code("policy") == "POLICY_OK");
  // What is listed from now on is not warned about either, an interpreter still is.
  write_file(scene.directory.path() + "/git", "", 0755);
  const Finished git =
      scene.hostclaw({"approvals", "allowlist", "add", real(scene.directory.path()) + "/git"});
  CHECK(git.standard_error.find("warning") == std::string::npos);
  const Finished perl = scene.hostclaw({"approvals", "allowlist", "add", "perl"});
  CHECK(perl.standard_error.find("warning: It runs the program text") != std::string::npos);
  CHECK(scene.hostclaw({"policy", "lint"}).status == 1);
}

TEST_CASE("doctor tells a database that is none") {
  Scene scene;
  scene.allow("/usr/bin/id");
  write_file(scene.state_directory() + "/hostclaw.sqlite", "not a database", 0600);
  const Examination seen = examine(scene, {"--offline"});
  expect(seen, "database", "DATABASE_DAMAGED", "failure", "mv ");
  CHECK(seen.code("state") == "STATE_PRIVATE");
  CHECK(seen.code("policy") == "STATE_UNREADABLE");
}

TEST_CASE("doctor takes names and codes, prints the next command, and refuses what it does not know") {
  Scene scene;
  const Finished shown = scene.hostclaw({"doctor", "--only", "state", "--offline"});
  CHECK(shown.status == 1);
  CHECK(shown.standard_output.find("STATE_MISSING") != std::string::npos);
  CHECK(shown.standard_output.find("next: hostclaw node run --host GATEWAY") != std::string::npos);
  CHECK(scene.hostclaw({"doctor", "--only", "nothing"}).status == 2);
}

TEST_CASE("every code of doctor is in docs/doctor.md") {
  Scene scene;
  const std::string page = read_file(std::string(HOSTCLAW_SOURCE_DIR) + "/docs/doctor.md");
  const Json list = Json::parse(scene.hostclaw({"doctor", "--list", "--json"}).standard_output);
  REQUIRE(list.size() > 20);
  for (const Json& check : list) {
    for (const Json& code : check["codes"]) {
      INFO(code);
      CHECK(page.find("`" + code.get<std::string>() + "`") != std::string::npos);
    }
  }
}

TEST_CASE("--only knows every code that the look at a service of Windows answers") {
  Scene scene;
  const std::string source = read_file(std::string(HOSTCLAW_SOURCE_DIR) + "/service-win/service_findings.cc");
  const std::regex code("finding\\(\\s*\"[a-z]+\",[^;]*?\"([A-Z]+_[A-Z_]+)\"|\"(DOCKER_[A-Z]+)\"");
  std::set<std::string> codes;
  for (auto at = std::sregex_iterator(source.begin(), source.end(), code); at != std::sregex_iterator(); ++at)
    codes.insert((*at)[1].matched ? (*at)[1].str() : (*at)[2].str());
  REQUIRE(codes.size() > 15);
  const Json list = Json::parse(scene.hostclaw({"doctor", "--list", "--json"}).standard_output);
  std::set<std::string> known;
  for (const Json& check : list) {
    for (const Json& item : check["codes"]) known.insert(item.get<std::string>());
  }
  for (const std::string& item : codes) {
    INFO(item);
    CHECK(known.count(item) == 1);
  }
  CHECK(scene.hostclaw({"doctor", "--offline", "--only", "DOCKER_UNKNOWN,nothing"}).status == 2);
}

// ---- logs

TEST_CASE("logs shows the newest lines of a log file in either form, and follows it") {
  Scene scene;
  const std::string path = scene.state_directory() + "/node.log";
  std::filesystem::create_directories(scene.state_directory());
  std::filesystem::permissions(scene.state_directory(), std::filesystem::perms::owner_all);
  scene.start_host({"--log-file", path}, {{"HOSTCLAW_LOG_LEVEL", "debug"}});
  scene.await("connected");
  const Finished shown = scene.hostclaw({"logs", "--lines", "0", "--file", path});
  CHECK(shown.status == 0);
  CHECK(shown.standard_output.find(" info  serving mcp.tools.call.v1 system.execApprovals.get") !=
        std::string::npos);
  CHECK(split(scene.hostclaw({"logs", "-n", "1", "--file", path}).standard_output, '\n').size() == 2);
  CHECK(scene.hostclaw({"logs", "--since", "1h", "--file", path}).standard_output.find("serving") !=
        std::string::npos);
  const Finished lines = scene.hostclaw({"logs", "--json", "--lines", "0", "--file", path});
  for (const std::string& line : split(lines.standard_output, '\n')) {
    if (line.empty()) continue;
    const Json json = Json::parse(line);
    CHECK(string_at(json, "time").ends_with("Z"));
    CHECK_FALSE(string_at(json, "level").empty());
    CHECK_FALSE(string_at(json, "message").empty());
  }
  HostProcess follow(hostclaw_program(), {"logs", "--follow", "--file", path}, scene.environment());
  REQUIRE(follow.wait_output("serving", kPatience).has_value());
  scene.stop_host();
  CHECK(follow.wait_output("stopping (SIGTERM)", kPatience).has_value());
}

TEST_CASE("logs leaves out what is older than --since and refuses a time it does not know") {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/node.log";
  write_file(path,
             "2020-01-01T00:00:00.000Z info  long ago\n"
             "{\"time\":\"2099-01-01T00:00:00.000Z\",\"level\":\"warn\",\"message\":\"to come\"}\n");
  Scene scene;
  CHECK(scene.hostclaw({"logs", "--since", "2d", "--file", path}).standard_output ==
        "{\"time\":\"2099-01-01T00:00:00.000Z\",\"level\":\"warn\",\"message\":\"to come\"}\n");
  const Finished wrong = scene.hostclaw({"logs", "--since", "yesterday", "--file", path});
  CHECK(wrong.status == 2);
  CHECK(wrong.standard_error.find("next: hostclaw logs --since 1h") != std::string::npos);
}

TEST_CASE("logs without a service and without a file says what to type") {
  Scene scene;
  // The user's own service: this machine may have one for everybody.
  Environment nobody{{"XDG_CONFIG_HOME", scene.directory.path() + "/config"}};
  const Finished finished = scene.hostclaw({"logs", "--user"}, nobody);
  CHECK(finished.status == 1);
  CHECK(finished.standard_error.find("SERVICE_NOT_INSTALLED") != std::string::npos);
  CHECK(finished.standard_error.find("next: hostclaw logs --file FILE") != std::string::npos);
  std::filesystem::create_directories(scene.state_directory());
  write_file(scene.state_directory() + "/node.log", "a line\n", 0600);
  CHECK(scene.hostclaw({"logs", "--user"}, nobody).standard_output == "a line\n");
}

TEST_CASE("the log's level and form come from flags, else from the environment") {
  Scene scene;
  SECTION("JSON by a flag") {
    scene.start_host({"--log-format", "json"});
    const auto line = scene.host->wait_line("\"serving ", kPatience);
    REQUIRE(line.has_value());
    CHECK(Json::parse(*line)["level"] == "info");
  }
  SECTION("JSON by the environment") {
    scene.start_host({}, {{"HOSTCLAW_LOG_FORMAT", "json"}});
    REQUIRE(scene.host->wait_line("{\"time\":", kPatience).has_value());
  }
  SECTION("only errors") {
    scene.start_host({}, {{"HOSTCLAW_LOG_LEVEL", "error"}});
    scene.await("connected");
    CHECK(scene.host->standard_error().empty());
  }
  SECTION("the flag wins") {
    scene.start_host({"--log-level", "info"}, {{"HOSTCLAW_LOG_LEVEL", "error"}});
    CHECK(scene.host->wait_line("serving ", kPatience).has_value());
  }
  SECTION("a word that is none") {
    scene.start_host({}, {{"HOSTCLAW_LOG_LEVEL", "loud"}});
    const auto finished = scene.host->wait_exit(kPatience);
    REQUIRE(finished.has_value());
    CHECK(finished->status == 1);
    CHECK(finished->standard_error.find("HOSTCLAW_LOG_LEVEL must be one of error, warn, info, debug") !=
          std::string::npos);
  }
}

// ---- bugreport

TEST_CASE("bugreport tells everything about a node but its secrets") {
  Scene scene;
  const std::string report = scene.directory.path() + "/report.json";
  scene.preset("yolo");
  scene.connect_host();
  scene.run({"printf", "%s", "--password=planted-password"});
  scene.run({"printf", "the output is %s-output", "planted"});
  scene.exec("printf %s 'Authorization: Bearer planted-bearer-1234567890'");
  await_link(scene, "connected");

  // Where a secret may have come to stand by somebody's mistake.
  std::vector<std::string> secrets{kSharedToken,
                                   "planted-password",
                                   "planted-output",
                                   "planted-bearer-1234567890",
                                   "planted-setting",
                                   "planted-member",
                                   "planted-socket-token",
                                   "sk-live-0123456789abcdefghijklmn",
                                   "planted credential \"quoted\"",
                                   "planted-environment"};
  {
    auto store = approvals::Store::open(scene.state_directory(), approvals::OpenMode::kReadWrite);
    REQUIRE(store.has_value());
    const auto identity = (*store)->identity();
    REQUIRE((identity && *identity));
    const auto token = (*store)->device_token((*identity)->device_id, "node");
    REQUIRE((token && *token));
    secrets.push_back((*token)->token);
    for (const std::string& line : split((*identity)->private_key_pem, '\n')) {
      if (!line.empty() && !line.starts_with("-----")) secrets.push_back(line);
    }
    REQUIRE((*store)->put_setting("of.another.version", Json{{"word", "planted-setting"}}).has_value());
    REQUIRE((*store)->put_setting("exec.apiKey", Json("planted-member")).has_value());
    auto document = (*store)->document();
    REQUIRE(document.has_value());
    Json policy = Json::parse(document->raw_text);
    policy["socket"] = {{"path", "/run/x"}, {"token", "planted-socket-token"}};
    policy["agents"]["main"]["allowlist"] = Json::array(
        {{{"id", "1"}, {"pattern", "/usr/bin/curl"}, {"argPattern", "sk-live-0123456789abcdefghijklmn"}}});
    REQUIRE((*store)->put_document(policy.dump(), std::nullopt, {"cli", "test"}).has_value());
  }
  std::filesystem::create_directories(scene.state_directory() + "/credentials");
  std::filesystem::permissions(scene.state_directory() + "/credentials", std::filesystem::perms::owner_all);
  write_file(scene.state_directory() + "/credentials/gateway-token", secrets[8] + "\n", 0600);
  std::string log;
  for (const std::string& secret : secrets) {
    // Those that neither this machine knows nor anybody could recognise have nothing to do in a log.
    if (is_one_of(secret, {"planted-output", "planted-setting", "planted-member", "planted-password",
                           "planted-socket-token", "planted-bearer-1234567890"}))
      continue;
    log += "2026-11-28T00:00:00.000Z info  quoted: " + secret + " and more\n";
  }
  log += "2026-11-28T00:00:00.000Z info  token=planted-member password: planted-password\n";
  write_file(scene.state_directory() + "/node.log", log, 0600);

  const Finished finished = scene.hostclaw({"bugreport", "--user", "--output", report},
                                           {{"OPENCLAW_GATEWAY_TOKEN", kSharedToken},
                                            {"SOME_API_KEY", "planted-environment"},
                                            {"XDG_CONFIG_HOME", scene.directory.path() + "/config"}});
  INFO(finished.standard_error);
  REQUIRE(finished.status == 0);
  CHECK(finished.standard_output == report + "\n");
  namespace fs = std::filesystem;
  CHECK((fs::status(report).permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  const std::string text = read_file(report);
  for (const std::string& secret : secrets) {
    INFO(secret << " in\n" << text);
    const std::string quoted = Json(secret).dump();
    CHECK(text.find(quoted.substr(1, quoted.size() - 2)) == std::string::npos);
  }
  const Json body = Json::parse(text);
  CHECK(body["format"] == "hostclaw-bugreport-1");
  CHECK(pick(body, "/status/link/state") == "connected");
  CHECK(pick(body, "/doctor/checks").size() > 15);
  CHECK(pick(body, "/runs").size() == 3);
  CHECK(pick(body, "/policy/document/agents/main/allowlist/0/pattern") == "/usr/bin/curl");
  CHECK(pick(body, "/settings/of.another.version") == "(not shown)");
  CHECK(pick(body, "/audit/byKind/decision").get<int>() >= 3);
  CHECK(pick(body, "/log/lines").size() >= 4);
  CHECK(text.find("and more") != std::string::npos);
  // What helps stays: the device's public name and the fingerprint of the policy.
  CHECK(string_at(body["status"], "deviceId").size() == 64);
  CHECK(string_at(body["policy"], "hash").size() == 64);
}

TEST_CASE("bugreport is written where nothing is stored yet, and over no file that is there") {
  Scene scene;
  const std::string report = scene.directory.path() + "/report.json";
  const std::vector<std::string> words{"bugreport", "--offline", "--output", report};
  REQUIRE(scene.hostclaw(words).status == 0);
  CHECK(pick(Json::parse(read_file(report)), "/stateError/code") == "STORE_NOT_FOUND");
  const Finished again = scene.hostclaw(words);
  CHECK(again.status == 1);
  CHECK(again.standard_error.find("FILE_EXISTS") != std::string::npos);
  CHECK(pick(Json::parse(read_file(report)), "/stateError/code") == "STORE_NOT_FOUND");
  const Finished shown = scene.hostclaw({"bugreport", "--offline", "--output", "-"});
  CHECK(Json::parse(shown.standard_output)["format"] == "hostclaw-bugreport-1");
}

TEST_CASE("bugreport says which place cannot be written, and leaves nothing there") {
  Scene scene;
  const std::string nowhere = scene.directory.path() + "/missing/report.json";
  const Finished missing = scene.hostclaw({"bugreport", "--offline", "--output", nowhere, "--json"});
  CHECK(missing.status == 1);
  CHECK(string_at(Json::parse(missing.standard_output)["error"], "code") == "FILE_UNWRITABLE");
  CHECK(missing.standard_output.find(nowhere) != std::string::npos);
  const Finished directory = scene.hostclaw({"bugreport", "--offline", "--output", scene.directory.path()});
  CHECK(directory.status == 1);
  CHECK(directory.standard_error.find("FILE_EXISTS") != std::string::npos);
  // A link that leads nowhere is not followed.
  const std::string link = scene.directory.path() + "/link.json";
  std::filesystem::create_symlink(scene.directory.path() + "/elsewhere.json", link);
  CHECK(scene.hostclaw({"bugreport", "--offline", "--output", link}).status == 1);
  CHECK_FALSE(std::filesystem::exists(scene.directory.path() + "/elsewhere.json"));
}

TEST_CASE("bugreport takes out a secret that holds another, and one of digits alone") {
  Scene scene;
  const std::string report = scene.directory.path() + "/report.json";
  const Finished finished =
      scene.hostclaw({"bugreport", "--offline", "--output", report, "--json"},
                     {{"A_TOKEN", "machine"}, {"B_TOKEN", "machine-and-more"}, {"C_PASSWORD", "1700000"}});
  REQUIRE(finished.status == 0);
  CHECK(Json::parse(finished.standard_output)["path"] == report);
  const std::string text = read_file(report);
  CHECK(text.find("machine") == std::string::npos);
  CHECK(Json::parse(text)["format"] == "hostclaw-bugreport-1");
}

}  // namespace hostclaw::integration
