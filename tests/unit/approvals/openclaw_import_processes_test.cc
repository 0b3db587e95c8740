// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "openclaw_import_fixture.h"
#include "processes.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace hostclaw::approvals
