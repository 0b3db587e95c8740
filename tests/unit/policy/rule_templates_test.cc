// SPDX-License-Identifier: Apache-2.0
#include "policy/rules/rule_templates.h"

#include <catch2/catch.hpp>

#include "base/text.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

std::vector<Rule> filled(const char* name, const TemplateValues& values) {
  const Result<std::vector<Rule>> rules = fill_template(*find_rule_template(name), values, name, "*");
  if (!rules) FAIL(rules.error().message);
  return *rules;
}

// With docker, curl and the like, in /home/u/work as the directory of everything.
struct TemplateMachine : Machine {
  TemplateMachine(const char* name, const TemplateValues& values) {
    for (const char* program : {"docker", "curl", "npm", "kubectl", "systemctl", "journalctl"})
      files.add_file(std::string("/usr/bin/") + program,
                     "\x7f"
                     "ELF",
                     true);
    files.add_directory("/home/u/other", 1500);
    context.settings.rules = std::make_shared<const RuleSet>(filled(name, values));
  }
  std::string verdict(const char* text, const char* cwd = "/home/u/work") {
    Json params = request(split(text, ' '));
    params["cwd"] = cwd;
    return std::string(to_string(decide(params).decision.verdict));
  }
};

const TemplateValues kHostops = {{"repo", {"/home/u/work"}},
                                 {"compose", {"/home/u/work"}},
                                 {"service", {"web"}},
                                 {"check", {"http://127.0.0.1:8080/health"}}};

}  // namespace

TEST_CASE("templates: every rule of every set covers what its examples say, with all values and with few") {
  for (const RuleTemplate& item : rule_templates()) {
    TemplateValues all = sample_values(item);
    TemplateValues required;
    for (const TemplateParameter& parameter : item.parameters) {
      if (parameter.required) required[std::string(parameter.name)] = all.find(parameter.name)->second;
    }
    for (const TemplateValues& values : {all, required}) {
      const Result<std::vector<Rule>> rules = fill_template(item, values, "set", "*");
      INFO(item.name << ": " << (rules ? "" : rules.error().message));
      REQUIRE(rules.has_value());
      std::vector<std::string> ids;
      for (const Rule& rule : *rules) {
        const Result<void> verified = verify_rule(rule);
        INFO(rule.id << ": " << (verified ? "" : verified.error().message));
        CHECK(verified.has_value());
        CHECK(read_rule(rule_to_json(rule)).has_value());
        CHECK(rule.of_template == "set");
        CHECK(std::count(ids.begin(), ids.end(), rule.id) == 0);
        ids.push_back(rule.id);
      }
    }
  }
}

TEST_CASE("templates: with hostops the upgrade runs in its directory, by name and by path") {
  TemplateMachine machine("hostops", kHostops);
  for (const char* text :
       {"docker compose up -d --build web", "docker compose up --build -d web", "docker compose restart web",
        "docker compose ps", "docker compose logs --tail=80 web", "docker compose config", "docker ps",
        "docker compose exec -T web curl -fsS http://127.0.0.1:8080/health", "git fetch --all --prune",
        "git fetch origin main", "git checkout main", "git checkout v1.2.3", "git pull --ff-only",
        "git pull --ff-only origin main", "git status --porcelain", "git rev-parse HEAD",
        "curl -fsS http://127.0.0.1:8080/health",
        "curl -s -o /dev/null -w %{http_code} http://127.0.0.1:8080/health"}) {
    INFO(text);
    CHECK(machine.verdict(text) == "allow");
    CHECK(machine.verdict((std::string("/usr/bin/") + text).c_str()) == "allow");
    CHECK(machine.verdict(text, "/home/u/other") == "ask");
  }
}

TEST_CASE("templates: hostops holds beside a list that asks about the arguments, at prepare and at the run") {
  TemplateMachine machine("hostops", kHostops);
  machine.list({"/usr/bin/docker", "/usr/bin/git", "/usr/bin/curl"});
  for (const char* text :
       {"docker compose up -d --build web", "docker compose restart web", "git pull --ff-only",
        "cd /home/u/work && git pull --ff-only && docker compose up -d --build web",
        "git -C /home/u/work pull --ff-only", "curl -fsS http://127.0.0.1:8080/health"}) {
    INFO(text);
    Json params = Machine::carried(text);
    if (std::string_view(text).find("/home/u/work") != std::string_view::npos)
      params["cwd"] = "/home/u/other";
    const PrepareEvaluation prepared = prepare_run(params, machine.document, machine.context);
    REQUIRE(prepared.ok);
    CHECK(prepared.payload["execPolicy"] == Json{{"security", "full"}, {"ask", "off"}});
    Json run = Machine::request(prepared.payload["plan"]["argv"].get<std::vector<std::string>>());
    run["cwd"] = prepared.payload["plan"]["cwd"];
    run["systemRunPlan"] = prepared.payload["plan"];
    run["rawCommand"] = prepared.payload["plan"]["commandText"];
    machine.context.remembered = &prepared.remember;
    CHECK(machine.decide(run).decision.verdict == Verdict::kAllow);
    machine.context.remembered = nullptr;
  }
  CHECK(machine.verdict("docker compose up -d --build db") == "ask");
  CHECK(machine.verdict("git status") == "allow");
  CHECK(machine.verdict("git push origin main") == "ask");
}

TEST_CASE("templates: what hostops is not about is asked about or denied") {
  TemplateMachine machine("hostops", kHostops);
  for (const char* text : {"docker compose up -d --build db",
                           "docker compose up -d",
                           "docker compose up -d web db",
                           "docker compose restart",
                           "docker compose restart db",
                           "docker compose -f x.yml up -d web",
                           "docker compose exec -T web sh",
                           "docker compose down",
                           "docker run x",
                           "git push origin main",
                           "git pull ext::sh",
                           "git fetch /tmp/evil",
                           "git checkout .",
                           "git reset --hard",
                           "git clean -fd",
                           "curl -fsS http://127.0.0.1:8080/health/x",
                           "curl -fsS http://h/",
                           "curl -o x http://127.0.0.1:8080/health",
                           "curl 2130706433 http://127.0.0.1:8080/health",
                           "docker compose up -d 8080 web",
                           "git fetch --upload-pack=x origin",
                           "make",
                           "./docker compose restart web",
                           "/tmp/docker compose restart web"}) {
    INFO(text);
    CHECK(machine.verdict(text) != "allow");
  }
  for (const char* text : {"docker compose down -v", "docker compose down --volumes", "docker system prune",
                           "git -c core.pager=x log", "git fetch --upload-pack=x origin"}) {
    INFO(text);
    CHECK(machine.verdict(text) == "deny");
  }
}

TEST_CASE("templates: a value that could be a pattern, an option or a second word is refused by name") {
  const RuleTemplate& hostops = *find_rule_template("hostops");
  const auto refused = [&](const char* name, const char* value) {
    TemplateValues values = kHostops;
    values[name] = {value};
    const auto rules = fill_template(hostops, values, "hostops", "*");
    return rules ? std::string() : rules.error().message;
  };
  for (const char* value : {"*", "a|b", "-v", "a b", "", "<name>", "web?"}) {
    INFO(value);
    CHECK(refused("service", value).find("--service") == 0);
  }
  for (const char* value : {"http://h/*", "file:///etc/passwd", "http://h/?x", "-o", "http://h/{a,b}"}) {
    INFO(value);
    CHECK(refused("check", value).find("--check") == 0);
  }
  CHECK(refused("service", "web-1").empty());
  CHECK(refused("check", "https://example.org/health").empty());
  TemplateValues missing = kHostops;
  missing.erase("service");
  CHECK(fill_template(hostops, missing, "hostops", "*").error().message == "--service: is missing");
  missing = kHostops;
  missing.erase("check");
  CHECK(filled("hostops", missing).size() < filled("hostops", kHostops).size());
}

TEST_CASE("templates: the reading sets read and change nothing") {
  struct Row {
    const char* set;
    TemplateValues values;
    std::vector<const char*> allowed;
    std::vector<const char*> others;
  };
  const std::vector<Row> rows = {
      {"docker-read",
       {},
       {"docker ps -a", "docker logs --tail 20 web", "docker inspect web"},
       {"docker rm web", "docker exec web id", "docker run x", "docker -H tcp://x ps"}},
      {"systemctl-read",
       {{"unit", {"nginx"}}},
       {"systemctl status nginx", "systemctl status nginx.service", "journalctl -u nginx -n 50 --no-pager"},
       {"systemctl restart nginx", "systemctl status ssh", "journalctl -f -u nginx"}},
      {"kubectl-read",
       {},
       {"kubectl get pods", "kubectl -n web get pods", "kubectl logs x --tail=80"},
       {"kubectl get secrets", "kubectl delete get pods", "kubectl exec x -- id"}},
      {"kubectl-read",
       {{"namespace", {"web"}}},
       {"kubectl get pods -n web", "kubectl -n web logs x"},
       {"kubectl get pods", "kubectl get pods -n db", "kubectl get pods -A"}},
      {"npm",
       {{"dir", {"/home/u/work"}}},
       {"npm ci", "npm test", "npm run build"},
       {"npm install left-pad", "npm publish", "npm run deploy", "npm exec x"}},
      {"git",
       {{"repo", {"/home/u/work"}}},
       {"git log --oneline -5", "git -C /home/u/work status", "git diff --stat"},
       {"git push", "git -C /home/u/other status", "git diff --output=x"}},
  };
  for (const Row& row : rows) {
    TemplateMachine machine(row.set, row.values);
    for (const char* text : row.allowed) {
      INFO(row.set << ": " << text);
      CHECK(machine.verdict(text) == "allow");
    }
    for (const char* text : row.others) {
      INFO(row.set << ": " << text);
      CHECK(machine.verdict(text) != "allow");
    }
  }
}

}  // namespace hostclaw::policy
