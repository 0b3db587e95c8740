// SPDX-License-Identifier: Apache-2.0
// A running node whose disk is full, whose database is locked or whose policy is damaged: nothing runs, each
// refusal says what is wrong and what to type, and when the trouble is over so is the refusing.
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

class OpenDatabase {
 public:
  explicit OpenDatabase(const Scene& scene) {
    const std::string path = scene.state_directory() + "/hostclaw.sqlite";
    REQUIRE(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
    sqlite3_busy_timeout(handle_, 10'000);
  }
  ~OpenDatabase() { sqlite3_close(handle_); }
  OpenDatabase(const OpenDatabase&) = delete;
  OpenDatabase& operator=(const OpenDatabase&) = delete;
  void execute(const std::string& sql) {
    INFO(sql);
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }

 private:
  sqlite3* handle_ = nullptr;
};

bool runs(Scene& scene) { return pick(scene.run({"/bin/echo", "fine"}), "/stdout") == "fine\n"; }

std::string refusal(Scene& scene) {
  const Json answer = scene.run({"/bin/echo", "fine"});
  INFO(answer.dump());
  CHECK(node_error(answer)["code"] == "SYSTEM_RUN_DENIED");
  return string_at(node_error(answer), "message");
}

// Refused, and really not run: what it would have left is not there.
void check_nothing_runs(Scene& scene) {
  const std::string trace = scene.directory.path() + "/trace";
  CHECK(node_error(scene.run({"/usr/bin/touch", trace}))["code"] == "SYSTEM_RUN_DENIED");
  CHECK_FALSE(std::filesystem::exists(trace));
}

// A small file system of its own for the state; nothing where this process may not mount.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    std::filesystem::create_directories(path);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    mounted_ =
        ::mount("hostclaw-test", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0700") == 0;
    if (!mounted_) WARN("skipped: this process may not mount: " << std::strerror(errno));
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  void fill() {
    std::ofstream file(path_ + "/ballast", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void clear() { std::filesystem::remove(path_ + "/ballast"); }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_CASE("with a full disk nothing runs, the refusal says so, and with space again it goes on") {
  Scene scene;
  SmallDisk disk(scene.state_directory());
  if (!disk.mounted()) return;
  scene.preset("yolo");
  scene.connect_host();
  const int pid = scene.host->pid();
  REQUIRE(runs(scene));
  disk.fill();
  // What the log of the database holds already may take a few rows more.
  std::string message;
  for (int i = 0; i < 200 && message.empty(); ++i) {
    const Json answer = scene.run({"/bin/echo", "fine"});
    if (!node_error(answer).is_null()) message = string_at(node_error(answer), "message");
  }
  INFO(message);
  CHECK(message.find("STORE_FULL") != std::string::npos);
  CHECK(message.find("df -h") != std::string::npos);
  check_nothing_runs(scene);
  const Finished status = scene.hostclaw({"status"});
  INFO(status.standard_output << status.standard_error);
  CHECK((status.standard_output + status.standard_error).find("df -h") != std::string::npos);
  const Finished doctor = scene.hostclaw({"doctor", "--offline", "--only", "database"});
  INFO(doctor.standard_output);
  CHECK(doctor.status == 1);
  CHECK(doctor.standard_output.find("DATABASE_UNUSABLE") != std::string::npos);
  CHECK(doctor.standard_output.find("df -h") != std::string::npos);
  disk.clear();
  CHECK(scene.hostclaw({"doctor", "--offline", "--only", "database"}).status == 0);
  CHECK(runs(scene));
  CHECK(scene.host->pid() == pid);
  CHECK(scene.hostclaw({"status"}).standard_output.find("df -h") == std::string::npos);
  scene.stop_host();
}

TEST_CASE("the end of a run that came while the disk was full is recorded when there is space again") {
  Scene scene;
  SmallDisk disk(scene.state_directory());
  if (!disk.mounted()) return;
  scene.preset("yolo");
  scene.connect_host();
  Fifo held(scene.directory.path() + "/held");
  const std::string script = "exec 3>'" + held.path() + "'; echo x >&3; exec 3>&-; read line <'" +
                             scene.directory.path() + "/go'; head -c 20000 /dev/zero | tr '\\0' x";
  REQUIRE(::mkfifo((scene.directory.path() + "/go").c_str(), 0600) == 0);
  auto answer = scene.invoke_async("system.run",
                                   {{"command", Json::array({"/bin/sh", "-c", script})}, {"runId", "held"}});
  REQUIRE(held.wait_opened(kPatience));
  disk.fill();
  for (int i = 0; i < 200; ++i) {
    if (!node_error(scene.run({"/bin/echo", "fine"})).is_null()) break;
  }
  {
    std::ofstream go(scene.directory.path() + "/go");
    go << "now\n";
  }
  REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
  REQUIRE(scene.host->wait_line("the end of run held could not be recorded yet", kPatience).has_value());
  disk.clear();
  REQUIRE(runs(scene));
  REQUIRE(scene.host->wait_line("the end of run held is recorded now", kPatience).has_value());
  const Finished ends = scene.hostclaw({"audit", "tail", "--json", "--kind", "end", "--limit", "300"});
  CHECK(ends.standard_output.find("\"run\":\"held\"") != std::string::npos);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
  scene.stop_host();
  CHECK(scene.hostclaw({"runs", "--json"}).standard_output.find("interrupted") == std::string::npos);
}

TEST_CASE("with a locked database nothing runs, the refusal says so, and unlocked it goes on") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(runs(scene));
  {
    OpenDatabase other(scene);
    other.execute("BEGIN EXCLUSIVE");
    const std::string message = refusal(scene);
    INFO(message);
    CHECK(message.find("STORE_LOCKED") != std::string::npos);
    CHECK(message.find("fuser -v") != std::string::npos);
    check_nothing_runs(scene);
    const Finished status = scene.hostclaw({"status"});
    INFO(status.standard_output << status.standard_error);
    CHECK((status.standard_output + status.standard_error).find("fuser -v") != std::string::npos);
    other.execute("ROLLBACK");
  }
  CHECK(runs(scene));
  CHECK(scene.hostclaw({"status"}).standard_output.find("fuser -v") == std::string::npos);
}

TEST_CASE("with a damaged policy nothing runs, the refusal says so, and repaired it goes on") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(runs(scene));
  OpenDatabase other(scene);
  other.execute("CREATE TEMP TABLE kept AS SELECT * FROM policy_document");
  other.execute(
      "UPDATE policy_document SET generation = generation + 1, raw_text = "
      "'{\"version\":1,\"defaults\":{\"security\":'");
  const std::string message = refusal(scene);
  INFO(message);
  CHECK(message.find("hostclaw approvals") != std::string::npos);
  const Finished status = scene.hostclaw({"status"});
  INFO(status.standard_output << status.standard_error);
  CHECK((status.standard_output + status.standard_error).find("hostclaw approvals") != std::string::npos);
  other.execute(
      "UPDATE policy_document SET generation = generation + 1, raw_text = (SELECT raw_text FROM kept)");
  CHECK(runs(scene));
}

// What a node says from outside while its database is not where it was.
void check_told(Scene& scene) {
  const Finished status = scene.hostclaw({"status"});
  CHECK((status.standard_output + status.standard_error).find("until its database is back") !=
        std::string::npos);
  const Finished doctor = scene.hostclaw({"doctor", "--offline", "--only", "DATABASE_MOVED"});
  INFO(doctor.standard_output);
  CHECK(doctor.status == 1);
  CHECK(doctor.standard_output.find("DATABASE_MOVED") != std::string::npos);
  const Finished added = scene.hostclaw({"approvals", "allowlist", "add", "/bin/echo"});
  CHECK(added.status == 1);
  CHECK(added.standard_error.find("STORE_MOVED") != std::string::npos);
}

// A copy of the database as a backup makes it: one file, of this moment.
void copy_database(const Scene& scene, const std::string& to) {
  OpenDatabase(scene).execute("VACUUM INTO '" + to + "'");
  REQUIRE(::chmod(to.c_str(), 0600) == 0);
}

TEST_CASE("with its database moved away nothing runs, everybody is told, and with it back it goes on") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(runs(scene));
  const std::string path = scene.state_directory() + "/hostclaw.sqlite";
  std::filesystem::rename(path, path + ".aside");
  CHECK(refusal(scene).find("STORE_MOVED") != std::string::npos);
  check_nothing_runs(scene);
  const Reply shown = scene.gateway->call("exec.approvals.node.get", {{"nodeId", scene.node_id}});
  INFO(shown.error.dump() << shown.payload.dump());
  CHECK(shown.error.dump().find("moved or deleted") != std::string::npos);
  CHECK(scene.host->wait_line("nothing runs: STORE_MOVED", kPatience).has_value());
  check_told(scene);
  CHECK_FALSE(std::filesystem::exists(path));
  std::filesystem::rename(path + ".aside", path);
  CHECK(runs(scene));
  CHECK(scene.host->wait_line("the database is back", kPatience).has_value());
  CHECK(scene.hostclaw({"status"}).standard_output.find("until its database is back") == std::string::npos);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
}

TEST_CASE("a start waits for a locked database, says so, and goes on") {
  Scene scene;
  REQUIRE(scene.hostclaw({"status"}).status == 1);
  scene.preset("yolo");
  const std::string lock = GENERATE("BEGIN EXCLUSIVE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  INFO(lock);
  std::optional<OpenDatabase> other(scene);
  other->execute(lock);
  scene.start_host();
  REQUIRE(scene.host->wait_line("the start waits: STORE_LOCKED", kPatience).has_value());
  CHECK(scene.host->standard_error().find("tried again every 2 s -- next: fuser -v") != std::string::npos);
  other.reset();
  REQUIRE(scene.host->wait_line("the start goes on after", kPatience).has_value());
  REQUIRE(scene.host->wait_line("gateway connected", kPatience).has_value());
}

TEST_CASE("a start waits for space on a full disk, says so, and goes on") {
  Scene scene;
  SmallDisk disk(scene.state_directory());
  if (!disk.mounted()) return;
  if (GENERATE(true, false)) scene.preset("yolo");
  disk.fill();
  scene.start_host();
  REQUIRE(scene.host->wait_line("the start waits: STORE_FULL", kPatience).has_value());
  disk.clear();
  REQUIRE(scene.host->wait_line("gateway connected", kPatience).has_value());
}

TEST_CASE("a start that waits ends when it is asked to") {
  Scene scene;
  scene.preset("yolo");
  OpenDatabase other(scene);
  other.execute("BEGIN EXCLUSIVE");
  const auto [number, status] =
      GENERATE(std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}, std::pair{SIGHUP, 129});
  scene.start_host();
  REQUIRE(scene.host->wait_line("the start waits", kPatience).has_value());
  const auto asked = std::chrono::steady_clock::now();
  scene.host->signal(number);
  const auto ended = scene.host->wait_exit(kPatience);
  REQUIRE(ended.has_value());
  CHECK(ended->status == status);
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(1));
}

TEST_CASE("what only a person can mend ends a start with status 78") {
  Scene scene;
  scene.preset("yolo");
  REQUIRE(::chmod((scene.state_directory() + "/hostclaw.sqlite").c_str(), 0644) == 0);
  const Finished ended = scene.hostclaw({"node", "run", "--host", "127.0.0.1"});
  CHECK(ended.status == 78);
  CHECK(ended.standard_error.find("STORE_PERMISSIONS") != std::string::npos);
}

TEST_CASE("a second node is refused although node.lock was deleted, and status still sees the first") {
  Scene scene;
  scene.connect_host();
  std::filesystem::remove(scene.state_directory() + "/node.lock");
  const Finished second = scene.hostclaw({"node", "run", "--host", "127.0.0.1"});
  CHECK(second.status == 78);
  CHECK(second.standard_error.find("ALREADY_RUNNING") != std::string::npos);
  CHECK(scene.hostclaw({"status"}).standard_output.find("link       connected") != std::string::npos);
  // A process id that lives, but is not a node's, is believed by nobody.
  scene.stop_host();
  OpenDatabase(scene).execute("UPDATE settings SET value = json_set(value, '$.pid', " +
                              std::to_string(::getpid()) +
                              ", '$.state', 'connected') WHERE key = 'runtime.link'");
  CHECK(scene.hostclaw({"status"}).standard_output.find("link       not-running") != std::string::npos);
}

TEST_CASE("a deleted log of the database is noticed too") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(runs(scene));
  const std::string log = scene.state_directory() + "/hostclaw.sqlite-wal";
  std::filesystem::rename(log, log + ".aside");
  CHECK(refusal(scene).find("hostclaw.sqlite-wal") != std::string::npos);
  check_nothing_runs(scene);
  std::filesystem::rename(log + ".aside", log);
  CHECK(runs(scene));
}

TEST_CASE("a copy that was put in place of the database is gone on with, its policy included") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(runs(scene));
  const std::string path = scene.state_directory() + "/hostclaw.sqlite";
  copy_database(scene, path + ".copy");
  // Only in what is then lost.
  for (int i = 0; i < 5; ++i) REQUIRE(runs(scene));
  Fifo held(scene.directory.path() + "/held");
  REQUIRE(::mkfifo((scene.directory.path() + "/go").c_str(), 0600) == 0);
  const std::string script = "exec 3>'" + held.path() + "'; echo x >&3; exec 3>&-; read line <'" +
                             scene.directory.path() + "/go'; exit 7";
  auto answer = scene.invoke_async("system.run",
                                   {{"command", Json::array({"/bin/sh", "-c", script})}, {"runId", "held"}});
  REQUIRE(held.wait_opened(kPatience));
  std::filesystem::remove(path + "-wal");
  std::filesystem::remove(path + "-shm");
  std::filesystem::rename(path + ".copy", path);
  CHECK(refusal(scene).find("STORE_MOVED") != std::string::npos);
  check_told(scene);
  REQUIRE(scene.host->wait_line("the database is back", kPatience).has_value());
  CHECK(runs(scene));
  // What ended here began there.
  write_file(scene.directory.path() + "/go", "now\n");
  REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
  CHECK(runs(scene));
  const Json listed = Json::parse(scene.hostclaw({"runs", "--json"}).standard_output);
  INFO(listed.dump());
  CHECK(listed.dump().find("\"exitCode\":7") == std::string::npos);
  CHECK(
      scene.hostclaw({"audit", "tail", "--json", "--kind", "end"}).standard_output.find("\"run\":\"held\"") !=
      std::string::npos);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
  CHECK(scene.hostclaw({"exec-policy", "preset", "deny-all"}).status == 0);
  CHECK_FALSE(node_error(scene.run({"/bin/echo", "fine"})).is_null());
}

TEST_CASE("a database of another device is never gone on with") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  REQUIRE(runs(scene));
  const std::string other = scene.directory.path() + "/other";
  REQUIRE(scene.hostclaw({"exec-policy", "preset", "yolo"}, {{"HOSTCLAW_STATE_DIR", other}}).status == 0);
  const std::string path = scene.state_directory() + "/hostclaw.sqlite";
  const std::string aside = scene.directory.path() + "/aside";
  std::filesystem::create_directory(aside);
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::rename(path + suffix, aside + "/hostclaw.sqlite" + suffix);
  std::filesystem::rename(other + "/hostclaw.sqlite", path);
  CHECK(refusal(scene).find("STORE_MOVED") != std::string::npos);
  REQUIRE(scene.host->wait_line("was replaced by one of no device", kPatience).has_value());
  CHECK(refusal(scene).find("no device") != std::string::npos);
  check_nothing_runs(scene);
  check_told(scene);
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix);
  for (const char* suffix : {"-wal", "-shm", ""})
    std::filesystem::rename(aside + "/hostclaw.sqlite" + suffix, path + suffix);
  REQUIRE(scene.host->wait_line("the database is back", kPatience).has_value());
  CHECK(runs(scene));
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
}

}  // namespace
}  // namespace hostclaw::integration
