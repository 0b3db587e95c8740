// SPDX-License-Identifier: Apache-2.0
// The commands: which, run, prepare, approvals, the exec tool's way, results, cancel and loss.
// Source: exec contract sections 3, 11 to 15; transport contract sections 5, 6 and 11.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "base/sha256.h"
#include "tests/devgateway/exec_tool.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

// The members of the official result; a host may add its own.
Json official(const Json& result) {
  Json out = Json::object();
  for (const char* name : {"exitCode", "timedOut", "success", "stdout", "stderr", "error"}) {
    if (result.contains(name)) out[name] = result[name];
  }
  return out;
}

std::string invoke_id_of(Scene& scene, const std::string& command) {
  return string_at(scene.await("invoke", with("command", command)), "invokeId");
}

Json full_settings_plan(const Json& outcome) { return pick(outcome, "/prepare/plan"); }

}  // namespace

TEST_CASE("system.which finds programs in PATH and leaves misses out") {
  Scene scene;
  scene.connect_host();
  const Json bins =
      scene.invoke("system.which", {{"bins", Json::array({" sh ", "no-such-program", "/bin/sh", 7, ""})}})
          .payload["payload"]["bins"];
  REQUIRE(bins.size() == 1);
  CHECK(string_at(bins, "sh").ends_with("/sh"));
  const Reply bad = scene.invoke("system.which", Json::object());
  CHECK(node_error(bad)["message"] == "Error: INVALID_REQUEST: bins required");
}

TEST_CASE("a listed argv runs and its result is exact") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  const Json result = scene.run({"printf", "a\\nb"});
  CHECK(official(result) == Json{{"exitCode", 0},
                                 {"timedOut", false},
                                 {"success", true},
                                 {"stdout", "a\nb"},
                                 {"stderr", ""},
                                 {"error", nullptr}});
}

TEST_CASE("a rule refuses a listed command with its note and its name, at run and at prepare") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  REQUIRE(scene
              .hostclaw({"policy", "add", "deny", "printf", "--arguments", "... secret", "--note",
                         "not this word", "--match", "printf secret", "--not-match", "printf a", "--id",
                         "no-secret"})
              .status == 0);
  scene.connect_host();
  CHECK(official(scene.run({"printf", "a"}))["stdout"] == "a");
  const Json denial = node_error(scene.run({"printf", "secret"}));
  CHECK(denial["code"] == "SYSTEM_RUN_DENIED");
  CHECK(string_at(denial, "message").find("not this word") != std::string::npos);
  CHECK(string_at(denial, "message").find("no-secret") != std::string::npos);
  const Json outcome = scene.exec("printf secret");
  // The reason reaches the agent already where the gateway asks for a plan.
  INFO(outcome.dump());
  CHECK(dump_json(outcome).find("not this word") != std::string::npos);
  CHECK(dump_json(outcome).find("SYSTEM_RUN_DENIED") != std::string::npos);
  CHECK(scene.gateway->journal()
            .all("invoke", [](const Json& record) { return record["command"] == "system.run"; })
            .size() == 2);
  // Effective for the next command, while the node runs.
  REQUIRE(scene.hostclaw({"policy", "remove", "no-secret"}).status == 0);
  CHECK(official(scene.run({"printf", "secret"}))["stdout"] == "secret");
}

TEST_CASE("a node that only observes runs what it would have refused, and counts it") {
  Scene scene;
  REQUIRE(scene.hostclaw({"exec-policy", "set", "--mode", "observe"}).status == 0);
  scene.connect_host();
  for (int i = 0; i < 2; ++i) CHECK(official(scene.run({"printf", "a"}))["stdout"] == "a");
  CHECK(pick(scene.exec("printf a$(printf b)"), "/run/stdout") == "ab");
  const Finished read = scene.hostclaw({"policy", "observed", "--json"});
  REQUIRE(read.status == 0);
  const Json seen = Json::parse(read.standard_output);
  CHECK(pick(seen, "/total/ask").get<int>() >= 1);
  CHECK(pick(seen, "/agents/main/ask").get<int>() >= 1);
  CHECK(pick(seen, "/observed/0/code") == "ALLOWLIST_MISS");
  REQUIRE(scene.hostclaw({"exec-policy", "set", "--mode", "enforce"}).status == 0);
  CHECK(node_error(scene.run({"printf", "a"}))["code"] == "SYSTEM_RUN_DENIED");
}

TEST_CASE("an unlisted argv is denied with the code that agents treat as final, and an event") {
  Scene scene;
  scene.connect_host();
  const Json answer = scene.run({"uname", "-s"}, {{"runId", "run-1"}});
  const Json denial = node_error(answer);
  CHECK(denial["code"] == "SYSTEM_RUN_DENIED");
  CHECK(string_at(denial, "message").starts_with("SYSTEM_RUN_DENIED: "));
  const Json event = scene.await("event", with("event", "exec.denied"));
  CHECK(pick(event, "/payload/runId") == "run-1");
  CHECK(pick(event, "/payload/sessionKey") == "agent:main:test");
  CHECK(pick(event, "/payload/host") == "node");
  CHECK(pick(event, "/reply") == Json{{"ok", true}});
}

TEST_CASE("exit codes, signals and stderr reach the caller") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  CHECK(official(scene.run({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"})) == Json{{"exitCode", 3},
                                                                                         {"timedOut", false},
                                                                                         {"success", false},
                                                                                         {"stdout", "out\n"},
                                                                                         {"stderr", "err\n"},
                                                                                         {"error", nullptr}});
  const Json killed = scene.run({"/bin/sh", "-c", "kill -9 $$"});
  CHECK_FALSE(killed.contains("exitCode"));
  CHECK(pick(killed, "/success") == false);
}

TEST_CASE("a run that does not end in time is ended with its whole tree") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo fifo(scene.directory.path() + "/held");
  const std::string script = "exec 3>'" + fifo.path() + "'; echo x >&3; setsid sleep 600 & sleep 600";
  const Json result = scene.run({"/bin/sh", "-c", script}, {{"timeoutMs", 1000}});
  CHECK(pick(result, "/timedOut") == true);
  CHECK(pick(result, "/exitCode") == 124);
  CHECK(fifo.wait_opened(kPatience));
  CHECK(fifo.wait_closed(kPatience));
}

TEST_CASE("a cancelled run ends with its whole tree, and neither result nor event is sent") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo fifo(scene.directory.path() + "/held");
  const std::string script = "exec 3>'" + fifo.path() + "'; echo x >&3; setsid sleep 600 & sleep 600";
  auto answer = scene.invoke_async("system.run",
                                   {{"command", Json::array({"/bin/sh", "-c", script})}, {"runId", "run-1"}},
                                   {{"timeoutMs", 0}});
  REQUIRE(fifo.wait_opened(kPatience));
  const std::string invoke_id = invoke_id_of(scene, "system.run");
  scene.gateway->call("dev.cancel", {{"invokeId", invoke_id}});
  CHECK(answer.get().error["code"] == "ABORTED");
  CHECK(fifo.wait_closed(kPatience));
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  CHECK(scene.gateway->journal().all("result", with("invokeId", invoke_id)).empty());
  CHECK(scene.gateway->journal().all("event", with("event", "exec.finished")).empty());
}

TEST_CASE("an exhausted budget ends the run on protocol 4") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo fifo(scene.directory.path() + "/held");
  const std::string script = "exec 3>'" + fifo.path() + "'; echo x >&3; sleep 600";
  const Reply reply = scene.invoke("system.run", {{"command", Json::array({"/bin/sh", "-c", script})}},
                                   {{"timeoutMs", 1500}});
  CHECK(pick(reply.error, "/code") == "TIMEOUT");
  CHECK(fifo.wait_closed(kPatience));
}

TEST_CASE("exec.finished precedes the result, with the request's runId and sessionKey") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  scene.run({"/usr/bin/printf", "hello"}, {{"runId", "run-7"}, {"sessionKey", "agent:main:seven"}});
  const Json event = scene.await("event", with("event", "exec.finished"));
  const Json result = scene.await("result", with("command", "system.run"));
  CHECK(pick(event, "/index").get<int>() < pick(result, "/index").get<int>());
  CHECK(pick(event, "/payload") == Json{{"sessionKey", "agent:main:seven"},
                                        {"runId", "run-7"},
                                        {"host", "node"},
                                        {"command", "/usr/bin/printf hello"},
                                        {"exitCode", 0},
                                        {"timedOut", false},
                                        {"success", true},
                                        {"output", "hello"},
                                        {"suppressNotifyOnExit", false}});
  CHECK(pick(event, "/reply") == Json{{"ok", true}});
}

TEST_CASE("a result is sent again on a retryable error and not on another") {
  Scene scene;
  scene.connect_host();
  SECTION("retryable") {
    scene.gateway->call("dev.fault", {{"kind", "refuse-results"}, {"count", 4}});
    CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
    CHECK(scene.gateway->journal().all("result").size() == 5);
  }
  SECTION("INVALID_REQUEST") {
    scene.gateway->call("dev.fault", {{"kind", "refuse-results"},
                                      {"count", 50},
                                      {"error", {{"code", "INVALID_REQUEST"}, {"message", "no"}}}});
    CHECK(
        scene.invoke("system.which", {{"bins", Json::array({"sh"})}}, {{"timeoutMs", 2500}}).error["code"] ==
        "TIMEOUT");
    CHECK(scene.gateway->journal().all("result").size() == 1);
  }
}

TEST_CASE("exec.finished is sent again on a retryable error until the gateway takes it") {
  Scene scene;
  scene.allow(real("/usr/bin/true"));
  scene.connect_host();
  scene.await("event", with("event", "node.host.stats"));
  scene.gateway->call("dev.fault", {{"kind", "refuse-events"}, {"count", 2}});
  CHECK(pick(scene.run({"/usr/bin/true"}), "/exitCode") == 0);
  CHECK(scene.await("event", with("event", "exec.finished"))["reply"] == Json{{"ok", true}});
}

TEST_CASE("a run whose result reached the gateway is marked as delivered") {
  Scene scene;
  scene.allow(real("/usr/bin/printf"));
  scene.connect_host();
  scene.run({"printf", "abc"});
  // It is marked a moment after it arrived; until then nothing is said against it.
  CHECK(scene.hostclaw({"runs"}).standard_output.find("not delivered") == std::string::npos);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool delivered = false;
  while (!delivered && std::chrono::steady_clock::now() < deadline) {
    const Finished runs = scene.hostclaw({"runs", "--json"});
    REQUIRE(runs.status == 0);
    delivered = pick(Json::parse(runs.standard_output), "/runs/0/delivered") == true;
  }
  CHECK(delivered);
}

TEST_CASE("a run that outlives the connection is finished and recorded, and nothing is replayed") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo fifo(scene.directory.path() + "/held");
  const std::string marker = scene.directory.path() + "/go";
  const std::string script =
      "exec 3>'" + fifo.path() + "'; echo x >&3; until [ -e '" + marker + "' ]; do sleep 0.05; done";
  auto answer = scene.invoke_async("system.run",
                                   {{"command", Json::array({"/bin/sh", "-c", script})}, {"runId", "run-9"}},
                                   {{"timeoutMs", 0}});
  REQUIRE(fifo.wait_opened(kPatience));
  const std::string invoke_id = invoke_id_of(scene, "system.run");
  const std::size_t from = scene.mark();
  scene.fault({{"kind", "drop"}});
  CHECK(answer.get().error["code"] == "DISCONNECTED");
  scene.await("connected", {}, from);
  write_file(marker, "");
  CHECK(fifo.wait_closed(kPatience));
  CHECK(scene.host->wait_line("hostclaw runs show run-9", kPatience));
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  CHECK(scene.gateway->journal().all("result", with("invokeId", invoke_id)).empty());
  CHECK(scene.gateway->journal().all("event", with("event", "exec.finished")).empty());
  scene.stop_host();
  const Json runs = *parse_json(scene.hostclaw({"runs", "--json"}).standard_output);
  REQUIRE(pick(runs, "/runs").size() == 1);
  CHECK(pick(runs, "/runs/0/runId") == "run-9");
  CHECK(pick(runs, "/runs/0/exitCode") == 0);
}

TEST_CASE("output is capped, counted and shown where it was cut") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const Json result = scene.run({"/bin/sh", "-c", "head -c 1048576 /dev/zero | tr '\\0' x"});
  const std::string out = string_at(result, "stdout");
  CHECK(pick(result, "/exitCode") == 0);
  CHECK(out.starts_with(std::string(200'000, 'x')));
  CHECK(out.size() < 201'000);
  CHECK(out.find("truncated") != std::string::npos);
}

TEST_CASE("bytes that are not UTF-8 are shown as the replacement character") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const Json result = scene.run({"/bin/sh", "-c", "printf 'a\\377b'"});
  CHECK(pick(result, "/stdout") ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("a result over the gateway's limit is replaced by an error instead of being sent") {
  GatewaySettings settings = approving_settings();
  settings.max_payload = 100'000;
  Scene scene(settings);
  scene.preset("yolo");
  scene.connect_host();
  const Json answer = scene.run({"/bin/sh", "-c", "head -c 150000 /dev/zero | tr '\\0' x"});
  CHECK(pick(answer, "/error/code") == "UNAVAILABLE");
  CHECK(scene.gateway->journal().all("closed").empty());
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
}

TEST_CASE("a result of twenty megabytes is delivered") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  // prepare answers the argument twice: as argv and as text.
  const Reply reply = scene.invoke("system.run.prepare",
                                   {{"command", Json::array({"/bin/echo", std::string(10'000'000, 'x')})},
                                    {"security", "full"},
                                    {"ask", "off"}},
                                   {{"timeoutMs", 55'000}});
  INFO(dump_json(reply.error));
  REQUIRE(reply.ok);
  const std::size_t frame =
      scene.await("frame", [](const Json& record) { return record["size"] > 1'000'000; })["size"]
          .get<std::size_t>();
  CHECK(frame > 20'000'000);
  CHECK(scene.gateway->journal().all("closed").empty());
}

TEST_CASE("the child sees a closed standard input, no descriptor of the host, and the host's marker") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const Json result =
      scene.run({"/bin/sh", "-c", "cat; ls /proc/self/fd | tr '\\n' ' '; printf %s \"$OPENCLAW_CLI\""});
  // 3 is ls reading the directory itself.
  CHECK(pick(result, "/stdout") == "0 1 2 3 1");
}

TEST_CASE("the request's environment is filtered by permission and the host's secrets stay with the host") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const Json result = scene.run({"/bin/sh", "-c", "printf '%s|%s' \"$LANG\" \"$OPENCLAW_GATEWAY_TOKEN\""},
                                {{"env", {{"LANG", "C"}}}});
  CHECK(pick(result, "/stdout") == "C|");
  const Json refused = scene.run({"/bin/true"}, {{"env", {{"LD_PRELOAD", "/tmp/x.so"}}}});
  CHECK(node_error(refused)["code"] == "INVALID_REQUEST");
}

TEST_CASE("runs beyond the limit wait in order and all end well") {
  Scene scene;
  scene.allow(real("/usr/bin/true"));
  scene.connect_host();
  std::vector<std::future<Reply>> answers;
  for (int i = 0; i < 100; ++i) {
    answers.push_back(
        scene.invoke_async("system.run", {{"command", Json::array({"/usr/bin/true"})}, {"agentId", "main"}}));
  }
  int good = 0;
  for (std::future<Reply>& answer : answers) good += answer.get().ok ? 1 : 0;
  CHECK(good == 100);
}

TEST_CASE("a listed command line runs unprompted in an agent's exec call under both caller policies") {
  const auto [security, ask] = GENERATE(std::pair<const char*, const char*>{"full", "off"},
                                        std::pair<const char*, const char*>{"allowlist", "on-miss"});
  const int protocol = GENERATE(4, 3);
  Scene scene(approving_settings(protocol));
  scene.allow(real("/usr/bin/uname"));
  scene.allow("printf");
  scene.allow(real("/usr/bin/wc"));
  scene.connect_host();
  const Json caller = {{"callerSecurity", security}, {"callerAsk", ask}};
  const auto [text, output] = GENERATE(table<std::string, std::string>({
      {"uname -s", "Linux\n"},
      {"uname -s && printf ok", "Linux\nok"},
      {"printf 'a b\\n' | wc -w", "2\n"},
      {"uname -s; printf done", "Linux\ndone"},
      {"printf first || uname -s", "first"},
      {"! uname -s || printf inverted", "Linux\ninverted"},
  }));
  INFO(text << " with " << security << "/" << ask << " on protocol " << protocol);
  const Json outcome = scene.exec(text, caller);
  INFO(outcome.dump());
  CHECK(pick(outcome, "/outcome") == "completed");
  CHECK(pick(outcome, "/asked") == false);
  CHECK(pick(outcome, "/run/stdout") == output);
}

TEST_CASE("a command listed by its arguments runs for these arguments only") {
  Scene scene;
  const Finished added = scene.hostclaw(
      {"approvals", "allowlist", "add", real("/usr/bin/uname"), "--agent", "*", "--arg-pattern", "^-s$"});
  REQUIRE(added.status == 0);
  scene.connect_host();
  CHECK(pick(scene.exec("uname -s"), "/outcome") == "completed");
  CHECK(pick(scene.exec("uname -a", {{"interactive", false}}), "/outcome") != "completed");
}

TEST_CASE("an unlisted command is asked about exactly once, and the answer decides") {
  Scene scene;
  scene.connect_host();
  auto answer = scene.exec_async("uname -s");
  const Json asked = scene.await("approval", with("status", "requested"));
  CHECK(string_at(pick(asked, "/request"), "command").find("uname -s") != std::string::npos);
  SECTION("yes") {
    scene.gateway->call("exec.approval.resolve",
                        {{"id", pick(asked, "/approvalId")}, {"decision", "allow-once"}});
    const Json outcome = answer.get().payload;
    INFO(outcome.dump());
    CHECK(pick(outcome, "/outcome") == "completed");
    CHECK(pick(outcome, "/run/stdout") == "Linux\n");
  }
  SECTION("no") {
    scene.gateway->call("exec.approval.resolve", {{"id", pick(asked, "/approvalId")}, {"decision", "deny"}});
    CHECK(pick(answer.get().payload, "/outcome") == "denied");
  }
  CHECK(scene.gateway->journal().all("approval", with("status", "requested")).size() == 1);
}

TEST_CASE("a caller that may not ask is refused for an unlisted command") {
  Scene scene;
  scene.connect_host();
  const Json outcome =
      scene.exec("uname -s", {{"callerSecurity", "allowlist"}, {"callerAsk", "off"}, {"interactive", false}});
  CHECK(pick(outcome, "/outcome") != "completed");
  CHECK(scene.gateway->journal().all("event", with("event", "exec.finished")).empty());
}

TEST_CASE("under deny-all nothing runs, whatever is listed") {
  Scene scene;
  scene.allow(real("/usr/bin/uname"));
  scene.preset("deny-all");
  scene.connect_host();
  CHECK(pick(scene.exec("uname -s"), "/outcome") == "denied");
  CHECK(node_error(scene.run({"/usr/bin/uname"}))["code"] == "SYSTEM_RUN_DENIED");
}

TEST_CASE("text that is richer than simple commands is never let through by a list") {
  Scene scene;
  scene.allow("echo");
  scene.allow(real("/usr/bin/echo"));
  scene.connect_host();
  const std::string text =
      GENERATE(as<std::string>{}, "echo $(id)", "echo `id`", "echo a > out", "echo $HOME", "(echo a)",
               "echo a & echo b", "echo {a,b}", "if true; then echo a; fi", "echo a; unlisted-program",
               "echo a | unlisted-program");
  INFO(text);
  const Json outcome = scene.exec(text, {{"interactive", false}});
  CHECK(pick(outcome, "/outcome") != "completed");
  CHECK(scene.gateway->journal().all("event", with("event", "exec.finished")).empty());
}

TEST_CASE("prepare answers a plan bound to the real path, with its text in the official quoting") {
  Scene scene;
  scene.allow(real("/usr/bin/uname"));
  scene.connect_host();
  const Json outcome = scene.exec("uname -s", {{"cwd", scene.directory.path()}});
  const Json plan = full_settings_plan(outcome);
  CHECK(pick(plan, "/argv") == Json::array({real("/usr/bin/uname"), "-s"}));
  CHECK(pick(plan, "/commandText") == devgateway::command_text({real("/usr/bin/uname"), "-s"}));
  CHECK(pick(plan, "/cwd") == scene.directory.path());
  CHECK(pick(outcome, "/prepare/execPolicy") == Json{{"security", "full"}, {"ask", "off"}});
}

TEST_CASE("the plan grants nothing: what is unlisted between prepare and run is refused at run time") {
  Scene scene;
  scene.allow(real("/usr/bin/uname"));
  scene.connect_host();
  const Json plan = full_settings_plan(scene.exec("uname -s"));
  const Finished removed =
      scene.hostclaw({"approvals", "allowlist", "remove", real("/usr/bin/uname"), "--agent", "*"});
  REQUIRE(removed.status == 0);
  const Json answer = scene.run({real("/usr/bin/uname"), "-s"}, {{"systemRunPlan", plan},
                                                                 {"rawCommand", pick(plan, "/commandText")},
                                                                 {"cwd", pick(plan, "/cwd")},
                                                                 {"sessionKey", pick(plan, "/sessionKey")}});
  CHECK(node_error(answer)["code"] == "SYSTEM_RUN_DENIED");
}

TEST_CASE("what is shown to the gateway for a command that was allowed is gone when the list changes") {
  Scene scene;
  scene.allow("uname");  // by name: the gateway cannot see it without help
  scene.connect_host();
  const auto shown = [&] {
    const Reply got = scene.gateway->call("exec.approvals.node.get", {{"nodeId", scene.node_id}});
    REQUIRE(got.ok);
    const Json agents = pick(got.payload, "/file/agents");
    std::size_t entries = 0;
    for (const auto& [name, agent] : agents.items())
      entries += agent.value("allowlist", Json::array()).size();
    return entries;
  };
  CHECK(shown() == 1);
  CHECK(pick(scene.exec("uname -s"), "/outcome") == "completed");
  CHECK(shown() > 1);
  scene.allow("printf");
  CHECK(shown() == 2);
}

TEST_CASE("the approvals document can be read and edited from the gateway, under its hash") {
  Scene scene;
  scene.connect_host();
  const Reply got = scene.gateway->call("exec.approvals.node.get", {{"nodeId", scene.node_id}});
  REQUIRE(got.ok);
  CHECK(pick(got.payload, "/resolvedDefaults/security") == "allowlist");
  CHECK(pick(got.payload, "/resolvedDefaults/ask") == "on-miss");
  CHECK(pick(got.payload, "/resolvedDefaults/askFallback") == "deny");
  CHECK_FALSE(pick(got.payload, "/file").value("socket", Json::object()).contains("token"));

  Json file = pick(got.payload, "/file");
  file["agents"]["main"]["allowlist"] = {{{"pattern", real("/usr/bin/uname")}}};
  Json set = {{"nodeId", scene.node_id}, {"file", file}};
  CHECK_FALSE(scene.gateway->call("exec.approvals.node.set", set).ok);
  set["baseHash"] = pick(got.payload, "/hash");
  CHECK(scene.gateway->call("exec.approvals.node.set", set).ok);
  CHECK_FALSE(scene.gateway->call("exec.approvals.node.set", set).ok);
  CHECK(pick(scene.exec("uname -s"), "/outcome") == "completed");
}

TEST_CASE("what is warned of in an edit of the gateway names the entry and its agent") {
  Scene scene;
  scene.connect_host();
  const Reply got = scene.gateway->call("exec.approvals.node.get", {{"nodeId", scene.node_id}});
  Json file = pick(got.payload, "/file");
  file["agents"]["main"]["allowlist"] = {{{"pattern", real("/usr/bin/find")}}};
  REQUIRE(scene.gateway
              ->call("exec.approvals.node.set",
                     {{"nodeId", scene.node_id}, {"file", file}, {"baseHash", pick(got.payload, "/hash")}})
              .ok);
  CHECK(scene.host->wait_line("the gateway's edit, entry " + real("/usr/bin/find") + " of agent main: ",
                              kPatience));
}

TEST_CASE("an approvals document with a value that is not known is refused and the entry named") {
  Scene scene;
  scene.connect_host();
  const Reply got = scene.gateway->call("exec.approvals.node.get", {{"nodeId", scene.node_id}});
  Json file = pick(got.payload, "/file");
  file["agents"]["main"]["security"] = "sometimes";
  const Reply set = scene.gateway->call(
      "exec.approvals.node.set",
      {{"nodeId", scene.node_id}, {"file", file}, {"baseHash", pick(got.payload, "/hash")}});
  REQUIRE_FALSE(set.ok);
  const std::string message = string_at(node_error(set), "message");
  INFO(message);
  CHECK(message.find("main") != std::string::npos);
  CHECK(message.find("security") != std::string::npos);
  CHECK(scene.gateway->call("exec.approvals.node.get", {{"nodeId", scene.node_id}}).payload["hash"] ==
        pick(got.payload, "/hash"));
}

TEST_CASE("a change of the list on the command line is seen by the next command of a running node") {
  Scene scene;
  scene.connect_host();
  CHECK(pick(scene.exec("uname -s", {{"interactive", false}}), "/outcome") != "completed");
  scene.allow(real("/usr/bin/uname"));
  CHECK(pick(scene.exec("uname -s", {{"interactive", false}}), "/outcome") == "completed");
}

TEST_CASE("runs and refusals are visible in the record") {
  Scene scene;
  scene.allow(real("/usr/bin/uname"));
  scene.connect_host();
  scene.exec("uname -s");
  scene.run({"/usr/bin/id"});
  const Finished listed = scene.hostclaw({"runs", "--json"});
  REQUIRE(listed.status == 0);
  const Json runs = (*parse_json(listed.standard_output))["runs"];
  REQUIRE(runs.size() == 2);
  std::set<std::string> verdicts;
  for (const Json& run : runs) verdicts.insert(string_at(run, "verdict"));
  CHECK(verdicts.size() == 2);
  CHECK(verdicts.contains("allow"));
}

}  // namespace hostclaw::integration
