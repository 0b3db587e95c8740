// SPDX-License-Identifier: Apache-2.0
// Every way a database can be unusable, with a real file on a real file system.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "approvals/database/schema.h"
#include "approvals/database/sqlite.h"
#include "approvals/store/store.h"
#include "processes.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

StoreOptions impatient() {
  StoreOptions options;
  options.busy_timeout = std::chrono::milliseconds(50);
  return options;
}

TEST_CASE("reading a state that does not exist creates nothing", "[store][failures]") {
  TemporaryDirectory base;
  CHECK(open_code(base / "none", OpenMode::kReadOnly) == "STORE_NOT_FOUND");
  CHECK(std::filesystem::is_empty(base.path()));
  CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_NOT_FOUND");
  CHECK(std::filesystem::is_empty(base.path()));
}

TEST_CASE("a file that is not a database is refused and left untouched", "[store][failures]") {
  TemporaryDirectory base;
  const std::string content =
      GENERATE(std::string("my notes, do not delete\n"), std::string(8192, 'x'), std::string());
  write_file(base / "hostclaw.sqlite", content);
  const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
  REQUIRE(opened.has_error());
  CHECK(opened.error().code == "STORE_CORRUPT");
  CHECK(opened.error().message.find(base / "hostclaw.sqlite") != std::string::npos);
  CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_CORRUPT");
  CHECK(read_file(base / "hostclaw.sqlite") == content);
}

TEST_CASE("the database of another program is refused and left untouched", "[store][failures]") {
  TemporaryDirectory base;
  const std::string file = base / "hostclaw.sqlite";
  const char* journal = GENERATE("PRAGMA journal_mode = DELETE;", "PRAGMA journal_mode = WAL;");
  run_sql(file, std::string(journal) + "CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (1);");
  const std::string before = read_file(file);
  CHECK(open_code(base.path()) == "STORE_FOREIGN");
  CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_FOREIGN");
  CHECK(read_file(file) == before);
  CHECK_FALSE(std::filesystem::exists(file + "-wal"));
}

TEST_CASE("a database from a newer program is refused and left untouched", "[store][failures]") {
  TemporaryDirectory base;
  open_store(base.path());
  const std::string file = base / "hostclaw.sqlite";
  run_sql(file, "PRAGMA user_version = " + std::to_string(schema_version() + 1));
  const std::string before = read_file(file);
  const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
  REQUIRE(opened.has_error());
  CHECK(opened.error().code == "STORE_NEWER_VERSION");
  CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_NEWER_VERSION");
  CHECK(read_file(file) == before);
}

TEST_CASE("a truncated database is refused at open and kept", "[store][failures]") {
  TemporaryDirectory base;
  open_store(base.path());
  const std::string file = base / "hostclaw.sqlite";
  const std::string content = read_file(file);
  write_file(file, content.substr(0, 4096));
  CHECK(open_code(base.path()) == "STORE_CORRUPT");
  CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_CORRUPT");
  CHECK(read_file(file) == content.substr(0, 4096));
}

TEST_CASE("a database whose table list is destroyed is refused at open and kept", "[store][failures]") {
  TemporaryDirectory base;
  open_store(base.path());
  const std::string file = base / "hostclaw.sqlite";
  std::string content = read_file(file);
  content.replace(100, 3000, std::string(3000, '\xFF'));
  write_file(file, content);
  CHECK(open_code(base.path()) == "STORE_CORRUPT");
  CHECK(read_file(file) == content);
}

TEST_CASE("a database without one of its tables is refused at open", "[store][failures]") {
  TemporaryDirectory base;
  open_store(base.path());
  run_sql(base / "hostclaw.sqlite", "DROP TABLE settings");
  CHECK(open_code(base.path()) == "STORE_CORRUPT");
}

TEST_CASE("damage further inside is found by the integrity check", "[store][failures]") {
  TemporaryDirectory base;
  {
    auto store = open_store(base.path());
    must(store->put_document(std::string(20'000, 'a'), std::nullopt, kCli));
    must(store->check_integrity());
  }
  const std::string file = base / "hostclaw.sqlite";
  std::string content = read_file(file);
  for (std::size_t at = 3 * 4096; at + 200 < content.size(); at += 4096)
    content.replace(at, 200, std::string(200, '\xFF'));
  write_file(file, content);
  const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
  if (opened) {
    CHECK(code_of((*opened)->check_integrity()) == "STORE_CORRUPT");
  } else {
    CHECK(opened.error().code == "STORE_CORRUPT");
  }
}

TEST_CASE("a directory or file that others can see is refused with the command to type",
          "[store][failures]") {
  TemporaryDirectory base;
  open_store(base.path());
  SECTION("directory") {
    ::chmod(base.path().c_str(), 0750);
    const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == "STORE_PERMISSIONS");
    CHECK(opened.error().next == "chmod 700 " + base.path());
    CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_PERMISSIONS");
  }
  SECTION("file") {
    const std::string file = base / "hostclaw.sqlite";
    ::chmod(file.c_str(), 0640);
    const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
    REQUIRE(opened.has_error());
    CHECK(opened.error().code == "STORE_PERMISSIONS");
    CHECK(opened.error().next == "chmod 600 " + file);
    CHECK(open_code(base.path(), OpenMode::kReadOnly) == "STORE_PERMISSIONS");
  }
}

TEST_CASE("a directory or file of another user is refused", "[store][failures]") {
  if (!can_change_user()) {
    WARN("skipped: needs root");
    return;
  }
  TemporaryDirectory base;
  open_store(base.path());
  const std::string target = GENERATE(std::string(), std::string("/hostclaw.sqlite"));
  REQUIRE(::chown((base.path() + target).c_str(), kOtherUser, kOtherUser) == 0);
  const auto opened = Store::open(base.path(), OpenMode::kReadWrite);
  REQUIRE(opened.has_error());
  CHECK(opened.error().code == "STORE_PERMISSIONS");
}

TEST_CASE("a state path that is a file is refused", "[store][failures]") {
  TemporaryDirectory base;
  write_file(base / "state", "text");
  CHECK(open_code(base / "state") == "STORE_IO");
  CHECK(open_code(base / "state/deeper") == "STORE_IO");
}

TEST_CASE("a database file without write permission is refused for writing and can be read",
          "[store][failures]") {
  if (!can_change_user()) {
    WARN("skipped: needs root to become an ordinary user");
    return;
  }
  TemporaryDirectory base;
  ::chmod(base.path().c_str(), 0711);
  std::filesystem::create_directory(base / "state");
  REQUIRE(::chown((base / "state").c_str(), kOtherUser, kOtherUser) == 0);
  const int status = in_child([&] {
    become_other_user();
    const std::string directory = base / "state";
    {
      const auto store = Store::open(directory, OpenMode::kReadWrite);
      if (!store || !(*store)->put_setting("a", 1)) return 1;
    }
    ::chmod((directory + "/hostclaw.sqlite").c_str(), 0400);
    if (open_code(directory) != "STORE_READ_ONLY") return 2;
    const auto reader = Store::open(directory, OpenMode::kReadOnly);
    if (!reader || setting_text(**reader, "a") != "1") return 3;
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("a directory without write permission is refused for writing and can be read",
          "[store][failures]") {
  if (!can_change_user()) {
    WARN("skipped: needs root to become an ordinary user");
    return;
  }
  TemporaryDirectory base;
  ::chmod(base.path().c_str(), 0711);
  std::filesystem::create_directory(base / "state");
  REQUIRE(::chown((base / "state").c_str(), kOtherUser, kOtherUser) == 0);
  const int status = in_child([&] {
    become_other_user();
    const std::string directory = base / "state";
    {
      const auto store = Store::open(directory, OpenMode::kReadWrite);
      if (!store || !(*store)->put_setting("a", 1)) return 1;
    }
    ::chmod(directory.c_str(), 0500);
    if (open_code(directory) != "STORE_READ_ONLY") return 2;
    const auto reader = Store::open(directory, OpenMode::kReadOnly);
    if (!reader || setting_text(**reader, "a") != "1") return 3;
    ::chmod(directory.c_str(), 0700);
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("a read-only file system is refused for writing and can be read", "[store][failures]") {
  if (!can_mount()) {
    WARN("skipped: needs permission to mount");
    return;
  }
  TemporaryDirectory base;
  const int status = in_child([&] {
    mount_small_file_system(base.path(), "size=4m,mode=700");
    {
      const auto store = Store::open(base.path(), OpenMode::kReadWrite);
      if (!store || !(*store)->put_setting("a", 1)) return 1;
    }
    remount_read_only(base.path());
    if (open_code(base.path()) != "STORE_READ_ONLY") return 2;
    const auto reader = Store::open(base.path(), OpenMode::kReadOnly);
    if (!reader || setting_text(**reader, "a") != "1") return 3;
    if (open_code(base / "new") != "STORE_READ_ONLY") return 4;
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("a database that another process holds is locked after the timeout and usable later",
          "[store][failures]") {
  TemporaryDirectory base;
  auto store = open_store(base.path(), OpenMode::kReadWrite, impatient());
  int ready[2];
  int done[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(done) == 0);
  const pid_t holder = start_child([&] {
    const auto other = Store::open(base.path(), OpenMode::kReadWrite);
    if (!other) return 1;
    const auto held = (*other)->transaction([&]() -> Result<void> {
      char byte = 'x';
      if (::write(ready[1], &byte, 1) != 1 || ::read(done[0], &byte, 1) != 1)
        return make_error("PIPE", "broken");
      return {};
    });
    return held ? 0 : 2;
  });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  const auto refused = store->put_setting("a", 1);
  CHECK(code_of(refused) == "STORE_LOCKED");
  CHECK(code_of(store->settings()) == "ok");
  REQUIRE(::write(done[1], &byte, 1) == 1);
  CHECK(wait_for_child(holder) == 0);
  must(store->put_setting("a", 1));
}

TEST_CASE("a database under an exclusive lock cannot be opened and says so", "[store][failures]") {
  TemporaryDirectory base;
  open_store(base.path());
  int ready[2];
  int done[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(done) == 0);
  const pid_t holder = start_child([&] {
    const auto other = Store::open(base.path(), OpenMode::kReadWrite);
    if (!other || !(*other)->database().execute("PRAGMA locking_mode = EXCLUSIVE") ||
        !(*other)->put_setting("b", 1)) {
      return 1;
    }
    char byte = 'x';
    return ::write(ready[1], &byte, 1) == 1 && ::read(done[0], &byte, 1) == 1 ? 0 : 2;
  });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK(open_code(base.path(), OpenMode::kReadWrite, impatient()) == "STORE_LOCKED");
  CHECK(open_code(base.path(), OpenMode::kReadOnly, impatient()) == "STORE_LOCKED");
  REQUIRE(::write(done[1], &byte, 1) == 1);
  CHECK(wait_for_child(holder) == 0);
  CHECK(open_code(base.path()) == "opened");
}

// Fills the store until it refuses, in the process that calls. Answers the code of the refusal.
std::string fill(Store& store) {
  for (int i = 0; i < 2000; ++i) {
    const auto stored = store.put_setting("filler-" + std::to_string(i), std::string(20'000, 'f'));
    if (!stored) return stored.error().code;
  }
  return "never full";
}

TEST_CASE("a full disk refuses writes and the store works again when there is space", "[store][failures]") {
  if (!can_mount()) {
    WARN("skipped: needs permission to mount");
    return;
  }
  TemporaryDirectory base;
  const int status = in_child([&] {
    mount_small_file_system(base.path(), "size=4m,mode=700");
    auto opened = Store::open(base.path() + "/state", OpenMode::kReadWrite);
    if (!opened) return 1;
    Store& store = **opened;
    if (!store.put_setting("before", 1)) return 2;
    std::filesystem::path ballast = base / "ballast";
    write_file(ballast, std::string(2'000'000, 'b'));
    if (fill(store) != "STORE_FULL") return 3;
    // A decision that cannot be recorded fails as well, and what was stored is still readable.
    RunRow row;
    row.output_tail = std::string(60'000, 't');
    if (code_of(store.insert_run(row)) != "STORE_FULL") return 4;
    if (setting_text(store, "before") != "1") return 5;
    std::filesystem::remove(ballast);
    if (!store.insert_run(row)) return 6;
    if (!store.check_integrity()) return 7;
    return 0;
  });
  CHECK(status == 0);
}

TEST_CASE("a store cannot be created on a full disk and leaves nothing behind", "[store][failures]") {
  if (!can_mount()) {
    WARN("skipped: needs permission to mount");
    return;
  }
  TemporaryDirectory base;
  const int status = in_child([&] {
    mount_small_file_system(base.path(), "size=16k,mode=700");
    if (open_code(base.path()) != "STORE_FULL") return 1;
    return std::filesystem::is_empty(base.path()) ? 0 : 2;
  });
  CHECK(status == 0);
}

TEST_CASE("a limit on file sizes is a full disk", "[store][failures]") {
  TemporaryDirectory base;
  const int status = in_child([&] {
    auto opened = Store::open(base.path(), OpenMode::kReadWrite);
    if (!opened) return 1;
    ::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 500'000;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    if (fill(**opened) != "STORE_FULL") return 2;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    if (!(*opened)->put_setting("after", 1)) return 3;
    return (*opened)->check_integrity() ? 0 : 4;
  });
  CHECK(status == 0);
}

TEST_CASE("a transaction that lost its disk writes nothing outside itself", "[store][failures]") {
  if (!can_mount()) {
    WARN("skipped: needs permission to mount");
    return;
  }
  TemporaryDirectory base;
  const int status = in_child([&] {
    mount_small_file_system(base.path(), "size=4m,mode=700");
    auto opened = Store::open(base.path() + "/state", OpenMode::kReadWrite);
    if (!opened) return 1;
    Store& store = **opened;
    // The body ignores the refusal on purpose and goes on.
    const auto outcome = store.transaction([&]() -> Result<void> {
      fill(store);
      (void)store.put_setting("small", 1);
      return {};
    });
    const bool all = setting_text(store, "filler-0") != "absent";
    const bool some = setting_text(store, "small") != "absent";
    if (!outcome && some) return 2;
    if (outcome && !all) return 3;
    return store.check_integrity() ? 0 : 4;
  });
  CHECK(status == 0);
}

}  // namespace
}  // namespace hostclaw::approvals
