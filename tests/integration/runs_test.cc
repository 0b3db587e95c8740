// SPDX-License-Identifier: Apache-2.0
// Runs that go on: seen from a terminal while they write, and ended there.
#include <catch2/catch.hpp>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A run that says something and then waits until it is told to go on.
struct LongRun {
  Scene scene;
  std::string gate;
  std::future<Reply> answer;

  explicit LongRun(const std::string& id = "long-1") {
    scene.preset("yolo");
    scene.connect_host();
    gate = scene.directory.path() + "/gate";
    const std::string script = scene.directory.path() + "/script";
    write_file(script, "echo begins\nuntil [ -e " + gate + " ]; do sleep 0.1; done\necho ends\nexit 3\n");
    answer = scene.invoke_async("system.run", {{"command", {"/bin/sh", script}},
                                               {"agentId", "main"},
                                               {"sessionKey", "agent:main:main"},
                                               {"runId", id}});
  }
  void open_gate() { write_file(gate, ""); }
  void until_running() {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (!mentions(scene.hostclaw({"runs"}).standard_output, "running"))
      REQUIRE(std::chrono::steady_clock::now() < give_up);
  }
};

}  // namespace

TEST_CASE("a run is followed: its output as it comes, then how it ended and how long it took") {
  LongRun run;
  run.until_running();
  HostProcess follow(hostclaw_program(), {"runs", "show", "--follow", "long-1"}, run.scene.environment());
  CHECK(follow.wait_output("begins", kPatience));
  // Who only looks sees the same until now.
  CHECK(mentions(run.scene.hostclaw({"runs", "long-1"}).standard_output, "begins"));
  run.open_gate();
  const auto finished = follow.wait_exit(kPatience);
  REQUIRE(finished);
  INFO(finished->standard_output);
  CHECK(finished->status == 0);
  CHECK(mentions(finished->standard_output, "\n\nbegins\nends\n\noutcome     exit 3\n"));
  CHECK(mentions(finished->standard_output, "duration    "));
  CHECK(run.answer.get().ok);
  CHECK(std::filesystem::is_empty(run.scene.state_directory() + "/node.output"));
  // What is over is shown as it is.
  const Finished again = run.scene.hostclaw({"runs", "show", "--follow", "long-1"});
  CHECK(again.status == 0);
  CHECK(mentions(again.standard_output, "begins\nends"));
}

TEST_CASE("a run is followed as JSON, one object a line, the run last") {
  LongRun run;
  run.until_running();
  HostProcess follow(hostclaw_program(), {"runs", "show", "--follow", "--json", "long-1"},
                     run.scene.environment());
  const auto first = follow.wait_output("begins", kPatience);
  REQUIRE(first);
  CHECK(Json::parse(*first)["output"] == "begins\n");
  run.open_gate();
  const auto finished = follow.wait_exit(kPatience);
  REQUIRE(finished);
  const std::string& text = finished->standard_output;
  const Json last = Json::parse(text.substr(text.rfind('\n', text.size() - 2) + 1));
  CHECK(last["exitCode"] == 3);
  CHECK(last["running"] == false);
  CHECK(last["durationMs"] > 0);
}

TEST_CASE("a person ends a run: it is over, the caller is told, and the record says who") {
  LongRun run;
  run.until_running();
  const Finished cancelled = run.scene.hostclaw({"runs", "cancel", "long"});
  INFO(cancelled.standard_error);
  CHECK(cancelled.status == 0);
  CHECK(mentions(cancelled.standard_output, "run long-1 was cancelled after "));
  const Reply reply = run.answer.get();
  CHECK(reply.ok);
  CHECK(mentions(reply.payload.dump(), "ended on the node by its operator (cli "));
  const Finished shown = run.scene.hostclaw({"runs", "long-1"});
  CHECK(mentions(shown.standard_output, "outcome     cancelled"));
  CHECK(mentions(shown.standard_output, "begins"));
  CHECK(mentions(shown.standard_output, "by its operator (cli "));
  const Finished record = run.scene.hostclaw({"audit", "tail"});
  CHECK(mentions(record.standard_output, "cancel "));
  CHECK(mentions(record.standard_output, "by cli "));
  // Not twice, and nothing that is not there.
  const Finished again = run.scene.hostclaw({"runs", "cancel", "long-1"});
  CHECK(again.status == 1);
  CHECK(mentions(again.standard_error, "RUN_OVER: run long-1 does not run: cancelled"));
  CHECK(mentions(run.scene.hostclaw({"runs", "cancel", "nothing"}).standard_error, "NOT_FOUND"));
}

TEST_CASE("a run ends no run, its own or another's") {
  LongRun run;
  run.until_running();
  const std::string script = run.scene.directory.path() + "/attack";
  write_file(script, "HOSTCLAW_STATE_DIR='" + run.scene.state_directory() + "' " + hostclaw_program() +
                         " runs cancel long-1\n");
  CHECK(mentions(run.scene.run({"/bin/sh", script}).dump(), "SELF_POLICY"));
  CHECK(mentions(run.scene.hostclaw({"runs", "long-1"}).standard_output, "running"));
  run.open_gate();
  CHECK(run.answer.get().ok);
}

TEST_CASE("an agent reads its own runs through the tool that the node publishes, and nobody else's") {
  Scene scene;
  scene.preset("yolo");
  const std::size_t from = scene.mark();
  scene.connect_host();
  scene.await(
      "sent", [](const Json& record) { return mentions(record.dump(), "hostclaw_runs"); }, from);
  const auto run = [&](const std::string& id, const std::string& agent, const std::string& session) {
    CHECK(pick(scene.run({"/bin/echo", id}, {{"runId", id}, {"agentId", agent}, {"sessionKey", session}}),
               "/exitCode") == 0);
  };
  run("mine", "main", "agent:main:main");
  run("theirs", "work", "agent:work:main");
  const auto call = [&](const Json& arguments, const Json& extra) {
    Json envelope = {
        {"nodeId", scene.node_id},
        {"command", "mcp.tools.call.v1"},
        {"params", {{"server", "hostclaw"}, {"tool", "hostclaw_runs"}, {"arguments", arguments}}}};
    envelope.update(extra);
    const Reply reply = scene.gateway->call("dev.invoke", envelope);
    REQUIRE(reply.ok);
    return reply.payload.dump();
  };
  const std::string own = call(Json::object(), {{"sessionKey", "agent:main:main"}});
  CHECK(mentions(own, "/bin/echo mine"));
  CHECK_FALSE(mentions(own, "theirs"));
  CHECK(mentions(call({{"id", "mine"}}, {{"sessionKey", "agent:main:main"}}), "output"));
  CHECK(mentions(call({{"id", "theirs"}}, {{"sessionKey", "agent:main:main"}}), "NOT_FOUND"));
  CHECK(mentions(call(Json::object(), Json::object()), "Nothing is shown"));
}

TEST_CASE("a gateway that takes no tools is not told of any, and one that was told to serve less neither") {
  GatewaySettings settings = approving_settings();
  const bool old = GENERATE(true, false);
  settings.family_required = old;
  Scene scene(settings);
  const std::size_t from = scene.mark();
  scene.connect_host(old ? std::vector<std::string>{} : std::vector<std::string>{"--commands", "system.run"});
  const auto told = [](const Json& record) { return mentions(record.dump(), "hostclaw_runs"); };
  CHECK(scene.gateway->journal().all("sent", told, from).empty());
}

}  // namespace hostclaw::integration
