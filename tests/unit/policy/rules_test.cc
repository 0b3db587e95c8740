#include "policy/rules.h"

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
  CHECK(covered("tool", "*{file:*", "a{FILE:x"));
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
  CHECK(machine.run({"git", "log"}).decision.code == "RULE_ASK");
  const RunEvaluation denied = machine.run({"git", "log", "--all"});
  CHECK(denied.decision.code == "RULE_DENY");
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
    CHECK(machine.run({"git", "reset", "--hard"}).decision.code == "RULE_DENY");
    CHECK(machine.run({"/usr/bin/git", "reset", "--hard"}).decision.code == "RULE_DENY");
    CHECK(machine.run({"./harmless", "reset", "--hard"}).decision.code == "RULE_DENY");
    CHECK(machine.run({"nice", "git", "reset", "--hard"}).decision.code == "RULE_DENY");
    CHECK(machine.text("uname && git reset --hard").decision.code == "RULE_DENY");
    CHECK(machine.text("echo $(g\"i\"t reset --hard)").decision.code == "RULE_DENY");
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
  CHECK(run.decision.code == "ALLOWED_TO_OBSERVE");
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
    CHECK(machine.run(command).decision.code == "RULE_DENY");
  }
  CHECK(machine.text("uname; bash -c 'docker system prune'").decision.code == "RULE_DENY");
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

}  // namespace
}  // namespace hostclaw::policy
