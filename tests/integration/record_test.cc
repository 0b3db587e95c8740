// SPDX-License-Identifier: Apache-2.0
// The record: what the shipped executable writes down about decisions, runs and changes, and how it is read.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "base/text.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

std::vector<Json> rows(Scene& scene, const std::string& kind = {}) {
  std::vector<std::string> arguments = {"audit", "tail", "--json", "--limit", "1000"};
  if (!kind.empty()) arguments.insert(arguments.end(), {"--kind", kind});
  const Finished finished = scene.hostclaw(arguments);
  INFO(finished.standard_error);
  REQUIRE(finished.status == 0);
  std::vector<Json> out;
  for (const std::string& line : split(finished.standard_output, '\n')) {
    if (!line.empty()) out.push_back(Json::parse(line));
  }
  return out;
}

Json last(Scene& scene, const std::string& kind) {
  const std::vector<Json> all = rows(scene, kind);
  REQUIRE_FALSE(all.empty());
  return all.back()["body"];
}

std::string verify(Scene& scene, const std::vector<std::string>& more, int status) {
  std::vector<std::string> arguments = {"audit", "verify"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Finished finished = scene.hostclaw(arguments);
  INFO(finished.standard_output << finished.standard_error);
  CHECK(finished.status == status);
  return finished.standard_output;
}

// A socket that stands in for the journal or a syslog daemon.
class Receiver {
 public:
  explicit Receiver(const std::string& path) {
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Receiver() { ::close(socket_); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  // Datagrams up to the first that holds `text`; fails the test when it does not come.
  std::vector<std::string> until(const std::string& text) {
    std::vector<std::string> seen;
    for (;;) {
      pollfd waiting{socket_, POLLIN, 0};
      INFO("waiting for " << text);
      REQUIRE(::poll(&waiting, 1, static_cast<int>(kPatience.count()) * 1000) == 1);
      std::string block(1 << 18, '\0');
      const ssize_t size = ::recv(socket_, block.data(), block.size(), 0);
      REQUIRE(size > 0);
      seen.push_back(block.substr(0, static_cast<std::size_t>(size)));
      if (seen.back().find(text) != std::string::npos) return seen;
    }
  }

 private:
  int socket_ = -1;
};

}  // namespace

TEST_CASE("a run is on record with its program, its files, its entry and its end") {
  Scene scene;
  const std::string program = real("/usr/bin/printf");
  scene.allow(program);
  scene.connect_host();
  scene.run({"printf", "abc"}, {{"runId", "run-1"}});

  const Json decision = last(scene, "decision");
  CHECK(decision["verdict"] == "allow");
  CHECK(decision["code"] == "ALLOWED_BY_LIST");
  CHECK(decision["door"] == "gateway");
  CHECK(decision["run"] == "run-1");
  CHECK(decision["agent"] == "main");
  CHECK(decision["argv"] == Json({"printf", "abc"}));
  CHECK(string_at(decision, "argvHash").starts_with("sha256:"));
  CHECK(pick(decision, "/programs/0/path") == program);
  CHECK(pick(decision, "/programs/0/inode").is_number_unsigned());
  CHECK(pick(decision, "/entries/0/pattern") == program);

  const Json end = last(scene, "end");
  CHECK(end["run"] == "run-1");
  CHECK(end["state"] == "finished");
  CHECK(end["exit"] == 0);
  CHECK(end["stdoutBytes"] == 3);
  CHECK(end["durationMs"].is_number());
}

TEST_CASE("a refusal is on record, also one that ends at prepare") {
  Scene scene;
  scene.connect_host();
  scene.run({"uname", "-s"});
  Json decision = last(scene, "decision");
  CHECK(decision["verdict"] == "ask");
  CHECK(decision["stage"] == "run");
  CHECK(pick(decision, "/programs/0/path") == real("/usr/bin/uname"));
  scene.preset("deny-all");
  scene.exec("uname -s");
  decision = last(scene, "decision");
  CHECK(decision["verdict"] == "deny");
  CHECK(decision["code"] == "SECURITY_DENY");
}

TEST_CASE("no secret enters the record, and different secrets are told apart") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  scene.run({"printf", "%s", "--password=hunter2"});
  const Json first = last(scene, "decision");
  scene.run({"printf", "%s", "--password=hunter3"});
  const Json second = last(scene, "decision");
  CHECK(first["argv"] == Json({"printf", "%s", "--password=***"}));
  CHECK(first["masked"] == 1);
  CHECK(string_at(first, "argvHash").starts_with("keyed-sha256:"));
  CHECK(first["argvHash"] != second["argvHash"]);
  const Finished exported = scene.hostclaw({"audit", "export"});
  CHECK(exported.standard_output.find("hunter") == std::string::npos);
  CHECK(exported.standard_output.find(kSharedToken) == std::string::npos);
  // The full text stays on this machine.
  CHECK(scene.hostclaw({"runs"}).standard_output.find("hunter2") != std::string::npos);
}

TEST_CASE("start, pairing, policy writes with their writer, and stop are on record") {
  Scene scene;
  scene.connect_host();
  CHECK(rows(scene, "start").size() == 1);
  bool received = false;
  for (const Json& row : rows(scene, "pairing")) received |= pick(row, "/body/change") == "token-received";
  CHECK(received);
  scene.allow("/usr/bin/id");
  const Json write = last(scene, "policy-write");
  CHECK(write["door"] == "cli");
  CHECK(string_at(write, "who").starts_with("uid "));
  CHECK(pick(write, "/changes/added/0/pattern") == "/usr/bin/id");
  CHECK(write["hashBefore"] != write["hashAfter"]);
  scene.stop_host();
  CHECK(last(scene, "stop")["why"] == "asked to");
  CHECK(rows(scene).back()["kind"] == "checkpoint");
}

TEST_CASE("a run that a kill interrupted has an end on record after the next start") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo fifo(scene.directory.path() + "/held");
  const std::string script = "exec 3>'" + fifo.path() + "'; echo x >&3; sleep 600";
  auto answer = scene.invoke_async("system.run",
                                   {{"command", Json::array({"/bin/sh", "-c", script})}, {"runId", "run-9"}});
  REQUIRE(fifo.wait_opened(kPatience));
  scene.host->signal(SIGKILL);
  REQUIRE(scene.host->wait_exit(kPatience).has_value());
  scene.connect_host();
  const Json end = last(scene, "end");
  CHECK(end["run"] == "run-9");
  CHECK(end["state"] == "interrupted");
  verify(scene, {}, 0);
}

TEST_CASE("verify names the first bad row of exported lines and finds a tail that was cut off") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  for (int i = 0; i < 5; ++i) scene.run({"printf", std::to_string(i)});
  scene.stop_host();
  const Finished signed_now = scene.hostclaw({"audit", "checkpoint"});
  REQUIRE(signed_now.status == 0);
  const std::string checkpoint = scene.directory.path() + "/checkpoint.json";
  write_file(checkpoint, signed_now.standard_output);
  CHECK(verify(scene, {"--checkpoint", checkpoint}, 0).starts_with("valid: "));

  const std::string all = scene.hostclaw({"audit", "export"}).standard_output;
  std::vector<std::string> lines = split(all, '\n');
  lines.pop_back();
  const std::string file = scene.directory.path() + "/lines";
  const auto check = [&](const std::vector<std::string>& kept, const std::string& problem) {
    write_file(file, join(kept, "\n"));
    const std::string told =
        verify(scene, {"--file", file, "--checkpoint", checkpoint}, problem.empty() ? 0 : 1);
    INFO(told);
    CHECK((problem.empty() || told.find("first bad row: " + problem) != std::string::npos));
  };
  check(lines, "");
  std::vector<std::string> changed = lines;
  const std::size_t at = changed[4].find("\"body\"");
  REQUIRE(at != std::string::npos);
  changed[4].replace(changed[4].find('{', at), 1, "{\"added\":1,");
  check(changed, "5");
  std::vector<std::string> removed = lines;
  removed.erase(removed.begin() + 6);
  check(removed, "7");
  std::vector<std::string> swapped = lines;
  std::swap(swapped[3], swapped[4]);
  check(swapped, "4");
  check({lines.begin(), lines.end() - 4}, std::to_string(lines.size() - 3));
}

TEST_CASE("audit tail --follow shows what comes, show and stats read it, prune keeps the rest verifiable") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  HostProcess follow(hostclaw_program(), {"audit", "tail", "--follow"}, scene.environment());
  scene.run({"printf", "seen"});
  CHECK(follow.wait_output("exit 0", kPatience).has_value());
  follow.signal(SIGTERM);
  const auto finished = follow.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  CHECK(finished->standard_output.find("printf seen") != std::string::npos);

  const Json row = rows(scene, "decision").back();
  const Finished shown = scene.hostclaw({"audit", "show", std::to_string(row["sequence"].get<int>())});
  CHECK(shown.standard_output.find("printf seen") != std::string::npos);
  CHECK(shown.standard_output.find(string_at(row, "hash")) != std::string::npos);
  CHECK(scene.hostclaw({"audit", "show", "99999"}).status == 1);
  CHECK(Json::parse(scene.hostclaw({"audit", "stats", "--json"}).standard_output)["byKind"]["decision"] == 1);
  CHECK(scene.hostclaw({"audit", "prune", "--keep-rows", "3"}).status == 0);
  CHECK(verify(scene, {}, 0).starts_with("valid: "));
  CHECK(scene.hostclaw({"audit", "prune"}).status == 2);
}

TEST_CASE("a running node sends each row to the mirrors, masked as it is exported") {
  Scene scene;
  const std::string where = scene.directory.path();
  Receiver journal(where + "/journal");
  Receiver syslog(where + "/log");
  const std::string file = where + "/rows.jsonl";
  const Finished set = scene.hostclaw({"audit", "mirror", "set", "--journald", where + "/journal", "--syslog",
                                       where + "/log", "--file", file});
  INFO(set.standard_error);
  REQUIRE(set.status == 0);
  const std::string first = std::to_string(rows(scene).back()["sequence"].get<int>());
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  scene.run({"printf", "%s", "--password=hunter2"}, {{"runId", "run-1"}});
  const auto journaled = journal.until("HOSTCLAW_KIND=end\n");
  CHECK(journaled.front().find("HOSTCLAW_SEQUENCE=" + first + "\n") != std::string::npos);
  CHECK(join(journaled, "").find("HOSTCLAW_VERDICT=allow\n") != std::string::npos);
  CHECK(join(journaled, "").find("--password=***") != std::string::npos);
  const auto logged = syslog.until(" end [meta ");
  CHECK(logged.size() == journaled.size());
  CHECK((join(journaled, "") + join(logged, "")).find("hunter2") == std::string::npos);
  // What another process writes is sent by the node as well.
  scene.allow("/usr/bin/id");
  CHECK(join(journal.until("HOSTCLAW_KIND=policy-write\n"), "").find("HOSTCLAW_DOOR=cli\n") !=
        std::string::npos);
  scene.stop_host();
  journal.until("HOSTCLAW_KIND=checkpoint\n");
  // The file holds the lines of an export from the switching on, to the last row.
  const std::string exported =
      scene.hostclaw({"audit", "export", "--after", std::to_string(std::stoi(first) - 1)}).standard_output;
  CHECK(read_file(file) == exported);
  struct stat facts {};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  const Json stats = Json::parse(scene.hostclaw({"audit", "stats", "--json"}).standard_output);
  for (const char* name : {"journald", "syslog", "file"}) {
    INFO(name << dump_json(stats));
    CHECK(pick(stats, std::string("/mirrors/") + name + "/dropped") == 0);
    CHECK(pick(stats, std::string("/mirrors/") + name + "/lastSequence") == stats["lastSequence"]);
  }
}

TEST_CASE("a mirror that nobody listens at delays and refuses nothing, and status says what it missed") {
  Scene scene;
  const std::string where = scene.directory.path();
  REQUIRE(scene.hostclaw({"audit", "mirror", "set", "--journald", where + "/journal"}).status == 0);
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(scene.host->wait_line("the record's mirror journald misses rows", kPatience).has_value());
  for (int i = 0; i < 20; ++i) CHECK(pick(scene.run({"printf", "fine"}), "/stdout") == "fine");
  Receiver journal(where + "/journal");
  scene.run({"printf", "heard"});
  journal.until("printf heard");
  REQUIRE(scene.host->wait_line("the record's mirror journald takes rows again", kPatience).has_value());
  scene.stop_host();
  const std::string told = scene.host->standard_error();
  CHECK(told.find("misses rows", told.find("misses rows") + 1) == std::string::npos);
  const Finished status = scene.hostclaw({"status"});
  CHECK(status.standard_output.find("MISSED") != std::string::npos);
  CHECK(scene.hostclaw({"audit", "stats"}).standard_output.find("MISSED") != std::string::npos);
  const Json json = Json::parse(scene.hostclaw({"status", "--json"}).standard_output);
  CHECK(pick(json, "/auditMirrors/journald/dropped").get<int>() > 0);
  CHECK(pick(json, "/auditMirrors/journald/problem") == "");
}

TEST_CASE("a running node applies retention by itself, and verify says what it removed") {
  Scene scene;
  for (int i = 0; i < 40; ++i) scene.allow("/usr/bin/tool" + std::to_string(i));
  REQUIRE(scene.hostclaw({"audit", "retention", "set", "--keep-rows", "10"}).status == 0);
  scene.connect_host();
  REQUIRE(scene.host->wait_line("retention removed", kPatience).has_value());
  const Finished verified = scene.hostclaw({"audit", "verify", "--json"});
  INFO(verified.standard_output);
  REQUIRE(verified.status == 0);
  const Json found = Json::parse(verified.standard_output);
  CHECK(pick(found, "/removed/by/door") == "node");
  CHECK(pick(found, "/removed/signed") == true);
  CHECK(pick(found, "/removed/through").get<int>() + 1 == found["firstSequence"]);
  CHECK(found["rows"].get<int>() < 20);
  CHECK(verify(scene, {}, 0).find(" were removed, the last of them ") != std::string::npos);
  // Changed while it runs, and by hand.
  scene.run({"printf", "x"});
  const Finished pruned = scene.hostclaw({"audit", "prune", "--keep-rows", "3", "--json"});
  CHECK(Json::parse(pruned.standard_output)["removed"].get<int>() > 0);
  CHECK(verify(scene, {}, 0).find(" by cli uid ") != std::string::npos);
}

TEST_CASE("at its limit the database takes nothing more, or loses its oldest rows, as its owner says") {
  Scene scene;
  scene.preset("yolo");
  // More than the limit, most of it rows of the record.
  for (int i = 0; i < 24; ++i)
    REQUIRE(scene
                .hostclaw({"approvals", "allowlist", "add",
                           "/usr/bin/" + std::string(60'000, 'x') + std::to_string(i)})
                .status == 0);
  REQUIRE(scene.hostclaw({"audit", "limit", "set", "--megabytes", "1", "--then", "refuse"}).status == 0);
  scene.connect_host();
  REQUIRE(scene.host->wait_line("STORE_AT_LIMIT", kPatience).has_value());
  const Json refused = node_error(scene.run({"printf", "x"}));
  INFO(refused.dump());
  CHECK(refused.dump().find("STORE_AT_LIMIT") != std::string::npos);
  CHECK(scene.hostclaw({"doctor", "--only", "database"}).standard_output.find("DATABASE_AT_LIMIT") !=
        std::string::npos);
  REQUIRE(scene.hostclaw({"audit", "limit", "set", "--then", "prune"}).status == 0);
  REQUIRE(scene.host->wait_line("the limit of the database removed", kPatience).has_value());
  CHECK(verify(scene, {}, 0).find(" were removed, the last of them ") != std::string::npos);
  REQUIRE(scene.hostclaw({"audit", "limit", "set", "--megabytes", "4096"}).status == 0);
  REQUIRE(scene.host->wait_line("the database is below its limit again", kPatience).has_value());
  CHECK(scene.run({"printf", "x"})["stdout"] == "x");
}

TEST_CASE("requests that are refused fill the database with runs, and the record does not go for them") {
  Scene scene;
  scene.preset("deny-all");
  scene.connect_host();
  for (int i = 0; i < 20; ++i) (void)scene.run({"printf", std::to_string(i), std::string(60'000, 'x')});
  const std::size_t recorded = rows(scene).size();
  REQUIRE(scene.hostclaw({"audit", "limit", "set", "--megabytes", "1", "--then", "prune"}).status == 0);
  REQUIRE(scene.host->wait_line("runs that are over and 0 rows of the record", kPatience).has_value());
  CHECK(rows(scene).size() == recorded + 1);  // the setting's
  CHECK(verify(scene, {}, 0).find(" were removed, ") == std::string::npos);
  CHECK(scene.hostclaw({"doctor", "--only", "database"}).standard_output.find("DATABASE_OK") !=
        std::string::npos);
}

TEST_CASE("retention and mirrors refuse what means nothing, name the next command, and keep what was set") {
  Scene scene;
  REQUIRE(scene.hostclaw({"audit", "retention", "set", "--keep-days", "90"}).status == 0);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"retention", "set"},
                                                {"retention", "set", "--keep-days", "0"},
                                                {"retention", "set", "--keep-rows", "many"},
                                                {"retention", "set", "--keep-all", "--keep-days", "3"},
                                                {"mirror", "set"},
                                                {"mirror", "set", "--file", "relative"},
                                                {"mirror", "set", "--syslog", "yes"}}) {
    std::vector<std::string> arguments = {"audit"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const Finished refused = scene.hostclaw(arguments);
    INFO(join(arguments, " ") << "\n" << refused.standard_error);
    CHECK(refused.status != 0);
    CHECK_FALSE(refused.standard_error.empty());
  }
  const Json keep = Json::parse(scene.hostclaw({"audit", "retention", "show", "--json"}).standard_output);
  CHECK(keep["keep"] == Json{{"days", 90}});
  CHECK(scene.hostclaw({"audit", "mirror", "show"}).standard_output == "the record is not mirrored\n");
  CHECK(last(scene, "setting-write")["key"] == "audit.retention");
}

TEST_CASE("an export is verified without being held in memory") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  WARN("skipped: a sanitizer's own memory is far above the limit");
#else
  Scene scene;
  scene.preset("yolo");
  // Far more than the memory that the reader may have; blank lines are passed over.
  const std::string text =
      "(\"$0\" audit export; yes \"$(printf '%100000s' '')\" | head -n 3000) | "
      "(ulimit -v 250000; exec \"$0\" audit verify --file -)";
  HostProcess reader("/bin/sh", {"-c", text, hostclaw_program()}, scene.environment());
  const auto ended = reader.wait_exit(2 * kPatience);
  REQUIRE(ended.has_value());
  INFO(ended->standard_output << ended->standard_error);
  CHECK(ended->status == 0);
#endif
}

}  // namespace hostclaw::integration
