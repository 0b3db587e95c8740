// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "approvals/store/store.h"
#include "processes.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

class UmaskScope {
 public:
  explicit UmaskScope(mode_t mask) : before_(::umask(mask)) {}
  ~UmaskScope() { ::umask(before_); }

 private:
  mode_t before_;
};

TEST_CASE("a new store is private whatever the umask says", "[store]") {
  const mode_t mask = GENERATE(mode_t{0}, mode_t{022}, mode_t{0277});
  TemporaryDirectory base;
  const std::string directory = base / "a/b/state";
  const UmaskScope scope(mask);
  auto store = open_store(directory);
  must(store->put_setting("key", "value"));
  CHECK(mode_of(base / "a") == 0700);
  CHECK(mode_of(directory) == 0700);
  CHECK(store->path() == directory + "/hostclaw.sqlite");
  CHECK(mode_of(store->path()) == 0600);
  CHECK(mode_of(store->path() + "-wal") == 0600);
  CHECK(mode_of(store->path() + "-shm") == 0600);
}

TEST_CASE("an existing empty directory of ours is closed", "[store]") {
  TemporaryDirectory base;
  ::chmod(base.path().c_str(), 0755);
  open_store(base.path());
  CHECK(mode_of(base.path()) == 0700);
}

TEST_CASE("a second store object in the same process does not disturb the first", "[store]") {
  // Closing a descriptor of the file would drop the first one's locks, and another process could then take
  // the log away.
  TemporaryDirectory base;
  auto first = open_store(base.path());
  must(first->put_setting("a", 1));
  open_store(base.path());
  open_store(base.path(), OpenMode::kReadOnly);
  const int status = in_child([&] {
    const auto other = Store::open(base.path(), OpenMode::kReadWrite);
    return other ? 0 : 1;
  });
  CHECK(status == 0);
  CHECK(::access((first->path() + "-wal").c_str(), F_OK) == 0);
  must(first->put_setting("a", 2));
  CHECK(setting_text(*open_store(base.path()), "a") == "2");
}

class VariableScope {
 public:
  VariableScope(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    had_ = before != nullptr;
    if (value == nullptr) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }
  ~VariableScope() {
    if (had_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string before_;
  bool had_ = false;
};

TEST_CASE("the state directory follows the environment in the documented order", "[store]") {
  const VariableScope home("HOME", "/home/someone");
  const VariableScope xdg("XDG_STATE_HOME", nullptr);
  const VariableScope openclaw("OPENCLAW_STATE_DIR", nullptr);
  const VariableScope own("HOSTCLAW_STATE_DIR", nullptr);
  CHECK(must(default_state_directory()) == "/home/someone/.local/state/hostclaw");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  CHECK(must(default_state_directory()) == "/home/someone/.local/state/hostclaw");
  ::setenv("XDG_STATE_HOME", "/xdg/", 1);
  CHECK(must(default_state_directory()) == "/xdg/hostclaw");
  ::setenv("OPENCLAW_STATE_DIR", "/claw", 1);
  CHECK(must(default_state_directory()) == "/claw/hostclaw");
  ::setenv("HOSTCLAW_STATE_DIR", "/own/place/", 1);
  CHECK(must(default_state_directory()) == "/own/place");
}

TEST_CASE("root without a home keeps its state below /var/lib", "[store]") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root");
    return;
  }
  const VariableScope home("HOME", nullptr);
  const VariableScope xdg("XDG_STATE_HOME", nullptr);
  const VariableScope openclaw("OPENCLAW_STATE_DIR", nullptr);
  const VariableScope own("HOSTCLAW_STATE_DIR", nullptr);
  CHECK(must(default_state_directory()) == "/var/lib/hostclaw");
}

IdentityRow some_identity(const std::string& device) { return {device, "public", "private", 1}; }

// What a backup holds: the database of this moment as one file.
void copy_of(const std::string& directory, const std::string& to) {
  run_sql(directory + "/hostclaw.sqlite", "VACUUM INTO '" + to + "'");
  ::chmod(to.c_str(), 0600);
}

void replace(const std::string& directory, const std::string& by) {
  const std::string path = directory + "/hostclaw.sqlite";
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix);
  std::filesystem::rename(by, path);
}

// follow_file() until another file was opened, or the last thing it said.
std::string follow_until_settled(Store& store) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::string code = "ok";
  while (std::chrono::steady_clock::now() < until) {
    const auto there = store.follow_file();
    if (there) return "ok";
    code = there.error().message;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return code;
}

TEST_CASE("a database that was moved away answers nothing until it is back", "[store][moved]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->put_setting("x", 1));
  must(store->follow_file());
  for (const char* suffix : {"-shm", "-wal", ""}) {
    const std::string file = base / ("hostclaw.sqlite" + std::string(suffix));
    std::filesystem::rename(file, file + ".aside");
    CHECK(code_of(store->follow_file()) == "STORE_MOVED");
    CHECK(code_of(store->usable()) == "STORE_MOVED");
    CHECK(code_of(store->put_setting("x", 2)) == "STORE_MOVED");
    CHECK(code_of(store->document_generation()) == "STORE_MOVED");
    CHECK(code_of(store->transaction([] { return Result<void>(); })) == "STORE_MOVED");
    std::filesystem::rename(file + ".aside", file);
    must(store->follow_file());
    must(store->put_setting("x", 1));
  }
  CHECK(store->epoch() == 0);
}

TEST_CASE("a copy of the same device takes the place of the database, another device's does not",
          "[store][moved]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->insert_identity(some_identity("aa")));
  must(store->put_document("old", std::nullopt, kCli));
  RunRow row;
  row.run_id = "kept";
  row.verdict = "allow";
  row.state = "running";
  row.row_id = must(store->insert_run(row));
  copy_of(base.path(), base / "copy");
  must(store->put_document("new", std::nullopt, kCli));
  RunRow lost = row;
  lost.run_id = "lost";
  lost.row_id = must(store->insert_run(lost));
  const std::int64_t changes = must(store->foreign_change_count());

  replace(base.path(), base / "copy");
  CHECK(code_of(store->follow_file()) == "STORE_MOVED");
  REQUIRE(follow_until_settled(*store) == "ok");
  CHECK(store->epoch() == 1);
  CHECK(must(store->document()).raw_text == "old");
  CHECK(must(store->foreign_change_count()) != changes);
  // An id that was given there is not given here again, and an end finds its own run or none.
  RunRow next = row;
  next.run_id = "next";
  next.row_id = must(store->insert_run(next));
  CHECK(next.row_id > lost.row_id);
  CHECK(code_of(store->end_run(lost)) == "STORE_NOT_FOUND");
  row.state = "finished";
  must(store->end_run(row));

  TemporaryDirectory other;
  {
    auto foreign = open_store(other.path());
    must(foreign->insert_identity(some_identity("bb")));
    copy_of(other.path(), base / "copy");
  }
  copy_of(base.path(), base / "mine");
  replace(base.path(), base / "copy");
  CHECK(follow_until_settled(*store).find("another device, bb") != std::string::npos);
  CHECK(code_of(store->document()) == "STORE_MOVED");
  replace(base.path(), base / "mine");
  REQUIRE(follow_until_settled(*store) == "ok");
  CHECK(must(store->run("next"))->run_id == "next");
}

TEST_CASE("what is put in place of the database and is none is refused by its own code", "[store][moved]") {
  TemporaryDirectory base;
  auto store = open_store(base.path());
  must(store->insert_identity(some_identity("aa")));
  copy_of(base.path(), base / "mine");
  write_file(base / "broken", "no database");
  ::chmod((base / "broken").c_str(), 0600);
  replace(base.path(), base / "broken");
  (void)follow_until_settled(*store);
  CHECK(code_of(store->usable()) == "STORE_CORRUPT");
  replace(base.path(), base / "mine");
  CHECK(follow_until_settled(*store) == "ok");
}

}  // namespace
}  // namespace hostclaw::approvals
