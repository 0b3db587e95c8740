// SPDX-License-Identifier: Apache-2.0
// hostclaw_runs: what an agent sees of its own runs, and of nobody else's.
#include "node-host/doors/gateway/runs_tool.h"

#include <catch2/catch.hpp>

#include "base/text.h"
#include "node-host/run/live_output.h"
#include "test_support.h"
#include "tests/support/fake_clock.h"

namespace hostclaw::node_host {
namespace {

using gateway_proto::InvokeResult;

constexpr const char* kOwn = "agent:main:main";

struct Shelf {
  TemporaryDirectory directory;
  test::FakeClock clock;
  std::unique_ptr<approvals::Store> store;

  Shelf() {
    auto opened = approvals::Store::open(directory / "state", approvals::OpenMode::kReadWrite);
    REQUIRE(opened.has_value());
    store = std::move(*opened);
    put("mine", "main", kOwn);
    put("other-session", "main", "agent:main:telegram:7");
    put("other-agent", "work", "agent:work:main");
    put("borrowed-key", "work", kOwn);
    put("nameless", "", "node");
  }
  std::int64_t put(const std::string& id, const std::string& agent, const std::string& session,
                   const std::string& state = "finished") {
    approvals::RunRow row;
    row.run_id = id;
    row.agent_id = agent;
    row.session_key = session;
    row.verdict = "allow";
    row.state = state;
    row.command_text = "echo " + id;
    row.output_tail = "output of " + id;
    row.started_at_ms = clock.unix_ms();
    if (state == "finished") {
      row.ended_at_ms = clock.unix_ms() + 5;
      row.exit_code = 0;
    }
    const auto row_id = store->insert_run(row);
    REQUIRE(row_id.has_value());
    return *row_id;
  }
  std::string live() const { return directory / "output"; }
  InvokeResult call(const Json& params, const std::string& session) {
    return call_tool(*store, params, session, live(), clock);
  }
  // Of the published tool; fails when the envelope is no success.
  Json ask(const Json& arguments, const std::string& session = kOwn) {
    const InvokeResult result =
        call({{"server", "hostclaw"}, {"tool", "hostclaw_runs"}, {"arguments", arguments}}, session);
    REQUIRE(result.ok);
    REQUIRE(result.payload_string.empty());
    return Json::parse(result.payload_object);
  }
  std::string text(const Json& arguments, const std::string& session = kOwn) {
    const Json answer = ask(arguments, session);
    REQUIRE(answer["content"].size() == 1);
    CHECK(answer["content"][0]["type"] == "text");
    return answer["content"][0]["text"].get<std::string>();
  }
};

std::vector<std::string> ids(const std::string& text) {
  std::vector<std::string> out;
  const Json parsed = Json::parse(text);
  for (const Json& run : parsed["runs"]) out.push_back(run["runId"].get<std::string>());
  return out;
}

}  // namespace

TEST_CASE("hostclaw_runs: an agent sees its own runs, newest first, and nobody else's") {
  Shelf shelf;
  shelf.put("mine-2", "main", kOwn);
  CHECK(ids(shelf.text(Json::object())) == std::vector<std::string>{"mine-2", "mine"});
  CHECK(ids(shelf.text({{"limit", 1}})) == std::vector<std::string>{"mine-2"});
  CHECK(ids(shelf.text({{"limit", -5}})).size() == 1);
  CHECK(ids(shelf.text(Json::object(), "agent:work:main")) == std::vector<std::string>{"other-agent"});
  const Json run = Json::parse(shelf.text(Json::object()))["runs"][1];
  CHECK(run["command"] == "echo mine");
  CHECK(run["exitCode"] == 0);
  CHECK(run["state"] == "finished");
  CHECK(run["durationMs"] == 5);
}

TEST_CASE("hostclaw_runs: one run with its output; another's is one that there is not") {
  Shelf shelf;
  CHECK(Json::parse(shelf.text({{"id", "mine"}}))["output"] == "output of mine");
  for (const char* id : {"other-session", "other-agent", "borrowed-key", "nameless", "nothing"}) {
    INFO(id);
    const Json answer = shelf.ask({{"id", id}});
    CHECK(answer["isError"] == true);
    CHECK(answer["content"][0]["text"] ==
          std::string("NOT_FOUND: this agent has no run ") + id + " in this session");
  }
}

TEST_CASE("hostclaw_runs: a run that still runs shows what it has written so far") {
  Shelf shelf;
  const std::int64_t row = shelf.put("running", "main", kOwn, "running");
  LiveOutput output(shelf.live(), row);
  output.append("half of it\n");
  const Json run = Json::parse(shelf.text({{"id", "running"}}));
  CHECK(run["running"] == true);
  CHECK(run["output"] == "half of it");
}

TEST_CASE("hostclaw_runs: without agent and session nothing is shown, whatever the arguments say") {
  Shelf shelf;
  for (const char* session : {"", "node", "main", "agent:main", "agent:main:", "agent::main", "agent:"}) {
    INFO(session);
    const Json answer =
        shelf.ask({{"sessionKey", kOwn}, {"agentId", "main"}, {"session", kOwn}, {"id", "mine"}}, session);
    CHECK(answer["isError"] == true);
    CHECK(answer["content"][0]["text"].get<std::string>().starts_with("Nothing is shown"));
  }
  // The arguments choose among one's own, no more.
  CHECK(ids(shelf.text({{"sessionKey", "agent:work:main"}, {"agentId", "work"}})) ==
        std::vector<std::string>{"mine"});
}

TEST_CASE("hostclaw_runs: calls of another shape and of other tools are refused as the official host does") {
  Shelf shelf;
  const auto code = [&](const Json& params) { return shelf.call(params, kOwn).error_code; };
  CHECK(code(Json::array()) == "INVALID_REQUEST");
  CHECK(code({{"server", "hostclaw"}}) == "INVALID_REQUEST");
  CHECK(code({{"server", "hostclaw"}, {"tool", "hostclaw_runs"}, {"arguments", Json::array()}}) ==
        "INVALID_REQUEST");
  CHECK(code({{"server", "fx"}, {"tool", "echo"}}) == "MCP_SERVER_UNAVAILABLE");
  CHECK(code({{"server", "hostclaw"}, {"tool", "system_run"}}) == "MCP_TOOL_UNAVAILABLE");
  CHECK(shelf.call({{"server", "hostclaw"}, {"tool", "hostclaw_runs"}}, kOwn).ok);
}

TEST_CASE("hostclaw_runs: what is published is one tool that gateways take") {
  const Json tools = Json::parse(published_tools())["tools"];
  REQUIRE(tools.size() == 1);
  const Json& tool = tools[0];
  CHECK(tool["name"] == "hostclaw_runs");
  CHECK(tool["command"] == "mcp.tools.call.v1");
  CHECK(tool["pluginId"] == "hostclaw");
  CHECK(tool["mcp"] == Json({{"server", "hostclaw"}, {"tool", "hostclaw_runs"}}));
  CHECK(tool["parameters"]["type"] == "object");
  CHECK(tool["description"].get<std::string>().size() <= 1024);
  CHECK(tool.size() == 6);
}

}  // namespace hostclaw::node_host
