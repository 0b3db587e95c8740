// SPDX-License-Identifier: Apache-2.0
#include "policy/rules/rule_templates.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {

namespace {

using enum RuleEffect;
using ParameterKind = TemplateParameter::Kind;

// Times that people give, and not any number: behind an option that takes none curl reads it as an address.
#define TIMES "1|2|3|5|10|15|20|30|60|120|300"

// ---- git in one repository

#define GIT_FETCH_OPTIONS "...:--all|--prune|-p|--tags|-t|--no-tags|-q|--quiet|-v|--verbose|--dry-run"
#define GIT_PULL_OPTIONS "...:--ff-only|--prune|-p|--tags|-q|--quiet|-v|--verbose"

constexpr std::array kGitRows = {
    TemplateRow{
        "git-status", kAllow, "repo", "git",
        "status ...:--porcelain|--porcelain=v1|--porcelain=v2|--short|-s|-b|-sb|--branch|-uno|--untracked-"
        "files=no",
        "", "git status ; git status --porcelain ; git status --short --branch", "git stash"},
    TemplateRow{
        "git-rev-parse", kAllow, "repo", "git",
        "rev-parse ...:--abbrev-ref|--short|--verify|--show-toplevel|--is-inside-work-tree|-q|--quiet|<name>",
        "", "git rev-parse HEAD ; git rev-parse --abbrev-ref HEAD", "git rev-parse --parseopt"},
    TemplateRow{
        "git-log", kAllow, "repo", "git",
        "log ...:--oneline|--stat|--decorate|--graph|--no-color|-n|-1|-2|-3|-5|-10|-20|-p|--max-count=*|"
        "<number>|<name>",
        "", "git log --oneline -5 ; git log -n 3 origin/main", "git log --output=x"},
    TemplateRow{
        "git-diff", kAllow, "repo", "git",
        "diff|show ...:--stat|--name-only|--name-status|--cached|--staged|--no-color|--oneline|--exit-code|"
        "<name>",
        "", "git diff --stat ; git diff HEAD~1 ; git show --stat HEAD",
        "git diff --output=x ; git diff --ext-diff"},
    TemplateRow{"git-branch", kAllow, "repo", "git",
                "branch|remote ...:--show-current|-a|--all|-r|--remotes|-v|-vv|--list|--no-color", "",
                "git branch --show-current ; git remote -v", "git branch -D main ; git remote add x y"},
    TemplateRow{"git-fetch", kAllow, "repo", "git", "fetch " GIT_FETCH_OPTIONS, "",
                "git fetch ; git fetch --all --prune", "git fetch --upload-pack=x"},
    TemplateRow{"git-fetch-remote", kAllow, "repo", "git",
                "fetch " GIT_FETCH_OPTIONS " <id> " GIT_FETCH_OPTIONS "|<name>", "",
                "git fetch origin ; git fetch --prune origin main",
                "git fetch ext::sh ; git fetch https://h/x ; git fetch origin --upload-pack=x"},
    TemplateRow{"git-pull", kAllow, "repo", "git", "pull " GIT_PULL_OPTIONS, "",
                "git pull ; git pull --ff-only", "git pull --rebase ; git push"},
    TemplateRow{"git-pull-remote", kAllow, "repo", "git",
                "pull " GIT_PULL_OPTIONS " <id> " GIT_PULL_OPTIONS "|<name>", "",
                "git pull --ff-only origin main", "git pull ext::sh ; git pull origin --upload-pack=x"},
    TemplateRow{"git-checkout", kAllow, "repo", "git",
                "checkout|switch ...:-q|--quiet|--detach|--progress <name>", "",
                "git checkout main ; git checkout v1.2.3 ; git switch release/1.2",
                "git checkout . ; git checkout -f main ; git checkout -- x"},
    TemplateRow{
        "git-throws-away", kAsk, "repo", "git",
        "...:-C|<name>|/* reset|checkout|switch|restore ... --hard|-f|--force|--discard-changes|. ...",
        "This throws away work that is not committed.",
        "git reset --hard ; git checkout -f main ; git checkout .", "git checkout main ; git reset HEAD"},
    TemplateRow{"git-clean", kAsk, "repo", "git", "...:-C|<name>|/* clean ...",
                "git clean deletes files that git does not know.", "git clean -fdx", "git status"},
    TemplateRow{"git-push", kAsk, "repo", "git", "...:-C|<name>|/* push ...",
                "A push changes what others have.", "git push origin main ; git push --force", "git pull"},
    TemplateRow{"git-config", kDeny, "repo", "git", "-c|--config-env|--exec-path ...",
                "git would be told to run other programs.",
                "git -c core.pager=x log ; git --exec-path=/x log", "git log"},
    TemplateRow{"git-transport", kDeny, "repo", "git",
                "fetch|pull|clone|ls-remote ... --upload-pack=*|--upload-pack|ext::* ...",
                "git would be told to run other programs.",
                "git fetch --upload-pack=x origin ; git pull ext::sh", "git fetch origin"},
};

// ---- one service of one compose file

#define COMPOSE_UP_OPTIONS                                         \
  "...:--build|-d|--detach|--no-deps|--wait|--wait-timeout|" TIMES \
  "|--quiet-pull|--force-recreate|--no-"                           \
  "recreate|"                                                      \
  "--pull=always|--pull=missing"
#define LOG_OPTIONS \
  "...:--tail=*|--tail|-n|<number>|all|--since=*|--until=*|--no-color|--no-log-prefix|-t|--timestamps"
#define LIST_OPTIONS                                                                                     \
  "...:-a|--all|-q|--quiet|--no-trunc|--services|--format|--format=*|json|table|-f|--filter|--filter=*|" \
  "name=*|status=*"

constexpr std::array kComposeRows = {
    TemplateRow{"compose-up", kAllow, "compose", "docker",
                "compose up " COMPOSE_UP_OPTIONS " -d|--detach " COMPOSE_UP_OPTIONS " {service}", "",
                "docker compose up -d --build {service} ; docker compose up --build --detach {service}",
                "docker compose up -d ; docker compose up -d --build another-{service} ; docker compose up "
                "{service}"},
    TemplateRow{"compose-restart", kAllow, "compose", "docker",
                "compose restart ...:--no-deps|-t|--timeout|" TIMES " {service}", "",
                "docker compose restart {service} ; docker compose restart -t 10 {service}",
                "docker compose restart ; docker compose restart another-{service}"},
    TemplateRow{"compose-build", kAllow, "compose", "docker",
                "compose build|pull ...:--pull|--no-cache|-q|--quiet|--policy=always {service}", "",
                "docker compose build {service} ; docker compose pull -q {service}",
                "docker compose build ; docker compose build --build-arg x=y {service}"},
    TemplateRow{"compose-logs", kAllow, "compose", "docker",
                "compose logs " LOG_OPTIONS " {service} " LOG_OPTIONS, "",
                "docker compose logs --tail=80 {service} ; docker compose logs {service} --tail 80",
                "docker compose logs ; docker compose logs -f {service}"},
    TemplateRow{"compose-reports", kAllow, "compose", "docker",
                "compose ps|images|ls|version|config|top " LIST_OPTIONS "|{service}", "",
                "docker compose ps ; docker compose ps -a --format json ; docker compose top {service}",
                "docker compose config -o x"},
    TemplateRow{"docker-ps", kAllow, "compose", "docker", "ps|version " LIST_OPTIONS, "",
                "docker ps ; docker ps -a", "docker port x"},
    TemplateRow{"docker-health", kAllow, "compose", "docker",
                "inspect -f|--format "
                "{{.State.Status}}|{{.State.Running}}|{{.State.Health.Status}}|{{.State.ExitCode}} "
                "<id>",
                "", "docker inspect --format {{.State.Health.Status}} app-{service}-1", "docker inspect x"},
    TemplateRow{"compose-check", kAllow, "compose", "docker",
                "compose exec ...:-T|--no-tty {service} curl "
                "...:-f|-s|-S|-fsS|-sS|-fs|-sf|--fail|--silent|--show-error|"
                "-m|--max-time|" TIMES " {check}",
                "", "docker compose exec -T {service} curl -fsS {check}",
                "docker compose exec -T {service} sh ; docker compose exec -T {service} curl -o x {check}"},
    TemplateRow{"compose-ends", kAsk, "compose", "docker", "compose ... down|rm|kill|stop ...",
                "This ends services.", "docker compose down ; docker compose rm -f {service}",
                "docker compose ps"},
    TemplateRow{"compose-volumes", kDeny, "compose", "docker", "compose ... down|rm ... -v|--volumes ...",
                "This removes the volumes with the data of the services.",
                "docker compose down -v ; docker compose down --volumes", "docker compose down"},
    TemplateRow{"docker-prune", kDeny, "compose", "docker",
                "... system|volume|image|container|builder|network ... prune ...",
                "Pruning deletes what is not in use at this moment.",
                "docker system prune -a ; docker volume prune", "docker system df"},
};

#define CURL_FLAGS                                                                                      \
  "...:-f|-s|-S|-I|-fsS|-fSs|-sS|-sf|-fs|-sSf|-fsSI|--fail|--silent|--show-error|--head|-m|--max-time|" \
  "--connect-timeout|--retry|--retry-delay|--retry-connrefused|" TIMES

constexpr std::array kCheckRows = {
    TemplateRow{"check", kAllow, "repo compose", "curl", CURL_FLAGS " {check}", "",
                "curl -fsS {check} ; curl --fail --silent --max-time 5 {check}",
                "curl -fsS {check}/other ; curl -o x {check} ; curl -fsSL {check}"},
    TemplateRow{
        "check-status", kAllow, "repo compose", "curl",
        CURL_FLAGS " -o /dev/null " CURL_FLAGS " -w %{http_code}|%{http_code}\\n " CURL_FLAGS " {check}", "",
        "curl -s -o /dev/null -w %{http_code} {check}", "curl -s -o /tmp/x -w %{http_code} {check}"},
};

// ---- reading

constexpr std::array kDockerReadRows = {
    TemplateRow{"lists", kAllow, "", "docker", "ps|images|version|info " LIST_OPTIONS, "",
                "docker ps ; docker ps -a --format json ; docker images ; docker version",
                "docker pull x ; docker -H tcp://x ps"},
    TemplateRow{"inspect", kAllow, "", "docker",
                "inspect|top|port ...:-f|--format|--format=*|{{*|-s|--size|<name>", "",
                "docker inspect web ; docker inspect --format {{.State.Status}} web ; docker port web",
                "docker exec web id"},
    TemplateRow{"logs", kAllow, "", "docker", "logs " LOG_OPTIONS " <id> " LOG_OPTIONS, "",
                "docker logs web ; docker logs --tail=80 web", "docker logs -f web"},
    TemplateRow{"stats", kAllow, "", "docker", "stats --no-stream ...:--no-stream|-a|--all|--format=*|<id>",
                "", "docker stats --no-stream", "docker stats"},
    TemplateRow{"objects", kAllow, "", "docker", "container|image|volume|network|context ls " LIST_OPTIONS,
                "", "docker volume ls ; docker container ls -a", "docker volume rm x"},
    TemplateRow{"disk", kAllow, "", "docker", "system df ...:-v|--verbose", "", "docker system df",
                "docker system prune"},
    TemplateRow{"compose", kAllow, "", "docker", "compose ps|images|ls|version|top " LIST_OPTIONS "|<id>", "",
                "docker compose ps ; docker compose ls", "docker compose up -d ; docker compose -f x ps"},
    TemplateRow{"compose-logs", kAllow, "", "docker", "compose logs " LOG_OPTIONS "|<id>", "",
                "docker compose logs --tail=80 web", "docker compose logs --follow web"},
    TemplateRow{
        "prune", kDeny, "", "docker", "... system|volume|image|container|builder|network ... prune ...",
        "Pruning deletes what is not in use at this moment.", "docker system prune -a", "docker system df"},
    TemplateRow{"remote", kAsk, "", "docker", "-H|--host|--context|-c ...",
                "This talks to another docker daemon.", "docker -H tcp://x ps", "docker ps"},
};

#define UNIT_OPTIONS "...:--no-pager|-l|--full|-q|--quiet|-n|--lines=*|<number>|--property=*|--plain"

constexpr std::array kSystemctlRows = {
    TemplateRow{
        "status", kAllow, "", "systemctl",
        UNIT_OPTIONS " status|is-active|is-enabled|is-failed|show|cat " UNIT_OPTIONS " {unit} " UNIT_OPTIONS,
        "", "systemctl status {unit} ; systemctl --no-pager status {unit} ; systemctl is-active {unit}",
        "systemctl restart {unit} ; systemctl -H host status {unit} ; systemctl status"},
    TemplateRow{"list", kAllow, "", "systemctl",
                UNIT_OPTIONS
                " list-units|list-timers|list-unit-files|is-system-running ...:--no-pager|--all|-a|--failed|"
                "--type=*|--state=*|--plain|--no-legend",
                "", "systemctl list-units --failed ; systemctl is-system-running", "systemctl daemon-reload"},
    TemplateRow{"journal", kAllow, "", "journalctl",
                "...:--no-pager|-b|-r -u|--unit {unit} "
                "...:--no-pager|-n|--lines=*|<number>|-b|-r|--since=*|--until=*|-o|"
                "cat|short|short-iso|json|-p|err|warning",
                "", "journalctl -u {unit} -n 50 --no-pager",
                "journalctl -f -u {unit} ; journalctl --vacuum-size=1M"},
    TemplateRow{
        "changes", kAsk, "", "systemctl",
        "... start|stop|restart|reload|try-restart|enable|disable|mask|unmask|kill|edit|set-property|isolate|"
        "daemon-reload|daemon-reexec|reset-failed|revert|link ...",
        "This changes what runs on the machine.", "systemctl restart {unit} ; systemctl --now enable {unit}",
        "systemctl status {unit}"},
    TemplateRow{"power", kDeny, "", "systemctl",
                "... poweroff|reboot|halt|kexec|suspend|hibernate|hybrid-sleep|rescue|emergency ...",
                "This takes the machine out of service.", "systemctl reboot", "systemctl status {unit}"},
};

#define NPM_INSTALL_OPTIONS \
  "...:--no-audit|--no-fund|--ignore-scripts|--prefer-offline|--omit=dev|--silent|-s"

constexpr std::array kNpmRows = {
    TemplateRow{"install", kAllow, "dir", "npm", "ci|install|i " NPM_INSTALL_OPTIONS, "",
                "npm ci ; npm install --no-audit", "npm install left-pad ; npm install --prefix /x"},
    TemplateRow{"scripts", kAllow, "dir", "npm", "run|run-script build|test|lint|typecheck|check|{script}",
                "", "npm run build ; npm run {script}",
                "npm run another-{script} ; npm run build -- --out /x"},
    TemplateRow{"scripts", kAllow, "dir", "npm", "run|run-script build|test|lint|typecheck|check", "",
                "npm run build ; npm run test", "npm run deploy ; npm run build -- --out /x", "script"},
    TemplateRow{"test", kAllow, "dir", "npm", "test|t ...:--silent|-s", "", "npm test",
                "npm test -- --watch"},
    TemplateRow{"reports", kAllow, "dir", "npm",
                "ls|list|outdated|audit|--version|-v ...:--json|--all|--depth=*|--omit=dev|--long", "",
                "npm ls --depth=0 ; npm outdated ; npm audit --json ; npm --version", "npm audit fix"},
    TemplateRow{"packages", kAsk, "dir", "npm",
                "install|i|add|update|up|upgrade|uninstall|remove|rm|link ... <name>|*@* ...",
                "This changes which packages the project has.", "npm install left-pad ; npm install x@1",
                "npm install ; npm install --no-audit"},
    TemplateRow{"exec", kAsk, "dir", "npm", "exec|x|init|create ...", "This runs code of a package.",
                "npm exec cowsay", "npm ls"},
    TemplateRow{"publish", kDeny, "dir", "npm",
                "publish|unpublish|deprecate|owner|token|access|login|adduser ...",
                "What others install is not changed from here.", "npm publish", "npm ci"},
};

#define KUBECTL_OPTIONS                                                                                      \
  "...:-o|--output=wide|--output=json|--output=yaml|--output=name|-l|--selector=*|--show-labels|--sort-by=*" \
  "|--no-headers|<lower>"
#define KUBECTL_LOGS \
  "...:--tail=*|--since=*|--timestamps|--previous|-p|--all-containers|-c|--container=*|<name>"

constexpr std::array kKubectlRows = {
    TemplateRow{
        "get", kAllow, "", "kubectl",
        "get|describe|top|explain|events " KUBECTL_OPTIONS " -n|--namespace {namespace} " KUBECTL_OPTIONS, "",
        "kubectl get pods -n {namespace} ; kubectl describe pod x -n {namespace}",
        "kubectl get pods ; kubectl get pods -n another-{namespace} ; kubectl delete pod x -n {namespace}"},
    TemplateRow{"get-first", kAllow, "", "kubectl",
                "-n|--namespace {namespace} get|describe|top|explain|events " KUBECTL_OPTIONS, "",
                "kubectl -n {namespace} get pods", "kubectl -n another-{namespace} get pods"},
    TemplateRow{"get", kAllow, "", "kubectl",
                "get|describe|top|explain|events|api-resources " KUBECTL_OPTIONS
                "|-n|--namespace|-A|--all-namespaces",
                "", "kubectl get pods ; kubectl get pods -A -o wide ; kubectl describe pod x -n web",
                "kubectl delete pod x ; kubectl get --raw /x ; kubectl --kubeconfig x get pods", "namespace"},
    TemplateRow{"get-first", kAllow, "", "kubectl",
                "-n|--namespace <id> get|describe|top|explain|events " KUBECTL_OPTIONS, "",
                "kubectl -n web get pods", "kubectl -n web delete pod x", "namespace"},
    TemplateRow{"logs", kAllow, "", "kubectl",
                "logs " KUBECTL_LOGS " -n|--namespace {namespace} " KUBECTL_LOGS, "",
                "kubectl logs x --tail=80 -n {namespace}", "kubectl logs x"},
    TemplateRow{"logs-first", kAllow, "", "kubectl", "-n|--namespace {namespace} logs " KUBECTL_LOGS, "",
                "kubectl -n {namespace} logs x --tail=80", "kubectl -n {namespace} logs -f x"},
    TemplateRow{"logs", kAllow, "", "kubectl", "logs " KUBECTL_LOGS "|-n|--namespace", "",
                "kubectl logs x --tail=80 ; kubectl logs x -n web", "kubectl logs -f x", "namespace"},
    TemplateRow{"logs-first", kAllow, "", "kubectl", "-n|--namespace <id> logs " KUBECTL_LOGS, "",
                "kubectl -n web logs x --tail=80", "kubectl -n web logs -f x", "namespace"},
    TemplateRow{"rollout", kAllow, "", "kubectl", "rollout status|history <name> -n|--namespace {namespace}",
                "", "kubectl rollout status deployment/web -n {namespace}",
                "kubectl rollout restart deployment/web"},
    TemplateRow{"rollout", kAllow, "", "kubectl", "rollout status|history ...:-n|--namespace|<name>", "",
                "kubectl rollout status deployment/web", "kubectl rollout restart deployment/web",
                "namespace"},
    TemplateRow{"version", kAllow, "", "kubectl", "version|config ...:current-context|--client|-o|json|yaml",
                "", "kubectl version ; kubectl config current-context",
                "kubectl config view ; kubectl config use-context x"},
    TemplateRow{"secrets", kAsk, "", "kubectl", "... get|describe|edit ... *secret* ...",
                "This would show secrets.", "kubectl get secrets -o yaml ; kubectl get pods,secrets",
                "kubectl get pods"},
    TemplateRow{
        "changes", kAsk, "", "kubectl",
        "... "
        "delete|apply|create|replace|edit|patch|scale|set|annotate|label|exec|cp|attach|port-forward|proxy|"
        "drain|cordon|uncordon|taint|run|expose|autoscale|debug ...",
        "This changes the cluster or reaches into it.", "kubectl delete pod x ; kubectl exec x -- id",
        "kubectl get pods"},
};

#undef TIMES
#undef GIT_FETCH_OPTIONS
#undef GIT_PULL_OPTIONS
#undef COMPOSE_UP_OPTIONS
#undef LOG_OPTIONS
#undef LIST_OPTIONS
#undef CURL_FLAGS
#undef UNIT_OPTIONS
#undef NPM_INSTALL_OPTIONS
#undef KUBECTL_OPTIONS
#undef KUBECTL_LOGS

constexpr TemplateParameter kRepo{"repo", ParameterKind::kDirectory,     true,
                                  false,  "Directory of the repository", "/srv/app"};

constexpr std::array kHostopsParameters = {
    kRepo,
    TemplateParameter{"compose", ParameterKind::kDirectory, true, false, "Directory of the compose file",
                      "/srv/app"},
    TemplateParameter{"service", ParameterKind::kName, true, true,
                      "Service that may be brought up and restarted (repeat)", "web"},
    TemplateParameter{"check", ParameterKind::kUrl, false, true, "URL that curl may ask (repeat)",
                      "http://127.0.0.1:8080/health"},
};
constexpr std::array kGitParameters = {kRepo};
constexpr std::array kUnitParameters = {TemplateParameter{"unit", ParameterKind::kName, true, true,
                                                          "Unit that may be looked at (repeat)", "nginx"}};
constexpr std::array kNpmParameters = {
    TemplateParameter{"dir", ParameterKind::kDirectory, true, false, "Directory of the package", "/srv/app"},
    TemplateParameter{"script", ParameterKind::kName, false, true,
                      "Script that may run beside the usual ones (repeat)", "preview"}};
constexpr std::array kKubectlParameters = {TemplateParameter{"namespace", ParameterKind::kName, false, true,
                                                             "Only in this namespace (repeat)", "web"}};

const TemplateParameter* parameter_of(const RuleTemplate& from, std::string_view name) {
  const auto found = std::find_if(from.parameters.begin(), from.parameters.end(),
                                  [&](const TemplateParameter& item) { return item.name == name; });
  return found == from.parameters.end() ? nullptr : &*found;
}

// Nothing of a value may be read as a pattern, an option or a second word.
bool is_plain_value(const TemplateParameter& parameter, const std::string& value) {
  if (parameter.kind == ParameterKind::kDirectory) return !value.empty();
  const bool url = parameter.kind == ParameterKind::kUrl;
  if (url && !value.starts_with("http://") && !value.starts_with("https://")) return false;
  if (value.empty() || value.size() > 500 || value.front() == '-' || value.front() == '.') return false;
  return std::all_of(value.begin(), value.end(), [&](unsigned char c) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    const bool in_unit_or_script = c == '@' || c == ':';
    const bool in_url = c == '/' || c == '%' || c == '=' || c == '&' || c == '~' || c == '+';
    return plain || in_unit_or_script || (url && in_url);
  });
}

Error invalid_value(const TemplateParameter& parameter, const std::string& what) {
  return make_error("TEMPLATE_INVALID", "--" + std::string(parameter.name) + ": " + what);
}

Result<void> check_values(const RuleTemplate& from, const TemplateValues& values) {
  for (const auto& [name, list] : values) {
    if (parameter_of(from, name) == nullptr)
      return make_error("TEMPLATE_INVALID", std::string(from.name) + " has no --" + name);
  }
  for (const TemplateParameter& parameter : from.parameters) {
    const auto found = values.find(parameter.name);
    if (found == values.end() || found->second.empty()) {
      if (parameter.required) return invalid_value(parameter, "is missing");
      continue;
    }
    for (const std::string& value : found->second) {
      if (is_plain_value(parameter, value)) continue;
      return invalid_value(parameter,
                           parameter.kind == ParameterKind::kUrl
                               ? "`" + value + "` is not a plain http or https URL (without `?` and `*`)"
                               : "`" + value + "` is not a plain name");
    }
  }
  return {};
}

std::vector<std::string> words_of_text(std::string_view text) {
  std::vector<std::string> out;
  for (std::string& word : split(text, ' ')) {
    if (!word.empty()) out.push_back(std::move(word));
  }
  return out;
}

// What a value is called in a pattern: a service of systemd by its short name as well.
std::string alternatives(const TemplateParameter& parameter, const std::vector<std::string>& values) {
  std::vector<std::string> names = values;
  for (const std::string& value : values) {
    if (parameter.name == "unit" && value.find('.') == std::string::npos) names.push_back(value + ".service");
  }
  return join(names, "|");
}

// Words with the values in them; false when one is missing. As a pattern several values are alternatives, in
// an example the first stands for all.
bool fill_words(std::string_view text, const RuleTemplate& from, const TemplateValues& values, bool pattern,
                std::vector<std::string>& out) {
  for (std::string word : words_of_text(text)) {
    for (const TemplateParameter& parameter : from.parameters) {
      const std::string place = "{" + std::string(parameter.name) + "}";
      const std::size_t at = word.find(place);
      if (at == std::string::npos) continue;
      const auto found = values.find(parameter.name);
      if (found == values.end() || found->second.empty()) return false;
      word.replace(at, place.size(),
                   pattern ? alternatives(parameter, found->second) : found->second.front());
    }
    out.push_back(std::move(word));
  }
  return true;
}

bool fill_examples(std::string_view text, const RuleTemplate& from, const TemplateValues& values,
                   std::vector<std::vector<std::string>>& out) {
  constexpr std::string_view kBetween = " ; ";
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(kBetween, at), text.size());
    std::vector<std::string> words;
    if (!fill_words(text.substr(at, end - at), from, values, false, words)) return false;
    out.push_back(std::move(words));
    at = end + kBetween.size();
  }
  return true;
}

// Nothing where the row is not about what was given.
std::optional<Rule> fill_row(const TemplateRow& row, const RuleTemplate& from, const TemplateValues& values) {
  if (!row.unless.empty() && values.contains(row.unless)) return std::nullopt;
  Rule rule;
  rule.id = row.id;
  rule.effect = row.effect;
  rule.program = row.program;
  rule.note = row.note;
  rule.arguments.emplace();
  if (!fill_words(row.arguments, from, values, true, *rule.arguments) ||
      !fill_examples(row.match, from, values, rule.match) ||
      !fill_examples(row.not_match, from, values, rule.not_match))
    return std::nullopt;
  return rule;
}

}  // namespace

const std::vector<RuleTemplate>& rule_templates() {
  static const std::vector<RuleTemplate> kTemplates = {
      {"docker-read", "docker, without changing anything", {}, {kDockerReadRows}},
      {"git", "git in one repository: look, fetch, pull, change the branch", kGitParameters, {kGitRows}},
      {"hostops",
       "Bring one compose service up to date: git, docker compose and a check by curl",
       kHostopsParameters,
       {kGitRows, kComposeRows, kCheckRows}},
      {"kubectl-read",
       "kubectl, without changing anything and without secrets",
       kKubectlParameters,
       {kKubectlRows}},
      {"npm", "npm in one package: install what its lock file says, build, test", kNpmParameters, {kNpmRows}},
      {"systemctl-read", "State and journal of units", kUnitParameters, {kSystemctlRows}},
  };
  return kTemplates;
}

const RuleTemplate* find_rule_template(std::string_view name) {
  const auto& all = rule_templates();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const RuleTemplate& item) { return item.name == name; });
  return found == all.end() ? nullptr : &*found;
}

TemplateValues sample_values(const RuleTemplate& set) {
  TemplateValues out;
  for (const TemplateParameter& parameter : set.parameters)
    out[std::string(parameter.name)] = {std::string(parameter.sample)};
  return out;
}

Result<std::vector<Rule>> fill_template(const RuleTemplate& from, const TemplateValues& values,
                                        const std::string& set, const std::string& agent) {
  if (Result<void> checked = check_values(from, values); !checked) return checked.error();
  std::vector<Rule> out;
  for (const std::span<const TemplateRow>& part : from.parts) {
    for (const TemplateRow& row : part) {
      std::optional<Rule> rule = fill_row(row, from, values);
      if (!rule) continue;
      rule->id = set + "." + rule->id;
      rule->agent = agent;
      rule->of_template = set;
      std::vector<std::string> directories;
      for (const std::string& name : words_of_text(row.directories)) {
        const std::string& directory = values.find(name)->second.front();
        if (std::find(directories.begin(), directories.end(), directory) == directories.end())
          directories.push_back(directory);
      }
      if (directories.empty()) out.push_back(*rule);
      for (std::size_t i = 0; i < directories.size(); ++i) {
        out.push_back(*rule);
        out.back().directory = directories[i];
        if (i > 0) out.back().id += "-" + std::to_string(i + 1);
      }
    }
  }
  return out;
}

}  // namespace hostclaw::policy
