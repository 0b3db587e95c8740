// SPDX-License-Identifier: Apache-2.0
#include "policy/rules/rules.h"

#include <catch2/catch.hpp>

#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

Rule rule(RuleEffect effect, const char* program, std::optional<std::vector<std::string>> arguments) {
  Rule out;
  out.id = "r";
  out.effect = effect;
  out.program = program;
  out.arguments = std::move(arguments);
  out.note = "because";
  return out;
}

void use(Machine& machine, std::vector<Rule> rules) {
  machine.context.settings.rules = std::make_shared<const RuleSet>(std::move(rules));
}

RuleSubject subject(std::vector<std::string> argv) {
  const std::string name = argv.front();
  return {std::move(argv), "/usr/bin/" + name, name, true};
}

TEST_CASE("rules: the starter set covers what its examples say") {
  for (const Rule& item : starter_rules()) {
    const Result<void> verified = verify_rule(item);
    INFO(item.id << ": " << (verified ? "" : verified.error().message));
    CHECK(verified.has_value());
    CHECK_FALSE(item.note.empty());
  }
}

TEST_CASE("rules: argument patterns are words in order, and `...` is any number of them") {
  const Rule ask = rule(RuleEffect::kAsk, "git", {{"...", "reset", "...", "--hard", "..."}});
  CHECK(rule_covers(ask, subject({"git", "reset", "--hard"}), "main"));
  CHECK(rule_covers(ask, subject({"git", "-C", "/x", "reset", "HEAD", "--hard"}), "main"));
  CHECK_FALSE(rule_covers(ask, subject({"git", "--hard", "reset"}), "main"));
  const Rule none = rule(RuleEffect::kAllow, "git", std::vector<std::string>{});
  CHECK(rule_covers(none, subject({"git"}), "main"));
  CHECK_FALSE(rule_covers(none, subject({"git", "status"}), "main"));
}

TEST_CASE("rules: deny and ask see through spellings, allow takes words as they are") {
  const std::vector<std::string> words = {"down", "-v|--volumes"};
  const Rule deny = rule(RuleEffect::kDeny, "docker", words);
  const Rule allow = rule(RuleEffect::kAllow, "docker", words);
  for (const char* flag : {"-v", "-fv", "--volumes", "--volumes=true", "--vol"}) {
    CHECK(rule_covers(deny, subject({"docker", "down", flag}), "main"));
  }
  CHECK(rule_covers(allow, subject({"docker", "down", "-v"}), "main"));
  CHECK_FALSE(rule_covers(allow, subject({"docker", "down", "-fv"}), "main"));
  CHECK_FALSE(rule_covers(allow, subject({"docker", "down", "--vol"}), "main"));
}

TEST_CASE("rules: letters of a value and names of other options are no spellings of an option") {
  const auto covered = [](const char* program, const char* pattern, const char* word) {
    return rule_covers(rule(RuleEffect::kDeny, program, {{"...", pattern, "..."}}), subject({program, word}),
                       "main");
  };
  for (const char* word : {"-O", "-sSO", "-4O", "-Ox", "-sSLOJ"}) CHECK(covered("curl", "-O", word));
  for (const char* word : {"-XPOST", "-sXPOST", "-HO", "--O", "O"}) CHECK_FALSE(covered("curl", "-O", word));
  // Of a program that is not known, every letter may be an option.
  CHECK(covered("tool", "-O", "-XPOST"));
  CHECK(covered("curl", "--cookie-jar", "--cookie-j"));
  CHECK_FALSE(covered("curl", "--cookie-jar", "--cookie"));
  CHECK(covered("tool", "--hard", "--h"));
  CHECK_FALSE(covered("tool", "--hard", "--"));
  CHECK_FALSE(covered("tool", "--hard", "--harder"));
  CHECK(covered("tool", "--network=host", "--network=host"));
  CHECK(covered("tool", "--network=host", "--net=host"));
  CHECK_FALSE(covered("tool", "--network=host", "--network=none"));
  CHECK_FALSE(covered("tool", "--network=host", "--network"));
  CHECK(covered("tool", "file:*", "FiLe:x"));
  for (const char* word :
       {"{file}:x", "[f-f]ile:x", "f{i}le:x", "{f}{i}{l}{e}{:}x", "{http://h,FILE:x}", "{x,,fi}le:x"})
    CHECK(covered("tool", "file:*", word));
  for (const char* word :
       {"{xfile}:x", "http://{file:x}", "{\"file:\":1}", "{file", "[", "fil{x}e:", "files:x"})
    CHECK_FALSE(covered("tool", "file:*", word));
  CHECK_FALSE(covered("tool", "file:*", "xfile:x"));
  const Rule allow = rule(RuleEffect::kAllow, "curl", {{"file:*"}});
  CHECK_FALSE(rule_covers(allow, subject({"curl", "FILE:x"}), "main"));
}

TEST_CASE("rules: deny wins over ask, ask over allow, whatever their order") {
  Machine machine;
  use(machine,
      {rule(RuleEffect::kAllow, "git", std::nullopt), rule(RuleEffect::kAsk, "git", {{"log", "..."}}),
       rule(RuleEffect::kDeny, "git", {{"log", "--all"}})});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"git", "log"}).decision.code == DecisionCode::kRuleAsk);
  const RunEvaluation denied = machine.run({"git", "log", "--all"});
  CHECK(denied.decision.code == DecisionCode::kRuleDeny);
  CHECK(denied.decision.layer == "rule");
  CHECK(denied.decision.explanation.find("because") != std::string::npos);
  CHECK(denied.rules == std::vector<std::string>{"r"});
}

TEST_CASE("rules: a denial holds for listed commands, full policy, links, paths and text") {
  Machine machine;
  machine.files.add_symlink("/home/u/work/harmless", "/usr/bin/git");
  use(machine, {rule(RuleEffect::kDeny, "git", {{"...", "--hard", "..."}})});
  for (const char* security : {"allowlist", "full"}) {
    machine.policy(security, "off", {{{"pattern", "*"}}});
    CHECK(machine.run({"git", "reset", "--hard"}).decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.run({"/usr/bin/git", "reset", "--hard"}).decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.run({"./harmless", "reset", "--hard"}).decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.run({"nice", "git", "reset", "--hard"}).decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.text("uname && git reset --hard").decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.text("echo $(g\"i\"t reset --hard)").decision.code == DecisionCode::kRuleDeny);
    CHECK(machine.run({"git", "reset"}).decision.verdict == Verdict::kAllow);
  }
}

TEST_CASE("rules: an allow rule needs the named program itself, and its content where one is given") {
  Machine machine;
  machine.files.add_file("/home/u/work/git", "x", true, 1500);
  use(machine, {rule(RuleEffect::kAllow, "git", {{"status"}})});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"git", "log"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"./git", "status"}).decision.verdict == Verdict::kAsk);
  Rule bound = rule(RuleEffect::kAllow, "/usr/bin/git", std::nullopt);
  bound.content_sha256 = std::string(64, '0');
  use(machine, {bound});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAsk);
  bound.content_sha256 = machine.files.content_sha256("/usr/bin/git");
  use(machine, {bound});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
}

TEST_CASE("rules: an allow rule by name counts only where nobody else can put another file") {
  Machine machine;
  machine.files.add_directory("/opt/tools", 0);
  machine.files.add_file("/opt/tools/deploy", "x", true);
  machine.context.host_environment[0].second = "/opt/tools:/usr/bin";
  use(machine, {rule(RuleEffect::kAllow, "deploy", std::nullopt)});
  CHECK(machine.run({"deploy"}).decision.verdict == Verdict::kAllow);
  machine.files.let_others_write("/opt/tools");
  CHECK(machine.run({"deploy"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("rules: an allow rule never lets a shell's own text through") {
  Machine machine;
  use(machine, {rule(RuleEffect::kAllow, "*", std::nullopt)});
  CHECK(machine.run({"bash", "-lc", "id"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.text("id $(uname)").decision.verdict == Verdict::kAsk);
  CHECK(machine.run({"sudo", "id"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("rules: agents and expiry bound them") {
  Machine machine;
  Rule allow = rule(RuleEffect::kAllow, "git", std::nullopt);
  allow.agent = "other";
  use(machine, {allow});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAsk);
  allow.agent = "main";
  allow.expires_at_ms = 1000;
  use(machine, {allow});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAsk);
  machine.context.now_ms = 999;
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
  machine.context.now_ms = 1000;
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("rules: an approval answers ask and not deny") {
  Machine machine;
  use(machine, {rule(RuleEffect::kAsk, "uname", std::nullopt), rule(RuleEffect::kDeny, "id", std::nullopt)});
  machine.policy("full", "off");
  for (const char* program : {"uname", "id"}) {
    const PrepareEvaluation prepared =
        prepare_run(Machine::request({program}), machine.document, machine.context);
    REQUIRE(prepared.ok);
    const bool denied = program == std::string("id");
    CHECK(prepared.payload["execPolicy"]["security"] == (denied ? "deny" : "full"));
    if (!denied) CHECK(prepared.payload["execPolicy"]["ask"] == "always");
    Json params = Machine::request({prepared.payload["plan"]["argv"][0].get<std::string>()});
    params["systemRunPlan"] = prepared.payload["plan"];
    params["approvalDecision"] = "allow-once";
    CHECK(machine.decide(params).decision.verdict == (denied ? Verdict::kDeny : Verdict::kAllow));
  }
}

TEST_CASE("rules: observing runs the command and notes what it would have been") {
  Machine machine;
  machine.context.settings.observe = true;
  const RunEvaluation run = machine.run({"id"});
  CHECK(run.decision.verdict == Verdict::kAllow);
  CHECK(run.decision.code == DecisionCode::kAllowedToObserve);
  REQUIRE(run.would_have);
  CHECK(run.would_have->verdict == Verdict::kAsk);
  CHECK(spawned(run) == std::vector<std::vector<std::string>>{{"id"}});
  machine.policy("deny", "off");
  CHECK(machine.run({"id"}).decision.verdict == Verdict::kDeny);
}

TEST_CASE("rules: observing lets prepare answer a plan that runs") {
  Machine machine;
  machine.context.settings.observe = true;
  use(machine, {rule(RuleEffect::kDeny, "git", std::nullopt)});
  machine.list({"/usr/bin/git"});
  for (const char* text : {"git status", "uname -s", "uname $(id)", "bash -lc 'id'"}) {
    INFO(text);
    const PrepareEvaluation prepared = prepare_run(Machine::carried(text), machine.document, machine.context);
    REQUIRE(prepared.ok);
    CHECK(prepared.payload["execPolicy"] == Json{{"security", "full"}, {"ask", "off"}});
    Json params = Machine::request(prepared.payload["plan"]["argv"].get<std::vector<std::string>>());
    params["systemRunPlan"] = prepared.payload["plan"];
    params["rawCommand"] = prepared.payload["plan"]["commandText"];
    const RunEvaluation run = machine.decide(params);
    CHECK(run.decision.verdict == Verdict::kAllow);
    CHECK(run.would_have);
  }
}

TEST_CASE("rules: observing does not run what cannot be found or bound") {
  Machine machine;
  machine.context.settings.observe = true;
  CHECK(machine.run({"no-such-program"}).decision.verdict == Verdict::kAsk);
  machine.list({"/usr/bin/id"});
  Json params = Machine::request({"id"});
  params["cwd"] = "/home/u/link";
  CHECK(machine.decide(params).decision.verdict != Verdict::kAllow);
  CHECK(machine.run({}).decision.verdict == Verdict::kInvalid);
}

TEST_CASE("rules: what a wrapper, a shell or a tool that carries code is told to run is looked at") {
  Machine machine;
  for (const char* name : {"sudo", "xargs", "docker"})
    machine.files.add_file(std::string("/usr/bin/") + name, "x", true);
  use(machine, {rule(RuleEffect::kDeny, "docker", {{"system", "prune", "..."}})});
  machine.policy("full", "off");
  const std::vector<std::vector<std::string>> denied = {
      {"sudo", "docker", "system", "prune"},
      {"xargs", "docker", "system", "prune", "-a"},
      {"find", ".", "-exec", "docker", "system", "prune", ";"},
      {"bash", "-c", "cd /x; docker system prune"},
      {"bash", "-lc", "docker system prune"},
      {"nice", "bash", "-c", "\"docker\" system prune"},
      {"env", "-S", "docker system prune"},
      {"python3", "-c", "import os; os.system('docker system prune')"},
  };
  for (const auto& command : denied) {
    INFO(Json(command).dump());
    CHECK(machine.run(command).decision.code == DecisionCode::kRuleDeny);
  }
  CHECK(machine.text("uname; bash -c 'docker system prune'").decision.code == DecisionCode::kRuleDeny);
  // Words that nothing runs are only words.
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"echo", "docker", "system", "prune"},
        std::vector<std::string>{"sudo", "docker", "system", "df"},
        std::vector<std::string>{"python3", "tool.py", "docker", "system", "prune"}}) {
    CHECK(machine.run(command).decision.verdict == Verdict::kAllow);
  }
}

TEST_CASE("rules: a set finds what a walk over its rules finds") {
  std::vector<Rule> rules;
  for (const char* program : {"git", "g*", "/usr/bin/git", "/usr/**/git", "id"}) {
    for (const RuleEffect effect : {RuleEffect::kAllow, RuleEffect::kAsk, RuleEffect::kDeny}) {
      for (const char* word : {"", "log", "*"}) {
        Rule item = rule(effect, program, std::nullopt);
        if (*word != '\0') item.arguments = {{word, "..."}};
        item.id = std::to_string(rules.size());
        rules.push_back(item);
      }
    }
  }
  for (unsigned subset = 0; subset < 2000; ++subset) {
    std::vector<Rule> chosen;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if ((subset * 2654435761U >> (i % 29)) % 5 == 0) chosen.push_back(rules[i]);
    }
    const RuleSet set(chosen);
    for (const auto& argv : {std::vector<std::string>{"git", "log"}, std::vector<std::string>{"git"},
                             std::vector<std::string>{"id", "x"}}) {
      const Rule* expected = nullptr;
      for (const Rule& item : set.rules()) {
        if (rule_covers(item, subject(argv), "main") &&
            (expected == nullptr || item.effect < expected->effect))
          expected = &item;
      }
      REQUIRE(set.strictest(subject(argv), "main", 0, [] { return std::nullopt; }) == expected);
    }
  }
}

TEST_CASE("rules: they are read strictly, and their examples decide whether they are stored") {
  const auto read = [](const char* text) { return read_rule(Json::parse(text)); };
  CHECK(read(R"({"effect":"maybe","program":"x"})").error().message ==
        "rule: effect: must be deny, ask or allow");
  CHECK(read(R"({"effect":"allow"})").error().message == "rule: program: is missing");
  CHECK(read(R"({"effect":"deny","program":"x"})").error().message == "rule: note: is missing: say why");
  CHECK(read(R"({"effect":"allow","program":"x","typo":1})").error().message ==
        "rule: typo: is not a member of a rule");
  CHECK(read(R"({"effect":"allow","program":"x","arguments":"y"})").error().code == "RULE_INVALID");
  Result<Rule> item = read(
      R"({"id":"a","effect":"ask","program":"git","arguments":["reset"],"note":"n","match":[["git","reset"]],"notMatch":[["git","log"]]})");
  REQUIRE(item.has_value());
  CHECK(verify_rule(*item).has_value());
  CHECK(read_rule(rule_to_json(*item))->arguments == item->arguments);
  item->match.push_back({"git", "log"});
  CHECK(verify_rule(*item).error().code == "RULE_EXAMPLE_FAILED");
  item->match.clear();
  CHECK_FALSE(verify_rule(*item).has_value());
}

TEST_CASE("rules: an allow rule by name holds for the path to which the name leads, and for no other") {
  Machine machine;
  machine.files.add_directory("/opt/shared");
  machine.files.add_file("/opt/shared/tool", "x", true);
  machine.files.add_directory("/tmp");
  machine.files.add_file("/tmp/git", "x", true, 1500);
  machine.files.add_symlink("/opt/tools/git", "/usr/bin/git");
  machine.files.add_file("/home/u/work/git", "x", true, 1500);
  use(machine,
      {rule(RuleEffect::kAllow, "git", {{"status"}}), rule(RuleEffect::kAllow, "python3", {{"x.py"}}),
       rule(RuleEffect::kAllow, "tool", std::nullopt)});
  CHECK(machine.run({"/usr/bin/git", "status"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"nice", "/usr/bin/git", "status"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"/usr/bin/git", "log"}).decision.verdict == Verdict::kAsk);
  for (const char* word :
       {"./git", "/tmp/git", "/home/u/work/git", "/opt/tools/git", "../work/git", "~/work/git"}) {
    INFO(word);
    CHECK(machine.run({word, "status"}).decision.verdict == Verdict::kAsk);
  }
  // Where the name leads, others may write: the word is still the owner's, the path may be anybody's.
  machine.context.host_environment[0].second = "/opt/shared:/usr/bin";
  CHECK(machine.run({"/opt/shared/tool"}).decision.verdict == Verdict::kAllow);
  machine.files.let_others_write("/opt/shared");
  CHECK(machine.run({"/opt/shared/tool"}).decision.verdict == Verdict::kAsk);
  // Another program stands in front of it.
  machine.files.add_file("/opt/shared/git", "x", true);
  CHECK(machine.run({"/usr/bin/git", "status"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("rules: what a rule by name allows is prepared as a plan that runs without a question") {
  Machine machine;
  use(machine, {rule(RuleEffect::kAllow, "git", {{"status"}})});
  for (const Json& params : {Machine::request({"git", "status"}), Machine::carried("git status"),
                             Machine::carried("git status && git status")}) {
    const PrepareEvaluation prepared = prepare_run(params, machine.document, machine.context);
    REQUIRE(prepared.ok);
    CHECK(prepared.payload["execPolicy"] == Json{{"security", "full"}, {"ask", "off"}});
    Json run = Machine::request(prepared.payload["plan"]["argv"].get<std::vector<std::string>>());
    run["systemRunPlan"] = prepared.payload["plan"];
    run["rawCommand"] = prepared.payload["plan"]["commandText"];
    machine.context.remembered = &prepared.remember;
    CHECK(machine.decide(run).decision.verdict == Verdict::kAllow);
    machine.context.remembered = nullptr;
  }
}

TEST_CASE("rules: one for a directory covers what runs there, however it gets there") {
  Machine machine;
  machine.files.add_directory("/home/u/other", 1500);
  Rule allow = rule(RuleEffect::kAllow, "git", {{"status"}});
  allow.directory = "/home/u/work";
  use(machine, {allow});
  CHECK(machine.run({"git", "status"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.text("git status").decision.verdict == Verdict::kAllow);
  Json elsewhere = Machine::request({"git", "status"});
  elsewhere["cwd"] = "/home/u/other";
  CHECK(machine.decide(elsewhere).decision.verdict == Verdict::kAsk);
  elsewhere = Machine::request({"git", "-C", "/home/u/work", "status"});
  elsewhere["cwd"] = "/home/u/other";
  CHECK(machine.decide(elsewhere).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"git", "-C", "/home/u/other", "status"}).decision.verdict == Verdict::kAsk);
  CHECK(machine.text("cd /home/u/other && git status").decision.verdict == Verdict::kAsk);
  CHECK(machine.text("cd /home/u/other && cd /home/u/work && git status").decision.verdict ==
        Verdict::kAllow);
  CHECK(machine.text("cd /home/u/other; git status").decision.verdict == Verdict::kAsk);
  // Any arguments, but not those with which it works elsewhere.
  allow.arguments.reset();
  use(machine, {allow});
  CHECK(machine.run({"git", "log"}).decision.verdict == Verdict::kAllow);
  CHECK(machine.run({"git", "-C", "/home/u/other", "log"}).decision.verdict == Verdict::kAsk);
}

TEST_CASE("rules: a denial for a directory holds there, by links, and where the directory is not known") {
  Machine machine;
  machine.files.add_directory("/home/u/other", 1500);
  machine.policy("full", "off");
  Rule deny = rule(RuleEffect::kDeny, "git", {{"push", "..."}});
  deny.directory = "/home/u/work";
  use(machine, {deny});
  const auto code = [&](const std::vector<std::string>& command, const char* cwd) {
    Json params = Machine::request(command);
    params["cwd"] = cwd;
    return machine.decide(params).decision.code;
  };
  CHECK(code({"git", "push"}, "/home/u/work") == DecisionCode::kRuleDeny);
  CHECK(code({"git", "push"}, "/home/u/link") == DecisionCode::kRuleDeny);
  CHECK(code({"git", "-C", "../work", "push"}, "/home/u/other") == DecisionCode::kRuleDeny);
  CHECK(code({"bash", "-c", "cd /home/u/work; git push"}, "/home/u/other") == DecisionCode::kRuleDeny);
  CHECK(code({"git", "push"}, "/home/u/other") == DecisionCode::kAllowedByPolicy);
  CHECK(code({"git", "log"}, "/home/u/work") == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rules: patterns for kinds of words, and for any number of some") {
  const Rule allow =
      rule(RuleEffect::kAllow, "git", {{"fetch", "...:--all|--prune|<number>", "<id>", "...:<name>"}});
  const auto covered = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "git");
    return rule_covers(allow, subject(words), "main");
  };
  CHECK(covered({"fetch", "origin"}));
  CHECK(covered({"fetch", "--all", "--prune", "3", "origin", "main", "release/1.2"}));
  for (const char* word : {"--x", "a/b", "ext::sh", "-", "", "a b", "../x", "a;b"}) {
    INFO(word);
    CHECK_FALSE(covered({"fetch", word}));
  }
  CHECK_FALSE(covered({"fetch", "origin", "--all"}));
  CHECK_FALSE(covered({"fetch"}));
}

TEST_CASE("rules: an example names the program by its name or by its path in a directory of the system") {
  Rule item = rule(RuleEffect::kAllow, "git", {{"status"}});
  item.not_match = {{"git", "log"}};
  for (const char* word : {"git", "/usr/bin/git", "C:\\Program Files\\Git\\cmd\\git.exe"}) {
    item.match = {{word, "status"}};
    INFO(word);
    CHECK(verify_rule(item).has_value());
  }
  for (const char* word : {"./git", "/tmp/git", "/home/u/bin/git"}) {
    item.match = {{word, "status"}};
    INFO(word);
    CHECK_FALSE(verify_rule(item).has_value());
  }
  item.match = {{"git", "status"}};
  item.not_match = {{"/tmp/git", "status"}};
  CHECK(verify_rule(item).has_value());
  item.program = "/opt/git/bin/git";
  CHECK(verify_rule(item).has_value());
}

TEST_CASE("rules: a directory and the name of a set are read strictly and kept") {
  const auto read = [](const char* member, const Json& value) {
    Json text = {{"id", "a"}, {"effect", "allow"}, {"program", "git"}};
    text[member] = value;
    return read_rule(text);
  };
  for (const char* directory : {"/srv/app", "/", "C:\\srv\\app"}) {
    INFO(directory);
    const Result<Rule> item = read("directory", directory);
    REQUIRE(item.has_value());
    CHECK(read_rule(rule_to_json(*item))->directory == directory);
  }
  for (const Json& directory :
       {Json("srv"), Json("/srv/"), Json("/srv/../x"), Json("/srv/./x"), Json(""), Json(1)}) {
    INFO(directory.dump());
    CHECK(read("directory", directory).error().code == "RULE_INVALID");
  }
  CHECK(read("template", "hostops")->of_template == "hostops");
  CHECK(read("template", "a b").error().code == "RULE_INVALID");
}

TEST_CASE(
    "rules: a script whose content and interpreter a rule names runs by itself and behind the interpreter") {
  Machine machine;
  const std::string script = "/home/u/work/deploy.sh";
  machine.files.add_file(script, "#!/bin/bash\necho hi\n", true, 1500);
  Rule allow = rule(RuleEffect::kAllow, script.c_str(), {{"<id>"}});
  allow.content_sha256 = machine.files.content_sha256(script);
  allow.interpreter = "/usr/bin/bash";
  use(machine, {allow});
  for (const std::vector<std::string>& command : {std::vector<std::string>{script, "web"},
                                                  {"./deploy.sh", "web"},
                                                  {"bash", "deploy.sh", "web"},
                                                  {"/usr/bin/bash", script, "web"}}) {
    INFO(Json(command).dump());
    const RunEvaluation run = machine.run(command);
    CHECK(run.decision.verdict == Verdict::kAllow);
    REQUIRE_FALSE(run.plan.empty());
    const PlannedCommand& planned = run.plan.pipelines[0].commands[0];
    const bool by_interpreter = command.size() == 3;
    CHECK((by_interpreter ? planned.script->sha256 : planned.content_sha256) == allow.content_sha256);
  }
  for (const std::vector<std::string>& command : {std::vector<std::string>{"bash", "deploy.sh"},
                                                  {"bash", "deploy.sh", "web", "x"},
                                                  {"bash", "deploy.sh", "-x"},
                                                  {"bash", "-x", "deploy.sh", "web"},
                                                  {"sh", "deploy.sh", "web"},
                                                  {"bash", "script.sh", "web"},
                                                  {"bash", "-c", "./deploy.sh web; id"},
                                                  {"python3", "deploy.sh", "web"}}) {
    INFO(Json(command).dump());
    CHECK(machine.run(command).decision.verdict == Verdict::kAsk);
  }
  const PrepareEvaluation prepared =
      prepare_run(Machine::carried("bash deploy.sh web"), machine.document, machine.context);
  REQUIRE(prepared.ok);
  CHECK(prepared.payload["execPolicy"] == Json{{"security", "full"}, {"ask", "off"}});
  CHECK(prepared.payload["plan"]["mutableFileOperand"]["sha256"] == *allow.content_sha256);
  machine.files.add_file(script, "#!/bin/bash\necho other\n", true, 1500);
  for (const char* text : {"./deploy.sh web", "bash deploy.sh web"})
    CHECK(machine.text(text).decision.verdict == Verdict::kAsk);
}

TEST_CASE("rules: an interpreter is for one script whose content is known") {
  Json item = {{"id", "a"},
               {"effect", "allow"},
               {"program", "/srv/x.sh"},
               {"arguments", Json::array()},
               {"contentSha256", std::string(64, 'a')},
               {"interpreter", "/usr/bin/bash"}};
  REQUIRE(read_rule(item).has_value());
  CHECK(read_rule(rule_to_json(*read_rule(item)))->interpreter == "/usr/bin/bash");
  for (const char* member : {"contentSha256", "arguments"}) {
    Json without = item;
    without.erase(member);
    CHECK(read_rule(without).error().code == "RULE_INVALID");
  }
  for (const auto& [member, value] :
       {std::pair{"program", "x.sh"}, {"program", "/srv/*.sh"}, {"interpreter", "bash"}}) {
    Json other = item;
    other[member] = value;
    CHECK(read_rule(other).error().code == "RULE_INVALID");
  }
}

}  // namespace
}  // namespace hostclaw::policy
