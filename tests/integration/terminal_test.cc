// SPDX-License-Identifier: Apache-2.0
// What a person at a terminal reads when something is in the way.
#include <catch2/catch.hpp>

#include "base/text.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

bool reads(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a refused node says so last, with its code and the next command") {
  Scene scene;
  Environment wrong;
  wrong["OPENCLAW_GATEWAY_TOKEN"] = "another-token";
  scene.start_host({}, wrong, false);
  const auto finished = scene.host->wait_exit(kPatience);
  REQUIRE(finished);
  CHECK(finished->status == 1);
  const std::vector<std::string> lines = split(std::string(trim(finished->standard_error)), '\n');
  INFO(finished->standard_error);
  CHECK(reads(lines.back(), "AUTH_REFUSED: "));
  CHECK(reads(lines.back(), " -- next: "));
}

TEST_CASE(
    "a setup that leads to this machine while no gateway is here is explained, a known gateway is not") {
  const auto scene = std::make_unique<Scene>();
  Environment environment = scene->environment();
  const std::string nowhere = "1";  // no gateway listens on a port that only root may use
  {
    HostProcess host(hostclaw_program(), {"node", "run", "--host", "127.0.0.1", "--port", nowhere},
                     environment);
    const auto line = host.wait_line("no gateway listens there", kPatience);
    REQUIRE(line);
    CHECK(reads(*line, "hostclaw node run --host GATEWAY"));
  }
  scene->connect_host();
  const std::string port = std::to_string(scene->gateway->port());
  scene->stop_host();
  scene->gateway.reset();
  HostProcess host(hostclaw_program(), {"node", "run", "--host", "127.0.0.1", "--port", port}, environment);
  const auto line = host.wait_line("cannot reach", kPatience);
  REQUIRE(line);
  CHECK_FALSE(reads(*line, "no gateway listens there"));
}

TEST_CASE("a shell is offered the ids that there are, as plain words, and asking makes no state") {
  Scene scene;
  const std::string nowhere = scene.directory.path() + "/nowhere";
  const Finished nothing = scene.hostclaw({"complete", "run"}, {{"HOSTCLAW_STATE_DIR", nowhere}});
  CHECK(nothing.standard_output.empty());
  CHECK(nothing.standard_error.empty());
  CHECK_FALSE(std::filesystem::exists(nowhere));

  scene.preset("yolo");
  REQUIRE(scene
              .hostclaw({"policy", "add", "deny", "shutdown", "--note", "never here", "--match",
                         "shutdown now", "--not-match", "uptime", "--id", "no-shutdown"})
              .status == 0);
  scene.connect_host();
  CHECK(pick(scene.run({"/bin/echo", "one"}, {{"runId", "run-1"}}), "/exitCode") == 0);
  CHECK(pick(scene.run({"/bin/echo", "two"}, {{"runId", "$(touch evil)"}}), "/exitCode") == 0);
  const auto offered = [&](const std::string& kind) {
    const Finished listed = scene.hostclaw({"complete", kind});
    CHECK(listed.status == 0);
    return listed.standard_output;
  };
  CHECK(reads(offered("run"), "run-1\texit 0: /bin/echo one"));
  CHECK_FALSE(reads(offered("run"), "evil)"));
  CHECK(offered("open-run").empty());
  CHECK(reads(offered("rule"), "no-shutdown\t"));
  CHECK(offered("question").empty());
  CHECK(offered("grant").empty());
  // What others ran is not for a run.
  CHECK(reads(node_error(scene.run({hostclaw_program(), "complete", "run"})).dump(), "SYSTEM_RUN_DENIED"));
}

TEST_CASE("a profile is another node: its own state, shown in status, named in commands to type") {
  TemporaryDirectory home;
  const Environment environment{{"HOME", home.path()}, {"PATH", "/usr/bin:/bin"}};
  const auto typed = [&](const std::vector<std::string>& words, const Environment& extra = {}) {
    Environment all = environment;
    for (const auto& [name, value] : extra) all[name] = value;
    HostProcess process(hostclaw_program(), words, all);
    const auto finished = process.wait_exit(kPatience);
    REQUIRE(finished);
    return *finished;
  };
  const std::string state = home.path() + "/.local/state/hostclaw";
  // Named in front of the verb or behind it.
  REQUIRE(typed({"--profile", "work", "exec-policy", "preset", "yolo"}).status == 0);
  CHECK(std::filesystem::exists(state + "-work/hostclaw.sqlite"));
  CHECK_FALSE(std::filesystem::exists(state));
  CHECK(typed({"status"}).status == 1);
  const Finished status = typed({"status", "--profile=work"});
  CHECK(reads(status.standard_output, "profile    work\n"));
  CHECK(reads(status.standard_output, state + "-work"));
  CHECK(Json::parse(typed({"status", "--json", "--profile", "work"}).standard_output)["profile"] == "work");
  const Finished other = typed({"--profile", "other", "runs"});
  CHECK(other.status == 1);
  CHECK(reads(other.standard_error, "hostclaw --profile other "));
  CHECK_FALSE(std::filesystem::exists(state + "-other"));
  // A directory that is named for all of them is not shared; one that is named with the profile is its own.
  const Environment named{{"HOSTCLAW_STATE_DIR", home.path() + "/here"}};
  REQUIRE(typed({"--profile", "work", "exec-policy", "preset", "yolo"}, named).status == 0);
  CHECK(std::filesystem::exists(home.path() + "/here-work/hostclaw.sqlite"));
  Environment its_own = named;
  its_own["HOSTCLAW_PROFILE"] = "work";
  REQUIRE(typed({"exec-policy", "preset", "yolo"}, its_own).status == 0);
  CHECK(std::filesystem::exists(home.path() + "/here/hostclaw.sqlite"));
}

TEST_CASE("nodes of two profiles run side by side, each under its own identity") {
  Scene scene;
  scene.connect_host();
  const std::size_t from = scene.mark();
  Environment environment = scene.environment();
  environment["OPENCLAW_GATEWAY_TOKEN"] = kSharedToken;
  HostProcess second(hostclaw_program(),
                     {"--profile", "second", "node", "run", "--host", "127.0.0.1", "--port",
                      std::to_string(scene.gateway->port())},
                     environment);
  CHECK(string_at(scene.await("connected", {}, from), "nodeId") != scene.node_id);
  REQUIRE(second.wait_line("connected", kPatience));
  const auto status = [&](const std::vector<std::string>& words) {
    return Json::parse(scene.hostclaw(words).standard_output);
  };
  const Json usual = status({"status", "--json"});
  const Json other = status({"--profile", "second", "status", "--json"});
  CHECK(pick(usual, "/link/state") == "connected");
  CHECK(pick(other, "/link/state") == "connected");
  CHECK(pick(usual, "/deviceId") != pick(other, "/deviceId"));
  CHECK_FALSE(usual.contains("profile"));
  CHECK(pick(other, "/statePath") == scene.state_directory() + "-second/hostclaw.sqlite");
}

TEST_CASE("a wrong name of a profile is refused and makes nothing") {
  TemporaryDirectory home;
  const auto name = GENERATE("../evil", "-x", ".", "a b", "a/b");
  INFO(name);
  HostProcess process(hostclaw_program(), {"exec-policy", "preset", "yolo", std::string("--profile=") + name},
                      {{"HOME", home.path()}});
  const auto finished = process.wait_exit(kPatience);
  REQUIRE(finished);
  CHECK(finished->status == 2);
  CHECK(reads(finished->standard_error, "is no name of a profile"));
  CHECK(std::filesystem::is_empty(home.path()));
}

}  // namespace hostclaw::integration
