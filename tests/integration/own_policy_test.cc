// SPDX-License-Identifier: Apache-2.0
// No run lifts its own policy: what a command that came through the node gets when it turns hostclaw on
// itself, whatever it does to hide where it comes from. And what such a command may read.
#include <catch2/catch.hpp>
#include <sstream>

#include "approvals/database/sqlite.h"
#include "approvals/store/store.h"
#include "base/sha256.h"
#include "policy/decide/own_verbs.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string filled_in(std::string text, const std::string& what, const std::string& with) {
  if (const std::size_t at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
  return text;
}

// Everything may run, so that nothing but the guard stands in the way.
struct Attack {
  Scene scene;

  Attack() {
    scene.preset("yolo");
    scene.connect_host();
  }

  std::string tool() const {
    return "HOSTCLAW_STATE_DIR='" + scene.state_directory() + "' " + hostclaw_program();
  }
  // A script is not looked into by the decision, so that the command line itself has to refuse.
  Json run_script(const std::string& text, const Json& extra = Json::object()) {
    const std::string path = scene.directory.path() + "/script";
    write_file(path, text);
    return scene.run({"/bin/sh", path}, extra);
  }
  std::string security() {
    const Finished shown = scene.hostclaw({"exec-policy", "show", "--json"});
    REQUIRE(shown.status == 0);
    return string_at(Json::parse(shown.standard_output)["effective"], "security");
  }
  std::vector<Json> attempts() {
    const Finished shown = scene.hostclaw({"audit", "tail", "--kind", "attempt", "--json"});
    REQUIRE(shown.status == 0);
    std::vector<Json> rows;
    std::istringstream lines(shown.standard_output);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) rows.push_back(Json::parse(line));
    }
    return rows;
  }
};

std::vector<std::string> ids_of(const Json& answer) {
  std::vector<std::string> ids;
  INFO(answer.dump());
  REQUIRE(answer.contains("stdout"));
  const Json shown = Json::parse(string_at(answer, "stdout"));
  REQUIRE(shown.contains("runs"));
  for (const Json& run : shown["runs"]) ids.push_back(string_at(run, "runId"));
  return ids;
}

}  // namespace

TEST_CASE("a run that names hostclaw is refused by the decision, and its attempt is in runs and record") {
  Attack attack;
  const std::string tool = hostclaw_program();
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {tool, "exec-policy", "preset", "deny-all"},
           {"env", "-i", tool, "exec-policy", "preset", "deny-all"},
           {"/bin/sh", "-c", "exec " + tool + " exec-policy preset deny-all >/dev/null"},
           {"setsid", "nohup", tool, "exec-policy", "preset", "deny-all"}}) {
    const Json denial = node_error(attack.scene.run(command));
    CHECK(denial["code"] == "SYSTEM_RUN_DENIED");
    CHECK(says(string_at(denial, "message"), "a run does not change the policy of its own node"));
  }
  const Json asked = attack.scene.exec(tool + " exec-policy preset deny-all");
  INFO(asked.dump());
  CHECK(says(asked.dump(), "a run does not change the policy of its own node"));
  const Finished prepared =
      attack.scene.hostclaw({"audit", "tail", "--kind", "decision", "--limit", "1", "--json"});
  CHECK(says(prepared.standard_output, "SELF_POLICY"));
  CHECK(says(prepared.standard_output, "prepare"));
  CHECK(attack.security() == "full");
  const Finished runs = attack.scene.hostclaw({"runs", "--json"});
  CHECK(says(runs.standard_output, "SELF_POLICY"));
  const Finished record = attack.scene.hostclaw({"audit", "tail", "--kind", "decision", "--json"});
  CHECK(says(record.standard_output, "SELF_POLICY"));
}

TEST_CASE("a node is one, whatever options of the program stand in front of its verb") {
  Attack attack;
  attack.scene.stop_host();
  const std::size_t from = attack.scene.mark();
  Environment environment = attack.scene.environment();
  environment["OPENCLAW_GATEWAY_TOKEN"] = kSharedToken;
  const std::string port = std::to_string(attack.scene.gateway->port());
  attack.scene.host =
      std::make_unique<HostProcess>(hostclaw_program(),
                                    std::vector<std::string>{"--utc", "--color", "never", "node", "run",
                                                             "--host", "127.0.0.1", "--port", port},
                                    environment);
  attack.scene.await("connected", {}, from);
  const Json tried = attack.run_script("exec env -i " + attack.tool() + " exec-policy preset deny-all\n");
  INFO(tried.dump());
  CHECK(says(tried.dump(), "SELF_POLICY"));
  CHECK(attack.security() == "full");
}

TEST_CASE("a listed hostclaw reads for an agent, and changes nothing even when its command was approved") {
  Scene scene;
  const Finished added =
      scene.hostclaw({"approvals", "allowlist", "add", hostclaw_program(), "--agent", "*"});
  REQUIRE(added.status == 0);
  CHECK(says(added.standard_error, "hostclaw itself is listed"));
  CHECK(says(scene.hostclaw({"policy", "lint"}).standard_output, "SELF_LISTED"));
  scene.connect_host();
  const Json read = scene.run({hostclaw_program(), "exec-policy", "show", "--json"});
  CHECK(pick(read, "/exitCode") == 0);
  CHECK(says(node_error(scene.run({hostclaw_program(), "exec-policy", "preset", "yolo"}))["message"].dump(),
             "own node"));
  CHECK(says(node_error(scene.run({hostclaw_program(), "exec-policy", "preset", "yolo"},
                                  {{"approved", true}, {"approvalDecision", "allow-always"}}))
                 .dump(),
             "SYSTEM_RUN_DENIED"));
  const Finished shown = scene.hostclaw({"exec-policy", "show"});
  CHECK(says(shown.standard_output, "security=allowlist"));
}

TEST_CASE("a script of a run is refused by the command line, however it is started") {
  Attack attack;
  const auto [how, form] = GENERATE(table<std::string, std::string>({
      {"direct", "@ORDER@"},
      {"sh -c", "sh -c \"@ORDER@\""},
      {"exec", "exec env @ORDER@"},
      {"setsid", "setsid -w env @ORDER@"},
      {"nohup", "nohup env @ORDER@ 2>&1"},
      {"env -i", "exec env -i @ORDER@"},
      {"setsid and env -i", "setsid -w env -i @ORDER@"},
      {"a copy of the program",
       "cp @PROGRAM@ ./copy && HOSTCLAW_STATE_DIR='@STATE@' exec ./copy exec-policy preset deny-all"},
      {"a link to the state",
       "ln -s '@STATE@' other && HOSTCLAW_STATE_DIR=$PWD/other exec @PROGRAM@ exec-policy preset deny-all"},
  }));
  std::string script = filled_in(form, "@ORDER@", attack.tool() + " exec-policy preset deny-all");
  script = filled_in(filled_in(script, "@PROGRAM@", hostclaw_program()), "@STATE@",
                     attack.scene.state_directory());
  INFO(how);
  const Json answer = attack.run_script("cd '" + attack.scene.directory.path() + "'\n" + script + "\n",
                                        {{"runId", "the-run"}});
  INFO(answer.dump());
  CHECK(pick(answer, "/exitCode") == 1);
  CHECK(says(answer.dump(), "SELF_POLICY"));
  CHECK(attack.security() == "full");
  const std::vector<Json> rows = attack.attempts();
  REQUIRE(rows.size() == 1);
  CHECK(pick(rows[0], "/body/verb") == "exec-policy preset");
  CHECK(pick(rows[0], "/body/run") == "the-run");
  CHECK(pick(rows[0], "/body/agent") == "main");
  CHECK(says(pick(rows[0], "/body/who").get<std::string>(), "run the-run, uid "));
  CHECK(attack.scene.hostclaw({"audit", "verify"}).status == 0);
}

TEST_CASE("neither a user namespace nor a PID namespace hides where a command comes from") {
  Attack attack;
  const std::string order = attack.tool() + " exec-policy preset deny-all";
  const std::string way = GENERATE("unshare -Ur", "unshare -Ur -pf", "unshare -Ur -pf --mount-proc");
  if (std::system((way + " true 2>/dev/null").c_str()) != 0) {
    WARN("SKIPPED: namespaces may not be made here: " + way);
    return;
  }
  const Json answer = attack.run_script("exec " + way + " env -i " + order + "\n");
  INFO(way << "\n" << answer.dump());
  CHECK(pick(answer, "/exitCode") == 1);
  CHECK(says(answer.dump(), "SELF_POLICY"));
  CHECK(attack.security() == "full");
}

TEST_CASE(
    "from a PID namespace in which the node is not to be seen, its owner reads, and is told where to type") {
  if (std::system("unshare -Ur -pf --mount-proc true 2>/dev/null") != 0) {
    WARN("SKIPPED: namespaces may not be made here");
    return;
  }
  Attack attack;
  const auto type = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"-Ur", "-pf", "--mount-proc", hostclaw_program()});
    HostProcess process("/usr/bin/unshare", words, attack.scene.environment());
    const std::optional<Finished> finished = process.wait_exit(kPatience);
    REQUIRE(finished.has_value());
    return *finished;
  };
  CHECK(type({"exec-policy", "show"}).status == 0);
  const Finished refused = type({"exec-policy", "preset", "deny-all"});
  CHECK(refused.status == 1);
  CHECK(says(refused.standard_error, "PID namespace"));
  // A second node hears of the first one's lock.
  const Finished second = type({"node", "run", "--host", "127.0.0.1", "--port", "1"});
  CHECK(says(second.standard_error, "ALREADY_RUNNING"));
  attack.scene.stop_host();
  CHECK(type({"exec-policy", "preset", "deny-all"}).status == 0);
}

TEST_CASE("an orphan of a run that has ended is refused still, without mark, session and parent") {
  Attack attack;
  Fifo done(attack.scene.directory.path() + "/done");
  const std::string out = attack.scene.directory.path() + "/out";
  // Two forks, a session of its own, an empty environment; it goes on when the run's own process is gone.
  const Json answer = attack.run_script(
      "leader=$$\n"
      "(setsid env -i PATH=/usr/bin:/bin sh -c 'while kill -0 '$leader'; do sleep 0.01; done; " +
      attack.tool() + " exec-policy preset deny-all >" + out + " 2>&1; echo x >" + done.path() +
      "' >/dev/null 2>&1 </dev/null &)\n"
      "exit 0\n");
  CHECK(pick(answer, "/exitCode") == 0);
  REQUIRE(done.wait_opened(kPatience));
  CHECK(says(read_file(out), "SELF_POLICY"));
  CHECK(attack.security() == "full");
  REQUIRE(attack.attempts().size() == 1);
  CHECK_FALSE(attack.attempts()[0]["body"].contains("run"));
}

TEST_CASE("every verb that is not for runs is refused to one before it does anything") {
  Attack attack;
  const std::string tool = attack.tool();
  const auto [verb, code] = GENERATE(table<std::string, std::string>({
      {"approvals set --stdin", "SELF_POLICY"},
      {"approvals allowlist add /bin/ls", "SELF_POLICY"},
      {"approvals resolve 1 allow-once", "SELF_POLICY"},
      {"approvals grants revoke 1", "SELF_POLICY"},
      {"exec-approvals set --stdin", "SELF_POLICY"},
      {"policy starter on", "SELF_POLICY"},
      {"policy remove x", "SELF_POLICY"},
      {"audit prune --keep-rows 1", "SELF_POLICY"},
      {"audit checkpoint", "SELF_POLICY"},
      {"node run --host 127.0.0.1 --port 1", "SELF_POLICY"},
      {"node uninstall", "SELF_POLICY"},
      {"import --from /nowhere", "SELF_POLICY"},
      {"audit tail", "SELF_PRIVATE"},
      {"audit export", "SELF_PRIVATE"},
      {"approvals pending", "SELF_PRIVATE"},
      {"logs", "SELF_PRIVATE"},
      {"bugreport --offline", "SELF_PRIVATE"},
  }));
  INFO(verb);
  const Json answer = attack.run_script(tool + " " + verb + " --json\n" + tool + " " + verb + "\n");
  CHECK(says(answer.dump(), code));
  CHECK(pick(answer, "/exitCode") == 1);
  CHECK(attack.security() == "full");
}

TEST_CASE("a run reads what belongs to nobody, and of runs its own agent's in its own session") {
  Attack attack;
  Scene& scene = attack.scene;
  const std::string tool = hostclaw_program();
  scene.run({"/bin/true"}, {{"runId", "mine"}, {"sessionKey", "agent:main:a"}});
  scene.run({"/bin/true"}, {{"runId", "other-session"}, {"sessionKey", "agent:main:b"}});
  scene.run({"/bin/true"}, {{"runId", "other-agent"}, {"agentId", "other"}, {"sessionKey", "agent:main:a"}});
  const Json own{{"sessionKey", "agent:main:a"}, {"runId", "reader"}};

  CHECK(ids_of(scene.run({tool, "runs", "--json"}, own)) == std::vector<std::string>{"reader", "mine"});
  CHECK(ids_of(scene.run({tool, "runs", "--agent", "other", "--json"}, own)).empty());
  const std::string status = scene.run({tool, "status", "--json"}, own).dump();
  CHECK(says(status, "reader"));
  CHECK_FALSE(says(status, "other-"));
  CHECK(pick(scene.run({tool, "runs", "show", "mine"}, own), "/exitCode") == 0);
  CHECK(says(scene.run({tool, "runs", "show", "other-session"}, own).dump(), "NOT_FOUND"));
  CHECK(says(scene.run({tool, "runs", "show", "other-agent"}, own).dump(), "NOT_FOUND"));
  // By one of its programs, below a shell of it, and from a background process of a pipeline.
  CHECK(ids_of(scene.run({"/bin/sh", "-c", tool + " runs --limit 1 --json | cat"}, own)).size() == 1);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"approvals", "get"},
                                             {"policy", "check", "--", "id"},
                                             {"audit", "verify"},
                                             {"policy", "explain", "SELF_POLICY"}}) {
    std::vector<std::string> command{tool};
    command.insert(command.end(), words.begin(), words.end());
    INFO(words.back());
    CHECK(pick(scene.run(command, own), "/exitCode") == 0);
  }
  CHECK(attack.attempts().empty());
}

TEST_CASE("a run without a session is shown itself alone, and one that cannot be told nothing") {
  Attack attack;
  attack.scene.run({"/bin/true"}, {{"runId", "before"}, {"sessionKey", nullptr}});
  const Json alone =
      attack.scene.run({hostclaw_program(), "runs", "--json"}, {{"runId", "alone"}, {"sessionKey", nullptr}});
  CHECK(ids_of(alone) == std::vector<std::string>{"alone"});
  const Json orphan =
      attack.run_script("setsid -w " + hostclaw_program() + " runs\nsetsid -w sh -c 'env - HOSTCLAW_RUN=x " +
                        attack.tool() + " runs --json & wait'\n");
  INFO(orphan.dump());
  // Still below the run's own process, so it can be told.
  CHECK(pick(orphan, "/exitCode") == 0);
  Fifo done(attack.scene.directory.path() + "/done");
  const std::string out = attack.scene.directory.path() + "/out";
  attack.run_script("(setsid sh -c 'while kill -0 '$$'; do sleep 0.01; done; " + attack.tool() + " runs >" +
                    out + " 2>&1; echo x >" + done.path() + "' >/dev/null 2>&1 </dev/null &)\n");
  REQUIRE(done.wait_opened(kPatience));
  CHECK(says(read_file(out), "RUN_UNKNOWN"));
}

TEST_CASE("an attempt is refused when it cannot be recorded, and says so") {
  Attack attack;
  const std::string go = attack.scene.directory.path() + "/go";
  const std::string out = attack.scene.directory.path() + "/out";
  Fifo started(attack.scene.directory.path() + "/started");
  Fifo done(attack.scene.directory.path() + "/done");
  write_file(attack.scene.directory.path() + "/script",
             "echo x >" + started.path() + "\nuntil [ -e " + go + " ]; do sleep 0.01; done\n" +
                 attack.tool() + " exec-policy preset deny-all >" + out + " 2>&1\necho $? >>" + out +
                 "\necho x >" + done.path() + "\n");
  auto answer = attack.scene.invoke_async(
      "system.run",
      {{"command", {"/bin/sh", attack.scene.directory.path() + "/script"}}, {"agentId", "main"}});
  REQUIRE(started.wait_opened(kPatience));
  auto store = approvals::Store::open(attack.scene.state_directory(), approvals::OpenMode::kReadWrite);
  REQUIRE(store.has_value());
  // Nobody else can write until the body is over.
  (void)(*store)->transaction([&]() -> Result<void> {
    write_file(go, "");
    CHECK(done.wait_opened(kPatience));
    return make_error("TEST", "nothing is kept");
  });
  INFO(read_file(out));
  CHECK(says(read_file(out), "SELF_POLICY"));
  CHECK(says(read_file(out), "The attempt could not be recorded (STORE_LOCKED"));
  CHECK(read_file(out).ends_with("\n1\n"));
  REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
  CHECK(attack.security() == "full");
}

// What docs/guide.md lists as a limit is true.
TEST_CASE(
    "whoever may write the database changes the policy without hostclaw, and the record does not show it") {
  Attack attack;
  // As any program of the same user could.
  auto store = approvals::Store::open(attack.scene.state_directory(), approvals::OpenMode::kReadWrite);
  REQUIRE(store.has_value());
  std::string text = (*store)->document()->raw_text;
  while (says(text, "\"full\"")) text = filled_in(text, "\"full\"", "\"deny\"");
  const auto written =
      (*store)
          ->database()
          .statement("UPDATE policy_document SET raw_text = ?, hash = ?, generation = generation + 1")
          .bind(text)
          .bind(sha256_hex(text))
          .run();
  REQUIRE(written.has_value());
  CHECK(attack.security() == "deny");
  CHECK(attack.scene.hostclaw({"audit", "verify"}).status == 0);
  CHECK(attack.attempts().empty());
  // What it left can be seen as long as nobody has covered it up.
  const Finished examined = attack.scene.hostclaw({"doctor", "--only", "document", "--json"});
  CHECK(says(examined.standard_output, "DOCUMENT_UNRECORDED"));
  attack.scene.preset("yolo");
  CHECK(says(attack.scene.hostclaw({"doctor", "--only", "document", "--json"}).standard_output,
             "DOCUMENT_READABLE"));
}

TEST_CASE("every verb declares what it is to a run, and no declared verb is missing") {
  Scene scene;
  const Finished listed = scene.hostclaw({"generate", "verbs"});
  REQUIRE(listed.status == 0);
  std::map<std::string, std::string> verbs;
  std::istringstream lines(listed.standard_output);
  for (std::string line; std::getline(lines, line);)
    verbs[line.substr(0, line.find('\t'))] = line.substr(line.find('\t') + 1);
  std::map<std::string, std::string> declared;
  for (const policy::OwnVerb& verb : policy::own_verbs()) {
    // Of Windows' program alone.
    if (!verb.words.starts_with("service ")) declared[std::string(verb.words)] = policy::to_string(verb.use);
  }
  for (const auto& [words, use] : verbs) {
    INFO(words);
    CHECK(declared[words] == use);
  }
  CHECK(verbs == declared);
  const std::string guide = read_file(std::string(HOSTCLAW_SOURCE_DIR) + "/docs/guide.md");
  for (const auto& [words, use] : declared) {
    INFO(words);
    if (words != "generate") CHECK(says(guide, "`" + words + "`"));
  }
}

TEST_CASE("beside a running node its owner's commands are nobody's run") {
  Attack attack;
  CHECK(attack.scene.hostclaw({"exec-policy", "preset", "cautious"}).status == 0);
  CHECK(attack.scene.hostclaw({"runs"}).status == 0);
  CHECK(attack.security() == "allowlist");
  CHECK(attack.attempts().empty());
}

}  // namespace hostclaw::integration
