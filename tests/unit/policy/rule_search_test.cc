// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/rule_search.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "policy/request/command_text.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {
namespace {

using Argv = std::vector<std::string>;

Rule refusing(const char* program, std::optional<Argv> arguments, RuleEffect effect = RuleEffect::kDeny) {
  Rule out;
  out.id = std::string(to_string(effect)) + "-" + program;
  out.effect = effect;
  out.program = program;
  out.arguments = std::move(arguments);
  out.note = "because";
  return out;
}

// security=full: what no rule stops runs.
struct RuledMachine : Machine {
  RuledMachine() {
    for (const char* name : {"sudo", "xargs", "docker", "ls", "rm", "seq", "curl"})
      files.add_file(std::string("/usr/bin/") + name, "x", true);
    policy("full", "off");
    rule({refusing("docker", {{"...", "system", "...", "prune", "..."}})});
  }
  void rule(std::vector<Rule> rules) {
    context.settings.rules = std::make_shared<const RuleSet>(std::move(rules));
  }
  DecisionCode code(const Argv& argv) { return run(argv).decision.code; }
  DecisionCode code_of_text(const std::string& value) { return text(value).decision.code; }
};

TEST_CASE("rule search: a denied command stays denied however its text is dressed") {
  RuledMachine machine;
  for (const char* text : {
           "docker system prune",
           "doc\\\nker system prune",
           "docker \\\n  system \\\n prune",
           "docker system prune -a",
           "docker >/dev/null system prune",
           "docker system 2>&1 prune",
           "</dev/null docker system prune",
           "docker system prune &>/dev/null",
           "true &>x docker system prune",
           "docker${IFS}system${IFS}prune",
           "docker$IFS'system'$IFS\"prune\"",
           "\\docker sy'st'em pr\"un\"e",
           "$'docker' system $'\\160rune'",
           "X=1 docker system prune",
           "if true; then docker system prune; fi",
           "while :; do docker system prune; done",
           "for i in 1 2; do docker system prune; done",
           "for i do docker system prune; done",
           "case x in a|x) docker system prune;; esac",
           "case x in (x) true;; esac; docker system prune",
           "{ docker system prune; }",
           "( docker system prune )",
           "((docker system prune))",
           "! docker system prune",
           "time -p docker system prune",
           "f() { docker system prune; }; f",
           "function f { docker system prune; }; f",
           "echo $(docker system prune)",
           "echo \"`docker system prune`\"",
           "echo ${x:-$(docker system prune)}",
           "echo $((1 + $(docker system prune)))",
           "cat <(docker system prune)",
           "cat <<E\n$(docker system prune)\nE",
           "cat <<'E'\nit's\nE\ndocker system prune",
           "cat <<E\nx\\\nE\n'\nE\ndocker system prune # '",
           "true & docker system prune",
           "true; eval docker system prune",
           "eval 'docker system' prune",
           "trap 'docker system prune' EXIT",
           "exec docker system prune",
           "command docker system prune",
           "builtin command docker system prune",
           "coproc docker system prune",
           "echo 'docker system prune' | sh",
           "sh <<E\ndocker system prune\nE",
           "sh <<< 'docker system prune'",
           "cat <<E | sh\ndocker system prune\nE",
           "echo $HOME; docker system prune",
           "# it's\ndocker system prune",
           "[[ -n x ]] && docker system prune",
           "a=(1 2); docker system prune",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) == DecisionCode::kRuleDeny);
    CHECK(machine.code({"bash", "-c", text}) == DecisionCode::kRuleDeny);
    CHECK(machine.code({"sudo", "bash", "-c", text}) == DecisionCode::kRuleDeny);
  }
}

TEST_CASE("rule search: words in front of a command, and texts read from elsewhere, hide nothing") {
  RuledMachine machine;
  for (const Argv& command : {Argv{"zsh", "-c", "=docker system prune"},
                              {"zsh", "-c", "noglob docker system prune"},
                              {"fish", "-c", "true; and docker system prune"},
                              {"fish", "-c", "not docker system prune"},
                              {"bash", "-c", ". /dev/stdin <<< 'docker system prune'"},
                              {"bash", "-c", "sh /dev/stdin <<E\ndocker system prune\nE"},
                              {"env", "-Sdocker system prune"},
                              {"cmd.exe", "/c", "start docker system prune"},
                              {"cmd.exe", "/c", "if exist x docker system prune"}}) {
    CAPTURE(Json(command).dump());
    CHECK(machine.code(command) == DecisionCode::kRuleDeny);
  }
  CHECK(machine.code({"bash", "-c", "bash <(cat words)"}) == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code({"bash", "-c", ". ./words"}) == DecisionCode::kAllowedByPolicy);
  CHECK(machine.code({"bash", "script.sh", "docker", "system", "prune"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: words that a shell gets behind its text are read in their places") {
  RuledMachine machine;
  const Argv words = {"docker", "system", "prune"};
  for (const char* text :
       {"\"$@\"", "$@", "$*", "\"${@}\"", "$1 $2 $3", "\"$1\" \"${2}\" \"$3\"", "eval \"$*\"", "exec \"$@\"",
        "nice \"$@\"", "env \"$@\"", "sh -c '\"$@\"' y \"$@\""}) {
    CAPTURE(text);
    Argv command = {"sh", "-c", text, "x"};
    command.insert(command.end(), words.begin(), words.end());
    CHECK(machine.code(command) == DecisionCode::kRuleDeny);
    command.insert(command.begin(), {"xargs", "-n", "1"});
    CHECK(machine.code(command) == DecisionCode::kRuleDeny);
  }
  CHECK(machine.code({"sh", "-c", "$0", "docker system prune"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"sh", "-c", "$0 \"$@\"", "docker", "system", "prune"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"find", ".", "-exec", "sh", "-c", "\"$@\"", "x", "docker", "system", "prune", ";"}) ==
        DecisionCode::kRuleDeny);
  // Given other values in the text.
  for (const char* text :
       {"shift; \"$@\"", "set -- a docker system prune; shift; \"$@\"", "f() { \"$@\"; }; f x"}) {
    CAPTURE(text);
    CHECK(machine.code({"sh", "-c", text, "x", "docker", "system", "prune"}) ==
          DecisionCode::kRuleNotExcluded);
  }
  CHECK(machine.code({"sh", "-c", "echo \"$@\"", "x", "docker", "system", "prune"}) ==
        DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: six hundred options, and more wrappers than are looked through, hide nothing") {
  RuledMachine machine;
  Argv command = {"env"};
  for (int i = 0; i < 600; ++i) command.insert(command.end(), {"-u", "N" + std::to_string(i)});
  command.insert(command.end(), {"docker", "system", "prune"});
  CHECK(machine.code(command) == DecisionCode::kRuleDeny);
  for (const std::size_t wrappers : {1U, 4U, 5U, 12U, 100U, 400U}) {
    CAPTURE(wrappers);
    Argv wrapped(wrappers, "nice");
    wrapped.insert(wrapped.end(), {"docker", "system", "prune"});
    const DecisionCode code = machine.code(wrapped);
    CHECK((code == DecisionCode::kRuleDeny || code == DecisionCode::kRuleNotExcluded));
    Argv shell(wrappers, "nice");
    shell.insert(shell.end(), {"sh", "-c", "doc\\\nker system prune"});
    const DecisionCode text = machine.code(shell);
    CHECK((text == DecisionCode::kRuleDeny || text == DecisionCode::kRuleNotExcluded));
  }
  CHECK(machine.code({"nice", "nice", "nice", "nice", "nice", "ls"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: where a rule could apply and the text does not say so, it is asked about") {
  RuledMachine machine;
  for (const char* text : {
           "x=docker; $x system prune",
           "x=prune; docker system $x",
           "x=prune; docker system \"$x\"",
           "docker $(cat words)",
           "docker system p*",
           "docker system {prune,}",
           "docker `cat words` -a",
           "IFS=,; docker${IFS}system${IFS}prune",
           "\"$(which docker)\" system prune",
           "a=(docker system prune); \"${a[@]}\"",
           "eval \"$x\"",
           "sh -c \"$x\"",
           "echo system prune | xargs docker",
           "docker sys${x}tem prune",
           "echo 'unclosed",
           "alias d=docker\nd system prune",
       }) {
    CAPTURE(text);
    const RunEvaluation run = machine.text(text);
    CHECK(run.decision.code == DecisionCode::kRuleNotExcluded);
    CHECK(run.decision.verdict == Verdict::kAsk);
    CHECK(run.decision.layer == "rule");
    CHECK(run.decision.detail == "deny-docker");
    CHECK(run.rules == Argv{"deny-docker"});
  }
  CHECK(machine.code({"powershell", "-EncodedCommand", "ZABvAGMA"}) == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code({"sh", "-c", "echo " + std::string(300'000, 'x')}) == DecisionCode::kRuleNotExcluded);
}

TEST_CASE("rule search: shells agree on less than one text says") {
  RuledMachine machine;
  for (const char* name : {"git", "zsh", "fish", "ksh93", "base64", "python3", "setsid", "grep", "cat"})
    machine.files.add_file(std::string("/usr/bin/") + name, "x", true);
  machine.rule({refusing("rm", std::nullopt), refusing("git", {{"...", "push", "..."}})});
  struct Row {
    const char* shell;
    const char* text;
  };
  for (const Row row : {
           Row{"bash", "git $'\\u0070ush'"},
           Row{"bash", "git $'\\U00000070ush'"},
           Row{"bash", "git $'\\x{70}ush'"},
           Row{"bash", "git $'push\\0xyz'"},
           Row{"zsh", "$'\\u0072m' y"},
           Row{"bash", "cat <<$'A'\nfoo\nA\nrm y"},
           Row{"bash", "cat <<$'A'\nfoo\nA\nrm y\n$A\n"},
           Row{"sh", "cat <<A\\\nB\nfoo\nAB\nrm y"},
           Row{"sh", "cat <<\"A\\B\"\nfoo\nA\\B\nrm y"},
           Row{"bash", "if [[ a ]] then rm y; fi"},
           Row{"sh", "time -o f rm y; echo $(true)"},
           Row{"bash", "trap -- 'rm y' EXIT"},
           Row{"bash", "eval -- 'rm y'"},
           Row{"bash", ". <(echo rm y)"},
           Row{"bash", "mapfile -c1 -C 'rm y;:' A <<<a"},
           Row{"bash", "test -v 'a[$(rm y)]'"},
           Row{"bash", "x='$(rm y)'; : \"${x@P}\""},
           Row{"sh", "echo -n 'rm y' | sh"},
           Row{"sh", "printf '%s\\n' 'rm y' | sh"},
           Row{"sh", "echo 'rm y' | { true; sh; }"},
           Row{"sh", "echo 'rm y' | cat | sh"},
           Row{"sh", "base64 -d f | sh"},
           Row{"sh", "echo 'rm y' | sudo sh"},
           Row{"bash", "{ sh; } <<<'rm y'"},
           Row{"bash", "python3 - <<'A'\nimport os; os.system('rm y')\nA"},
           Row{"fish", "\\x72m y"},
           Row{"fish", "begin rm y; end"},
           Row{"zsh", "/bin/r(m|x) y"},
           Row{"zsh", "repeat 1 rm y"},
           Row{"ksh93", "git push"},
       }) {
    CAPTURE(row.shell, row.text);
    CHECK(machine.code({row.shell, "-c", row.text}) != DecisionCode::kAllowedByPolicy);
  }
  CHECK(machine.code({"git-push", "-f"}) != DecisionCode::kAllowedByPolicy);
  // Their twins.
  for (const Row row : {
           Row{"bash", "git $'log'"},
           Row{"bash", "cat <<'A'\nrm y\nA"},
           Row{"bash", "if [[ a ]]; then ls y; fi"},
           Row{"sh", "time -p ls"},
           Row{"bash", "trap -- 'ls' EXIT"},
           Row{"sh", "echo ls | sh"},
           Row{"sh", "ls | grep sh"},
           Row{"sh", "ls | xargs grep rm"},
           Row{"sh", "ls | xargs -n 1 -I{} grep {} x"},
           Row{"zsh", "ls \"$x\""},
           Row{"fish", "ls -l"},
       }) {
    CAPTURE(row.shell, row.text);
    CHECK(machine.code({row.shell, "-c", row.text}) == DecisionCode::kAllowedByPolicy);
  }
}

TEST_CASE("rule search: what xargs starts is known only where its words say so") {
  RuledMachine machine;
  machine.files.add_file("/usr/bin/grep", "x", true);
  machine.files.add_file("/usr/bin/dash", "x", true);
  machine.files.add_symlink("/usr/bin/wc", "dash");
  for (const char* text : {
           "ls | xargs --process-slot-var ls docker system prune",
           "echo docker | xargs -I ls ls system prune",
           "ls | xargs -i grep x",
           "ls | xargs ./grep x",
           "ls | xargs wc -c 'docker system prune'",
           "ls | xargs docker system",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) != DecisionCode::kAllowedByPolicy);
  }
  for (const char* text : {"ls | xargs grep docker", "ls | xargs -0 -n 1 grep x", "ls | xargs -n1 -P2 grep x",
                           "ls | xargs -I{} grep {} x", "ls | xargs -I {} rm {}"}) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) == DecisionCode::kAllowedByPolicy);
  }
}

TEST_CASE("rule search: one file that is told what to be by an option is that program") {
  RuledMachine machine;
  machine.files.add_file("/usr/bin/coreutils", "x", true);
  machine.files.add_symlink("/usr/bin/unlink", "coreutils");
  machine.files.add_symlink("/usr/bin/true", "coreutils");
  machine.rule({refusing("unlink", std::nullopt)});
  CHECK(machine.code({"coreutils", "--coreutils-prog=unlink", "y"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"coreutils", "unlink", "y"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"coreutils", "--coreutils-prog=true"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: a rule for a directory holds where it is not known where a command works") {
  RuledMachine machine;
  machine.files.add_file("/usr/bin/git", "x", true);
  Rule rule = refusing("git", {{"...", "push", "..."}});
  rule.directory = "/srv/d";
  machine.rule({rule});
  for (const Argv& argv :
       {Argv{"git", "-P", "-C", "/srv/d", "push"}, Argv{"git", "--git-dir=/srv/d/.git", "push"},
        Argv{"sudo", "git", "-C", "/srv/d", "push"}, Argv{"sudo", "-D", "/srv/d", "git", "push"}}) {
    CAPTURE(argv);
    CHECK(machine.code(argv) != DecisionCode::kAllowedByPolicy);
  }
  CHECK(machine.code({"git", "push"}) == DecisionCode::kAllowedByPolicy);
  CHECK(machine.code({"git", "-C", "/srv/other", "push"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: shells within shells are looked at no longer than a frame may take") {
  RuledMachine machine;
  const auto nested = [](std::size_t count) {
    Argv argv;
    for (std::size_t i = 0; i < count; ++i) argv.insert(argv.end(), {"sh", "x", "-c"});
    return argv;
  };
  const auto begun = std::chrono::steady_clock::now();
  CHECK(machine.code(nested(60)) == DecisionCode::kRuleNotExcluded);
  // Without a bound on the whole it would take years.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
  CHECK(machine.code({"sh", "-c", "sh -c 'sh -c \"docker system prune\"'"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"sh", "-c", "sh -c 'sh -c \"docker ps\"'"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: what no value of an unknown word could bring under a rule is left alone") {
  RuledMachine machine;
  std::vector<Rule> rules = starter_rules();
  rules.push_back(refusing("docker", {{"...", "system", "...", "prune", "..."}}));
  machine.rule(rules);
  for (const char* text : {
           "echo \"$HOME\"",
           "echo $HOME",
           "for f in *; do echo $f; done",
           "for f in *.txt; do [ -f \"$f\" ] && rm \"$f\"; done",
           "ls *",
           "cd \"$dir\" && ls -l",
           "x=$(date); echo \"$x\"",
           "ls | while read x; do echo \"$x\"; done",
           "if [ \"$x\" = docker ]; then ls; fi",
           "case $x in docker) ls;; esac",
           "cat <<E\ndocker system prune\nE",
           "echo docker system prune",
           "seq 3 > \"$out\"",
           "echo $((x * 2)) $?",
           "docker ps \"$name\"",
           "\"$HOME/bin/tool\" system prune",
           "x=\"docker system prune\"",
           "curl \"https://$host/x\"",
           "awk '{print $1}' f",
           "ls # $(",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) == DecisionCode::kAllowedByPolicy);
  }
  CHECK(machine.code({"bash", "-c", "[[ $x == docker && -n $y ]] && ls"}) == DecisionCode::kAllowedByPolicy);
  CHECK(machine.code({"bash", "-c", "a=($(ls)); echo \"${a[@]}\""}) == DecisionCode::kAllowedByPolicy);
  machine.rule({refusing("docker", {{"...", "system", "...", "prune", "..."}})});
  CHECK(machine.code_of_text("docker run \"$image\"") == DecisionCode::kAllowedByPolicy);
  CHECK(machine.code_of_text("git $x") == DecisionCode::kAllowedByPolicy);
  machine.rule({});
  CHECK(machine.code_of_text("$x") == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: a denied program is found where another one starts it") {
  RuledMachine machine;
  machine.rule(
      {refusing("rm", std::nullopt), refusing("docker", {{"...", "system", "...", "prune", "..."}})});
  for (const char* text : {
           "chronic rm x",
           "ifne rm x",
           "ip netns exec blue rm x",
           "systemd-inhibit --what=sleep rm x",
           "capsh -- -c 'rm x'",
           "sg staff -c 'rm x'",
           "tini -- rm x",
           "dumb-init rm x",
           "flatpak-spawn --host docker system prune",
           "catchsegv rm x",
           "setarch x86_64 rm x",
           "unshare -r docker system prune",
           "nsenter -t 1 rm x",
           "tar -cf a --to-command=rm x",
           "tar -xf a.tar --use-compress-program=rm",
           "tar -Irm -xf a.tar",
           "sort --compress-program=rm x",
           "less '+!rm' x",
           "less +:!rm x",
           "git -c alias.x=!rm x",
           "git -ccore.pager=rm log",
           "ssh -oProxyCommand=rm host",
           "rsync --rsh=rm a h:b",
           "vim '+!rm' x",
           "diff3 --diff-program=rm a b c",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) == DecisionCode::kRuleDeny);
  }
  for (const char* text : {
           "chronic ls x",
           "ip addr show",
           "capsh --print",
           "tini -- ls",
           "tar -cf a --exclude=rm x",
           "tar -xf a.tar --to-command=cat",
           "sort --output=rm.txt x",
           "less +G x",
           "git -c core.pager=cat log",
           "setarch x86_64 ls",
           "diff3 a b c",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) == DecisionCode::kAllowedByPolicy);
  }
}

TEST_CASE("rule search: an unknown word that is the value of an option is no word of a rule") {
  RuledMachine machine;
  machine.rule(starter_rules());
  for (const char* text : {
           "git commit -m \"$MSG\"",
           "git commit -am \"$MSG\"",
           "git -C \"$D\" status",
           "git -C \"$D\" commit -m \"$MSG\"",
           "git log --grep \"$X\"",
           "git tag -m \"$MSG\" v1",
           "docker --log-level \"$L\" ps",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) == DecisionCode::kAllowedByPolicy);
  }
  for (const char* text : {
           "git commit \"$MSG\" \"$X\" && git \"$X\" --hard",
           "git $X -m \"$MSG\"",             // the option could belong to something else
           "git -C \"$D\" \"$SUB\" --hard",  // the subcommand is not known
           "git -C \"$D\" push $WHERE",      // unquoted: it can be several words
           "git -C $D push",
           "docker run --network \"$N\" image",  // the rule is about this value
           "docker run --net \"$N\" image",
           "git push \"$X\"",
           "git reset \"$X\"",
       }) {
    CAPTURE(text);
    CHECK(machine.code_of_text(text) != DecisionCode::kAllowedByPolicy);
  }
  // A pattern that any word can fit is one for values, too.
  machine.rule(
      {refusing("curl", {{"...", "file:*", "..."}}), refusing("git", {{"...", "-m", "secret", "..."}})});
  CHECK(machine.code_of_text("curl --url \"$U\"") == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code_of_text("git commit -m \"$M\"") == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code_of_text("git commit -m \"$M\" -F x") == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code_of_text("git commit --author \"$M\" -m x") == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: the owner chooses what holds where a rule could not be excluded") {
  RuledMachine machine;
  const Json request = Machine::carried("docker system $x");
  machine.context.settings.rule_doubt = RuleEffect::kDeny;
  CHECK(machine.decide(request).decision.verdict == Verdict::kDeny);
  CHECK(machine.decide(request).decision.code == DecisionCode::kRuleNotExcluded);
  CHECK(prepare_run(request, machine.document, machine.context).payload["execPolicy"]["security"] == "deny");
  machine.context.settings.rule_doubt = RuleEffect::kAllow;
  CHECK(machine.decide(request).decision.code == DecisionCode::kAllowedByPolicy);
  // A rule that does apply is no doubt.
  CHECK(machine.code_of_text("docker system prune $x") == DecisionCode::kRuleDeny);
  machine.context.settings.rule_doubt = RuleEffect::kAsk;
  CHECK(prepare_run(request, machine.document, machine.context).payload["execPolicy"]["ask"] == "always");
  // A person's answer counts, as it does for a rule that asks.
  machine.context.answer = LocalAnswer::kGranted;
  machine.context.settings.rules = std::make_shared<const RuleSet>(
      std::vector<Rule>{refusing("docker", {{"...", "prune", "..."}}, RuleEffect::kAsk)});
  CHECK(machine.decide(Machine::carried("docker \"$x\"")).decision.code != DecisionCode::kRuleNotExcluded);
}

TEST_CASE("rule search: doubt makes a miss no looser") {
  RuledMachine machine;
  machine.policy("allowlist", "off");
  const RunEvaluation run = machine.text("docker system $x");
  CHECK(run.decision.verdict == Verdict::kDeny);
  CHECK(run.decision.code == DecisionCode::kNotAnalysable);
}

TEST_CASE(
    "rule search: a rule by path, by a link's file or with capital letters holds wherever the program "
    "stands") {
  RuledMachine machine;
  machine.files.add_file("/usr/bin/HEAD", "x", true);
  machine.files.add_symlink("/home/u/work/harmless", "/usr/bin/docker");
  machine.files.add_file("/opt/tools/Wipe", "x", true);
  machine.rule({refusing("/usr/bin/docker", {{"system", "prune"}}), refusing("HEAD", std::nullopt),
                refusing("/opt/**", {{"all"}})});
  const std::vector<Argv> denied = {{"docker", "system", "prune"},
                                    {"/bin/docker", "system", "prune"},
                                    {"./harmless", "system", "prune"},
                                    {"HEAD", "x"},
                                    {"/opt/tools/Wipe", "all"}};
  for (const Argv& command : denied) {
    const std::string text = command_text(command);
    CAPTURE(text);
    std::vector<Argv> dressed = {command};
    for (const Argv& before : {Argv{"nice"},
                               {"timeout", "5"},
                               {"sudo"},
                               {"xargs"},
                               {"env", "A=1"},
                               {"command"},
                               {"find", ".", "-exec"},
                               {"sh", "-c", "\"$@\"", "x"},
                               {"nice", "nice", "sudo", "env"}}) {
      Argv with = before;
      with.insert(with.end(), command.begin(), command.end());
      if (before.front() == "find") with.push_back(";");
      // xargs puts words behind, which this rule could not cover then.
      if (before.front() == "xargs") with = {"xargs", "-0", "sh", "-c", text};
      dressed.push_back(with);
    }
    for (const char* shape : {"", "echo $(", "if true; then ", "(", "true && "}) {
      const bool open = shape[0] == 'e' || shape[0] == '(';
      dressed.push_back({"bash", "-c", shape + text + (open ? ")" : shape[0] == 'i' ? "; fi" : "")});
    }
    for (const Argv& argv : dressed) {
      CAPTURE(Json(argv).dump());
      CHECK(machine.code(argv) == DecisionCode::kRuleDeny);
    }
  }
  CHECK(machine.code({"sudo", "head", "x"}) == DecisionCode::kAllowedByPolicy);
  CHECK(machine.code({"sudo", "./work/docker", "system", "prune"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: a rule about one of many names of a file holds however the file is called") {
  RuledMachine machine;
  machine.files.add_file("/usr/bin/allinone", "x", true);
  for (const char* name : {"stat", "tac", "wipe"})
    machine.files.add_symlink(std::string("/usr/bin/") + name, "allinone");
  machine.rule({refusing("wipe", std::nullopt)});
  CHECK(machine.code({"wipe", "x"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"allinone", "wipe", "x"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code_of_text("nice allinone wipe x") == DecisionCode::kRuleDeny);
  CHECK(machine.code({"stat", "wipe"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: a rule about a wrapper holds for it, wherever in a chain it stands") {
  RuledMachine machine;
  machine.rule({refusing("timeout", std::nullopt)});
  CHECK(machine.code({"timeout", "5", "id"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"nice", "timeout", "5", "id"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code_of_text("nice timeout 5 id") == DecisionCode::kRuleDeny);
  CHECK(machine.code({"nice", "id"}) == DecisionCode::kAllowedByPolicy);
}

TEST_CASE("rule search: on Windows text is searched as cmd.exe and PowerShell read it") {
  RuledMachine machine;
  for (const char* text : {"docker system prune", "doc^ker system prune", "cd x & docker system prune",
                           "\"docker\" system prune"})
    CHECK(machine.code({"cmd.exe", "/c", text}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"cmd.exe", "/c", "docker sys%x%tem prune"}) == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code({"powershell", "-Command", "& 'docker' system prune"}) == DecisionCode::kRuleDeny);
  CHECK(machine.code({"powershell", "-Command", "& $d system prune"}) == DecisionCode::kRuleNotExcluded);
  CHECK(machine.code({"cmd.exe", "/c", "echo %PATH%"}) == DecisionCode::kAllowedByPolicy);
}

}  // namespace
}  // namespace hostclaw::policy
