// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <set>

#include "policy/decide/run_request.h"
#include "policy/model/decision_codes.h"
#include "policy/request/command_text.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

using Commands = std::vector<std::vector<std::string>>;

TEST_CASE("decision: a listed program runs and an unlisted one is asked about") {
  Machine machine;
  machine.list({"/usr/bin/uname"});
  const RunEvaluation allowed = machine.run({"uname", "-s"});
  CHECK(allowed.decision.verdict == Verdict::kAllow);
  CHECK(allowed.decision.code == DecisionCode::kAllowedByList);
  CHECK(spawned(allowed) == Commands{{"uname", "-s"}});
  CHECK(allowed.plan.pipelines[0].commands[0].executable == "/usr/bin/uname");
  CHECK(allowed.plan.pipelines[0].commands[0].identity.known);
  REQUIRE(allowed.matched.size() == 1);
  CHECK(allowed.matched[0].agent == "main");
  CHECK(allowed.matched[0].resolved_path == "/usr/bin/uname");

  const RunEvaluation asked = machine.run({"id"});
  CHECK(asked.decision.verdict == Verdict::kAsk);
  CHECK(asked.decision.code == DecisionCode::kAllowlistMiss);
  CHECK(asked.decision.next == "hostclaw approvals allowlist add --agent main /usr/bin/id");
  CHECK(asked.plan.empty());
}

TEST_CASE("decision: with ask=off a miss is refused, and which command missed is said") {
  Machine machine;
  machine.policy("allowlist", "off", {{{"pattern", "uname"}}});
  const RunEvaluation run = machine.text("uname -s && id -u");
  CHECK(run.decision.verdict == Verdict::kDeny);
  CHECK(run.decision.code == DecisionCode::kAllowlistMiss);
  CHECK(run.decision.explanation.find("Command 2 of 2") != std::string::npos);
  CHECK(run.decision.explanation.find("id") != std::string::npos);
}

TEST_CASE("decision: security=deny wins over everything") {
  Machine machine;
  machine.policy("deny", "off", {{{"pattern", "*"}}});
  const RunEvaluation run = machine.run({"uname"});
  CHECK(run.decision.verdict == Verdict::kDeny);
  CHECK(run.decision.code == DecisionCode::kSecurityDeny);
}

TEST_CASE("decision: a malformed policy denies and says which member is wrong") {
  Machine machine;
  machine.document = deny_all_document("exec approvals: defaults.ask: must be one of off, on-miss, always");
  const RunEvaluation run = machine.run({"uname"});
  CHECK(run.decision.code == DecisionCode::kPolicyMalformed);
  CHECK(run.decision.explanation.find("defaults.ask") != std::string::npos);
}

TEST_CASE("decision: the node owner's limit holds whatever the document says") {
  Machine machine;
  machine.policy("full", "off");
  machine.context.settings.security_limit = Security::kAllowlist;
  machine.context.settings.ask_floor = Ask::kOnMiss;
  CHECK(machine.run({"uname"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: full policy runs the command as received") {
  Machine machine;
  machine.policy("full", "off");
  const RunEvaluation run = machine.run({"/bin/sh", "-lc", "echo $HOME", ""});
  CHECK(run.decision.verdict == Verdict::kAllow);
  CHECK(spawned(run) == Commands{{"/bin/sh", "-lc", "echo $HOME", ""}});
  CHECK(run.plan.pipelines[0].commands[0].executable == "/usr/bin/dash");
  CHECK(machine.run({"nosuch"}).plan.pipelines[0].commands[0].executable.empty());
}

TEST_CASE("decision: empty arguments are judged and run as they are") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  CHECK(spawned(machine.run({"git", "commit", "-m", ""})) == Commands{{"git", "commit", "-m", ""}});
}

TEST_CASE("decision: understood text runs as its programs, without a shell") {
  Machine machine;
  machine.list({"uname", "/usr/bin/git"});
  const RunEvaluation run = machine.text("cd .. && uname -s | wc -l; uname -r || true");
  REQUIRE(run.decision.verdict == Verdict::kAllow);
  CHECK(spawned(run) == Commands{{"cd", ".."}, {"uname", "-s"}, {"wc", "-l"}, {"uname", "-r"}, {"true"}});
  REQUIRE(run.plan.pipelines.size() == 4);
  CHECK(run.plan.pipelines[1].connector == Connector::kAnd);
  CHECK(run.plan.pipelines[2].connector == Connector::kSequence);
  CHECK(run.plan.pipelines[3].connector == Connector::kOr);
  CHECK(run.plan.pipelines[0].commands[0].builtin == Builtin::kCd);
  CHECK(run.plan.pipelines[1].commands.size() == 2);
}

TEST_CASE("decision: text that is more than simple commands is never allowed by a list") {
  Machine machine;
  machine.list({"*"});
  for (const char* text :
       {"echo $(id)", "echo `id`", "echo $HOME", "PATH=/x; uname", "uname > /tmp/x", "uname & id",
        "f() { id; }; f", "(uname)", "if true; then id; fi", "echo $'\\'; id #'", "echo 'x"}) {
    const RunEvaluation run = machine.text(text);
    CHECK(run.decision.verdict == Verdict::kAsk);
    CHECK(run.decision.code == DecisionCode::kNotAnalysable);
  }
}

TEST_CASE("decision: a program named like a shell has to be one") {
  Machine machine;
  machine.list({"uname"});
  const RunEvaluation run = machine.run({"/home/u/work/sh", "-c", "uname"});
  CHECK(run.decision.code == DecisionCode::kShellUntrusted);
  CHECK(machine.run({"/bin/sh", "-c", "uname"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: another file of the same name does not match") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  machine.files.add_file("/home/u/work/git", "x", true, 1500);
  CHECK(machine.run({"./git", "status"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"/bin/git", "status"}).decision.verdict == Verdict::kAllow);
  machine.list({"git"});
  CHECK(machine.run({"/usr/bin/git", "status"}).decision.verdict == Verdict::kAsk);
  machine.context.host_environment[0].second = ":/usr/bin";
  machine.list({"/usr/bin/git"});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: a name in the list is satisfied only where nobody else can put another file") {
  Machine machine;
  machine.files.add_directory("/srv", 0);
  machine.files.add_directory("/srv/tools", 0);
  machine.files.add_file("/srv/tools/deploy", "x", true);
  machine.context.host_environment[0].second = "/srv/tools:/usr/bin";
  machine.list({"deploy", "d*y"});
  CHECK(machine.run({"deploy"}).decision.code == DecisionCode::kAllowedByList);
  const char* open = GENERATE("/srv", "/srv/tools", "/srv/tools/deploy");
  CAPTURE(open);
  machine.files.let_others_write(open);
  for (const RunEvaluation& run : {machine.run({"deploy"}), machine.text("deploy && true")}) {
    CHECK(run.decision.verdict == Verdict::kAsk);
    CHECK(run.decision.code == DecisionCode::kProgramReplaceable);
    CHECK(run.decision.explanation.find(std::string("can write to ") + open + ".") != std::string::npos);
  }
  // By a link in a directory of the user's own to a place of others.
  machine.files.add_directory("/home/u/bin", 1500);
  machine.files.add_symlink("/home/u/bin/deploy", "/srv/tools/deploy");
  machine.context.host_environment[0].second = "/home/u/bin:/usr/bin";
  CHECK(machine.run({"deploy"}).decision.code == DecisionCode::kProgramReplaceable);
  // The path says which file is meant, and what it holds is the owner's own business.
  machine.list({"deploy", "/srv/tools/deploy"});
  CHECK(machine.run({"deploy"}).decision.code == DecisionCode::kAllowedByList);
  // A program of the node's user.
  machine.files.remove("/home/u/bin/deploy");
  machine.files.add_file("/home/u/bin/deploy", "x", true, 1500);
  machine.list({"deploy"});
  CHECK(machine.run({"deploy"}).decision.code == DecisionCode::kAllowedByList);
  machine.context.settings.strictness = Strictness::kOfficial;
  machine.context.host_environment[0].second = "/srv/tools:/usr/bin";
  CHECK(machine.run({"deploy"}).decision.code == DecisionCode::kAllowedByList);
}

TEST_CASE("decision: after cd a relative command word is refused") {
  Machine machine;
  machine.list({"/home/u/work/script.sh"});
  CHECK(machine.text("./script.sh").decision.verdict == Verdict::kAllow);
  CHECK(machine.text("cd ../other && ./script.sh").decision.code == DecisionCode::kPathSuspicious);
}

TEST_CASE("decision: after cd a program that takes orders from its directory is asked about when hardened") {
  Machine machine;
  machine.list({"/usr/bin/git", "uname"});
  CHECK(machine.text("git status").decision.verdict == Verdict::kAllow);
  CHECK(machine.text("cd /opt && uname").decision.verdict == Verdict::kAllow);
  // Others could put a repository there.
  machine.files.let_others_write("/opt");
  CHECK(machine.text("cd /opt && git status").decision.code == DecisionCode::kCarriedCode);
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(machine.text("cd /opt && git status").decision.verdict == Verdict::kAllow);
}

TEST_CASE(
    "decision: git in another directory is judged as in a requested one, where nobody else configures it") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  const std::string repository = "/home/u/work/repo";
  for (const char* part : {"", "/sub", "/.git", "/.git/hooks", "/.git/objects", "/.git/refs"})
    machine.files.add_directory(repository + part, 1500);
  machine.files.add_file(repository + "/.git/HEAD", "ref: refs/heads/trunk\n", false, 1500);
  machine.files.add_file(repository + "/.git/config", "[core]\n", false, 1500);
  machine.files.add_symlink(repository + "/away", "/tmp");
  for (const char* where :
       {"/home/u/work/repo", "repo", "repo/sub", "./repo/sub/..", "/home/u/work/repo/sub/"}) {
    CAPTURE(where);
    CHECK(machine.text(std::string("cd ") + where + " && git status").decision.code ==
          DecisionCode::kAllowedByList);
    CHECK(machine.text(std::string("git -C ") + where + " status").decision.code ==
          DecisionCode::kAllowedByList);
    CHECK(machine.run({"git", "-C", where, "log", "-1"}).decision.code == DecisionCode::kAllowedByList);
  }
  CHECK(machine.run({"git", "-C", "repo", "-C", "sub", "status"}).decision.code ==
        DecisionCode::kAllowedByList);
  // What follows is judged as it stands.
  CHECK(machine.run({"git", "-C", "repo", "-c", "core.pager=id", "log"}).decision.code ==
        DecisionCode::kCarriedCode);
  CHECK(machine.run({"git", "-c", "a=b", "-C", "repo", "log"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.text("cd repo; git status").decision.code == DecisionCode::kCarriedCode);
  // Not there, or behind a link where everybody writes.
  CHECK(machine.run({"git", "-C", "nowhere", "status"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"git", "-C", "repo/away", "status"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"git", "-C", "/tmp", "status"}).decision.code == DecisionCode::kCarriedCode);

  const char* open = GENERATE("", "/.git", "/.git/config", "/.git/hooks");
  CAPTURE(open);
  machine.files.let_others_write(repository + open);
  CHECK(machine.text("cd repo && git status").decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"git", "-C", "repo", "status"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"git", "-C", "repo/sub", "status"}).decision.code == DecisionCode::kCarriedCode);
}

TEST_CASE("decision: what only looks like a repository of ours to the eye is asked about") {
  Machine machine;
  machine.list({"/usr/bin/git", "uname"});
  const std::string repository = "/home/u/work/repo";
  const auto directory = [&](const std::string& path) { machine.files.add_directory(path, 1500); };
  const auto file = [&](const std::string& path) { machine.files.add_file(path, "x", false, 1500); };
  for (const char* part : {"", "/sub", "/.git", "/.git/objects", "/.git/refs"}) directory(repository + part);
  file(repository + "/.git/HEAD");
  const auto code = [&](const std::string& where) {
    return machine.run({"git", "-C", where, "status"}).decision.code;
  };
  REQUIRE(code("repo/sub") == DecisionCode::kAllowedByList);
  SECTION("a bare repository that came with the content") {
    file(repository + "/sub/HEAD");
    const char* also = GENERATE("commondir", "config", "objects", "refs");
    CAPTURE(also);
    file(repository + "/sub/" + also);
    CHECK(code("repo/sub") == DecisionCode::kCarriedCode);
    CHECK(machine.text("cd repo/sub && git status").decision.code == DecisionCode::kCarriedCode);
  }
  SECTION("a .git that git does not take, beside a bare repository or above one") {
    directory(repository + "/sub/.git");
    CHECK(code("repo/sub") == DecisionCode::kCarriedCode);
  }
  SECTION("a linked worktree or a submodule") {
    file(repository + "/sub/.git");
    CHECK(code("repo/sub") == DecisionCode::kCarriedCode);
  }
  SECTION("configuration elsewhere") {
    file(repository + "/.git/commondir");
    CHECK(code("repo") == DecisionCode::kCarriedCode);
  }
  SECTION("a hook that others can write, and a link that leads nowhere yet") {
    directory(repository + "/.git/hooks");
    file(repository + "/.git/hooks/post-checkout");
    REQUIRE(code("repo") == DecisionCode::kAllowedByList);
    machine.files.let_others_write(repository + "/.git/hooks/post-checkout");
    CHECK(code("repo") == DecisionCode::kCarriedCode);
    machine.files.add_symlink(repository + "/.git/config.worktree", "/tmp/not-yet");
    CHECK(code("repo") == DecisionCode::kCarriedCode);
  }
  SECTION("a command before it may change what lies there, but not in the repository itself") {
    CHECK(machine.text("cd repo && git pull && git status").decision.code == DecisionCode::kAllowedByList);
    CHECK(machine.text("cd repo && git pull && git -C sub status").decision.code ==
          DecisionCode::kCarriedCode);
    CHECK(machine.text("cd repo/sub && git status").decision.code == DecisionCode::kAllowedByList);
    CHECK(machine.text("cd repo/sub && git pull && git status").decision.code == DecisionCode::kCarriedCode);
  }
  SECTION("a change of directory that has to fail") {
    machine.files.add_directory("/tmp/away");
    CHECK(machine.text("cd /tmp/away && ! cd /home/u/work/repo && git status").decision.code ==
          DecisionCode::kCarriedCode);
  }
}

TEST_CASE("decision: a repository that others could put above the directory is theirs") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  machine.files.add_directory("/srv", 0);
  machine.files.add_directory("/srv/shared", 0);
  machine.files.add_directory("/srv/shared/mine", 1500);
  CHECK(machine.run({"git", "-C", "/srv/shared/mine", "status"}).decision.code ==
        DecisionCode::kAllowedByList);
  machine.files.let_others_write("/srv/shared");
  CHECK(machine.run({"git", "-C", "/srv/shared/mine", "status"}).decision.code == DecisionCode::kCarriedCode);
  machine.files.add_directory("/srv/theirs", 2000);
  CHECK(machine.run({"git", "-C", "/srv/theirs", "status"}).decision.code == DecisionCode::kCarriedCode);
}

TEST_CASE("decision: cd without an operand goes home") {
  Machine machine;
  machine.list({"uname"});
  CHECK(spawned(machine.text("cd && uname")) == Commands{{"cd", "/home/u"}, {"uname"}});
}

TEST_CASE("decision: wrappers are looked through, and those with a meaning of their own are kept") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  CHECK(spawned(machine.run({"env", "git", "status"})) == Commands{{"git", "status"}});
  const RunEvaluation limited = machine.run({"timeout", "30", "git", "fetch"});
  CHECK(spawned(limited) == Commands{{"timeout", "30", "/usr/bin/git", "fetch"}});
  CHECK(limited.plan.pipelines[0].commands[0].executable == "/usr/bin/timeout");
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(spawned(machine.run({"timeout", "30", "git", "fetch"})) == Commands{{"git", "fetch"}});
}

TEST_CASE("decision: every program of a chain of wrappers is the system's and runs as it was judged") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  machine.context.host_environment[0].second = "/home/u/bin:/usr/bin";
  machine.files.add_directory("/home/u/bin", 1500);
  CHECK(spawned(machine.run({"timeout", "30", "nice", "-n", "5", "git", "status"})) ==
        Commands{{"timeout", "30", "/usr/bin/nice", "-n", "5", "/usr/bin/git", "status"}});
  CHECK(spawned(machine.run({"timeout", "30", "env", "nice", "git", "status"})) ==
        Commands{{"timeout", "30", "/usr/bin/env", "/usr/bin/nice", "/usr/bin/git", "status"}});
  const char* name = GENERATE("nice", "timeout", "env", "git");
  CAPTURE(name);
  SECTION("one of them found in a directory of the user's") {
    machine.files.add_file(std::string("/home/u/bin/") + name, "x", true, 1500);
    CHECK(machine.run({"timeout", "30", "env", "nice", "git", "status"}).decision.verdict == Verdict::kAsk);
    CHECK(machine.text("timeout 30 env nice git status").decision.verdict == Verdict::kAsk);
  }
  SECTION("one of them in the system's directory and writable by others") {
    machine.files.add_file(std::string("/usr/bin/") + name, "x", true);
    machine.files.let_others_write(std::string("/usr/bin/") + name);
    CHECK(machine.run({"timeout", "30", "env", "nice", "git", "status"}).decision.verdict == Verdict::kAsk);
  }
}

TEST_CASE("decision: a missing wrapper is reported before the miss") {
  Machine machine;
  machine.policy("allowlist", "off");
  const RunEvaluation run = machine.run({"command", "id"});
  CHECK(run.decision.code == DecisionCode::kExecutableUnresolved);
  CHECK(run.decision.reason == Reason::kWrapperMissing);
}

TEST_CASE("decision: safe bins run without an entry while their arguments name no file") {
  Machine machine;
  CHECK(machine.run({"wc", "-l"}).decision.verdict == Verdict::kAllow);
  const RunEvaluation file = machine.run({"head", "/etc/passwd"});
  CHECK(file.decision.verdict == Verdict::kAsk);
  CHECK(file.decision.code == DecisionCode::kAllowlistMissArguments);
  machine.context.settings.safe_bins = std::vector<std::string>{};
  CHECK(machine.run({"wc", "-l"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: a safe bin is the program itself, not its name") {
  Machine machine;
  machine.context.settings.strictness = GENERATE(Strictness::kHardened, Strictness::kOfficial);
  machine.files.add_symlink("/home/u/work/head", "/usr/bin/dash");
  machine.files.add_symlink("/home/u/work/wc", "/usr/bin/wc");
  machine.files.add_file("/usr/bin/HEAD", "x", true);
  machine.files.add_symlink("/usr/bin/tail", "bash");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"./head"}, {"/home/u/work/head"}, {"./wc", "-l"}, {"HEAD"}, {"tail"}}) {
    CAPTURE(Json(command).dump());
    CHECK(machine.run(command).decision.verdict == Verdict::kAsk);
    CHECK(machine.text(command_text(command)).decision.verdict == Verdict::kAsk);
  }
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"wc", "-l"}, {"/usr/bin/wc", "-l"}, {"/bin/head", "-n", "1"}}) {
    CAPTURE(Json(command).dump());
    CHECK(machine.run(command).decision.verdict == Verdict::kAllow);
  }
  // A directory of one's own in front of the system's does not make it one.
  machine.files.add_directory("/home/u/bin", 1500);
  machine.files.add_symlink("/home/u/bin/head", "/usr/bin/dash");
  machine.context.host_environment[0].second = "/home/u/bin:/usr/bin";
  CHECK(machine.run({"head"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: a safe bin of a system whose tools are one file goes by what it is called as") {
  Machine machine;
  machine.files.add_file("/usr/bin/allinone", "x", true);
  for (const char* name : {"cut", "tail", "rm"})
    machine.files.add_symlink(std::string("/usr/bin/") + name, "allinone");
  machine.files.add_symlink("/home/u/work/tail", "/usr/bin/allinone");
  CHECK(spawned(machine.run({"tail", "-n", "1"})) == Commands{{"tail", "-n", "1"}});
  CHECK(machine.run({"./tail", "-n", "1"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"rm", "-r"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: one file with many names is listed by the name that it is called by") {
  Machine machine;
  machine.files.add_file("/usr/bin/allinone", "x", true);
  for (const char* name : {"stat", "tac", "rm"})
    machine.files.add_symlink(std::string("/usr/bin/") + name, "allinone");
  machine.list({"/usr/bin/allinone"});
  for (const char* name : {"stat", "rm", "/bin/rm"}) {
    CAPTURE(name);
    const RunEvaluation run = machine.run({name, "x"});
    CHECK(run.decision.code == DecisionCode::kAllowlistMiss);
    CHECK(run.decision.next.ends_with(std::string("/usr/bin/") + (name[0] == 's' ? "stat" : "rm")));
  }
  CHECK(machine.run({"allinone", "rm", "x"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"allinone", "--prog=rm", "x"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"allinone", "--help"}).decision.verdict == Verdict::kAllow);
  machine.list({"/usr/bin/stat"});
  for (const char* name : {"stat", "/bin/stat"}) {
    const RunEvaluation run = machine.run({name, "x"});
    CHECK(run.decision.verdict == Verdict::kAllow);
    CHECK(run.matched.at(0).resolved_path == "/usr/bin/stat");
    CHECK(run.plan.pipelines[0].commands[0].executable == "/usr/bin/allinone");
  }
  CHECK(machine.run({"rm", "x"}).decision.verdict == Verdict::kAsk);
  machine.list({"/usr/bin/python3.11"});
  CHECK(machine.run({"python3", "x.py"}).decision.code != DecisionCode::kAllowlistMiss);
}

TEST_CASE("decision: a text with a safe bin and white space around it is refused, as upstream refuses it") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  CHECK(machine.run({"/bin/sh", "-c", "wc -l"}).decision.verdict == Verdict::kAllow);
  for (const char* text : {" wc -l", "wc -l ", "wc -l\n"}) {
    const RunEvaluation run = machine.run({"/bin/sh", "-c", text});
    CHECK(run.decision.verdict == Verdict::kDeny);
    CHECK(run.decision.code == DecisionCode::kExecutionPlanMiss);
  }
  CHECK(machine.run({"/bin/sh", "-c", " git status "}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: skill binaries count only where the policy says so") {
  Machine machine;
  machine.context.settings.skill_bins = {{"git", "/usr/bin/git"}};
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAsk);
  machine.document = Machine::read(
      {{"version", 1}, {"defaults", {{"security", "allowlist"}, {"ask", "off"}, {"autoAllowSkills", true}}}});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"/usr/bin/git", "status"}).decision.verdict == Verdict::kDeny);
}

TEST_CASE("decision: entries of the wildcard agent come first and arguments outrank path-only entries") {
  Machine machine;
  machine.document = Machine::read(
      {{"version", 1},
       {"defaults", {{"security", "allowlist"}, {"ask", "off"}}},
       {"agents",
        {{"*", {{"allowlist", {{{"pattern", "/usr/bin/git"}}}}}},
         {"main", {{"allowlist", {{{"pattern", "/usr/bin/git"}, {"argPattern", "^status$"}}}}}}}}});
  const RunEvaluation status = machine.run({"git", "status"});
  REQUIRE(status.matched.size() == 1);
  CHECK(status.matched[0].agent == "main");
  CHECK(machine.run({"git", "log"}).matched[0].agent == "*");
}

TEST_CASE("decision: without an agentId the strictest policy of all agents applies when hardened") {
  Machine machine;
  machine.document = Machine::read({{"version", 1},
                                    {"defaults", {{"security", "full"}, {"ask", "off"}}},
                                    {"agents", {{"main", {{"security", "deny"}}}}}});
  const Json params = {{"command", {"uname"}}};
  CHECK(machine.decide(params).decision.code == DecisionCode::kSecurityDeny);
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(machine.decide(params).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: a match without agentId cannot be recorded and is refused") {
  Machine machine;
  machine.document = Machine::read({{"version", 1},
                                    {"defaults", {{"security", "allowlist"}, {"ask", "off"}}},
                                    {"agents", {{"*", {{"allowlist", {{{"pattern", "/usr/bin/uname"}}}}}}}}});
  const RunEvaluation run = machine.decide(Json{{"command", {"uname"}}});
  CHECK(run.decision.code == DecisionCode::kAgentMissing);
  CHECK(run.decision.next == "send agentId with the request");
}

TEST_CASE("decision: shells with arguments need an entry that names the arguments") {
  Machine machine;
  machine.list({"/usr/bin/dash"});
  CHECK(machine.run({"sh", "-lc", "uname"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"sh"}).decision.verdict == Verdict::kAllow);
  machine.list({"*"});
  CHECK(machine.run({"bash", "-lc", "uname"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: a listed script runs by its shell and is part of the plan") {
  Machine machine;
  machine.list({"/home/u/work/script.sh"});
  const RunEvaluation run = machine.run({"sh", "script.sh", "a"});
  REQUIRE(run.decision.verdict == Verdict::kAllow);
  const PlannedCommand& command = run.plan.pipelines[0].commands[0];
  CHECK(command.executable == "/usr/bin/dash");
  REQUIRE(command.script);
  CHECK(command.script->path == "/home/u/work/script.sh");
  CHECK(command.script->index == 1);
  CHECK(machine.run({"/home/u/work/sh", "script.sh"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("decision: another program by a shell's name does not get a listed script to read") {
  Machine machine;
  machine.files.add_symlink("/home/u/work/bash", "/usr/bin/python3.11");
  machine.list({"/home/u/work/script.sh"});
  CHECK(machine.run({"./bash", "script.sh"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"bash", "script.sh"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: a link to a wrapper does not lend it a harmless name") {
  Machine machine;
  machine.files.add_symlink("/home/u/work/tool", "/usr/bin/nice");
  machine.list({"/usr/bin/nice"});
  CHECK(machine.run({"./tool", "id"}).decision.code == DecisionCode::kWrapperBlocked);
}

TEST_CASE("decision: a cd keeps its words, and what it leads to is told only where it is certain") {
  Machine machine;
  machine.list({"uname"});
  for (const char* name : {"a", "b", "a/b", "-x"})
    machine.files.add_directory(std::string("/home/u/work/") + name, 1500);
  CHECK(spawned(machine.text("cd -- -x && uname")) == Commands{{"cd", "--", "-x"}, {"uname"}});
  CHECK(spawned(machine.text("cd -P a && uname")) == Commands{{"cd", "-P", "a"}, {"uname"}});
  const auto grant_in = [&](const std::string& directory) {
    machine.policy("allowlist", "on-miss",
                   {{{"pattern", "/usr/bin/id"},
                     {"argPattern", cwd_argv_pattern(directory, {"-u"}, Platform::kPosix)},
                     {"source", "allow-always"}}});
  };
  const auto verdict = [&](const char* text, bool with_cwd) {
    Json params = Machine::carried(text);
    if (!with_cwd) params.erase("cwd");
    return machine.decide(params).decision.verdict;
  };
  machine.context.host_cwd = "/home/u/work";
  const bool with_cwd = GENERATE(true, false);
  CAPTURE(with_cwd);
  grant_in("/home/u/work/b");
  CHECK(verdict("cd b && id -u", with_cwd) == Verdict::kAllow);
  CHECK(verdict("cd a && cd ../b && id -u", with_cwd) == Verdict::kAllow);
  CHECK(verdict("cd a; cd /home/u/work/b && id -u", with_cwd) == Verdict::kAllow);
  for (const char* elsewhere :
       {"cd a; cd b && id -u", "cd a || cd b && id -u", "! cd b && id -u", "cd b; id -u",
        "cd /opt || cd /home/u/work/b && id -u", "cd -P a/../b && id -u"}) {
    CAPTURE(elsewhere);
    CHECK(verdict(elsewhere, with_cwd) == Verdict::kAsk);
  }
}

TEST_CASE("decision: `|&` is read where the shell knows it") {
  Machine machine;
  machine.list({"uname", "/usr/bin/git"});
  for (const char* shell : {"sh", "dash", "/bin/sh"})
    CHECK(machine.run({shell, "-c", "git status |& wc -l"}).decision.code == DecisionCode::kNotAnalysable);
  CHECK(machine.run({"bash", "-c", "git status |& wc -l"}).decision.verdict == Verdict::kAllow);
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(machine.run({"sh", "-c", "git status |& wc -l"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: what a request calls its variables does not choose the code") {
  Machine machine;
  for (const char* name : {"rawCommand=x", "rawCommand", "systemRunPlan invalid", "approval"}) {
    Json params = Machine::request({"uname"});
    params["env"] = {{name, "1"}, {"LD_PRELOAD", "x"}};
    CHECK(machine.decide(params).decision.code == DecisionCode::kEnvironmentRejected);
  }
  Json params = Machine::request({"uname"});
  params["rawCommand"] = "id";
  CHECK(machine.decide(params).decision.code == DecisionCode::kRawCommandMismatch);
}

TEST_CASE("decision: a command that no system starts is not looked at") {
  Machine machine;
  machine.policy("full", "off");
  const std::vector<std::string> huge(25, std::string(1024 * 1024, 'a'));
  CHECK(machine.run(huge).decision.verdict == Verdict::kInvalid);
  CHECK(machine.run({"sh", "-c", "echo " + std::string(17 * 1024 * 1024, 'x')}).decision.verdict ==
        Verdict::kInvalid);
  CHECK_FALSE(prepare_run(Machine::request(huge), machine.document, machine.context).ok);
  CHECK(machine.run({"git", std::string(1024 * 1024, 'a')}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: hardened asks about invisible characters of every kind, and about none that is seen") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  for (const char* hidden : {"\xE2\x80\x8C", "\xE2\x80\x8D", "\xF3\xA0\x81\x81", "\xE1\xA0\x8E",
                             "\xE2\x81\xAA", "\xCD\x8F", "\xE3\x85\xA4", "\xEF\xBB\xBF", "\xC2\x9B"}) {
    CHECK(machine.run({"git", std::string("a") + hidden + "b"}).decision.code ==
          DecisionCode::kMisleadingText);
    CHECK(machine.text(std::string("git 'a") + hidden + "b'").decision.code == DecisionCode::kMisleadingText);
    CHECK(machine.text(std::string(hidden) + "git status").decision.verdict == Verdict::kAsk);
    CHECK(machine.run({std::string(hidden) + "git", "status"}).decision.verdict == Verdict::kAsk);
  }
  for (const char* operator_like :
       {"\xCD\xBE", "\xD8\x9B", "\xEF\xB9\x94", "\xC7\x80", "\xE2\x88\xA3", "\xE1\xBF\xAF"})
    CHECK(machine.text(std::string("git status ") + operator_like + " id").decision.code ==
          DecisionCode::kMisleadingText);
  CHECK(machine.text("\xC2\xA0git status").decision.code == DecisionCode::kMisleadingText);
  for (const char* seen :
       {"\xF0\x9F\x99\x82", "e\xCC\x81", "\xE4\xB8\xAD", "\xD0\xAF", "caf\xC3\xA9", "\xC3\x28"})
    CHECK(machine.run({"git", "log", "--grep", seen}).decision.verdict == Verdict::kAllow);
  CHECK(machine.text(" git status\n").decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: hardened asks about what looks like something else") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  CHECK(machine
            .run({"git",
                  "a\xE2\x80\xAE"
                  "b"})
            .decision.code == DecisionCode::kMisleadingText);
  CHECK(machine.run({"git", std::string("a\0b", 3)}).decision.code == DecisionCode::kNulInArgument);
  CHECK(machine.run({"git ", "status"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"/proc/self/root/usr/bin/git", "status"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.text("git status\xEF\xBC\x9Bid").decision.code == DecisionCode::kMisleadingText);
  CHECK(machine.run({"git", "\xEF\xBF\xBD"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: hardened counts an unanchored pattern only for programs of the system") {
  Machine machine;
  machine.list({"**/evil", "**/git"});
  CHECK(machine.run({"./evil"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(machine.run({"./evil"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: hardened asks about variables that steer programs and leaves unknown ones out") {
  Machine machine;
  machine.list({"/usr/bin/git"});
  Json params = Machine::request({"git", "log"});
  params["env"] = {{"TMPDIR", "/tmp/evil"}};
  CHECK(machine.decide(params).decision.code == DecisionCode::kSteeringEnvironment);
  params["env"] = {{"FOO", "bar"}, {"TERM", "dumb"}};
  const RunEvaluation run = machine.decide(params);
  CHECK(run.decision.verdict == Verdict::kAllow);
  bool term = false;
  for (const auto& [name, value] : run.plan.environment) {
    CHECK(name != "FOO");
    term = term || (name == "TERM" && value == "dumb");
  }
  CHECK(term);
}

TEST_CASE("decision: a working directory that can be re-pointed is refused under a list") {
  Machine machine;
  machine.list({"/usr/bin/uname"});
  const auto with_cwd = [&](const char* cwd) {
    Json params = Machine::request({"uname"});
    params["cwd"] = cwd;
    return machine.decide(params).decision.reason;
  };
  CHECK(with_cwd("/home/u/link") == Reason::kCwdBySymlink);
  CHECK(with_cwd("/home/u/missing") == Reason::kCwdMissing);
  CHECK(with_cwd("/home/u/work/script.sh") == Reason::kCwdNoDirectory);
  CHECK(with_cwd("/usr/bin") == Reason::kNone);
}

TEST_CASE("decision: an exact command grant covers the text it was given for and nothing else") {
  Machine machine;
  machine.policy(
      "allowlist", "off",
      {{{"pattern", "=command:" + command_key("/bin/sh -c \"echo $HOME\"")}, {"source", "allow-always"}}});
  const RunEvaluation run = machine.run({"/bin/sh", "-c", "echo $HOME"});
  CHECK(run.decision.verdict == Verdict::kAllow);
  CHECK(run.decision.code == DecisionCode::kAllowedByGrant);
  CHECK(spawned(run) == Commands{{"/bin/sh", "-c", "echo $HOME"}});
  CHECK(machine.run({"/bin/sh", "-c", "echo $HOM"}).decision.verdict == Verdict::kDeny);
}

TEST_CASE("decision: code on a command line needs a person where the owner says so") {
  Machine machine;
  machine.policy("full", "off");
  machine.context.settings.strict_inline_eval = true;
  const RunEvaluation run = machine.run({"python3", "-c", "1"});
  CHECK(run.decision.verdict == Verdict::kAsk);
  CHECK(run.decision.code == DecisionCode::kInlineEval);
  CHECK(run.decision.detail == "python3 -c");
}

TEST_CASE("decision: hardened asks about a listed program that is told to run other code") {
  Machine machine;
  machine.list({"/usr/bin/git", "/usr/bin/find"});
  CHECK(machine.run({"git", "-c", "core.pager=id", "log"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"find", ".", "-exec", "id", ";"}).decision.code == DecisionCode::kCarriedCode);
  CHECK(machine.run({"find", ".", "-name", "x"}).decision.verdict == Verdict::kAllow);
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(machine.run({"git", "-c", "core.pager=id", "log"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("decision: a code has one name, and is found again by it") {
  std::set<std::string_view> names;
  for (const DecisionCodeFacts& row : decision_codes()) {
    INFO(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(decision_code_from(row.name) == (row.name.empty() ? std::nullopt : std::optional(row.code)));
    CHECK(Json(row.code) == std::string(row.name));
    CHECK((row.meaning.ends_with('.') || row.code == DecisionCode::kAllowedByPolicy));
  }
  CHECK_FALSE(decision_code_from("NO_SUCH_CODE"));
}

TEST_CASE("decision: a reason belongs to a code, and the sentence of a malformed request comes from there") {
  for (std::size_t i = 1; i < static_cast<std::size_t>(Reason::kCount); ++i) {
    const Reason reason = static_cast<Reason>(i);
    const Decision decision = invalid_request({reason, {"NAME"}, {}});
    INFO(facts_of(reason).text);
    CHECK(decision.code == code_of(reason));
    CHECK(decision.explanation.starts_with(facts_of(reason).text));
    CHECK(decision.explanation.find("NAME") != std::string::npos);
  }
}

TEST_CASE("decision: the trace tells the whole way") {
  Machine machine;
  machine.list({"/usr/bin/uname"});
  const RunEvaluation run = machine.text("uname -s");
  std::vector<std::string> stages;
  for (const TraceStep& step : run.trace) {
    if (stages.empty() || stages.back() != step.stage) stages.push_back(step.stage);
  }
  CHECK(stages ==
        std::vector<std::string>{"request", "policy", "analyse", "resolve", "match", "bind", "decide"});
}

TEST_CASE("decision: no input makes it throw") {
  Machine machine;
  for (const char* text :
       {"null", "[]", "{}", R"({"command":[[]]})", R"({"command":[{}],"env":[]})",
        R"({"command":["a"],"systemRunPlan":[]})", R"({"command":["a"],"cwd":{},"timeoutMs":null})",
        R"({"command":["sh","-c"]})", R"({"command":["env"]})", R"({"command":["nice","-n"]})"}) {
    CHECK_NOTHROW(machine.decide(Json::parse(text)));
  }
  CHECK_NOTHROW(machine.run({std::string(2 << 20, 'a')}));
  CHECK_NOTHROW(machine.text(std::string(200000, '(')));
}

}  // namespace
}  // namespace hostclaw::policy
