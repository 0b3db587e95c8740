// SPDX-License-Identifier: Apache-2.0
// Sets of rules, a policy as a file and what is made of it, at the command line of the shipped executable and
// through the gateway.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/clock.h"
#include "tests/integration/local_state.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

using Words = std::vector<std::string>;

bool tells(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A directory of the test's own, links resolved.
std::string made_directory(const std::string& path) {
  std::filesystem::create_directories(path);
  return std::filesystem::canonical(path).string();
}

std::size_t rule_rows(LocalState& state) {
  const Finished tail = state.hostclaw({"audit", "tail", "--kind", "rule-write", "--limit", "200", "--json"});
  std::size_t rows = 0;
  for (std::size_t at = 0; (at = tail.standard_output.find("\"rule-write\"", at)) != std::string::npos; ++at)
    ++rows;
  return rows;
}

std::string policy_verdict(const LocalState& state, const std::string& text, const std::string& cwd) {
  const Finished finished = state.hostclaw({"policy", "check", "--json", "--cwd", cwd, "--shell", text});
  INFO(finished.standard_output << finished.standard_error);
  return Json::parse(finished.standard_output).value("verdict", "");
}

}  // namespace

TEST_CASE("a template is shown before it is stored, and stored only when that is confirmed") {
  LocalState state;
  const std::string app = made_directory(state.directory.path() + "/app");
  Words words = {"policy", "template", "hostops", "--repo", app, "--compose", app, "--service", "web"};
  const Finished shown = state.hostclaw(words);
  CHECK(shown.status == 2);
  for (const char* part : {"docker compose up -d --build web", "covers", "in ", "hostops.git-pull"})
    CHECK(tells(shown.standard_output, part));
  CHECK(tells(shown.standard_error, "NOT_CONFIRMED"));
  CHECK(tells(shown.standard_error, "--yes"));
  CHECK(state.json({"policy", "list"})["rules"].empty());

  words.push_back("--yes");
  const Finished stored = state.hostclaw(words);
  INFO(stored.standard_error);
  REQUIRE(stored.status == 0);
  CHECK(tells(stored.standard_output, "hostclaw policy template off hostops"));
  const Json rules = state.json({"policy", "list"})["rules"];
  REQUIRE_FALSE(rules.empty());
  for (const Json& rule : rules) {
    CHECK(rule["template"] == "hostops");
    CHECK(rule["directory"] == app);
  }
  CHECK(rule_rows(state) == rules.size());
  const std::string listed = state.hostclaw({"policy", "list"}).standard_output;
  CHECK(tells(listed, "in " + app));
  CHECK(tells(listed, "(hostops)"));
  CHECK(
      tells(state.hostclaw({"policy", "explain", "hostops.compose-up"}).standard_output, "directory " + app));
  CHECK(state.json({"policy", "template", "list"})["stored"]["hostops"] == rules.size());
  CHECK(state.json({"policy", "template", "show", "hostops"})["stored"] == true);

  // Another service: the set becomes the new one.
  words[8] = "db";
  REQUIRE(state.hostclaw(words).status == 0);
  CHECK(state.json({"policy", "list"})["rules"].size() == rules.size());
  CHECK(tells(state.hostclaw({"policy", "list"}).standard_output, " db"));

  REQUIRE(state.hostclaw({"policy", "template", "off", "hostops"}).status == 0);
  CHECK(state.json({"policy", "list"})["rules"].empty());
  CHECK(state.hostclaw({"policy", "template", "off", "hostops"}).status == 1);
  CHECK(state.hostclaw({"audit", "verify"}).status == 0);
}

TEST_CASE("a template that lacks something, or has a value that is a pattern, stores nothing") {
  LocalState state;
  const std::string app = made_directory(state.directory.path() + "/app");
  const auto [words, status, part] = GENERATE(table<Words, int, std::string>({
      {{"hostops", "--repo", "@", "--compose", "@"}, 2, "--service"},
      {{"hostops", "--repo", "@/no", "--compose", "@", "--service", "web", "--yes"}, 1, "--repo"},
      {{"hostops", "--repo", "@", "--compose", "@", "--service", "*", "--yes"}, 1, "--service"},
      {{"git", "--repo", "@", "--as", "a b", "--yes"}, 1, "id"},
      {{"hstops"}, 2, "did you mean"},
      {{"show", "nothing"}, 1, "template list"},
  }));
  Words all = {"policy", "template"};
  for (const std::string& word : words) all.push_back(word.starts_with("@") ? app + word.substr(1) : word);
  const Finished finished = state.hostclaw(all);
  INFO(finished.standard_error);
  CHECK(finished.status == status);
  CHECK(tells(finished.standard_error, part));
  CHECK(state.json({"policy", "list"})["rules"].empty());
}

TEST_CASE("reading verbs about templates and files create no state") {
  LocalState other;
  Environment environment = other.environment();
  environment["HOSTCLAW_STATE_DIR"] = other.directory.path() + "/nothing";
  for (const Words& words : {Words{"policy", "template", "list"}, Words{"policy", "template", "show", "git"},
                             Words{"policy", "export"}}) {
    HostProcess process(hostclaw_program(), words, environment);
    const auto finished = process.wait_exit(kPatience);
    REQUIRE(finished.has_value());
    INFO(finished->standard_error);
    CHECK(finished->status == 0);
    CHECK_FALSE(std::filesystem::exists(other.directory.path() + "/nothing"));
  }
}

TEST_CASE("with a template the upgrade runs through the gateway without a question, and nothing else does") {
  Scene scene;
  const std::string tools = made_directory(scene.directory.path() + "/tools");
  const std::string app = made_directory(scene.directory.path() + "/app");
  const std::string other = made_directory(scene.directory.path() + "/other");
  for (const char* name : {"docker", "git", "curl"})
    write_file(tools + "/" + name, "#!/bin/sh\necho " + std::string(name) + " \"$@\" in $PWD\n", 0755);
  REQUIRE(scene
              .hostclaw({"policy", "template", "hostops", "--repo", app, "--compose", app, "--service", "web",
                         "--check", "http://127.0.0.1:8080/health", "--yes"})
              .status == 0);
  scene.start_host({}, {{"PATH", tools + ":/usr/bin:/bin"}});
  scene.node_id = string_at(scene.await("connected"), "nodeId");
  for (const char* text :
       {"git fetch --all --prune", "git checkout main", "git pull --ff-only",
        "docker compose up -d --build web", "docker compose restart web",
        "curl -fsS http://127.0.0.1:8080/health", "git pull --ff-only && docker compose up -d --build web"}) {
    const Json outcome = scene.exec(text, {{"cwd", app}});
    INFO(text << "\n" << outcome.dump());
    CHECK(tells(dump_json(outcome), "in " + app));
    CHECK(scene.gateway->journal().all("approval").empty());
  }
  // A gateway that looks at the list by itself finds what this node has decided.
  const Json looking = {
      {"cwd", app}, {"interactive", false}, {"callerSecurity", "allowlist"}, {"callerAsk", "on-miss"}};
  CHECK(tells(dump_json(scene.exec("docker compose restart web", looking)), "in " + app));
  CHECK(tells(dump_json(scene.exec("cd " + app + " && git pull --ff-only", {{"cwd", other}})), "in " + app));
  for (const char* text : {"docker compose up -d --build db", "docker compose exec web sh"}) {
    INFO(text);
    CHECK_FALSE(tells(dump_json(scene.exec(text, {{"cwd", app}, {"interactive", false}})), "in " + app));
  }
  CHECK_FALSE(
      tells(dump_json(scene.exec("docker compose restart web", {{"cwd", other}, {"interactive", false}})),
            "in " + other));
  CHECK(tells(dump_json(scene.exec("docker compose down -v", {{"cwd", app}})), "volumes"));
}

TEST_CASE("a policy is exported, applied as a whole with its difference, and unchanged the second time") {
  LocalState state;
  const std::string app = made_directory(state.directory.path() + "/app");
  const std::string file = state.directory.path() + "/policy.json";
  REQUIRE(state.hostclaw({"policy", "template", "git", "--repo", app, "--yes"}).status == 0);
  REQUIRE(state.hostclaw({"policy", "starter", "on"}).status == 0);
  REQUIRE(state.hostclaw({"exec-policy", "set", "--ask-wait", "90s", "--ask", "always"}).status == 0);
  REQUIRE(state.hostclaw({"approvals", "allowlist", "add", "/bin/ls", "--agent", "main"}).status == 0);
  const Finished exported = state.hostclaw({"policy", "export"});
  REQUIRE(exported.status == 0);
  const Json policy = Json::parse(exported.standard_output);
  CHECK(policy["version"] == 1);
  CHECK(policy["starter"] == true);
  CHECK(policy["settings"]["exec.askWaitMs"] == 90'000);
  CHECK(policy["defaults"]["ask"] == "always");
  CHECK(policy["agents"]["main"]["allowlist"][0]["pattern"] == "/bin/ls");
  write_file(file, exported.standard_output);
  CHECK(state.hostclaw({"policy", "apply", file}).status == 0);
  CHECK(state.hostclaw({"policy", "apply", file, "--check"}).status == 0);

  Json changed = policy;
  changed["starter"] = false;
  changed["settings"] = Json::object();
  changed["defaults"]["ask"] = "on-miss";
  changed["agents"]["main"]["allowlist"] = {{{"pattern", "/bin/cat"}, {"argPattern", "^x$"}}};
  changed["rules"].erase(0);
  write_file(file, changed.dump());
  const Finished check = state.hostclaw({"policy", "apply", "--check", file});
  CHECK(check.status == 2);
  for (const char* part : {"- the starter rules", "~ exec.askWaitMs: 90000 -> not set",
                           "~ defaults ask: \"always\" -> \"on-miss\"", "- agent main may run /bin/ls",
                           "+ agent main may run /bin/cat  args ^x$", "- allow git."})
    CHECK(tells(check.standard_output, part));
  CHECK(Json::parse(state.hostclaw({"policy", "export"}).standard_output) == policy);

  const Finished applied = state.hostclaw({"policy", "apply", file});
  INFO(applied.standard_error);
  CHECK(applied.status == 0);
  CHECK(applied.standard_output == check.standard_output);
  CHECK(Json::parse(state.hostclaw({"policy", "export"}).standard_output) == changed);
  CHECK(state.hostclaw({"policy", "apply", file}).status == 0);
  CHECK(state.hostclaw({"audit", "verify"}).status == 0);
}

TEST_CASE("a member that the policy file does not have is left alone, and what answers have left stays") {
  LocalState state;
  REQUIRE(state.hostclaw({"approvals", "allowlist", "add", "/bin/ls"}).status == 0);
  REQUIRE(state.hostclaw({"policy", "starter", "on"}).status == 0);
  const std::string file = state.directory.path() + "/policy.json";
  write_file(file, R"({"version":1,"defaults":{"security":"deny"}})");
  REQUIRE(state.hostclaw({"policy", "apply", file}).status == 0);
  const Json policy = Json::parse(state.hostclaw({"policy", "export"}).standard_output);
  CHECK(policy["defaults"] == Json{{"security", "deny"}});
  CHECK(policy["starter"] == true);
  CHECK(policy["agents"]["*"]["allowlist"][0]["pattern"] == "/bin/ls");
  const std::string granted = state.directory.path() + "/document.json";
  write_file(
      granted,
      R"({"version":1,"agents":{"main":{"allowlist":[{"pattern":"/bin/id","source":"allow-always"}]}}})");
  REQUIRE(state.hostclaw({"approvals", "set", "--file", granted}).status == 0);
  write_file(file, R"({"version":1,"agents":{}})");
  CHECK(state.hostclaw({"policy", "apply", file, "--check"}).status == 0);
  REQUIRE(state.hostclaw({"policy", "apply", file}).status == 0);
  CHECK(tells(state.hostclaw({"approvals", "get"}).standard_output, "/bin/id"));
}

TEST_CASE("a policy file that is broken anywhere changes nothing") {
  LocalState state;
  const std::string file = state.directory.path() + "/policy.json";
  const std::string good =
      R"({"id":"a","effect":"deny","program":"git","note":"n","match":[["git","x"]],"notMatch":[["ls"]]})";
  const std::string text = GENERATE_COPY(
      as<std::string>(), "{", "[]", R"({"rules":[]})", R"({"version":2})", R"({"version":1,"typo":1})",
      R"({"version":1,"starter":true,"rules":[)" + good + "," + good + "]}",
      R"({"version":1,"rules":[)" + good + R"(,{"id":"b","effect":"allow","program":"x"}]})",
      R"({"version":1,"rules":[)" + good + R"(],"settings":{"exec.mode":"obey"}})",
      R"({"version":1,"rules":[)" + good + R"(],"settings":{"gateway.token":"x"}})",
      R"({"version":1,"rules":[)" + good + R"(],"defaults":{"security":"some"}})",
      R"({"version":1,"rules":[)" + good + R"(],"agents":{"main":{"allowlist":[{"pattern":1}]}}})",
      R"({"version":1,"rules":[)" + good + R"(],"agents":{"main":{"allowlist":[{"pattern":"  "}]}}})");
  write_file(file, text);
  const Json before = Json::parse(state.hostclaw({"policy", "export"}).standard_output);
  const Finished finished = state.hostclaw({"policy", "apply", file});
  INFO(text << "\n" << finished.standard_output << finished.standard_error);
  CHECK(finished.status == 1);
  CHECK(tells(finished.standard_error, "error: "));
  CHECK(Json::parse(state.hostclaw({"policy", "export"}).standard_output) == before);
  CHECK(rule_rows(state) == 0);
}

TEST_CASE("examples are compared with the policy that is stored, and each that differs is told with why") {
  LocalState state;
  const std::string app = made_directory(state.directory.path() + "/app");
  REQUIRE(state.hostclaw({"policy", "starter", "on"}).status == 0);
  REQUIRE(state
              .hostclaw({"policy", "add", "allow", "ls", "--directory", app, "--arguments", "", "--match",
                         "ls", "--not-match", "ls -l"})
              .status == 0);
  CHECK(policy_verdict(state, "ls", app) == "allow");
  CHECK(policy_verdict(state, "ls", "/") == "ask");
  const std::string file = state.directory.path() + "/tests.json";
  const Json good = {{"tests",
                      {{{"command", "ls"}, {"cwd", app}, {"expect", "allow"}},
                       {{"command", {"ls"}}, {"cwd", "/"}, {"agent", "main"}, {"expect", "ask"}},
                       {{"command", "git -c core.pager=x log"}, {"expect", "deny"}, {"why", "never"}}}}};
  write_file(file, good.dump());
  CHECK(state.hostclaw({"policy", "test", file}).status == 0);
  Json bad = good;
  bad["tests"][2]["expect"] = "allow";
  write_file(file, bad.dump());
  const Finished failed = state.hostclaw({"policy", "test", file});
  CHECK(failed.status == 1);
  for (const char* part :
       {"FAILED  git -c core.pager=x log", "expected allow, is deny  RULE_DENY", "because: never"})
    CHECK(tells(failed.standard_output, part));
  CHECK(tells(failed.standard_error, "2 of 3 examples"));
  CHECK(state.json({"policy", "test", file}, 1)["failed"][0]["code"] == "RULE_DENY");
  for (const char* text :
       {"{}", R"({"tests":[]})", R"([{"command":"ls"}])", R"([{"command":"ls","expect":"maybe"}])",
        R"([{"command":"ls","expect":"ask","typo":"x"}])"}) {
    write_file(file, text);
    INFO(text);
    CHECK(state.hostclaw({"policy", "test", file}).status == 1);
  }
}

TEST_CASE("suggestions are exact, take one parameter where it is plain, and store nothing") {
  LocalState state;
  const std::string app = made_directory(state.directory.path() + "/app");
  const auto asked = [&](const std::string& text, const std::string& verdict = "ask",
                         const std::string& code = "ALLOWLIST_MISS") {
    approvals::RunRow row;
    row.run_id = "run-" + text;
    row.agent_id = "main";
    row.command_text = text;
    row.argv_json = Json({"/bin/sh", "-lc", text}).dump();
    row.cwd = app;
    row.verdict = verdict;
    row.code = code;
    row.state = "decided";
    row.started_at_ms = unix_ms_now();
    REQUIRE(state.store->insert_run(row).has_value());
  };
  for (const char* text : {"ls -l", "sleep 1", "bash -c 'ls $HOME'", "ls 'a b'"}) asked(text);
  // As rows are once the question is over: allowed here or by the gateway's person, or nobody has answered.
  asked("ls -l", "allow", "ALLOWED_BY_ANSWER");
  asked("sleep 2", "allow", "ALLOWED_BY_APPROVAL");
  asked("sleep 30", "deny", "UNANSWERED");
  asked("sleep 99", "deny", "ANSWERED_DENY");
  asked("uname -r");
  asked("uname -r", "deny", "ANSWERED_DENY");  // a person's last word
  asked("cd / ; pwd; id -u");                  // where the last one runs hangs on how the first one ends
  const Finished shown = state.hostclaw({"policy", "suggest"});
  INFO(shown.standard_output << shown.standard_error);
  CHECK(shown.status == 0);
  for (const char* part :
       {"ls -l", "asked 2 times", "sleep <number>", "asked 3 times", "covers also sleep 99",
        "covers nothing else", "no rule for bash -c", "no rule for id -u", "hostclaw policy add allow ls"})
    CHECK(tells(shown.standard_output, part));
  CHECK(tells(shown.standard_output, "--directory " + app));
  CHECK(state.json({"policy", "list"})["rules"].empty());

  const Json suggestions = state.json({"policy", "suggest"})["suggestions"];
  REQUIRE(suggestions.size() == 3);
  Json rules = Json::array();
  for (const Json& item : suggestions) rules.push_back(item["rule"]);
  const std::string file = state.directory.path() + "/rules.json";
  write_file(file, rules.dump());
  REQUIRE(state.hostclaw({"policy", "import", file}).status == 0);
  CHECK(policy_verdict(state, "ls -l", app) == "allow");
  CHECK(policy_verdict(state, "ls 'a b'", app) == "allow");
  CHECK(policy_verdict(state, "sleep 5", app) == "allow");
  CHECK(policy_verdict(state, "sleep x", app) == "ask");
  CHECK(policy_verdict(state, "ls -l", "/") == "ask");
  CHECK(state.json({"policy", "suggest"})["suggestions"].empty());
  CHECK(state.hostclaw({"policy", "suggest", "--since", "soon"}).status == 1);
}

TEST_CASE("what a gateway does with a command is told before anything is sent") {
  LocalState state;
  REQUIRE(state.hostclaw({"approvals", "allowlist", "add", "/usr/bin/true"}).status == 0);
  REQUIRE(state
              .hostclaw(
                  {"policy", "add", "deny", "id", "--note", "not here", "--match", "id", "--not-match", "ls"})
              .status == 0);
  const auto outcome = [&](const Words& command, int status) {
    Words words = {"policy", "check", "--via", "gateway", "--json"};
    words.insert(words.end(), command.begin(), command.end());
    const Finished finished = state.hostclaw(words);
    INFO(finished.standard_output << finished.standard_error);
    CHECK(finished.status == status);
    return Json::parse(finished.standard_output);
  };
  CHECK(outcome({"ls"}, 1)["outcome"] == "gateway-asks");
  CHECK(outcome({"ls"}, 1).contains("before2026.8"));
  CHECK(outcome({"id"}, 1)["outcome"] == "refused");
  const Json allowed = outcome({"true"}, 0);
  CHECK(allowed["outcome"] == "runs");
  CHECK(allowed["execPolicy"] == Json{{"security", "full"}, {"ask", "off"}});
  CHECK(tells(state.hostclaw({"policy", "check", "--via", "gateway", "id"}).standard_output, "not here"));
  REQUIRE(state.hostclaw({"exec-policy", "set", "--ask-via", "local"}).status == 0);
  CHECK(outcome({"ls"}, 1)["outcome"] == "node-asks");
  REQUIRE(
      state.store
          ->put_setting("runtime.gatewayPolicy", {{"main", {{"security", "allowlist"}, {"ask", "on-miss"}}}})
          .has_value());
  CHECK(outcome({"ls"}, 1)["outcome"] == "gateway-asks");
  CHECK(outcome({"true"}, 0)["outcome"] == "runs");
  REQUIRE(
      state.store->put_setting("runtime.gatewayPolicy", {{"main", {{"security", "deny"}, {"ask", "off"}}}})
          .has_value());
  CHECK(outcome({"true"}, 1)["outcome"] == "gateway-refuses");
}

TEST_CASE("one script runs unasked until it changes, and its result arrives whole behind a long output") {
  Scene scene;
  const std::string app = made_directory(scene.directory.path() + "/app");
  const std::string script = app + "/deploy.sh";
  const std::string text =
      "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x\necho\necho "
      "\"OPENCLAW_RESULT_JSON:{\\\"service\\\":\\\"$1\\\"}\"\n";
  write_file(script, text, 0755);
  REQUIRE(scene.hostclaw({"policy", "allow-script", script, "--arguments", "web|db"}).status == 0);
  scene.connect_host();
  for (const std::string& command : Words{"./deploy.sh web", "sh deploy.sh web", script + " web"}) {
    const Json outcome = scene.exec(command, {{"cwd", app}, {"interactive", false}});
    const std::string shown = dump_json(outcome);
    INFO(command << "\n" << shown.substr(shown.size() - std::min<std::size_t>(shown.size(), 600)));
    CHECK(tells(shown, "... (truncated)\\nOPENCLAW_RESULT_JSON:{\\\"service\\\":\\\"web\\\"}"));
  }
  for (const char* command :
       {"./deploy.sh other", "./deploy.sh", "sh -x deploy.sh web", "sh deploy.sh web db"}) {
    INFO(command);
    CHECK_FALSE(tells(dump_json(scene.exec(command, {{"cwd", app}, {"interactive", false}})), "RESULT_JSON"));
  }
  write_file(script, text + "# changed\n", 0755);
  CHECK_FALSE(
      tells(dump_json(scene.exec("./deploy.sh web", {{"cwd", app}, {"interactive", false}})), "RESULT_JSON"));
  REQUIRE(scene.hostclaw({"policy", "allow-script", script, "--arguments", "web|db"}).status == 0);
  CHECK(
      tells(dump_json(scene.exec("./deploy.sh web", {{"cwd", app}, {"interactive", false}})), "RESULT_JSON"));
}

TEST_CASE(
    "two scripts of the same file name have each its rule, and one that is allowed again keeps its own") {
  LocalState state;
  std::vector<std::string> scripts;
  for (const char* name : {"/one", "/two"}) {
    scripts.push_back(made_directory(state.directory.path() + name) + "/deploy.sh");
    write_file(scripts.back(), std::string("#!/bin/sh\n: ") + name + "\n");
  }
  for (const std::string& script : {scripts[0], scripts[1], scripts[0]})
    REQUIRE(state.hostclaw({"policy", "allow-script", script}).status == 0);
  const Json rules = state.json({"policy", "rules"})["rules"];
  REQUIRE(rules.size() == 2);
  CHECK(rules[0]["program"] != rules[1]["program"]);
}

TEST_CASE("what is no script, or has no interpreter, is not allowed as one") {
  LocalState state;
  const std::string file = made_directory(state.directory.path()) + "/plain";
  write_file(file, "echo hi\n");
  const Finished none = state.hostclaw({"policy", "allow-script", file});
  CHECK(none.status == 1);
  CHECK(tells(none.standard_error, "--interpreter"));
  CHECK(state.hostclaw({"policy", "allow-script", file + "-no"}).status == 1);
  CHECK(state.hostclaw({"policy", "allow-script", file, "--interpreter", "no-such-program"}).status == 1);
  REQUIRE(state.hostclaw({"policy", "allow-script", file, "--interpreter", "sh"}).status == 0);
  CHECK(policy_verdict(state, "sh " + file, "/") == "allow");
  CHECK(policy_verdict(state, "sh -c " + file, "/") == "ask");
}

}  // namespace hostclaw::integration
