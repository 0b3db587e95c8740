// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "policy/decide/engine.h"
#include "tests/unit/policy/windows_machine.h"

namespace hostclaw::policy {
namespace {

using Argv = std::vector<std::string>;

bool looked_at(const WindowsMachine& machine, const std::string& part) {
  for (const std::string& path : machine.files.looks) {
    if (path.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("windows: a listed program runs under every harmless spelling of its path") {
  WindowsMachine machine;
  for (const char* word : {"git", "GIT", "git.exe", "Git.EXE", "C:\\Program Files\\Git\\cmd\\git.exe",
                           "C:/program files/git/cmd/git.exe", "C:\\Program Files\\Git\\cmd\\git",
                           "C:\\Program Files\\Git\\cmd\\..\\cmd\\.\\git.exe",
                           "\\Program Files\\Git\\cmd\\git.exe", "C:\\PROGRA~1\\Git\\cmd\\git.exe"}) {
    CAPTURE(word);
    const RunEvaluation run = machine.run({word, "status"});
    CHECK(run.decision.code == DecisionCode::kAllowedByList);
    REQUIRE(run.plan.pipelines.size() == 1);
    CHECK(run.plan.pipelines[0].commands[0].executable == "C:/Program Files/Git/cmd/git.exe");
  }
}

TEST_CASE("windows: a name that stands for another file is refused and not looked at") {
  WindowsMachine machine;
  machine.list({"*"});
  for (const char* word :
       {"git.exe.", "git.exe ", "git.exe:evil", "git.exe::$DATA", "C:git.exe", "\\\\evil\\share\\git.exe",
        "//evil/share/git.exe", "\\/evil/share/git.exe", "\\\\?\\C:\\Windows\\System32\\where.exe",
        "\\\\.\\pipe\\evil", "\\\\?\\UNC\\evil\\share\\git.exe", "CON", "nul.exe", "C:\\x\\COM1.exe",
        "COM\xC2\xB9.exe", "C:\\Program Files.\\Git\\cmd\\git.exe", "gi?.exe", "g\xC4\xB1t.exe"}) {
    CAPTURE(word);
    machine.files.looks.clear();
    const RunEvaluation run = machine.run({word, "status"});
    CHECK(run.decision.verdict == Verdict::kAsk);
    CHECK(run.decision.code == DecisionCode::kPathSuspicious);
    CHECK_FALSE(looked_at(machine, "evil"));
    CHECK_FALSE(looked_at(machine, word));
  }
}

TEST_CASE("windows: an argument that is a network path is nobody's to open while it is judged") {
  WindowsMachine machine;
  for (const char* program : {"git", "node", "where"}) {
    CHECK(machine.run({program, "\\\\evil\\share\\x.js"}).decision.verdict != Verdict::kInvalid);
    Json params = WindowsMachine::request({program, "//evil/share/x.js"});
    prepare_run(params, machine.document, machine.context);
  }
  CHECK_FALSE(looked_at(machine, "evil"));
}

TEST_CASE("windows: a drive that its owner mapped is a plain name, and lists go by what is behind it") {
  WindowsMachine machine;
  machine.files.add("//server/share/tool.exe");
  machine.files.add_spelling("Z:/tool.exe", "//server/share/tool.exe");
  CHECK(machine.run({"Z:\\tool.exe"}).decision.code == DecisionCode::kAllowlistMiss);
  machine.list({"\\\\server\\share\\tool.exe"});
  const RunEvaluation run = machine.run({"Z:\\tool.exe"});
  CHECK(run.decision.code == DecisionCode::kAllowedByList);
  REQUIRE(run.plan.pipelines.size() == 1);
  CHECK(run.plan.pipelines[0].commands[0].executable == "//server/share/tool.exe");
  CHECK(machine.run({"\\\\server\\share\\tool.exe"}).decision.code == DecisionCode::kPathSuspicious);
  const PrepareEvaluation prepared =
      prepare_run(WindowsMachine::carried("Z:\\tool.exe"), machine.document, machine.context);
  REQUIRE(prepared.ok);
  CHECK(prepared.payload["plan"]["argv"] == Json({"Z:/tool.exe"}));
}

TEST_CASE("windows: a directory that stands for another one or for another machine is refused") {
  WindowsMachine machine;
  machine.policy("full", "off");
  for (const char* cwd : {"\\\\evil\\share", "//evil/share", "\\\\?\\C:\\Users", "C:", "C:work",
                          "C:\\Users\\u\\work.", "C:\\Users\\u\\work:x", "NUL", "C:\\Users\\u\\aux"}) {
    CAPTURE(cwd);
    machine.files.looks.clear();
    Json params = WindowsMachine::request({"git", "status"});
    params["cwd"] = cwd;
    const RunEvaluation run = machine.decide(params);
    CHECK(run.decision.verdict == Verdict::kDeny);
    CHECK(run.decision.code == DecisionCode::kCwdNotCanonical);
    CHECK(machine.files.looks.empty());
  }
  Json params = WindowsMachine::request({"git", "status"});
  for (const char* cwd : {"C:\\Users\\u\\work", "work", "\\Users\\u\\work", "c:/users/u/WORK"}) {
    CAPTURE(cwd);
    params["cwd"] = cwd;
    const RunEvaluation run = machine.decide(params);
    CHECK(run.decision.verdict == Verdict::kAllow);
    CHECK(to_lower_ascii(run.plan.cwd) == "c:/users/u/work");
  }
}

TEST_CASE("windows: a short name of a program is refused, one of a directory is resolved") {
  WindowsMachine machine;
  machine.list({"*"});
  const RunEvaluation run = machine.run({"POWERS~1.EXE", "-c", "x"});
  CHECK(run.decision.code == DecisionCode::kPathSuspicious);
  CHECK(run.decision.explanation.find("powershell.exe") != std::string::npos);
  CHECK(machine.run({"C:\\PROGRA~1\\Git\\cmd\\git.exe"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("windows: PATH entries that depend on where one stands, and network ones, find nothing") {
  WindowsMachine machine;
  machine.list({"**/tool.exe"});
  machine.context.host_environment = {{"PATH", ";.;work;C:;C:work;\\\\evil\\share;%TOOLS%"},
                                      {"PATHEXT", ".EXE"}};
  machine.context.host_cwd = "C:/Users/u";
  Json params = WindowsMachine::request({"tool"});
  params["cwd"] = "C:\\Users\\u";
  CHECK(machine.decide(params).decision.code == DecisionCode::kExecutableNotFound);
  CHECK((*which({{"bins", {"tool"}}}, machine.context))["bins"].empty());
  CHECK_FALSE(looked_at(machine, "evil"));
  machine.context.host_environment = {{"PATH", "\\other;D:\\other"}, {"PATHEXT", ".EXE"}};
  CHECK(machine.decide(params).decision.verdict == Verdict::kAllow);
}

TEST_CASE("windows: the request chooses neither PATHEXT nor the command interpreter") {
  WindowsMachine machine;
  for (const char* name : {"PATHEXT", "PathExt", "ComSpec", "PATH", "Path", "SystemRoot"}) {
    CAPTURE(name);
    Json params = WindowsMachine::request({"git", "status"});
    params["env"] = {{name, "x"}};
    CHECK(machine.decide(params).decision.verdict == Verdict::kInvalid);
  }
}

TEST_CASE("windows: only what the system itself can start is a program") {
  WindowsMachine machine;
  machine.list({"C:\\scripts\\*", "C:\\Program Files\\Git\\cmd\\git.exe"});
  CHECK(machine.run({"run"}).decision.code == DecisionCode::kExecutableNotFound);
  CHECK(machine.run({"C:\\scripts\\run.vbs"}).decision.code == DecisionCode::kExecutableNotFound);
  CHECK(machine.run({"C:\\scripts\\run.vbs"}).decision.verdict == Verdict::kAsk);
  // Without PATHEXT the system's usual endings are tried.
  machine.context.host_environment.erase(machine.context.host_environment.begin() + 1);
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("windows: a program of the working directory does not pass for the one that is meant") {
  WindowsMachine machine;
  machine.files.add("C:/Users/u/work/git.bat");
  CHECK(machine.run({"git", "status"}).decision.code == DecisionCode::kPathSuspicious);
  CHECK(machine.run({"C:\\Program Files\\Git\\cmd\\git.exe", "status"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("windows: a batch file gets arguments that mean the same however often they are read") {
  WindowsMachine machine;
  for (const Argv& arguments : {Argv{}, Argv{"ci"}, Argv{"run", "build", "--workspace=api"},
                                Argv{"--prefix", "C:\\x\\y"}, Argv{"i", "a@1.2"}}) {
    Argv argv = {"build"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const RunEvaluation run = machine.run(argv);
    CHECK(run.decision.code == DecisionCode::kAllowedByList);
    REQUIRE(run.plan.pipelines.size() == 1);
    CHECK(run.plan.pipelines[0].commands[0].executable == "C:/scripts/build.cmd");
  }
  for (const char* argument : {"", " ", "a b", "(x)", "x&calc", "a|b", "a<b", "a>b", "%PATH%", "!x!", "^",
                               "\"", "a,b", "a;b", "x\ny", "*", "\xEF\xBC\x82&calc"}) {
    CAPTURE(argument);
    const RunEvaluation run = machine.run({"build", "run", argument});
    CHECK(run.decision.verdict == Verdict::kAsk);
    CHECK(run.decision.code == DecisionCode::kBatchFile);
  }
}

TEST_CASE("windows: the gateway's carrier around one listed command runs that command without cmd.exe") {
  WindowsMachine machine;
  const RunEvaluation run = machine.text("git commit -m \"two words\"");
  CHECK(run.decision.code == DecisionCode::kAllowedByList);
  CHECK(spawned(run) == std::vector<Argv>{{"git", "commit", "-m", "two words"}});
  CHECK(run.plan.pipelines[0].commands[0].executable == "C:/Program Files/Git/cmd/git.exe");
  CHECK(machine.text("git status").plan.pipelines.size() == 1);
}

TEST_CASE("windows: text that cmd.exe would act on is asked about, whatever the list says") {
  WindowsMachine machine;
  machine.list({"*"});
  for (const char* text :
       {"git status & where x", "git status | where x", "git status && where x", "git log > x", "git %PATH%",
        "git !x!", "git ^& where", "(git status)", "git status\r\nwhere x", "git \"%x%\"", "dir",
        "git status;where x", "cmd /c where x", "build \"a b\""}) {
    CAPTURE(text);
    const RunEvaluation run = machine.text(text);
    CHECK(run.decision.verdict == Verdict::kAsk);
    CHECK(spawned(run).empty());
  }
}

TEST_CASE("windows: cmd.exe started in any other way needs an approval") {
  WindowsMachine machine;
  for (const Argv& argv :
       {Argv{"cmd", "/c", "git status"}, Argv{"cmd.exe", "/c", "git status"},
        Argv{"cmd.exe", "/d", "/s", "/k", "git status"}, Argv{"cmd.exe", "/d", "/c", "git status"},
        Argv{"C:\\evil\\cmd.exe", "/d", "/s", "/c", "git status"},
        Argv{"cmd.exe", "/d", "/s", "/c", "git", "status"}}) {
    CHECK(machine.run(argv).decision.verdict == Verdict::kAsk);
  }
  machine.context.settings.strictness = Strictness::kOfficial;
  CHECK(machine.text("git status").decision.verdict == Verdict::kAsk);
}

TEST_CASE("windows: a prepared plan names the program and not cmd.exe") {
  WindowsMachine machine;
  Json params = WindowsMachine::carried("git status");
  params["security"] = "full";
  params["ask"] = "off";
  const PrepareEvaluation prepared = prepare_run(params, machine.document, machine.context);
  REQUIRE(prepared.ok);
  CHECK(prepared.payload["plan"]["argv"] == Json({"C:/Program Files/Git/cmd/git.exe", "status"}));
}

TEST_CASE("windows: an unlisted program in the gateway's carrier can be asked about, as itself") {
  WindowsMachine machine;
  machine.list({});
  for (const bool caller : {true, false}) {
    Json params = WindowsMachine::carried("git status");
    if (caller) {
      params["security"] = "allowlist";
      params["ask"] = "on-miss";
    }
    machine.context.older_peer = !caller;
    const PrepareEvaluation prepared = prepare_run(params, machine.document, machine.context);
    INFO(prepared.refusal.explanation);
    REQUIRE(prepared.ok);
    CHECK(prepared.payload["plan"]["argv"] == Json({"C:/Program Files/Git/cmd/git.exe", "status"}));
    CHECK(prepared.payload["execPolicy"] == Json({{"security", "allowlist"}, {"ask", "on-miss"}}));
  }
}

TEST_CASE("windows: an entry or rule names a program with or without its extension, in any case") {
  WindowsMachine machine;
  for (const char* name : {"git", "git.exe", "Git.EXE", "GIT"}) {
    CAPTURE(name);
    machine.list({name});
    CHECK(machine.text("git status").decision.verdict == Verdict::kAllow);
    CHECK(machine.text("GIT status").decision.verdict == Verdict::kAllow);
    CHECK(machine.text("reg query x").decision.verdict == Verdict::kAsk);
    Rule rule;
    rule.id = "no-git";
    rule.effect = RuleEffect::kDeny;
    rule.program = name;
    machine.context.settings.rules = std::make_shared<RuleSet>(std::vector<Rule>{rule});
    CHECK(machine.text("git status").decision.code == DecisionCode::kRuleDeny);
    machine.context.settings.rules = nullptr;
  }
}

TEST_CASE("windows: a rule by path holds however the path is written") {
  WindowsMachine machine;
  machine.list({"*"});
  for (const char* path : {"C:\\Program Files\\Git\\cmd\\git.exe", "c:/program files/git/cmd/GIT.EXE",
                           "C:\\Program Files\\Git\\**"}) {
    CAPTURE(path);
    Rule rule;
    rule.id = "no-git";
    rule.effect = RuleEffect::kDeny;
    rule.program = path;
    machine.context.settings.rules = std::make_shared<RuleSet>(std::vector<Rule>{rule});
    CHECK(machine.text("git status").decision.code == DecisionCode::kRuleDeny);
    rule.match = {{"C:\\Program Files\\Git\\cmd\\git.exe", "status"}};
    rule.not_match = {{"C:\\Windows\\System32\\reg.exe", "add"}};
    CHECK(verify_rule(rule).has_value());
  }
}

TEST_CASE("windows: a rule that denies a program finds its path in text that was not understood") {
  WindowsMachine machine;
  machine.list({"*"});
  Rule rule;
  rule.id = "no-reg";
  rule.effect = RuleEffect::kDeny;
  rule.program = "reg";
  machine.context.settings.rules = std::make_shared<RuleSet>(std::vector<Rule>{rule});
  for (const char* text :
       {"reg add x", "git status & C:\\Windows\\System32\\reg.exe add x",
        "git status & \"C:\\Windows\\System32\\reg.exe\" add x", "git status & r^eg add x"}) {
    CAPTURE(text);
    CHECK(machine.text(text).decision.code == DecisionCode::kRuleDeny);
  }
}

TEST_CASE("windows: a shell in the text with options that change what it does is a miss when hardened") {
  WindowsMachine machine;
  CHECK(machine.text("powershell -NoProfile -Command git status").decision.code ==
        DecisionCode::kAllowedByList);
  CHECK(machine.text("powershell -NoExit -Command git status").decision.code == DecisionCode::kNotBindable);
}

}  // namespace
}  // namespace hostclaw::policy
