// SPDX-License-Identifier: Apache-2.0
#include "service-win/service_plan.h"

#include <catch2/catch.hpp>

#include "service-win/windows_words.h"

namespace hostclaw::service_win {

TEST_CASE("the service of a profile has names of its own") {
  CHECK(service_name() == "hostclaw");
  CHECK(display_name() == "hostclaw node host");
  use_profile("work");
  CHECK(service_name() == "hostclaw-work");
  CHECK(display_name() == "hostclaw node host (work)");
  CHECK(account_named("")->name == "NT SERVICE\\hostclaw-work");
  CHECK(account_named("nt service\\Hostclaw-Work")->kind == AccountKind::kOwn);
  CHECK_FALSE(account_named("NT SERVICE\\hostclaw").has_value());
  use_profile("");
  CHECK_FALSE(account_named("NT SERVICE\\hostclaw-work").has_value());
}

TEST_CASE("a definition is read back from the image path as it was meant") {
  Definition definition;
  definition.executable = "C:\\Program Files\\hostclaw\\hostclaw.exe";
  definition.state_directory = "C:\\ProgramData\\hostclaw";
  definition.environment = {{"NODE_EXTRA_CA_CERTS", "C:\\my certificates\\ca.pem"}, {"X", ""}};
  definition.run_arguments = {"--host", "gateway.example", "--display-name", "build \"box\" 1\\"};
  for (const Starter starter : {Starter::kServiceManager, Starter::kLogonTask, Starter::kLogonTaskItself}) {
    definition.starter = starter;
    const auto read = definition_of(split_command_line(command_line_of(words_of(definition))));
    REQUIRE(read);
    CHECK(read->starter == starter);
    CHECK(read->executable == definition.executable);
    CHECK(read->state_directory == definition.state_directory);
    CHECK(read->environment == definition.environment);
    CHECK(read->run_arguments == definition.run_arguments);
  }
}

TEST_CASE("a service with another program or other words is not ours") {
  CHECK_FALSE(definition_of({}));
  CHECK_FALSE(definition_of({"C:\\x\\hostclaw.exe"}));
  CHECK_FALSE(definition_of({"C:\\x\\hostclaw.exe", "node", "run", "--state-dir", "C:\\s"}));
  CHECK_FALSE(definition_of({"C:\\x\\other.exe", "service", "run", "--state-dir", "C:\\s"}));
  CHECK_FALSE(definition_of({"C:\\x\\hostclaw.exe", "service", "walk", "--state-dir", "C:\\s"}));
  CHECK_FALSE(definition_of({"C:\\x\\hostclaw.exe", "service", "run", "--state-dir", "C:\\s", "--set", "X"}));
  CHECK(definition_of({"C:\\x\\HOSTCLAW.EXE", "service", "run", "--state-dir", "C:\\s"}));
}

TEST_CASE("accounts have the names that the service manager knows") {
  struct Row {
    const char* typed;
    AccountKind kind;
    const char* name;
  };
  for (const Row& row :
       {Row{"", AccountKind::kOwn, "NT SERVICE\\hostclaw"},
        Row{"nt service\\HOSTCLAW", AccountKind::kOwn, "NT SERVICE\\hostclaw"},
        Row{"LocalService", AccountKind::kLocalService, "NT AUTHORITY\\LocalService"},
        Row{"NT AUTHORITY\\Local Service", AccountKind::kLocalService, "NT AUTHORITY\\LocalService"},
        Row{"networkservice", AccountKind::kNetworkService, "NT AUTHORITY\\NetworkService"},
        Row{"SYSTEM", AccountKind::kLocalSystem, "LocalSystem"},
        Row{".\\LocalSystem", AccountKind::kLocalSystem, "LocalSystem"},
        Row{"NT AUTHORITY\\SYSTEM", AccountKind::kLocalSystem, "LocalSystem"},
        Row{"alice", AccountKind::kUser, ".\\alice"}, Row{"CORP\\alice", AccountKind::kUser, "CORP\\alice"},
        Row{"alice@corp.example", AccountKind::kUser, "alice@corp.example"},
        Row{"CORP\\node$", AccountKind::kManaged, "CORP\\node$"}}) {
    INFO(row.typed);
    const auto account = account_named(row.typed);
    REQUIRE(account.has_value());
    CHECK(account->kind == row.kind);
    CHECK(account->name == row.name);
  }
  const auto other = account_named("NT SERVICE\\Spooler");
  REQUIRE(other.has_error());
  CHECK(other.error().code == "CONFIG_INVALID");
}

TEST_CASE("the identity of a service is the one that Windows derives from its name") {
  // Published: the owner of Windows' own files.
  CHECK(service_sid("TrustedInstaller") == "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
  CHECK(service_sid("trustedinstaller") == service_sid("TRUSTEDINSTALLER"));
}

TEST_CASE("the state belongs to the system, the administrators and the service alone") {
  CHECK(state_folder_sddl({"S-1-5-80-1"}) == "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-5-80-1)");
  CHECK(state_folder_sddl({}) == "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)");
}

TEST_CASE(
    "a configuration error stays stopped and says why, a failure looks like a crash, a stop is no error") {
  struct Row {
    int status;
    bool asked;
    bool stopped;
    std::uint32_t code;
    std::uint32_t specific;
  };
  for (const Row& row : {Row{0, false, false, 0, 0}, Row{0, true, true, 0, 0}, Row{143, true, true, 0, 0},
                         Row{143, false, true, 0, 0}, Row{130, true, true, 0, 0},
                         Row{78, false, true, 1066, 78}, Row{78, true, true, 0, 0},
                         Row{1, false, false, 0, 0}, Row{3, false, false, 0, 0}, Row{1, true, true, 0, 0}}) {
    INFO(row.status << (row.asked ? " when asked" : ""));
    const ServiceEnd end = end_of_run(row.status, row.asked);
    CHECK(end.report_stopped == row.stopped);
    CHECK(end.win32_exit_code == row.code);
    CHECK(end.specific_exit_code == row.specific);
    CHECK(is_to_be_restarted(row.status, row.asked) == !row.stopped);
  }
}

TEST_CASE("the pauses between starts grow to a bound") {
  CHECK(restart_delay(0).count() == 5);
  CHECK(restart_delay(1).count() == 5);
  CHECK(restart_delay(2).count() == 30);
  CHECK(restart_delay(3).count() == 120);
  CHECK(restart_delay(1'000'000).count() == 120);
}

TEST_CASE("the service manager's numbers become words") {
  CHECK(status_word(1, 0) == "stopped");
  CHECK(status_word(1, kNeverStarted) == "stopped");
  CHECK(status_word(1, kServiceSpecificError) == "failed");
  CHECK(status_word(1, 1067) == "failed");
  CHECK(status_word(2, 0) == "starting");
  CHECK(status_word(3, 0) == "stopping");
  CHECK(status_word(4, 0) == "running");
  CHECK(status_word(99, 0) == "unknown");
  CHECK(state_word(4) == "RUNNING");
  CHECK(state_word(99) == "UNKNOWN");
  CHECK_FALSE(last_exit_status(kNeverStarted, 0));
  CHECK(last_exit_status(kServiceSpecificError, 78) == 78);
  CHECK(last_exit_status(1067, 0) == 1067);
  CHECK(last_exit_status(0, 0) == 0);
  CHECK(last_exit_reason(kServiceSpecificError, 78) == "configuration");
  CHECK(last_exit_reason(0, 0).empty());
  CHECK(poll_pause(0).count() == 50);
  CHECK(poll_pause(1'000).count() == 100);
  CHECK(poll_pause(4'000'000'000U).count() == 250);
}

TEST_CASE("what the node told is read back, and anything else is nothing") {
  const ToldStatus told = read_told_status(told_status_text({4711, "connected: wss://x\nsecond line"}));
  CHECK(told.pid == 4711);
  CHECK(told.text == "connected: wss://x second line");
  CHECK(told.started_ms == 0);
  CHECK(read_told_status(told_status_text({4711, "x", 1'796'054'899'840})).started_ms == 1'796'054'899'840);
  for (const char* text : {"", "\n", "x\ny\n", "-1\nx\n", "99999999999999\nx\n", "12", "12 x\ny\n",
                           "12 \ny\n", "12 3 4\ny\n", "12 9999999999999999\ny\n"}) {
    INFO(text);
    CHECK(read_told_status(text).pid == 0);
  }
}

TEST_CASE("another process under a number that was used before is not who told") {
  const ToldStatus told{4711, "connected", 1'796'054'899'840};
  CHECK(is_who_told(told, 1'796'054'899'840));
  CHECK_FALSE(is_who_told(told, 1'796'054'999'999));
  // What may not be asked, and what an older version told, goes by the number alone.
  CHECK(is_who_told(told, 0));
  CHECK(is_who_told({4711, "connected"}, 1'796'054'999'999));
}

TEST_CASE("a log that was renamed when it was full is read as one") {
  const std::string older = "2026-11-21T09:00:00.000Z info  one\n2026-11-21T09:00:01.000Z info  two\n";
  const std::string newer = "2026-11-21T09:00:02.000Z info  three\nwithout a time\n";
  CHECK(newest_log_lines(older, newer, 0, 0) == older + newer);
  CHECK(newest_log_lines(older, newer, 3, 0) == "2026-11-21T09:00:01.000Z info  two\n" + newer);
  CHECK(newest_log_lines(older, newer, 0, 1'795'251'602'000) == newer);
  CHECK(newest_log_lines("", newer, 1, 0) == "without a time\n");
  CHECK(newest_log_lines("", "", 5, 0).empty());
}

}  // namespace hostclaw::service_win
