// SPDX-License-Identifier: Apache-2.0
// Questions, answers and grants at the command line of the shipped executable.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <sstream>

#include "base/clock.h"
#include "tests/integration/local_state.h"

namespace hostclaw::integration {
namespace {

using namespace std::chrono_literals;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The executable on a terminal of its own.
class OnTerminal {
 public:
  OnTerminal(const std::vector<std::string>& arguments, const Environment& environment,
             unsigned short columns = 0) {
    terminal_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal_ >= 0);
    REQUIRE(grantpt(terminal_) == 0);
    REQUIRE(unlockpt(terminal_) == 0);
    const winsize size{40, columns, 0, 0};
    if (columns > 0) REQUIRE(ioctl(terminal_, TIOCSWINSZ, &size) == 0);
    const std::string name = ptsname(terminal_);
    std::vector<std::string> words = {hostclaw_program()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables;
    for (const auto& [variable, value] : environment) variables.push_back(variable + "=" + value);
    std::vector<char*> envp;
    for (std::string& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    for (const int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&files, fd, name.c_str(), O_RDWR, 0);
    const int failed = posix_spawn(&pid_, words[0].c_str(), &files, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&files);
    REQUIRE(failed == 0);
  }
  ~OnTerminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(terminal_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  // Reads on until `text` is shown after what earlier calls found.
  void see(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    for (;;) {
      const std::size_t at = shown_.find(text, seen_);
      if (at != std::string::npos) {
        seen_ = at + text.size();
        return;
      }
      INFO("waiting for: " << text << "\nshown:\n" << shown_);
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      REQUIRE(read_some());
    }
  }
  void type(const std::string& keys) {
    REQUIRE(::write(terminal_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  int wait_exit() {
    while (read_some()) {
    }
    int status = 0;
    REQUIRE(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& shown() const { return shown_; }

 private:
  bool read_some() {
    pollfd watched{terminal_, POLLIN, 0};
    if (poll(&watched, 1, 60'000) != 1) return false;
    char block[4096];
    const ssize_t count = ::read(terminal_, block, sizeof block);
    if (count <= 0) return false;  // EIO: nobody holds the other side any more
    shown_.append(block, static_cast<std::size_t>(count));
    return true;
  }

  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string shown_;
  std::size_t seen_ = 0;
};

}  // namespace

TEST_CASE("open questions are listed with what runs, where, for whom and how to answer") {
  LocalState state;
  const std::string id = state.ask(LocalState::git_push());
  const Finished shown = state.hostclaw({"approvals", "pending"});
  REQUIRE(shown.status == 0);
  CHECK(shown.standard_error.empty());
  for (const char* part :
       {"git push origin main", "/srv/project", "/usr/bin/git", "agent main", "left", "waits for the answer"})
    CHECK(has(shown.standard_output, part));
  CHECK(has(shown.standard_output,
            "hostclaw approvals resolve " + id.substr(0, 8) + " allow-once|allow-always|deny"));
  CHECK_FALSE(has(shown.standard_output, "\x1b"));

  const Json json = state.json({"approvals", "pending"});
  CHECK(json["askVia"] == "gateway");
  REQUIRE(json["questions"].size() == 1);
  const Json& question = json["questions"][0];
  CHECK(question["id"] == id);
  CHECK(question["command"] == "git push origin main");
  CHECK(question["agentId"] == "main");
  CHECK(question["callerWaits"] == true);
  CHECK(question["programs"][0]["path"] == "/usr/bin/git");
  CHECK(question["details"]["risks"][0] == "writes to another machine");
  CHECK(question["answer"].is_null());
}

TEST_CASE("without questions the list is empty and says who asks") {
  LocalState state;
  const Finished shown = state.hostclaw({"approvals", "pending"});
  CHECK(shown.status == 0);
  CHECK(shown.standard_output.empty());
  CHECK(has(shown.standard_error, "hostclaw exec-policy set --ask-via both"));
  REQUIRE(state.hostclaw({"exec-policy", "set", "--ask-via", "local"}).status == 0);
  CHECK_FALSE(has(state.hostclaw({"approvals", "pending"}).standard_error, "--ask-via"));
}

TEST_CASE("a list that is watched tells what comes and what goes") {
  LocalState state;
  HostProcess watching(hostclaw_program(), {"approvals", "pending", "--watch", "--json"},
                       state.environment());
  const std::string id = state.ask(LocalState::git_push());
  const auto asked = watching.wait_output("\"asked\"", 60s);
  REQUIRE(asked.has_value());
  CHECK(Json::parse(*asked)["question"]["id"] == id);
  REQUIRE(state.hostclaw({"approvals", "resolve", id, "deny"}).status == 0);
  const auto closed = watching.wait_output("\"closed\"", 60s);
  REQUIRE(closed.has_value());
  CHECK(Json::parse(*closed)["question"]["state"] == "denied");
  watching.signal(SIGTERM);
  CHECK(watching.wait_exit(60s).has_value());
}

TEST_CASE("allow-once says that nothing lasting was stored, and the record says who answered") {
  LocalState state;
  const std::string id = state.ask(LocalState::git_push());
  const Finished answered = state.hostclaw({"approvals", "resolve", id.substr(0, 8), "allow-once"});
  INFO(answered.standard_error);
  REQUIRE(answered.status == 0);
  CHECK(has(answered.standard_output, "allowed once; nothing lasting was stored"));
  const auto question = state.questions->find(id);
  REQUIRE(question.has_value());
  CHECK(question->answered_by.door == "cli");
  CHECK(has(question->answered_by.who, "uid " + std::to_string(getuid())));
  CHECK(state.json({"approvals", "grants", "list"})["grants"][0]["usesLeft"] == 1);

  const Finished again = state.hostclaw({"approvals", "resolve", id, "deny"});
  CHECK(again.status == 1);
  CHECK(has(again.standard_error, "QUESTION_CLOSED"));
  CHECK(has(again.standard_error, "allow-once by uid"));
  CHECK(has(again.standard_error, "next: hostclaw approvals show " + id.substr(0, 8)));
}

TEST_CASE("an answer after the caller has gone says that it is late and what it still serves") {
  LocalState state;
  approvals::NewQuestion asked = LocalState::git_push();
  asked.caller_deadline_ms = unix_ms_now() - 1;
  const std::string id = state.ask(asked);
  CHECK(has(state.hostclaw({"approvals", "pending"}).standard_output, "has gone"));
  const Finished answered = state.hostclaw({"approvals", "resolve", id, "allow-once"});
  CHECK(has(answered.standard_output, "late"));
  CHECK(has(answered.standard_output, "runs once if it comes again before"));
}

TEST_CASE("allow-always stores the scope that was chosen, until the time that was chosen") {
  LocalState state;
  const std::string id = state.ask(LocalState::git_push());
  SECTION("exactly these arguments in this directory, until revoked") {
    const Json answer = state.json({"approvals", "resolve", id, "allow-always"});
    REQUIRE(answer["grants"].size() == 1);
    CHECK(answer["grants"][0]["scope"] == "exact");
    CHECK(answer["grants"][0]["arguments"] == Json({"push", "origin", "main"}));
    CHECK(answer["grants"][0]["cwd"] == "/srv/project");
    CHECK(answer["grants"][0]["expiresAtMs"] == 0);
    CHECK(answer["nothingLastingBecause"] == "");
  }
  SECTION("an argument pattern, for two hours, in this session") {
    const std::int64_t before = unix_ms_now();
    const Json answer = state.json({"approvals", "resolve", id, "allow-always", "--arg-pattern",
                                    "push origin .*", "--expires", "2h", "--session"});
    CHECK(answer["grants"][0]["scope"] == "arguments");
    CHECK(answer["grants"][0]["argPattern"] == "push origin .*");
    CHECK(answer["grants"][0]["sessionKey"] == "agent:main:main");
    CHECK(answer["grants"][0]["expiresAtMs"].get<std::int64_t>() >= before + 7'200'000);
  }
  SECTION("the executable, until a day") {
    const Json answer = state.json({"approvals", "resolve", id, "allow-always", "--scope", "executable",
                                    "--expires", "2100-01-01T00:00:00Z"});
    CHECK(answer["grants"][0]["scope"] == "executable");
    CHECK(answer["grants"][0]["expiresAtMs"] == 4'102'444'800'000);
  }
}

TEST_CASE("what can leave nothing lasting is allowed once, and says why") {
  LocalState state;
  approvals::NewQuestion asked = LocalState::git_push();
  asked.shown_text = "sh -c ls";
  asked.commands = {{"/bin/sh", {"sh", "-c", "ls"}}};
  const std::string id = state.ask(asked);
  CHECK(has(state.hostclaw({"approvals", "pending"}).standard_output, "allow-once|deny"));
  const Finished answered = state.hostclaw({"approvals", "resolve", id, "allow-always"});
  REQUIRE(answered.status == 0);
  CHECK(has(answered.standard_output, "allowed once; nothing lasting because sh runs whatever"));
  CHECK(state.questions->find(id)->decision == "allow-once");
}

TEST_CASE("a wrong answer stores nothing and says what to type instead") {
  LocalState state;
  const std::string id = state.ask(LocalState::git_push());
  using Words = std::vector<std::string>;
  const auto [more, status, code] = GENERATE(table<Words, int, std::string>({
      {{"deny", "--session"}, 2, "CONFIG_INVALID"},
      {{"allow-once", "--scope", "exact"}, 2, "CONFIG_INVALID"},
      {{"allow-always", "--scope", "exact", "--arg-pattern", "x"}, 2, "CONFIG_INVALID"},
      {{"allow-always", "--expires", "yesterday"}, 2, "CONFIG_INVALID"},
      {{"allow-always", "--expires", "2020-01-01"}, 2, "CONFIG_INVALID"},
      {{"allow-always", "--expires", "2100-02-31"}, 2, "CONFIG_INVALID"},
      {{"allow-always", "--scope", "arguments"}, 1, "GRANT_REFUSED"},
      {{"allow-always", "--arg-pattern", "pull"}, 1, "GRANT_REFUSED"},
  }));
  Words words = {"approvals", "resolve", id};
  words.insert(words.end(), more.begin(), more.end());
  const Finished finished = state.hostclaw(words);
  INFO(finished.standard_error);
  CHECK(finished.status == status);
  CHECK(has(finished.standard_error, "error: " + code));
  CHECK(state.questions->find(id)->state == approvals::QuestionState::kPending);
  CHECK(state.json({"approvals", "resolve", "ffff", "deny"}, 1)["error"]["next"] ==
        "hostclaw approvals pending");
}

TEST_CASE("the full text of a question is shown on request only") {
  LocalState state;
  approvals::NewQuestion asked = LocalState::git_push();
  asked.shown_text = "curl --token *** https://example.org";
  asked.command_text = "curl --token abc123 https://example.org";
  asked.commands = {{"/usr/bin/curl", {"curl", "--token", "abc123", "https://example.org"}}};
  const std::string id = state.ask(asked);
  CHECK_FALSE(has(state.hostclaw({"approvals", "pending"}).standard_output, "abc123"));
  CHECK_FALSE(has(dump_json(state.json({"approvals", "pending"})), "abc123"));
  const Finished shown = state.hostclaw({"approvals", "show", id});
  CHECK(shown.status == 0);
  CHECK_FALSE(has(shown.standard_output, "abc123"));
  CHECK(has(shown.standard_output, "writes to another machine"));
  CHECK(has(state.hostclaw({"approvals", "show", id, "--full"}).standard_output, "abc123"));
}

TEST_CASE("grants are listed with their use and can be taken back") {
  LocalState state;
  const approvals::NewQuestion asked = LocalState::git_push();
  const std::string id = state.ask(asked);
  REQUIRE(state.hostclaw({"approvals", "resolve", id, "allow-always"}).status == 0);
  const approvals::GrantRequest request{"other-key", "main", asked.session_key, asked.cwd, asked.commands};
  REQUIRE(state.questions->consume(request, unix_ms_now())->size() == 1);

  const Finished shown = state.hostclaw({"approvals", "grants", "list"});
  REQUIRE(shown.status == 0);
  for (const char* part :
       {"exact", "agent main", "until revoked", "push origin main", "/srv/project", "1 time,", "by uid"})
    CHECK(has(shown.standard_output, part));
  CHECK(state.json({"approvals", "grants", "list", "--agent", "other"})["grants"].empty());
  const Json grant = state.json({"approvals", "grants", "list", "--agent", "main"})["grants"][0];
  CHECK(grant["useCount"] == 1);
  CHECK(grant["inForce"] == true);

  const std::string prefix = grant["shortId"].get<std::string>();
  const Finished revoked = state.hostclaw({"approvals", "grants", "revoke", prefix});
  CHECK(revoked.status == 0);
  CHECK(has(revoked.standard_output, "revoked"));
  CHECK(state.questions->covering(request, unix_ms_now())->empty());
  CHECK(state.json({"approvals", "grants", "list"})["grants"].empty());
  CHECK(state.json({"approvals", "grants", "list", "--all"})["grants"][0]["inForce"] == false);
  CHECK(state.json({"approvals", "grants", "revoke", prefix})["revokedBefore"] == true);
  CHECK(state.json({"approvals", "grants", "revoke", "zz"}, 1)["error"]["code"] == "GRANT_NOT_FOUND");
}

TEST_CASE("where and how long this node asks is set in one step or not at all") {
  LocalState state;
  const Json shown = state.json(
      {"exec-policy", "set", "--ask-via", "both", "--ask-wait", "90s", "--remote-edits", "tighten-only"});
  CHECK(shown["askVia"] == "both");
  CHECK(shown["askWaitMs"] == 90'000);
  CHECK(shown["owner"]["remoteEdits"] == "tighten-only");
  CHECK(has(state.hostclaw({"exec-policy", "show"}).standard_output, "asks         via both"));
  CHECK(state.hostclaw({"exec-policy", "set", "--ask-via", "local", "--ask-wait", "2d"}).status == 1);
  CHECK(state.json({"exec-policy", "show"})["askVia"] == "both");
}

TEST_CASE("the watching screen needs a terminal and says what does not") {
  LocalState state;
  const Finished finished = state.hostclaw({"approvals", "watch"});
  CHECK(finished.status == 1);
  CHECK(has(finished.standard_error, "NOT_A_TERMINAL"));
  CHECK(has(finished.standard_error, "next: hostclaw approvals pending --watch"));
}

TEST_CASE("the watching screen shows a question as it arrives and stores the answer that is typed") {
  LocalState state;
  OnTerminal screen({"approvals", "watch"}, state.environment());
  screen.see("No open question");
  const std::string id = state.ask(LocalState::git_push());
  screen.see("Question");
  for (const char* part : {"git push origin main", "/srv/project", "main", "/usr/bin/git",
                           "writes to another machine", "waits for the answer", "allow once"})
    screen.see(part);
  screen.see("> ");
  SECTION("once") {
    screen.type("o");
    screen.see("allowed once");
    CHECK(state.questions->find(id)->decision == "allow-once");
  }
  SECTION("this executable for an hour") {
    screen.type("x");
    screen.see("for how long?");
    screen.see("> ");
    screen.type("h");
    screen.see("allowed, and stored");
    CHECK(state.json({"approvals", "grants", "list"})["grants"][0]["scope"] == "executable");
  }
  SECTION("a pattern, this session") {
    screen.type("a");
    screen.see("pattern");
    screen.see("> ");
    screen.type("push origin .*\n");
    screen.see("for how long?");
    screen.see("> ");
    screen.type("n");
    screen.see("allowed, and stored");
    const Json grant = state.json({"approvals", "grants", "list"})["grants"][0];
    CHECK(grant["argPattern"] == "push origin .*");
    CHECK(grant["sessionKey"] == "agent:main:main");
  }
  SECTION("never") {
    screen.type("d");
    screen.see("denied");
    CHECK(state.questions->find(id)->decision == "deny");
  }
  SECTION("skipped, shown again, answered elsewhere") {
    screen.type("s");
    screen.see("1 skipped, still open");
    screen.type("r");
    screen.see("Question");
    screen.see("  > ");
    REQUIRE(state.hostclaw({"approvals", "resolve", id, "deny"}).status == 0);
    screen.see("Not open any more: denied, deny by uid");
  }
  screen.see("No open question");
  screen.type("q");
  CHECK(screen.wait_exit() == 0);
  CHECK(has(screen.shown(), "\x1b[1m"));
}

TEST_CASE("the watching screen counts down, on the line where the answer is typed") {
  LocalState state;
  state.ask(LocalState::git_push());
  Environment environment = state.environment();
  environment["NO_COLOR"] = "1";
  OnTerminal screen({"approvals", "watch"}, environment);
  screen.see("  the caller waits ");
  screen.see("  > \r");
  screen.see("\r  the caller waits ");
  screen.see("  > ");
  screen.type("q");
  CHECK(screen.wait_exit() == 0);
}

TEST_CASE("a template is stored when a person at the terminal says yes, and not otherwise") {
  LocalState state;
  const auto [typed, status] =
      GENERATE(table<std::string, int>({{"y\n", 0}, {"n\n", 1}, {"\n", 1}, {"\x04", 1}}));
  OnTerminal screen({"policy", "template", "docker-read"}, state.environment());
  screen.see("docker logs");
  screen.see("store these");
  screen.see("[y/N] ");
  screen.type(typed);
  CHECK(screen.wait_exit() == status);
  CHECK(state.json({"policy", "list"})["rules"].empty() == (status != 0));
}

TEST_CASE("the watching screen uses no colours where NO_COLOR asks for none") {
  LocalState state;
  const std::string id = state.ask(LocalState::git_push());
  Environment environment = state.environment();
  environment["NO_COLOR"] = "1";
  OnTerminal screen({"approvals", "watch"}, environment);
  screen.see("> ");
  screen.type("\x03");
  CHECK(screen.wait_exit() == 0);
  CHECK(has(screen.shown(), "1 left open"));
  CHECK_FALSE(has(screen.shown(), "\x1b"));
  CHECK(state.questions->find(id)->state == approvals::QuestionState::kPending);
}

TEST_CASE("a desktop is told that a question waits, and not which") {
  LocalState state;
  const std::string tools = state.directory.path() + "/tools";
  const std::string said = state.directory.path() + "/said";
  REQUIRE(mkdir(tools.c_str(), 0700) == 0);
  REQUIRE(mkfifo(said.c_str(), 0600) == 0);
  const std::string script = "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + said + "\n";
  const int file = open((tools + "/notify-send").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
  REQUIRE(::write(file, script.data(), script.size()) == static_cast<ssize_t>(script.size()));
  close(file);
  Environment environment = state.environment();
  environment["PATH"] = tools + ":/usr/bin:/bin";
  environment["DISPLAY"] = ":99";
  environment["XDG_RUNTIME_DIR"] = state.directory.path();
  OnTerminal screen({"approvals", "watch"}, environment);
  screen.see("Desktop notifications: on");
  const int heard = open(said.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  state.ask(LocalState::git_push());
  std::string text;
  while (!has(text, "waits for an answer")) {
    pollfd watched{heard, POLLIN, 0};
    REQUIRE(poll(&watched, 1, 60'000) == 1);
    char block[512];
    const ssize_t count = ::read(heard, block, sizeof block);
    if (count > 0) text.append(block, static_cast<std::size_t>(count));
  }
  close(heard);
  CHECK(text == "--app-name=hostclaw\nhostclaw: a command waits for an answer\n");
  screen.see("  > ");
  screen.type("q");
  CHECK(screen.wait_exit() == 0);
}

TEST_CASE("long work says on a terminal how far it is, and nothing elsewhere") {
  LocalState state;
  state.ask(LocalState::git_push());
  const Finished exported = state.hostclaw({"audit", "export"});
  CHECK(exported.standard_error.empty());
  const std::string fifo = state.directory.path() + "/record";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  OnTerminal screen({"audit", "verify", "--file", fifo}, state.environment());
  const int file = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
  screen.see("\rverifying " + fifo + ": 0 rows");
  REQUIRE(::write(file, exported.standard_output.data(), exported.standard_output.size()) > 0);
  close(file);
  // The line goes before the answer comes.
  screen.see(std::string(20, ' '));
  screen.see("\r");
  CHECK(screen.wait_exit() == 0);
  const Finished quiet = state.hostclaw({"audit", "verify"});
  CHECK(quiet.status == 0);
  CHECK(quiet.standard_error.empty());
}

TEST_CASE("policy check knows what answers have allowed, names it and uses nothing up") {
  LocalState state;
  const std::string touch = real("/usr/bin/touch");
  const std::string where = real(state.directory.path());
  const auto check = [&](const std::string& file, int status, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"policy", "check", "--cwd", where};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"--json", "--", touch, file});
    const Finished finished = state.hostclaw(words);
    INFO(finished.standard_output << finished.standard_error);
    CHECK(finished.status == status);
    return Json::parse(finished.standard_output);
  };
  CHECK(check("a", 1)["verdict"] == "ask");

  approvals::NewQuestion question = LocalState::git_push("key-touch");
  question.commands = {{touch, {touch, "a"}}};
  question.cwd = where;
  const auto allow = [&](approvals::GrantScope scope, bool session_only) {
    approvals::Answer answer;
    answer.decision = approvals::Answer::Decision::kAllowAlways;
    answer.scope = scope;
    answer.this_session_only = session_only;
    answer.by = {"cli", "tester"};
    REQUIRE(state.questions->answer(state.ask(question), answer, unix_ms_now()).has_value());
  };
  allow(approvals::GrantScope::kExact, false);
  const Json covered = check("a", 0);
  CHECK(covered["verdict"] == "allow");
  REQUIRE(covered["grants"].size() == 1);
  CHECK(string_at(covered["grants"][0], "scope") == "exact");
  CHECK(string_at(covered["grants"][0], "executable") == touch);
  CHECK(covered["argv"][0][0] == touch);
  const Finished shown = state.hostclaw({"policy", "check", "--cwd", where, "--", touch, "a"});
  CHECK(has(shown.standard_output, "grant " + string_at(covered["grants"][0], "id").substr(0, 8)));
  // Other arguments, another directory and another agent are not covered.
  CHECK_FALSE(check("b", 1).contains("grants"));
  CHECK(check("a", 1, {"--agent", "other"})["verdict"] == "ask");
  CHECK(state.hostclaw({"policy", "check", "--cwd", "/", "--", touch, "a"}).status == 1);

  question.key = "key-any";
  question.session_key = "agent:main:here";
  allow(approvals::GrantScope::kExecutable, true);
  CHECK(check("b", 1)["verdict"] == "ask");
  CHECK(check("b", 0, {"--session", "agent:main:here"})["grants"].size() == 1);
  // A rule that denies wins, and one that asks is not answered by a grant for the program.
  REQUIRE(state
              .hostclaw({"policy", "add", "ask", "touch", "--arguments", "b", "--note", "ask me", "--match",
                         "touch b", "--not-match", "touch a", "--id", "asks"})
              .status == 0);
  CHECK(check("b", 1, {"--session", "agent:main:here"})["code"] == "RULE_ASK");
  REQUIRE(state
              .hostclaw({"policy", "add", "deny", "touch", "--arguments", "a", "--note", "no", "--match",
                         "touch a", "--not-match", "touch b", "--id", "denies"})
              .status == 0);
  CHECK(check("a", 1)["code"] == "RULE_DENY");
  for (const approvals::Grant& grant : *state.questions->grants({}, unix_ms_now()))
    CHECK(grant.use_count == 0);
}

TEST_CASE("on a terminal the table of runs fits its width and has colours, unless NO_COLOR is set") {
  LocalState state;
  approvals::RunRow row;
  row.run_id = "a-run";
  row.door = "gateway";
  row.agent_id = "main";
  row.command_text = "printf " + std::string(200, 'x');
  row.argv_json = "[]";
  row.verdict = "deny";
  row.code = "RULE_DENY";
  row.started_at_ms = unix_ms_now();
  REQUIRE(state.store->insert_run(row).has_value());
  Environment environment = state.environment();
  const bool plain = GENERATE(false, true);
  if (plain) environment["NO_COLOR"] = "1";
  OnTerminal screen({"runs"}, environment, 100);
  CHECK(screen.wait_exit() == 0);
  std::string shown = screen.shown();
  CHECK(has(shown, "\x1b[31mdeny") == !plain);
  for (const char* sequence : {"\x1b[31m", "\x1b[0m", "\r"}) {
    for (std::size_t at = shown.find(sequence); at != std::string::npos; at = shown.find(sequence))
      shown.erase(at, std::strlen(sequence));
  }
  CHECK(has(shown, "printf xxx"));
  CHECK(has(shown, "\xE2\x80\xA6\n"));
  std::istringstream lines(shown);
  // The sign for what was cut is three bytes and one column.
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 102);
  CHECK(has(state.hostclaw({"runs"}).standard_output, row.command_text));
}

}  // namespace hostclaw::integration
