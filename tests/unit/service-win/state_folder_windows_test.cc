// SPDX-License-Identifier: Apache-2.0
#include "service-win/state_folder.h"

#include <windows.h>

// After windows.h.
#include <catch2/catch.hpp>

#include "base/wide_text.h"
#include "service-win/accounts.h"

namespace hostclaw::service_win {
namespace {

using node_host::ServiceScope;

// A folder of this test alone that goes away with it.
class StateFolder {
 public:
  StateFolder() {
    wchar_t base[MAX_PATH + 1];
    GetTempPathW(MAX_PATH, base);
    path_ = from_wide(base) + "hostclaw-test-" + std::to_string(GetCurrentProcessId()) + "-" +
            std::to_string(++count_);
    const auto made = make_state_folder(path_, {service_sid(service_name())});
    REQUIRE(made.has_value());
  }
  ~StateFolder() { remove_tree(path_); }
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  inline static int count_ = 0;
  std::string path_;
};

void write(const std::string& path, const std::string& text) {
  REQUIRE(write_whole_file(path, text).has_value());
}

}  // namespace

TEST_CASE("a secret is read back, does not stand in its file, and can be forgotten") {
  const StateFolder state;
  const ServiceScope scope = GENERATE(ServiceScope::kSystem, ServiceScope::kUser);
  REQUIRE(keep_secret(state.path(), scope, "gateway-token", "correct horse").has_value());
  CHECK(kept_secret(state.path(), "gateway-token") == "correct horse");
  const std::string file = read_whole_file(state.path() + "\\credentials\\gateway-token");
  CHECK_FALSE(file.empty());
  CHECK(file.find("horse") == std::string::npos);
  forget_secrets(state.path());
  CHECK(kept_secret(state.path(), "gateway-token").empty());
  CHECK_FALSE(path_exists(state.path() + "\\credentials"));
}

TEST_CASE("a file that was not protected is no secret") {
  const StateFolder state;
  REQUIRE(keep_secret(state.path(), ServiceScope::kSystem, "gateway-token", "x").has_value());
  write(state.path() + "\\credentials\\gateway-token", "plain text");
  CHECK(kept_secret(state.path(), "gateway-token").empty());
}

TEST_CASE("a state folder is not open to everybody, also when it was there before") {
  const StateFolder state;
  CHECK_FALSE(is_granted({"S-1-1-0", "S-1-5-11"}, state.path(), FILE_LIST_DIRECTORY));
  REQUIRE(make_state_folder(state.path(), {service_sid(service_name())}).has_value());
  CHECK_FALSE(is_granted({"S-1-1-0", "S-1-5-11"}, state.path(), FILE_LIST_DIRECTORY));
}

TEST_CASE("what a node told counts while its process lives") {
  const StateFolder state;
  tell_status(state.path(), {GetCurrentProcessId(), "connected"});
  CHECK(told_status(state.path()).text == "connected");
  CHECK(process_start_ms(GetCurrentProcessId()) > 1'600'000'000'000);
  tell_status(state.path(), {GetCurrentProcessId(), "connected", process_start_ms(GetCurrentProcessId())});
  CHECK(told_status(state.path()).pid == GetCurrentProcessId());
  tell_status(state.path(), {GetCurrentProcessId(), "connected", 1'600'000'000'000});
  CHECK(told_status(state.path()).pid == 0);
  tell_status(state.path(), {0x7FFFFFF0, "connected"});
  CHECK(told_status(state.path()).pid == 0);
  tell_status(state.path(), {});
  CHECK(told_status(state.path()).pid == 0);
}

TEST_CASE("a log is read with its renamed part before it") {
  const StateFolder state;
  write(log_path(state.path()) + ".1", "2026-11-21T09:00:00.000Z info  one\n");
  write(log_path(state.path()), "2026-11-21T09:00:01.000Z info  two\n");
  CHECK(log_text(state.path(), {}) ==
        "2026-11-21T09:00:00.000Z info  one\n2026-11-21T09:00:01.000Z info  two\n");
  node_host::LogWish newest;
  newest.lines = 1;
  CHECK(log_text(state.path(), newest) == "2026-11-21T09:00:01.000Z info  two\n");
}

TEST_CASE("what is not ours stays when a state of the user's choice is removed") {
  const StateFolder state;
  write(state.path() + "\\hostclaw.sqlite", "x");
  write(state.path() + "\\somebody's.txt", "x");
  remove_own_files(state.path());
  CHECK_FALSE(path_exists(state.path() + "\\hostclaw.sqlite"));
  CHECK(path_exists(state.path() + "\\somebody's.txt"));
  remove_tree(state.path());
  CHECK_FALSE(path_exists(state.path()));
}

TEST_CASE("accounts have identities, and a name that nobody has has none") {
  CHECK(sid_of_account({AccountKind::kLocalSystem, "LocalSystem"}) == "S-1-5-18");
  CHECK(sid_of_account({AccountKind::kOwn, "NT SERVICE\\hostclaw"}) == service_sid("hostclaw"));
  CHECK(sid_of_account({AccountKind::kUser, ".\\no-such-account-here"}).empty());
  CHECK(current_sid().starts_with("S-1-5-"));
}

}  // namespace hostclaw::service_win
