// SPDX-License-Identifier: Apache-2.0
// The command line itself: words that are misspelt or missing, help, and texts that a reader needs.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "node-host/app/node_host.h"
#include "node-host/system/files/instance_lock.h"
#include "tests/integration/local_state.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

using Words = std::vector<std::string>;

bool says_words(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an option or a word that is an empty text is refused: it is a variable that was not set") {
  LocalState state;
  const auto [words, named] = GENERATE(table<Words, std::string>({
      {{"policy", "template", "git", "--repo", "/tmp", "--agent", "", "--yes"}, "--agent"},
      {{"policy", "add", "allow", "git", "--directory", "", "--note", "n", "--match", "git a", "--not-match",
        "ls"},
       "--directory"},
      {{"audit", "verify", "--file", ""}, "--file"},
      {{"runs", "show", ""}, "ID"},
      {{"runs", "--since", ""}, "--since"},
      {{"approvals", "allowlist", "add", ""}, "PATTERN"},
      {{"node", "run", "--pair-file", ""}, "--pair-file"},
  }));
  const Finished done = state.hostclaw(words);
  CAPTURE(words, done.standard_error);
  CHECK(done.status == 2);
  CHECK(says_words(done.standard_error, "empty text"));
  CHECK(says_words(done.standard_error, named));
}

TEST_CASE("an empty word of a command is a word of it") {
  LocalState state;
  state.hostclaw({"approvals", "allowlist", "add", "/usr/bin/printf"});
  const Finished done = state.hostclaw({"policy", "check", "--", "printf", ""});
  CAPTURE(done.standard_output, done.standard_error);
  CHECK_FALSE(says_words(done.standard_error, "empty text"));
}

TEST_CASE("a misspelt word is named together with the nearest one of the same group or of another") {
  LocalState state;
  const auto [words, named, nearest] = GENERATE(table<Words, std::string, std::string>({
      {{"stauts"}, "`stauts`", "`hostclaw status`"},
      {{"node", "instal"}, "`instal`", "`hostclaw node install`"},
      {{"polcy", "add"}, "`polcy`", "`hostclaw policy`"},
      {{"approvals", "allowlist", "ad", "/bin/ls"}, "`ad`", "`hostclaw approvals allowlist add`"},
      {{"allowlist", "add", "/bin/ls"}, "`allowlist`", "`hostclaw approvals allowlist`"},
      {{"approvals", "grants", "lst"}, "`lst`", "`hostclaw approvals grants list`"},
      {{"runs", "shwo"}, "`shwo`", "`hostclaw runs show`"},
      {{"help", "polciy"}, "`polciy`", "`hostclaw policy`"},
      {{"runs", "--jsn"}, "--jsn", "--json"},
      {{"policy", "add", "deny", "git", "--mtach", "git push"}, "--mtach", "--match"},
  }));
  const Finished finished = state.hostclaw(words);
  INFO(finished.standard_error);
  CHECK(finished.status != 0);
  CHECK(says_words(finished.standard_error, named));
  CHECK(says_words(finished.standard_error, "did you mean " + nearest));
}

TEST_CASE("a word that is like none is answered with those that there are") {
  LocalState state;
  const Finished finished = state.hostclaw({"policy", "frobnicate"});
  CHECK(finished.status == 2);
  CHECK(says_words(finished.standard_error, "`hostclaw policy` has no command `frobnicate`"));
  CHECK(says_words(finished.standard_error, "check, explain, lint, rules"));
  CHECK_FALSE(says_words(finished.standard_error, "did you mean"));
  // A word that stands in the right place is taken as it is.
  CHECK(state.hostclaw({"policy", "rules"}).status == 0);
}

TEST_CASE("a missing word is answered with what may stand there, as JSON where that was asked for") {
  LocalState state;
  const Finished finished = state.hostclaw({"approvals", "allowlist"});
  CHECK(finished.status == 2);
  CHECK(says_words(finished.standard_error, "needs one of its commands: list, add, remove"));
  CHECK(says_words(finished.standard_error, "next: hostclaw approvals allowlist --help"));
  CHECK(state.json({"polcy"}, 2)["error"]["code"] == "CONFIG_INVALID");
}

TEST_CASE("everything that policy add lacks is named at once, and its help marks it") {
  LocalState state;
  const Finished finished = state.hostclaw({"policy", "add", "deny"});
  CHECK(finished.status == 2);
  CHECK(says_words(finished.standard_error,
                   "`hostclaw policy add` needs PROGRAM, --note, --match and --not-match"));
  const std::string help = state.hostclaw({"policy", "add", "--help"}).standard_output;
  for (const char* part :
       {"program TEXT REQUIRED", "--match TEXT ... REQUIRED", "--not-match TEXT ... REQUIRED"})
    CHECK(says_words(help, part));
  CHECK(state
            .hostclaw(
                {"policy", "add", "deny", "git", "--note", "no", "--match", "git push", "--not-match", "ls"})
            .status == 0);
}

TEST_CASE("hostclaw alone is a short help, and help WORD is the help of that word") {
  LocalState state;
  const Finished alone = state.hostclaw({});
  CHECK(alone.status == 0);
  CHECK(alone.standard_error.empty());
  CHECK(says_words(alone.standard_output, "hostclaw help WORD"));
  CHECK(std::count(alone.standard_output.begin(), alone.standard_output.end(), '\n') < 15);
  CHECK(state.hostclaw({"help", "policy", "add"}).standard_output ==
        state.hostclaw({"policy", "add", "--help"}).standard_output);
  CHECK(state.hostclaw({"help"}).standard_output == state.hostclaw({"--help"}).standard_output);
  CHECK(state.hostclaw({"version"}).standard_output == state.hostclaw({"--version"}).standard_output);
}

TEST_CASE("where the state is stands under the program's help alone, as a path") {
  LocalState state;
  const std::string path = "The state is in " + state.directory.path() + "/state.";
  CHECK(says_words(state.hostclaw({"--help"}).standard_output, path));
  for (const Words& words : {Words{"policy", "add", "--help"}, Words{"runs", "--help"}}) {
    const std::string help = state.hostclaw(words).standard_output;
    CHECK_FALSE(says_words(help, "state is in"));
    CHECK_FALSE(says_words(help, "STATE_DIR"));
  }
}

TEST_CASE("list and an id alone do what they say") {
  LocalState state;
  REQUIRE(state.hostclaw({"approvals", "allowlist", "add", "/bin/ls", "--agent", "main"}).status == 0);
  CHECK(state.hostclaw({"approvals", "list"}).standard_output ==
        state.hostclaw({"approvals", "get"}).standard_output);
  CHECK(state.hostclaw({"policy", "list"}).standard_output ==
        state.hostclaw({"policy", "rules"}).standard_output);
  const std::string listed = state.hostclaw({"approvals", "allowlist", "list"}).standard_output;
  CHECK(says_words(listed, "main"));
  CHECK(says_words(listed, "/bin/ls"));
  CHECK(state.json({"approvals", "allowlist", "list", "--agent", "other"})["entries"].empty());
  CHECK(state.json({"approvals", "allowlist", "list", "--agent", "main"})["entries"][0]["pattern"] ==
        "/bin/ls");
  const Finished unknown = state.hostclaw({"runs", "0123abcd"});
  CHECK(unknown.status == 1);
  CHECK(says_words(unknown.standard_error, "no run `0123abcd`"));
}

TEST_CASE("the command of policy check needs no --, and what follows its program belongs to it") {
  LocalState state;
  for (const Words& words :
       {Words{"policy", "check", "--json", "git", "log", "--oneline", "--json"},
        Words{"policy", "check", "--json", "--cwd", "/", "--", "git", "log", "--oneline", "--json"}}) {
    const Finished finished = state.hostclaw(words);
    INFO(finished.standard_output << finished.standard_error);
    CHECK(finished.status == 1);
    CHECK(Json::parse(finished.standard_output)["command"] == "git log --oneline --json");
  }
}

TEST_CASE("what is not there cannot be removed, and the agent that has it is named with the command") {
  LocalState state;
  REQUIRE(state.hostclaw({"approvals", "allowlist", "add", "/bin/l*", "--agent", "main"}).status == 0);
  const Finished wrong = state.hostclaw({"approvals", "allowlist", "remove", "/bin/l*"});
  CHECK(wrong.status == 1);
  CHECK(says_words(wrong.standard_error, "ENTRY_NOT_FOUND"));
  CHECK(says_words(wrong.standard_error, "the list of agent main has it"));
  CHECK(says_words(wrong.standard_error, "next: hostclaw approvals allowlist remove '/bin/l*' --agent main"));
  CHECK(says_words(
      state.hostclaw({"approvals", "allowlist", "remove", "/bin/l*", "--agent", "main", "--arg-pattern", "x"})
          .standard_error,
      "it has one with other arguments"));
  CHECK(state.hostclaw({"approvals", "allowlist", "remove", "/bin/other"}).status == 1);
  CHECK(state.hostclaw({"approvals", "allowlist", "remove", "/bin/l*", "--agent", "main"}).status == 0);
  CHECK(state.json({"approvals", "allowlist", "list"})["entries"].empty());
  CHECK(state.hostclaw({"policy", "remove", "no-such-rule"}).status == 1);
}

TEST_CASE(
    "an entry whose path leads nowhere, or can never match, is warned of when it is added and by lint") {
  LocalState state;
  const std::string directory = std::filesystem::canonical(state.directory.path());
  std::filesystem::create_directory(directory + "/tools");
  std::ofstream(directory + "/tools/real") << "x";
  std::filesystem::create_symlink(directory + "/tools/real", directory + "/tools/link");
  const auto [name, code, part] = GENERATE(table<std::string, std::string, std::string>({
      {"/tools/missing", "PATH_MISSING", "There is no file"},
      {"/tools/link", "NEVER_MATCHES", "/tools/real"},
      {"/tools", "NEVER_MATCHES", "is a directory"},
  }));
  const Finished added = state.hostclaw({"approvals", "allowlist", "add", directory + name});
  CHECK(added.status == 0);
  CHECK(says_words(added.standard_error, "warning: "));
  CHECK(says_words(added.standard_error, part));
  const Finished lint = state.hostclaw({"policy", "lint"});
  // A list may be meant for several machines.
  CHECK(lint.status == (code == "PATH_MISSING" ? 0 : 1));
  CHECK(says_words(lint.standard_output, code));
  CHECK(says_words(lint.standard_output, part));
  REQUIRE(state.hostclaw({"approvals", "allowlist", "remove", directory + name}).status == 0);
  const Finished twin = state.hostclaw({"approvals", "allowlist", "add", directory + "/tools/real"});
  CHECK_FALSE(says_words(twin.standard_error, "warning"));
  CHECK(state.hostclaw({"policy", "lint"}).status == 0);
}

TEST_CASE("a word that is not in a closed list is refused, and the known ones are named") {
  LocalState state;
  const auto [words, known] = GENERATE(table<Words, std::string>({
      {{"audit", "tail", "--kind", "descision"}, "policy-write"},
      {{"runs", "--verdict", "allowed"}, "allow"},
      {{"doctor", "--only", "gatway"}, "did you mean gateway?"},
      {{"doctor", "--only", "frobnicate"}, "gateway, tls, clock"},
      {{"exec-policy", "set", "--mode", "observing"}, "observe"},
      {{"completion", "tcsh"}, "zsh"},
  }));
  const Finished finished = state.hostclaw(words);
  INFO(finished.standard_error);
  CHECK(finished.status == 2);
  CHECK(says_words(finished.standard_error, known));
  CHECK(state.hostclaw({"audit", "tail", "--kind", "decision"}).status == 0);
}

TEST_CASE("texts end with one full stop, and say what allowed a command") {
  LocalState state;
  const Finished unknown = state.hostclaw({"policy", "check", "head", "-3"});
  CHECK(says_words(unknown.standard_output, "-3 is not known."));
  CHECK_FALSE(says_words(unknown.standard_output, ".."));
  REQUIRE(state
              .hostclaw({"policy", "add", "allow", "uname", "--id", "a-rule", "--match", "uname -s",
                         "--not-match", "uptime"})
              .status == 0);
  CHECK(says_words(state.hostclaw({"policy", "check", "uname", "-s"}).standard_output,
                   "allowed by rule a-rule"));
  CHECK(says_words(state.hostclaw({"exec-policy", "show"}).standard_output,
                   "limits       set by the owner: at most security="));
}

TEST_CASE("without observations it is said whether this node observes") {
  LocalState state;
  CHECK(says_words(state.hostclaw({"policy", "observed"}).standard_error,
                   "next: hostclaw exec-policy set --mode observe"));
  REQUIRE(state.hostclaw({"exec-policy", "set", "--mode", "observe"}).status == 0);
  const std::string observing = state.hostclaw({"policy", "observed"}).standard_error;
  CHECK(says_words(observing, "this node observes; no command has come yet"));
  CHECK_FALSE(says_words(observing, "next:"));
}

TEST_CASE("a setup code that cannot be read is answered with the command that makes one") {
  LocalState state;
  const Finished finished = state.hostclaw({"connect", "not a code"});
  CHECK(finished.status != 0);
  CHECK(says_words(finished.standard_error, "openclaw devices join-code"));
  CHECK_FALSE(says_words(finished.standard_error, "openclaw qr"));
}

TEST_CASE("the file that a question is bound to is called a file") {
  LocalState state;
  approvals::NewQuestion asked = LocalState::git_push();
  asked.details["script"] = "/usr/bin/tool";
  asked.details["scriptSha256"] = "00ff";
  const std::string shown = state.hostclaw({"approvals", "show", state.ask(asked)}).standard_output;
  CHECK(says_words(shown, "file sha256"));
  CHECK_FALSE(says_words(shown, "script"));
}

TEST_CASE(
    "what allow-always stored is shown with its command, directory, giver and last use; to a run it is not") {
  Scene scene;
  scene.connect_host();
  const std::string here = std::filesystem::canonical(scene.directory.path());
  auto answer = scene.exec_async("uname -s", {{"cwd", here}});
  const Json asked = scene.await("approval", with("status", "requested"));
  scene.gateway->call("exec.approval.resolve",
                      {{"id", pick(asked, "/approvalId")}, {"decision", "allow-always"}});
  REQUIRE(pick(answer.get().payload, "/outcome") == "completed");
  REQUIRE(pick(scene.exec("uname -s", {{"cwd", here}}), "/outcome") == "completed");
  const Finished listed = scene.hostclaw({"approvals", "allowlist", "list", "--json"});
  INFO(listed.standard_output << listed.standard_error);
  const Json entries = Json::parse(listed.standard_output)["entries"];
  const auto stored = std::find_if(entries.begin(), entries.end(),
                                   [](const Json& entry) { return entry.contains("argPattern"); });
  REQUIRE(stored != entries.end());
  CHECK(pick(*stored, "/allows/command").get<std::string>().ends_with("uname -s"));
  CHECK(pick(*stored, "/allows/directory") == here);
  CHECK(pick(*stored, "/addedBy/door") == "gateway");
  CHECK(pick(*stored, "/useCount") == 1);
  for (const Words& words : {Words{"approvals", "get"}, Words{"approvals", "allowlist", "list"}}) {
    const std::string text = scene.hostclaw(words).standard_output;
    INFO(text);
    for (const std::string& part :
         {"uname -s  in " + here, std::string("exactly these arguments in this directory"),
          std::string("added  "), std::string("used   1 time, last ")})
      CHECK(says_words(text, part));
    CHECK_FALSE(says_words(text, "sha256:"));
  }
  scene.preset("yolo");
  const Json to_a_run = scene.run({hostclaw_program(), "approvals", "list"});
  CHECK(says_words(to_a_run.dump(), "uname"));
  CHECK_FALSE(says_words(to_a_run.dump(), "allows "));
  CHECK_FALSE(says_words(to_a_run.dump(), "used "));
}

approvals::RunRow run_row(const std::string& id, const std::string& command, std::int64_t ago_ms) {
  approvals::RunRow row;
  row.run_id = id;
  row.door = "gateway";
  row.agent_id = "main";
  row.command_text = command;
  row.argv_json = "[]";
  row.verdict = "allow";
  row.code = "ALLOWED_BY_LIST";
  row.state = "finished";
  row.exit_code = 0;
  row.started_at_ms = unix_ms_now() - ago_ms;
  row.ended_at_ms = row.started_at_ms + 1;
  return row;
}

TEST_CASE("runs are found by time and by text, and what still runs is marked") {
  LocalState state;
  REQUIRE(state.store->insert_run(run_row("old-run", "git fetch", 7'200'000)).has_value());
  REQUIRE(state.store->insert_run(run_row("new-run", "docker ps", 60'000)).has_value());
  approvals::RunRow going = run_row("going-run", "Docker compose logs", 65'000);
  going.state = "running";
  going.ended_at_ms = 0;
  going.exit_code.reset();
  REQUIRE(state.store->insert_run(going).has_value());
  // Nobody can say how it ended, before a node is there that goes on with it or closes it.
  CHECK(says_words(state.hostclaw({"runs"}).standard_output, "end unknown"));
  // What holds the lock of a state is its node; beside this process, or everything here would be a run of it.
  const std::string directory = std::filesystem::path(state.store->path()).parent_path().string();
  const HostProcess holder("/usr/bin/flock", {"-F", "-x", directory + "/node.lock", "/bin/sleep", "600"},
                           state.environment());
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!node_host::InstanceLock::holder(directory) && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  REQUIRE(node_host::InstanceLock::holder(directory).has_value());
  CHECK(state.json({"runs", "--since", "1h"})["runs"].size() == 2);
  CHECK(state.json({"runs", "--search", "docker"})["runs"].size() == 2);
  CHECK(state.json({"runs", "--search", "docker", "--limit", "1"})["runs"][0]["running"] == true);
  CHECK(state.json({"runs", "list", "--search", "FETCH"})["runs"][0]["runId"] == "old-run");
  CHECK(state.json({"runs", "--search", "fetch", "--since", "1h"})["runs"].empty());
  const std::string listed = state.hostclaw({"runs", "--since", "1h"}).standard_output;
  CHECK(says_words(listed, "running 65 s"));
  CHECK(says_words(state.hostclaw({"runs", "--search", "nothing"}).standard_error, "no run fits"));
  CHECK(state.hostclaw({"runs", "--since", "yesterday"}).status == 2);
  CHECK(says_words(state.hostclaw({"runs", "new-run"}).standard_output, "docker ps"));
}

TEST_CASE("times are local with their offset, or UTC where that is asked for") {
  LocalState state;
  approvals::RunRow row = run_row("a-run", "git fetch", 0);
  row.started_at_ms = 1'769'900'400'000;  // 2026-01-31 23:00:00 UTC
  REQUIRE(state.store->insert_run(row).has_value());
  Environment there = state.environment();
  there["TZ"] = "XYZ-5:30";
  HostProcess local(hostclaw_program(), {"runs"}, there);
  const auto shown = local.wait_exit(std::chrono::seconds(60));
  REQUIRE(shown.has_value());
  CHECK(says_words(shown->standard_output, "2026-02-01 04:30:00+05:30"));
  for (const Words& words : {Words{"runs", "--utc"}, Words{"--utc", "runs"}}) {
    HostProcess utc(hostclaw_program(), words, there);
    const auto other = utc.wait_exit(std::chrono::seconds(60));
    REQUIRE(other.has_value());
    CHECK(says_words(other->standard_output, "2026-01-31 23:00:00Z"));
  }
}

TEST_CASE("colours come on a terminal or when they are asked for, and nowhere else") {
  LocalState state;
  CHECK_FALSE(says_words(state.hostclaw({"policy", "check", "uname"}).standard_output, "\x1b["));
  CHECK(says_words(state.hostclaw({"policy", "check", "--color", "always", "uname"}).standard_output,
                   "\x1b[33mask"));
  CHECK_FALSE(
      says_words(state.hostclaw({"--color=never", "policy", "check", "uname"}).standard_output, "\x1b["));
  const Finished unknown = state.hostclaw({"runs", "--color", "blue"});
  CHECK(unknown.status == 2);
  CHECK(says_words(unknown.standard_error, "never"));
}

TEST_CASE("status counts the open questions and names the command that shows them") {
  LocalState state;
  CHECK_FALSE(says_words(state.hostclaw({"status"}).standard_output, "questions"));
  state.ask(LocalState::git_push());
  CHECK(says_words(state.hostclaw({"status"}).standard_output,
                   "questions  1 waits for an answer: hostclaw approvals pending"));
  CHECK(state.json({"status"})["openQuestions"] == 1);
}

TEST_CASE("verbs that only read store nothing") {
  TemporaryDirectory directory;
  const Environment fresh{{"PATH", "/usr/bin:/bin"},
                          {"HOME", directory.path()},
                          {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}};
  const Words words = GENERATE(
      Words{"approvals", "get"}, Words{"approvals", "get", "--json"}, Words{"approvals", "allowlist", "list"},
      Words{"exec-policy", "show"}, Words{"exec-policy", "show", "--json"}, Words{"policy", "rules"},
      Words{"policy", "lint"}, Words{"policy", "check", "uname"}, Words{"approvals", "pending"},
      Words{"approvals", "grants", "list"}, Words{"runs"}, Words{"status"},
      Words{"doctor", "--offline", "--user"}, Words{"audit", "stats"}, Words{"audit", "verify"},
      Words{"logs", "--user"}, Words{"help"});
  HostProcess process(hostclaw_program(), words, fresh);
  const auto finished = process.wait_exit(std::chrono::seconds(60));
  REQUIRE(finished.has_value());
  INFO(words.front() << " " << words.back() << "\n" << finished->standard_output << finished->standard_error);
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/state"));
  if (words.size() > 1 && (words[1] == "get" || words[1] == "show"))
    CHECK(says_words(finished->standard_output, "allowlist"));
}

TEST_CASE("a gateway may be named as HOST:PORT and as a URL, and contradictions are refused") {
  LocalState state;
  const auto [words, code, part] = GENERATE(table<Words, std::string, std::string>({
      {{"--host", "127.0.0.1:1", "--port", "2"}, "CONFIG_INVALID", "two ports"},
      {{"--host", "ws://127.0.0.1:1", "--tls"}, "CONFIG_INVALID", "--host wss://127.0.0.1:1"},
      {{"--host", "wss://127.0.0.1:1/a", "--context-path", "/b"}, "CONFIG_INVALID", "two paths"},
      {{"--host", "ftp://127.0.0.1"}, "CONFIG_INVALID", "ws:// or wss://"},
  }));
  Words all{"node", "run"};
  all.insert(all.end(), words.begin(), words.end());
  const Finished refused = state.hostclaw(all);
  INFO(refused.standard_error);
  CHECK(refused.status != 0);
  CHECK(says_words(refused.standard_error, code));
  CHECK(says_words(refused.standard_error, part));
}

TEST_CASE("a gateway that cannot be reached is named as it was given, and when it is tried again") {
  LocalState state;
  const std::string given = GENERATE("127.0.0.1:1", "ws://127.0.0.1:1");
  HostProcess node(hostclaw_program(), {"node", "run", "--host", given}, state.environment());
  const auto line = node.wait_line("tried again in ", kPatience);
  REQUIRE(line.has_value());
  CHECK(says_words(*line, "cannot reach 127.0.0.1:1"));
  const std::string shown = state.hostclaw({"status"}).standard_output;
  INFO(shown);
  CHECK((says_words(shown, "; tried again in ") || says_words(shown, "; it is being tried again")));
  node.signal(SIGTERM);
  CHECK(node.wait_exit(kPatience).has_value());
}

}  // namespace hostclaw::integration
